import { randomBytes } from 'node:crypto'
import type { Taken } from '../core/counter-port.ts'
import { type Clock, systemClock } from '../core/time.ts'
import { KEY_BYTES, MacKey, sha256 } from '../crypto/index.ts'
import {
  memberOf,
  type Refused,
  type Request,
  RPC_ERRORS,
  readMessage,
  withMembers,
} from '../mcp/wire/index.ts'
import { isObject } from './tool-call.ts'

/** What a state counts for, and for nothing else. */
export interface RoundOf {
  readonly server: string
  /** The grant, or whoever calls. */
  readonly who: string
  /** Revisions of the policies that judged the call; null without one. */
  readonly revision: string | null
}

/** What the first round took of limits: the next ones take nothing more. */
export interface Paid {
  readonly taken: readonly Taken[]
}

export type Resumed =
  /** A call like any other. */
  | { readonly kind: 'new'; readonly request: Request }
  /** The next round of one, with what its server gave as state; paid when the first round was, and only once. */
  | { readonly kind: 'next'; readonly request: Request; readonly paid: Paid | null }
  | { readonly kind: 'refused'; readonly refused: Refused }

export interface RoundsOptions {
  /** 32 bytes; those who share it take up each other's rounds. Default: random. */
  readonly key?: Uint8Array
  readonly clock?: Clock
  /** How long a client may take, in milliseconds. Default: ten minutes. */
  readonly lifeMs?: number
}

/** Our state around that of the server. */
interface State {
  readonly v: 1
  readonly server: string
  readonly who: string
  readonly revision: string | null
  /** SHA-256 of method and parameters, without what belongs to one try. */
  readonly asks: string
  readonly until: number
  readonly nonce: string
  /** That of the server, as it was written; null when it gave none. */
  readonly inner: string | null
}

const LIFE_MS = 600_000
const MAX_PAID = 10_000
const MAX_STATE = 262_144
const PREFIX = 'sp1.'
const OF_ONE_TRY: ReadonlySet<string> = new Set(['_meta', 'inputResponses', 'requestState'])

/**
 * The rounds of calls whose servers ask something in the middle (2026-07-28, "Multi Round-Trip Requests"). What the
 * server gives its client as state passes through the client, who could change it, show it to another server or show it
 * twice; so it travels inside of ours, which counts for one caller, one server, one call and one revision of the policy.
 */
export class Rounds {
  readonly #key: MacKey
  readonly #clock: Clock
  readonly #lifeMs: number
  /** By nonce, the oldest first: who comes back to another process, or twice, pays anew. */
  readonly #paid = new Map<string, { readonly paid: Paid; readonly until: number }>()

  constructor({ key, clock, lifeMs }: RoundsOptions = {}) {
    this.#key = new MacKey(key ?? randomBytes(KEY_BYTES))
    this.#clock = clock ?? systemClock
    this.#lifeMs = lifeMs ?? LIFE_MS
  }

  /**
   * The answer in which a server asks something, with our state in place of its own.
   *
   * @param text of the answer, whose result is `input_required`
   * @param paid null when nothing was taken
   */
  paused(text: string, request: Request, of: RoundOf, paid: Paid | null): string {
    const result = memberOf(text, 'result') ?? '{}'
    const now = this.#clock()
    const state: State = {
      v: 1,
      ...of,
      asks: asksOf(request),
      until: now + this.#lifeMs,
      nonce: randomBytes(16).toString('base64url'),
      inner: memberOf(result, 'requestState'),
    }
    if (paid !== null) this.#remember(state, paid, now)
    const requestState = JSON.stringify(this.#sealed(state))
    return withMembers(text, { result: withMembers(result, { requestState }) })
  }

  /** What a request of a client that may be a next round is to the server. */
  resumed(request: Request, of: RoundOf): Resumed {
    const { params } = request
    const { requestState } = isObject(params?.value) ? params.value : {}
    if (params === null || requestState === undefined) return { kind: 'new', request }
    const refused = (message: string): Resumed => ({
      kind: 'refused',
      refused: { kind: 'refused', code: RPC_ERRORS.params, message, idText: request.idText },
    })
    const state = typeof requestState === 'string' ? this.#opened(requestState) : null
    if (state === null || state.server !== of.server || state.who !== of.who)
      return refused('requestState is none that was given here.')
    if (this.#clock() > state.until)
      return refused('requestState is too old: make the call again without it.')
    if (state.revision !== of.revision)
      return refused('The policy was changed: make the call again without requestState.')
    if (state.asks !== asksOf(request))
      // It asks for something else, so it is another call, and no answers of this one go with it.
      return {
        kind: 'new',
        request: changed(request, { requestState: null, inputResponses: null }),
      }
    const kept = this.#paid.get(state.nonce)
    this.#paid.delete(state.nonce)
    return {
      kind: 'next',
      request: changed(request, { requestState: state.inner }),
      paid: kept?.paid ?? null,
    }
  }

  #remember(state: State, paid: Paid, now: number): void {
    for (const [nonce, { until }] of this.#paid) {
      if (until > now && this.#paid.size < MAX_PAID) break
      this.#paid.delete(nonce)
    }
    this.#paid.set(state.nonce, { paid, until: state.until })
  }

  #sealed(state: State): string {
    const body = Buffer.from(JSON.stringify(state), 'utf8')
    return `${PREFIX}${body.toString('base64url')}.${this.#key.sign(body).toString('base64url')}`
  }

  #opened(text: string): State | null {
    const [body, mac, ...rest] = text.startsWith(PREFIX) ? text.slice(PREFIX.length).split('.') : []
    if (body === undefined || mac === undefined || rest.length > 0 || text.length > MAX_STATE)
      return null
    const bytes = Buffer.from(body, 'base64url')
    if (!this.#key.verify(bytes, Buffer.from(mac, 'base64url'))) return null
    const state = JSON.parse(bytes.toString('utf8')) as State
    return state.v === 1 ? state : null
  }
}

function asksOf({ text, method, params }: Request): string {
  const of = params === null ? '{}' : text.slice(params.start, params.end)
  const names = Object.keys(isObject(params?.value) ? params.value : {})
    .filter((name) => !OF_ONE_TRY.has(name))
    .toSorted()
  const asks = JSON.stringify([method, names.map((name) => [name, memberOf(of, name)])])
  return sha256(Buffer.from(asks, 'utf8')).toString('base64url')
}

function changed(request: Request, edits: Readonly<Record<string, string | null>>): Request {
  const { text, params } = request
  if (params === null) return request
  const read = readMessage(
    withMembers(text, { params: withMembers(text.slice(params.start, params.end), edits) }),
  )
  return read.kind === 'request' ? read : request
}
