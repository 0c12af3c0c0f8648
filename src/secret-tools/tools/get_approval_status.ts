import * as z from 'zod'
import {
  approvalFields,
  approvalShape,
  approvalText,
  MAX_WAIT_SECONDS,
  stateWithin,
} from '../approvals.ts'
import { peopleTool, READS } from '../secret-tool.ts'

export const getApprovalStatus = peopleTool({
  name: 'get_approval_status',
  title: 'Ask what became of a request',
  description:
    'Says whether a person has approved or denied what you asked for with request_approval, or what a call told you to wait for.',
  annotations: READS,
  input: z.strictObject({
    approval_id: z.uuid(),
    wait_seconds: z
      .int()
      .min(0)
      .max(MAX_WAIT_SECONDS)
      .describe('Answer as soon as it is decided, or after so long. Default: 0, at once.')
      .optional(),
  }),
  output: approvalShape,
  async run({ approval_id, wait_seconds = 0 }, { people, caller, mcp }) {
    const asked = await stateWithin(people, caller, mcp, approval_id, wait_seconds)
    return 'visit' in asked
      ? asked
      : { structured: approvalFields(asked), text: approvalText(asked) }
  },
})
