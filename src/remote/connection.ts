import { asFault, FAULTS, Fault, type FaultCode } from '../core/faults.ts'
import { isUuid } from '../core/ids.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import type { Outgoing } from '../net/index.ts'

/** How this process proves who it is: a key that is exchanged for tokens, or a token as it was given. */
export type Credential =
  | { readonly kind: 'key'; readonly key: string; readonly agentId: string | null }
  | { readonly kind: 'token'; readonly token: string }

export interface ConnectionOptions {
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly credential: Credential
  readonly outgoing: Outgoing
  readonly clock: Clock
  /** Where a refusal for quota sends people. Default: the server's own sentence. */
  readonly deadlineMs?: number
}

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Begins with a slash; segments are percent-encoded already. */
  readonly path: string
  /** JSON text. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Answer {
  readonly status: number
  /** Parsed JSON, or null for an empty body. */
  readonly body: unknown
}

const DEADLINE_MS = 30_000
const MAX_ANSWER_BYTES = 8 * 1024 * 1024
/** Refreshed so long before its end that a token does not end on its way. */
const REFRESH_MS = 60_000
/** What servers say to a token that is alive and may do nothing any more: another exchange helps. */
const STALE = ['no scopes', 'scopes do not cover', 'token has been revoked']

/** One agent at one server: exchanges its key for tokens, keeps one until shortly before its end, tries once again. */
export class Connection {
  readonly #options: ConnectionOptions
  #token: { readonly text: string; readonly refreshAt: EpochMs } | null = null
  /** Callers that need a token at once wait for one exchange. */
  #exchanging: Promise<string> | null = null

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** @throws {Fault} as the server's answer says, `NET_FAILED`, `NET_TIMED_OUT` */
  async ask(ask: Ask): Promise<unknown> {
    const token = await this.#bearer()
    const answer = await this.#send(ask, token)
    if (isOk(answer)) return answer.body
    if (!this.#mayExchangeAgain(answer)) throw faultOf(answer)
    if (this.#token?.text === token) this.#token = null
    const second = await this.#send(ask, await this.#bearer())
    if (isOk(second)) return second.body
    throw faultOf(second)
  }

  #mayExchangeAgain(answer: Answer): boolean {
    if (this.#options.credential.kind === 'token') return false
    if (answer.status === 401) return true
    const detail = detailOf(answer).toLowerCase()
    return answer.status === 403 && STALE.some((one) => detail.includes(one))
  }

  async #bearer(): Promise<string> {
    const { credential, clock } = this.#options
    if (credential.kind === 'token') return credential.token
    if (this.#token !== null && clock() < this.#token.refreshAt) return this.#token.text
    this.#exchanging ??= this.#exchange(credential).finally(() => {
      this.#exchanging = null
    })
    return this.#exchanging
  }

  async #exchange({ key, agentId }: Extract<Credential, { kind: 'key' }>): Promise<string> {
    const body = JSON.stringify({
      api_key: key,
      ...(agentId === null ? {} : { agent_id: agentId }),
    })
    const answer = await this.#send({ method: 'POST', path: '/v1/auth/agent-token', body }, null)
    if (!isOk(answer)) throw faultOf(answer)
    const { access_token, expires_in } = (answer.body ?? {}) as Record<string, unknown>
    if (typeof access_token !== 'string' || access_token === '')
      throw new Fault('NET_FAILED', 'The server answered the token exchange without a token.')
    const lifeMs = typeof expires_in === 'number' && expires_in > 0 ? expires_in * 1000 : 0
    // A token that lives shorter than the margin is used for half of its life.
    const useMs = lifeMs > 2 * REFRESH_MS ? lifeMs - REFRESH_MS : lifeMs / 2
    const refreshAt = (this.#options.clock() + useMs) as EpochMs
    this.#token = { text: access_token, refreshAt }
    return access_token
  }

  async #send(ask: Ask, token: string | null): Promise<Answer> {
    const { baseUrl, outgoing } = this.#options
    const answer = await outgoing.request({
      method: ask.method,
      url: `${baseUrl}${ask.path}`,
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...ask.headers,
      },
      body: ask.body ?? null,
      audience: 'configured',
      deadlineMs: this.#options.deadlineMs ?? DEADLINE_MS,
      maxResponseBytes: MAX_ANSWER_BYTES,
    })
    return { status: answer.status, body: parsed(answer.body, answer.status) }
  }
}

function isOk({ status }: Answer): boolean {
  return status >= 200 && status < 300
}

function parsed(body: Buffer, status: number): unknown {
  if (body.byteLength === 0) return null
  try {
    return JSON.parse(body.toString('utf8')) as unknown
  } catch {
    if (status >= 400) return null
    throw new Fault('NET_FAILED', 'The server answered with something that is not JSON.')
  } finally {
    body.fill(0)
  }
}

function detailOf({ body }: Answer): string {
  const { detail } = (body ?? {}) as { detail?: unknown }
  return typeof detail === 'string' ? detail.slice(0, 500) : ''
}

const BY_STATUS: Readonly<Record<number, FaultCode>> = {
  400: 'BAD_INPUT',
  401: 'UNAUTHENTICATED',
  402: 'QUOTA_EXHAUSTED',
  403: 'ACCESS_DENIED',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  410: 'SECRET_SPENT',
  412: 'VERSION_CONFLICT',
  413: 'TOO_LARGE',
  422: 'BAD_INPUT',
  429: 'THROTTLED',
  501: 'UNSUPPORTED',
}

/** A refusal of the server in our words: a Sallyport server names the fault, any other is read by its status. */
function faultOf(answer: Answer): Fault {
  const { code, approval_request_id: approval } = (answer.body ?? {}) as Record<string, unknown>
  const own = typeof code === 'string' && code in FAULTS ? (code as FaultCode) : null
  const byStatus = BY_STATUS[answer.status] ?? 'NET_FAILED'
  const detail = detailOf(answer)
  return new Fault(
    own ?? byStatus,
    detail === '' ? `The server answered ${answer.status} without a reason.` : detail,
    {
      details: {
        status: answer.status,
        ...(typeof approval === 'string' && isUuid(approval) && { approval }),
      },
    },
  )
}

/** `error` as the seeds say it for a path, when it is about one. */
export function aboutPath(error: unknown, path: string): Fault {
  const fault = asFault(error)
  const details = { ...fault.details, path }
  switch (fault.code) {
    case 'NOT_FOUND':
    case 'SECRET_NOT_FOUND':
      return new Fault('SECRET_NOT_FOUND', `No secret found at path '${path}'.`, { details })
    case 'SECRET_SPENT':
      return new Fault(
        'SECRET_SPENT',
        `Secret at path '${path}' is expired or has exceeded its maximum access count.`,
        { details },
      )
    case 'ACCESS_DENIED':
      return new Fault(
        'ACCESS_DENIED',
        "Access denied (agent doesn't have a policy for this path)",
        { details },
      )
    default:
      return fault
  }
}
