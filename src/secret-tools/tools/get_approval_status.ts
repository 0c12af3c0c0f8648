import * as z from 'zod'
import { approvalFields, approvalShape, approvalText } from '../approvals.ts'
import { peopleTool, READS } from '../secret-tool.ts'

export const getApprovalStatus = peopleTool({
  name: 'get_approval_status',
  title: 'Ask what became of a request',
  description:
    'Says whether a person has approved or denied what you asked for with request_approval, or what a call told you to wait for.',
  annotations: READS,
  input: z.strictObject({ approval_id: z.uuid() }),
  output: approvalShape,
  async run({ approval_id }, { people, caller }) {
    const asked = await people.state(caller, approval_id)
    return { structured: approvalFields(asked), text: approvalText(asked) }
  },
})
