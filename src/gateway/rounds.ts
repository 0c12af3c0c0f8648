import { randomBytes } from 'node:crypto'
import type { Taken } from '../core/counter-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import { digestWithHeld } from '../core/held-values.ts'
import { type Caller, principalName } from '../core/principals.ts'
import { type Clock, type EpochMs, epochMs, systemClock } from '../core/time.ts'
import { KEY_BYTES, MacKey, Opener, type SealContext, seal } from '../crypto/index.ts'
import {
  askedDigest,
  extrasOf,
  memberOf,
  type Refused,
  type Request,
  RPC_ERRORS,
  readMessage,
  sortedMembers,
  withMembers,
} from '../mcp/wire/index.ts'
import { holderOf, THIS_NODE } from './held-handles.ts'
import { isObject, isOfOneTry } from './tool-call.ts'

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
  /** By what it is known that the state which says so was not used before; without it, it was not. */
  readonly once?: { readonly nonce: string; readonly until: EpochMs }
  /** Whether nobody has allowed what goes with it to the server: something else than with the first round, an answer. */
  readonly isOther?: boolean
}

/** For whom states count. @param grant undefined without one */
export function whoOf({ principal }: Caller, grant: string | undefined): string {
  return grant === undefined ? principalName(principal) : `grant:${grant}`
}

/** By what the next round of a call is known. */
export interface Digests {
  /** SHA-256 of method and parameters, without what belongs to one try. */
  readonly asks: string
  /** SHA-256 of what goes with them to the server. */
  readonly beside: string
}

/** @throws {Fault} `NOT_FOUND` when a large value of the request is forgotten */
export function digestsOf(request: Request): Digests {
  return { asks: askedDigest(request), beside: besideOf(request) }
}

export type Resumed =
  /** A call like any other. */
  | { readonly kind: 'new'; readonly request: Request }
  /** The next round of one, with what its server gave as state; paid when the first round was, and `spend` agrees. */
  | { readonly kind: 'next'; readonly request: Request; readonly paid: Paid | null }
  /** The same call after its client was sent to the page where a person decides; `accept` when the person went there. */
  | { readonly kind: 'visited'; readonly request: Request; readonly action: string }
  | { readonly kind: 'refused'; readonly refused: Refused }

export interface RoundsOptions {
  /** 32 bytes; those who share it take up each other's rounds. Default: random. */
  readonly key?: Uint8Array
  readonly clock?: Clock
  /** How long a client may take, in milliseconds. Default: ten minutes. */
  readonly lifeMs?: number
  /** Whether a nonce is used for the first time, of those who share the key. Default: as this process knows. */
  readonly useOnce?: (nonce: string, until: EpochMs) => Promise<boolean>
}

/** Our state around that of the server. */
interface State extends Digests {
  readonly server: string
  readonly who: string
  readonly revision: string | null
  readonly until: EpochMs
  readonly nonce: string
  /** That of the server, as it was written; null when it gave none. */
  readonly inner: string | null
  readonly taken: readonly Taken[] | null
}

const LIFE_MS = 600_000
/** Whoever comes back while so many are remembered pays anew. */
const MAX_USED = 100_000
/** Of ours, in characters: about 1.5 MB of what a server gives. */
const MAX_STATE = 2_097_152
const PREFIX = 'sp2.'
const SEALED: SealContext = {
  purpose: 'round',
  tenant: '',
  vault: null,
  subject: null,
  version: null,
  keyId: 'rounds',
}
/** With it begins the state of a round in which we ask, and not the server. */
export const APPROVAL_STATE = 'sallyport-approval.'

/**
 * The rounds of calls whose servers ask something in the middle (2026-07-28, "Multi Round-Trip Requests"). What the
 * server gives its client as state passes through the client, who could read it, change it, show it to another server or
 * show it twice; so it travels sealed inside of ours, which counts for one caller, one server, one call and one revision
 * of the policy.
 */
export class Rounds {
  readonly #key: Buffer
  readonly #opener: Opener
  readonly #clock: Clock
  readonly #lifeMs: number
  readonly #useOnce: RoundsOptions['useOnce']
  /** Nonces that were used here, the oldest first. */
  readonly #used = new Map<string, EpochMs>()

