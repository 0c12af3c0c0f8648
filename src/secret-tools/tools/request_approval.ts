import * as z from 'zod'
import { approvalFields, approvalShape, approvalText } from '../approvals.ts'
import { ADDS, peopleTool } from '../secret-tool.ts'

const text = (max: number) => z.string().min(1).max(max)

export const requestApproval = peopleTool({
  name: 'request_approval',
  title: 'Ask a person to approve something',
  description:
    'Files a request that a person approves or denies; nothing is done by it. Say in the summary what you are about to do, by names and never with the value of a secret. The answer comes with get_approval_status. The same request is filed once.',
  annotations: ADDS,
  input: z.strictObject({
    action: text(128).describe('namespace.verb, such as deploy.production.'),
    target_type: text(64).describe('What kind of thing it is done to.'),
    target_id: text(1024).describe('Which one.'),
    summary: z
      .strictObject({
        title: text(200).describe('One line.'),
        body: z.string().max(4000).optional(),
        fields: z
          .array(z.strictObject({ label: text(100), value: z.string().max(1000) }))
          .max(32)
          .optional(),
      })
      .describe('What the person is shown.'),
    payload: z
      .record(z.string(), z.unknown())
      .describe('The exact arguments. Their digest is bound to the request and nothing else kept.')
      .optional(),
    reason: z.string().max(1000).describe('Why, in your words.').optional(),
    declared_risk_tier: z
      .int()
      .min(1)
      .max(3)
      .describe('Accepted for older clients: every decision takes a proof that a person is there.')
      .optional(),
    expires_in_seconds: z.int().min(30).max(604_800).describe('Default: 900.').optional(),
  }),
  output: approvalShape,
  async run(args, { people, caller }) {
    const { title, body, fields } = args.summary
    const asked = await people.ask(caller, {
      action: args.action,
      target: { type: args.target_type, id: args.target_id },
      preview: {
        title,
        ...(body !== undefined && { body }),
        ...(fields !== undefined && { fields }),
      },
      ...(args.payload !== undefined && { payload: args.payload }),
      ...(args.reason !== undefined && { reason: args.reason }),
      ...(args.expires_in_seconds !== undefined && { expiresInSeconds: args.expires_in_seconds }),
    })
    return { structured: approvalFields(asked), text: approvalText(asked) }
  },
})
