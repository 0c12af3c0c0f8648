import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import { SHARE_RECIPIENTS, type ShareTarget } from '../../core/share-port.ts'
import { toIso } from '../../core/time.ts'
import { instantOf, maxAccessCountField, pathFields, pathOf } from '../arguments.ts'
import { ADDS, sharingTool } from '../secret-tool.ts'

const DEFAULT_READINGS = 5

export const shareSecret = sharingTool({
  name: 'share_secret',
  title: 'Share a secret',
  description:
    'Shares one secret with a user, an agent, whoever made this agent, or anyone with a link. Only what may be read and shared by policy. A link, or one for an e-mail address, needs the approval of a person first; nothing is sent. The value itself is not answered.',
  annotations: ADDS,
  input: z.strictObject({
    ...pathFields,
    secret_id: z.uuid().describe('The secret by its id, in place of its path.').optional(),
    recipient_type: z.enum(SHARE_RECIPIENTS),
    recipient_id: z.uuid().describe('With user or agent: whose id it is.').optional(),
    email: z.string().max(256).describe('With external_email.').optional(),
    expires_at: z.string().max(64).describe('When it ends. RFC 3339 with a zone.'),
    max_access_count: maxAccessCountField
      .describe(`How often it may be opened; null: any number. Default: ${DEFAULT_READINGS}.`)
      .optional(),
  }),
  output: z.object({
    id: z.string(),
    share_url: z.string().describe('Of a link: to be handed on as it is, shown this once.'),
    recipient_type: z.enum(SHARE_RECIPIENTS),
    recipient_email: z.string().nullable(),
    expires_at: z.string(),
    max_access_count: z.int().nullable(),
  }),
  async run(args, { handOn, vaultName, caller }) {
    const made = await handOn.share(caller, targetOf(args, vaultName), {
      recipientType: args.recipient_type,
      expiresAt: instantOf(args.expires_at, 'expires_at'),
      maxAccessCount:
        args.max_access_count === undefined ? DEFAULT_READINGS : args.max_access_count,
      ...(args.recipient_id !== undefined && { recipientId: args.recipient_id }),
      ...(args.email !== undefined && { email: args.email }),
    })
    try {
      const structured = {
        id: made.id,
        share_url: made.url.reveal(),
        recipient_type: made.recipientType,
        recipient_email: made.email,
        expires_at: toIso(made.expiresAt),
        max_access_count: made.maxAccessCount,
      }
      const text = `Shared as ${made.id}, until ${structured.expires_at}: ${structured.share_url}`
      return { structured, text }
    } finally {
      made.url.wipe()
    }
  },
})

function targetOf(
  args: {
    readonly path?: string | undefined
    readonly name?: string | undefined
    readonly secret_id?: string | undefined
  },
  vault: string,
): ShareTarget {
  const { secret_id: secretId } = args
  if (secretId === undefined) return { vault, path: pathOf(args) }
  if (args.path === undefined && args.name === undefined) return { secretId }
  throw new Fault('BAD_INPUT', "Give 'secret_id' or 'path', not both.", {
    details: { fields: ['secret_id', 'path'] },
  })
}