  constructor({ key, clock, lifeMs, useOnce }: RoundsOptions = {}) {
    this.#key = new MacKey(key ?? randomBytes(KEY_BYTES)).sign(
      Buffer.from('sallyport-rounds-seal-2'),
    )
    this.#opener = new Opener(this.#key, SEALED)
    this.#clock = clock ?? systemClock
    this.#lifeMs = lifeMs ?? LIFE_MS
    this.#useOnce = useOnce
  }

  /**
   * The answer in which a server asks something, with our state in place of its own.
   *
   * @param text of the answer, whose result is `input_required`
   * @param paid null when nothing was taken
   * @param digests of the request, where they were taken when it was sent
   * @throws {Fault} `BAD_INPUT` when the state of the server is larger than what is taken back, `NOT_FOUND` when a large
   *   value of the request is forgotten
   */
  paused(
    text: string,
    request: Request,
    of: RoundOf,
    paid: Paid | null,
    digests: Digests | null = null,
  ): string {
    const result = memberOf(text, 'result') ?? '{}'
    const now = this.#clock()
    const state: State = {
      ...of,
      ...(digests ?? digestsOf(request)),
      until: epochMs(now + this.#lifeMs),
      nonce: randomBytes(16).toString('base64url'),
      inner: memberOf(result, 'requestState'),
      taken: paid?.taken ?? null,
    }
    const sealed = this.#sealed(state)
    // Else the person would answer for nothing.
    if (sealed.length > MAX_STATE)
      throw new Fault('BAD_INPUT', "The server's requestState is too large: a megabyte passes.")
    const requestState = JSON.stringify(sealed)
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
    if (state.asks !== askedDigest(request))
      // It asks for something else, so it is another call, and no answers of this one go with it.
      return {
        kind: 'new',
        request: changed(request, { requestState: null, inputResponses: null }),
      }
    if (state.inner?.startsWith(`"${APPROVAL_STATE}`) === true) {
      const answers = memberOf(request.text.slice(params.start, params.end), 'inputResponses')
      const own = changed(request, { requestState: null, inputResponses: null })
      return { kind: 'visited', request: own, action: visitIn(answers) }
    }
    const holder = holderIn(state)
    if (holder !== null && holder !== THIS_NODE)
      return refused(
        `This call is held open by the process ${holder} of Sallyport, which cannot be reached from here: make it again without requestState.`,
      )
    const { taken, nonce, until } = state
    return {
      kind: 'next',
      request: changed(request, { requestState: state.inner }),
      paid:
        taken === null
          ? null
          : { taken, once: { nonce, until }, isOther: state.beside !== besideOf(request) },
    }
  }

  /** The other process that alone can go on with what a request resumes; null when it need not be another. */
  holderElsewhere({ params }: Request, of: RoundOf): string | null {
    const { requestState } = isObject(params?.value) ? params.value : {}
    const state = typeof requestState === 'string' ? this.#opened(requestState) : null
    if (state === null || state.server !== of.server || state.who !== of.who) return null
    const holder = holderIn(state)
    return holder === THIS_NODE ? null : holder
  }

  /** Whether what a round before took counts for this one: once, whichever process it comes back to. */
  async spend({ once }: Paid): Promise<boolean> {
    if (once === undefined) return true
    const { nonce, until } = once
    const now = this.#clock()
    for (const [used, end] of this.#used) {
      if (end > now) break
      this.#used.delete(used)
    }
    if (this.#used.has(nonce) || this.#used.size >= MAX_USED) return false
    this.#used.set(nonce, until)
    return (await this.#useOnce?.(nonce, until)) ?? true
  }

  #sealed(state: State): string {
    const sealed = seal(this.#key, SEALED, Buffer.from(JSON.stringify(state), 'utf8'))
    return `${PREFIX}${sealed.toString('base64url')}`
  }

  #opened(text: string): State | null {
    if (!text.startsWith(PREFIX) || text.length > MAX_STATE) return null
    const sealed = text.slice(PREFIX.length)
    const bytes = Buffer.from(sealed, 'base64url')
    // Decoding passes over what is no base64url: another spelling is another text.
    if (bytes.toString('base64url') !== sealed) return null
    try {
      return JSON.parse(this.#opener.open(bytes).toString('utf8')) as State
    } catch (error) {
      if (isFault(error, 'STORE_TAMPERED')) return null
      throw error
    }
  }
}

/** What a client answered to our question in an earlier round. @param answers `inputResponses`, as they were written */
function visitIn(answers: string | null): string {
  const approval = answers?.startsWith('{') === true ? memberOf(answers, 'approval') : null
  const action = approval?.startsWith('{') === true ? memberOf(approval, 'action') : null
  return action === '"accept"' ? 'accept' : 'decline'
}

function holderIn({ inner }: State): string | null {
  return inner === null ? null : holderOf(JSON.parse(inner))
}

function besideOf(request: Request): string {
  const { text, params } = request
  const given = isObject(params?.value) ? params.value['_meta'] : undefined
  const told = params === null ? null : memberOf(text.slice(params.start, params.end), '_meta')
  const meta = told?.startsWith('{') === true ? told : '{}'
  const extras = extrasOf(request).map((one) => `${JSON.stringify(one.name)}:${one.text}`)
  const members = sortedMembers(
    meta,
    (name) => !isOfOneTry(name, isObject(given) ? given[name] : undefined),
  )
  return digestWithHeld(`[${members},{${extras.join(',')}}]`)
}

function changed(request: Request, edits: Readonly<Record<string, string | null>>): Request {
  const { text, params } = request
  if (params === null) return request
  const read = readMessage(
    withMembers(text, { params: withMembers(text.slice(params.start, params.end), edits) }),
  )
  return read.kind === 'request' ? read : request
}
