import { changeLane, type Settled } from '../audit/index.ts'
import { addressBlock } from '../core/address-block.ts'
import type { ApprovalAct, ApprovalPort } from '../core/approval-port.ts'
import { jsonDigest } from '../core/canonical-json.ts'
import type { Tx } from '../core/db-port.ts'
import type { EnrolmentPort, EnrolmentQuestion, EnrolmentState } from '../core/enrolment-port.ts'
import { Fault } from '../core/faults.ts'
import { type AgentId, newId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import { demandRate, perMinute, type RateLimit, type RatePort } from '../core/rate-port.ts'
import type { EpochMs } from '../core/time.ts'
import { newToken, sha256, tokenHash } from '../crypto/index.ts'
import { checkedChoice } from './agent-request.ts'
import { type AgentParts, createAgent, type NewKey, newAgentKey } from './agents.ts'
import { type AgentRow, agentInfo } from './identity-rows.ts'

const POLL_PREFIX = 'spt_enroll_'
const LIFE_SECONDS = 3_600
const PER_ADDRESS: RateLimit = { burst: 5, perSecond: 5 / 600 }
const PER_EMAIL: RateLimit = { burst: 1, perSecond: 1 / 600 }
/** What is waiting for people at any time is at most twice as much. */
const TOGETHER: RateLimit = { burst: 50, perSecond: 50 / LIFE_SECONDS }
const LOOKS_PER_ADDRESS = perMinute(60)
const EMAIL = /^[^\s@\p{C}]{1,64}@[^\s@\p{C}]{1,190}$/u
/** Without letters and digits that are taken for one another. */
const CODE_LETTERS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'

export interface EnrolmentParts extends AgentParts {
  readonly approvals: Pick<ApprovalPort, 'request' | 'consumeWithin'>
  readonly rates: RatePort
}

interface Asked extends EnrolmentQuestion {
  /** Keyed hash of the token. */
  readonly digest: Uint8Array
}

interface Collecting {
  readonly asked: Asked
  readonly key: NewKey
}

/** What a collection found: what became of the question, or the agent that was made for it. */
type Found = { readonly status: 'pending' | 'denied' } | { readonly row: AgentRow }

/** @see EnrolmentPort */
export function createEnrolments(parts: EnrolmentParts): EnrolmentPort {
  const { approvals, rates, ledger } = parts
  const lane = changeLane('agent.enroll', (tx, member: Collecting, at) =>
    collected(parts, tx, member, at),
  )
  return {
    async ask(request, origin) {
      checkedChoice({ name: request.name, description: request.description }, parts.clock())
      if (request.humanEmail !== null && !EMAIL.test(request.humanEmail))
        throw new Fault('BAD_INPUT', 'human_email must be an e-mail address.', {
          details: { field: 'human_email' },
        })
      const { address, humanEmail } = { ...origin, ...request }
      demandRate(await rates.take(`enroll address ${addressBlock(address)}`, PER_ADDRESS), ASKED)
      if (humanEmail !== null)
        demandRate(await rates.take(`enroll e-mail ${humanEmail.toLowerCase()}`, PER_EMAIL), ASKED)
      demandRate(await rates.take('enroll', TOGETHER), ASKED)
      const token = newToken(POLL_PREFIX)
      try {
        const digest = tokenHash(await parts.lookupKey(), token)
        const asked = { ...request, agentId: newId<string>(), digest }
        const code = codeOf(digest)
        const approval = await approvals.request(guestOf(asked), {
          ...actOf(asked),
          // In our words nothing of what a stranger says but where it is said whose words they are.
          preview: {
            title: 'Let a new agent in',
            fields: [
              { label: 'Calls itself', value: request.name },
              { label: 'Code', value: code },
              { label: 'Asked from', value: address ?? 'unknown' },
              ...(humanEmail === null ? [] : [{ label: 'Names as its person', value: humanEmail }]),
            ],
          },
          ...(request.description === null ? {} : { reason: request.description }),
          expiresInSeconds: LIFE_SECONDS,
        })
        return {
          agentId: asked.agentId,
          approvalId: approval.id,
          code,
          token,
          expiresAt: approval.expiresAt,
        }
      } catch (error) {
        token.wipe()
        throw error
      }
    },
    async collect(question, shown, origin) {
      const { address } = origin
      demandRate(
        await rates.take(`enroll look ${addressBlock(address)}`, LOOKS_PER_ADDRESS),
        'attempts',
      )
      const digest = tokenHash(await parts.lookupKey(), shown)
      const asked = { ...question, digest }
      const { token, key } = await newAgentKey(parts)
      const { value } = await ledger.commit(lane, { asked, key })
      const state: EnrolmentState =
        'row' in value ? { status: 'approved', agent: agentInfo(value.row), key: token } : value
      if (state.status === 'approved') parts.changed()
      else token.wipe()
      return state
    },
  }
}

const ASKED = 'enrolments'

/** Nothing is known of it but the id that it would have. */
function guestOf({ agentId }: Asked): Caller {
  return { principal: { kind: 'guest', id: agentId }, channel: 'http' }
}

/** The token is part of it: what was approved can be collected by whoever asked, and by nobody else. */
function actOf({ agentId, name, description, humanEmail, digest }: Asked): ApprovalAct {
  return {
    action: 'agent.enroll',
    target: { type: 'agent', id: agentId },
    argumentsDigest: jsonDigest({
      name,
      description,
      humanEmail,
      token: Buffer.from(digest).toString('hex'),
    }),
    policyRevision: 'enrolment',
  }
}

/** `K7Q2-9XPD` */
function codeOf(digest: Uint8Array): string {
  const bytes = sha256(digest).subarray(0, 8)
  const letters = [...bytes].map((byte) => CODE_LETTERS[byte % CODE_LETTERS.length]).join('')
  return `${letters.slice(0, 4)}-${letters.slice(4)}`
}

async function collected(
  parts: EnrolmentParts,
  tx: Tx,
  { asked, key }: Collecting,
  at: EpochMs,
): Promise<Settled<Found>> {
  const caller = guestOf(asked)
  const { consumption, rows } = await parts.approvals.consumeWithin(tx, caller, actOf(asked), at)
  if (consumption.outcome === 'none') return { fault: over(), record: null }
  if (consumption.outcome !== 'granted')
    return { value: { status: consumption.outcome }, record: null }
  const { votes } = consumption.taken.approval
  const maker = votes.findLast(({ decision }) => decision === 'approve')?.by ?? 'sallyport'
  const { name, description } = asked
  const made = await createAgent(
    parts.tables,
    tx,
    { caller, request: { name, description }, key },
    at,
    { id: asked.agentId as AgentId, maker, rows },
  )
  return 'fault' in made ? made : { value: { row: made.value }, record: made.record }
}

function over(): Fault {
  return new Fault('NOT_FOUND', 'There is no such enrolment, or it is over.')
}
