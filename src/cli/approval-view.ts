import type { ApprovalInfo, ApprovalPort, Widening } from '../core/approval-port.ts'
import { toIso } from '../core/time.ts'
import type { Io, Json } from './command.ts'
import type { CliDeps } from './deps.ts'
import { asPerson } from './presence.ts'
import { fields, instant, visible } from './text.ts'

/** The argument of every command about one approval. */
export const APPROVAL_ARGUMENT = { name: 'id', summary: 'the approval' } as const

export const REASON_OPTION = {
  reason: { summary: 'why, for whoever asked', value: 'TEXT' },
} as const

export function approvalJson(approval: ApprovalInfo): { readonly [name: string]: Json } {
  const { grant, preview } = approval
  return {
    id: approval.id,
    kind: approval.kind,
    status: approval.status,
    requester: approval.requester,
    project: approval.project,
    client: approval.client,
    action: approval.action,
    target_type: approval.target.type,
    target_id: approval.target.id,
    arguments_digest: approval.argumentsDigest,
    policy_revision: approval.policyRevision,
    summary: {
      title: preview.title,
      body: preview.body ?? null,
      fields: (preview.fields ?? []).map(({ label, value }) => ({ label, value })),
    },
    reason: approval.reason,
    needed: approval.needed,
    votes: approval.votes.map(({ by, decision, reason, at }) => ({
      by,
      decision,
      reason,
      at: toIso(at),
    })),
    grant:
      grant === null
        ? null
        : {
            place: grant.place,
            permission: grant.permission,
            pattern: grant.pattern,
            seconds: grant.seconds,
            uses: grant.uses,
            used: grant.used,
            until: grant.until === null ? null : toIso(grant.until),
          },
    created_at: toIso(approval.createdAt),
    expires_at: toIso(approval.expiresAt),
    decided_at: approval.decidedAt === null ? null : toIso(approval.decidedAt),
    consumed_at: approval.consumedAt === null ? null : toIso(approval.consumedAt),
  }
}

export function approvalText(approval: ApprovalInfo): string {
  const { grant, preview } = approval
  // What Sallyport enforces is in its own words; of anything else it is said whose words they are.
  const words = approval.kind === 'own' ? 'in its own words' : 'what'
  return fields([
    ['id', approval.id],
    ['state', approval.status],
    ['asked by', askedBy(approval)],
    [words, preview.title],
    ...(preview.body ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => ['', line] as const),
    ...(preview.fields ?? []).map(({ label, value }) => [`  ${visible(label)}`, value] as const),
    ['action', approval.action],
    ['target', `${approval.target.type} ${approval.target.id}`],
    ...(grant === null
      ? []
      : [
          ['in', grant.place] as const,
          [
            'used',
            grant.uses === null ? `${grant.used}` : `${grant.used} of ${grant.uses}`,
          ] as const,
        ]),
    ...(approval.reason === null ? [] : [['its reason', approval.reason] as const]),
    ['needs', approval.needed === 1 ? 'one person' : `${approval.needed} people`],
    ...approval.votes.map(
      ({ by, decision, reason }) =>
        [
          decision === 'approve' ? 'yes of' : 'no of',
          reason === null ? by : `${by}: ${reason}`,
        ] as const,
    ),
    ['asked', instant(approval.createdAt)],
    ['ends', instant(approval.expiresAt)],
    ['digest', approval.argumentsDigest],
  ])
}

export function askedBy({ requester, project, client }: ApprovalInfo): string {
  const inProject = project === null ? '' : ` in ${project}`
  return `${requester}${inProject}${client === null ? '' : ` (${client})`}`
}

/**
 * Shows what is to be decided, has the person prove to be there, and decides exactly what was shown.
 *
 * @throws {Fault} of the gate; `NOT_FOUND`, `CONFLICT` when it changed or ended meanwhile
 */
export async function decide(
  deps: Pick<CliDeps, 'presence' | 'caller' | 'approvals'>,
  io: Io,
  decision: 'approve' | 'deny',
  args: {
    readonly id: string
    readonly reason: string | undefined
    readonly widen?: Widening | undefined
  },
): Promise<void> {
  const approvals: ApprovalPort = await deps.approvals()
  const shown = await approvals.status(await deps.caller(), args.id)
  await io.say(approvalText(shown))
  const { argumentsDigest: expected, preview } = shown
  const isOwn = shown.kind === 'own'
  const { reason, widen } = args
  const caller = await asPerson(deps, io, {
    action: `${decision} for ${askedBy(shown)}${isOwn ? ', in its own words' : ''}: ${preview.title}`,
    detail: `${shown.action} ${shown.target.type} ${shown.target.id}${widen === undefined ? '' : `; also ${scopeText(widen)}`}`,
  })
  const decided = await approvals.decide(caller, shown.id, decision, {
    expected,
    ...(reason !== undefined && { reason }),
    ...(widen !== undefined && { widen }),
  })
  await io.answer(approvalJson(decided), () => outcomeText(decided))
}

function scopeText({ pattern, seconds, uses }: Widening): string {
  const limits = [
    ...(seconds === null ? [] : [`for ${seconds} s`]),
    ...(uses === null ? [] : [`${uses} times`]),
  ]
  return `the same at ${pattern} ${limits.join(', ')}`
}

function outcomeText({ status, needed, votes }: ApprovalInfo): string {
  switch (status) {
    case 'approved':
      return 'Approved.'
    case 'denied':
      return 'Denied.'
    default:
      return `${votes.filter(({ decision }) => decision === 'approve').length} of ${needed} have approved.`
  }
}
