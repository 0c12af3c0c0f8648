import * as z from 'zod'
import {
  APPROVAL_STATUSES,
  type ApprovalStatus,
  type AskedState,
  type AskPeople,
  type OwnRequest,
} from '../core/approval-port.ts'
import { Fault } from '../core/faults.ts'
import { isUuid } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import { parseInstant, sleep } from '../core/time.ts'
import type { Connection } from './connection.ts'

/** A server tells nobody that a person decided: it is asked. */
const POLL_MS = 2_000

/** Only what is needed is demanded; `state` is what a Sallyport server adds. */
const answer = z.object({
  id: z.string(),
  status: z.string(),
  state: z.string().nullish(),
  expires_at: z.string().nullish(),
  decision_reason: z.string().nullish(),
  approval_url: z.string().nullish(),
})

/** People whom a server of the 1claw API asks. The server judges who asks and records it; the caller says nothing. */
export class RemotePeople implements AskPeople {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async ask(_caller: Caller, request: OwnRequest): Promise<AskedState> {
    const { action, target, preview, payload, reason, expiresInSeconds, needed } = request
    const body = JSON.stringify({
      action,
      target_type: target.type,
      target_id: target.id,
      summary: preview,
      payload,
      reason,
      expires_in_seconds: expiresInSeconds,
      required_approvals: needed,
    })
    return stateOf(
      await this.#connection.ask({ method: 'POST', path: '/v1/approvals/request', body }),
    )
  }

  async state(_caller: Caller, id: string): Promise<AskedState> {
    if (!isUuid(id)) throw new Fault('NOT_FOUND', `There is no approval '${id.slice(0, 64)}'.`)
    // The short form of the older API tells no reason.
    return stateOf(await this.#connection.ask({ method: 'GET', path: `/v1/approvals/${id}` }))
  }

  async decided(caller: Caller, id: string, signal: AbortSignal): Promise<AskedState> {
    for (;;) {
      signal.throwIfAborted()
      const state = await this.state(caller, id)
      if (state.status !== 'pending') return state
      await sleep(POLL_MS, signal)
    }
  }
}

function stateOf(body: unknown): AskedState {
  const read = answer.safeParse(body)
  if (!read.success)
    throw new Fault('NET_FAILED', 'The server answered with something that is no approval.')
  const { id, status, state, expires_at, decision_reason, approval_url } = read.data
  return {
    id,
    status: statusFrom(state ?? status),
    expiresAt: typeof expires_at === 'string' ? parseInstant(expires_at) : null,
    decisionReason: decision_reason ?? null,
    url: approval_url ?? null,
  }
}

/** @throws {Fault} `NET_FAILED`: what is not known to be a yes is none */
function statusFrom(word: string): ApprovalStatus {
  if (word === 'rejected') return 'denied'
  const known = APPROVAL_STATUSES.find((one) => one === word)
  if (known !== undefined) return known
  throw new Fault('NET_FAILED', 'The server answered with a state of an approval that is unknown.')
}
