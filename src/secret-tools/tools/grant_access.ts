import * as z from 'zod'
import { ACCESS_PERMISSIONS, type AccessPermission } from '../../core/policy-port.ts'
import { toIso } from '../../core/time.ts'
import { instantOf } from '../arguments.ts'
import { ADDS, grantingTool } from '../secret-tool.ts'

const MAX_PATTERN = 512

export const grantAccess = grantingTool({
  name: 'grant_access',
  title: 'Let somebody else do what you may',
  description:
    'Gives a user or an agent permissions at the paths of a pattern. Nobody grants more than he holds, longer than he holds it, or where he may not share; from an agent a person approves it first: the refusal names the approval, and the same call counts once it is given.',
  annotations: ADDS,
  input: z.strictObject({
    vault_id: z.uuid().describe('Default: the vault of this connection.').optional(),
    principal_type: z.enum(['user', 'agent']),
    principal_id: z.uuid().describe('Whose id it is.'),
    permissions: z
      .array(z.enum(ACCESS_PERMISSIONS))
      .min(1)
      .max(ACCESS_PERMISSIONS.length)
      .describe('Default: read. Where only read, write and delete are named, read brings list.')
      .optional(),
    secret_path_pattern: z
      .string()
      .min(1)
      .max(MAX_PATTERN)
      .describe('* is one segment, ** any depth. Default: **.')
      .optional(),
    expires_at: z
      .string()
      .max(64)
      .describe('When it ends, RFC 3339 with a zone. Default: when it is taken back.')
      .optional(),
  }),
  output: z.strictObject({
    policy_id: z.string(),
    vault_id: z.string(),
    principal_type: z.enum(['user', 'agent']),
    principal_id: z.string(),
    permissions: z.array(z.enum(ACCESS_PERMISSIONS)),
    secret_path_pattern: z.string(),
    expires_at: z.string().nullable(),
  }),
  async run(args, { policies, vaultName, caller }) {
    const made = await policies.create(caller, args.vault_id ?? vaultName, {
      pattern: args.secret_path_pattern ?? '**',
      principalType: args.principal_type,
      principalId: args.principal_id,
      permissions: withList(args.permissions ?? ['read']),
      expiresAt: args.expires_at === undefined ? null : instantOf(args.expires_at, 'expires_at'),
    })
    const structured = {
      policy_id: made.id,
      vault_id: made.vaultId,
      principal_type: made.principalType,
      principal_id: made.principalId,
      permissions: [...made.permissions],
      secret_path_pattern: made.pattern,
      expires_at: made.expiresAt === null ? null : toIso(made.expiresAt),
    }
    const may = made.permissions.join(', ')
    return {
      structured,
      text: `Access granted: ${made.principalType} ${made.principalId} may ${may} at '${made.pattern}'. Policy ID: ${made.id}`,
    }
  },
})

/** In the older API, which has no other permissions, whoever may read may also list. */
function withList(given: readonly AccessPermission[]): readonly AccessPermission[] {
  const isOlder = given.every((one) => one === 'read' || one === 'write' || one === 'delete')
  return isOlder && given.includes('read') ? [...new Set([...given, 'list' as const])] : given
}
