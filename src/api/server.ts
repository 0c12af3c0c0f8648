import { randomUUID } from 'node:crypto'
import type * as z from 'zod'
import { asFault, Fault, isFault } from '../core/faults.ts'
import type { AuthenticationPort } from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import { type Caller, principalName } from '../core/principals.ts'
import { unauthenticated } from '../core/unauthenticated.ts'
import { membersIn, surveyed } from '../mcp/wire/index.ts'
import { awaitingAnswer } from './awaiting.ts'
import { type BrowserSession, type BrowserSessions, shownCookie } from './browser-session.ts'
import type { Idempotency } from './idempotency.ts'
import { type Matched, Router, type Unmatched } from './match.ts'
import { Metered, type Meters } from './metered.ts'
import type { Answered, Call, Condition, Method, Operation } from './operation.ts'
import { originOf, siteOf } from './origin.ts'
import { problemOf } from './problem.ts'

/** A request as any HTTP server has it: nothing decoded, the body not yet read. */
export interface ApiRequest {
  readonly method: string
  /** Path and query as they were sent. */
  readonly target: string
  /** Address of the client after trusted proxies, or null. */
  readonly address: string | null
  readonly scheme: 'http' | 'https'
  header(name: string): string | null
  /** @throws {Fault} `TOO_LARGE` when there are more bytes */
  body(maxBytes: number): Promise<Uint8Array>
}

export interface ApiAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON text, or null for no body. */
  readonly body: string | null
}

export interface ApiServerOptions {
  readonly operations: readonly Operation[]
  readonly authentication: Pick<AuthenticationPort, 'authenticate'>
  readonly sessions: Pick<BrowserSessions, 'of'>
  readonly idempotency: Pick<Idempotency, 'once'>
  readonly log: Log
  readonly meters: Meters
  /** Where browsers find this server, or null where nobody has said. */
  readonly site: string | null
}

const MAX_BODY_BYTES = 1_048_576
const MAX_TARGET_CHARS = 8_192
const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/
const BEARER = /^(?:Bearer|DPoP) ([\x21-\x7e]{1,4096})$/i

/** Answers requests of the API: finds the operation, asks who calls, checks what was sent, and says what went wrong. */
export class ApiServer {
  readonly #router: Router
  readonly #options: ApiServerOptions
  readonly #site: string | null

  constructor(options: ApiServerOptions) {
    this.#options = options
    this.#router = new Router(options.operations)
    this.#site = options.site === null ? null : new URL(options.site).origin
  }

  async answer(request: ApiRequest): Promise<ApiAnswer> {
    const requestId = requestIdOf(request)
    const metered = new Metered(this.#options.meters)
    const answerOf = (answered: Answered): ApiAnswer => ({
      status: answered.status,
      headers: {
        ...BASE_HEADERS,
        ...metered.headers(),
        ...answered.headers,
        'X-Request-Id': requestId,
      },
      body: answered.body === undefined ? null : JSON.stringify(answered.body),
    })
    try {
      return answerOf(await this.#handle(request, metered))
    } catch (error) {
      const awaiting = awaitingAnswer(error, request.header('prefer'))
      if (awaiting !== null) return answerOf(awaiting)
      const refusal = this.#refused(error, requestId, isConditional(request))
      return { ...refusal, headers: { ...metered.headers(), ...refusal.headers } }
    }
  }

  #refused(error: unknown, requestId: string, isConditional: boolean): ApiAnswer {
    const refusal = refusalOf(error, requestId, isConditional)
    if (refusal.status >= 500) {
      const { code, message } = asFault(error)
      this.#options.log.error('api request failed', { code, reason: message, request: requestId })
    }
    return refusal
  }

  async #handle(request: ApiRequest, metered: Metered): Promise<Answered> {
    const { target } = request
    await metered.takeAddress(request.address)
    if (target.length > MAX_TARGET_CHARS)
      throw new Fault('TOO_LARGE', `The target is longer than ${MAX_TARGET_CHARS} characters.`)
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    if (NEVER.has(path)) throw notOffered()
    const matched = this.#matched(request.method, path)
    if ('allow' in matched) {
      if (matched.allow.length > 0) throw new MethodNotAllowed(matched.allow)
      throw notOffered()
    }
    const { operation, params } = matched
    const bearer = bearerOf(request)
    const call: Asked = {
      method: operation.method,
      target,
      params,
      address: request.address,
      scheme: request.scheme,
      site: siteOf(request, this.#site),
      bearer,
      header: (name) => request.header(name),
    }
    const { caller, session } = await this.#who(operation, request, call)
    const isKnown = caller !== NOBODY
    if (isKnown) await metered.takeCaller(caller)
    refuseConditions(operation, request)
    const query =
      operation.query === null
        ? null
        : checked(operation.query, queryOf(mark === -1 ? '' : target.slice(mark + 1)), 'query')
    const body = operation.body === null ? null : await bytesOf(request, operation.takesForm)
    const work = (): Promise<Answered> =>
      operation.handle({
        ...call,
        caller,
        session,
        query,
        body: operation.body === null ? null : parsedBody(operation.body, body, isForm(request)),
      })
    const key = operation.method === 'GET' ? null : request.header('idempotency-key')
    if (key === null || operation.authentication !== 'bearer') return work()
    return this.#options.idempotency.once(
      {
        // What was done in person is answered again to the person, not to his keys.
        who: `${principalName(caller.principal)}${session === null ? '' : ' in person'}`,
        key,
        method: operation.method,
        target,
        conditions: JSON.stringify([request.header('if-match'), request.header('if-none-match')]),
        body: body ?? NO_BYTES,
        withheld: operation.withheld,
      },
      work,
    )
  }

  /** `HEAD` asks for what everybody may know; of the rest each reading counts, and is asked for as such. */
  #matched(method: string, path: string): Matched | Unmatched {
    if (method !== 'HEAD') return this.#router.match(method, path)
    const read = this.#router.match('GET', path)
    const isPublic = 'operation' in read && read.operation.authentication === 'none'
    return isPublic ? read : this.#router.match(method, path)
  }

  async #who(operation: Operation, request: ApiRequest, call: Asked): Promise<Who> {
    const { authentication } = operation
    if (authentication === 'none') return { caller: NOBODY, session: null }
    const cookie = shownCookie(request)
    if (cookie !== '' && request.header('authorization') !== null) throw twoCredentials()
    if (authentication === 'itself') return { caller: NOBODY, session: null }
    if (cookie !== '') {
      const session = await this.#options.sessions.of(request, cookie, operation)
      return { caller: { ...session.signedIn.caller, channel: 'http' }, session }
    }
    // The text of every other bearer that does not count.
    if (call.bearer === null) throw unauthenticated()
    const origin = originOf(call)
    const caller = await this.#options.authentication.authenticate(call.bearer, origin)
    return { caller, session: null }
  }
}

/** Would be taken for the id of an approval: a link in an e-mail decides nothing here. */
const NEVER: ReadonlySet<string> = new Set(['/v1/approvals/quick-decide'])

function notOffered(): Fault {
  return new Fault('NOT_OFFERED', 'Not offered by this server.')
}

/** A call before it is known who makes it. */
type Asked = Omit<Call, 'caller' | 'session' | 'query' | 'body'>

type Who = Pick<Call, 'caller'> & { readonly session: BrowserSession | null }

/** Which of them was meant is not for the server to guess. */
function twoCredentials(): Fault {
  return new Fault('BAD_INPUT', 'A bearer and the cookie of a session came together.', {
    details: {
      field: 'Authorization',
      remedy: "leave one out: fetch with credentials: 'omit' sends no cookie",
    },
  })
}

const NO_BYTES = new Uint8Array()

/** @param isConditional the request named the version that must be current */
export function refusalOf(
  error: unknown,
  requestId: string = randomUUID(),
  isConditional = false,
): ApiAnswer {
  const problem = problemOf(error, requestId, isConditional)
  const { status } = problem
  const seconds = isFault(error) ? error.details['retryAfterSeconds'] : undefined
  return {
    status,
    headers: {
      ...BASE_HEADERS,
      'Content-Type': 'application/problem+json',
      'X-Request-Id': requestId,
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer realm="sallyport"' } : {}),
      ...(error instanceof MethodNotAllowed ? { Allow: error.allow.join(', ') } : {}),
      ...(typeof seconds === 'number' ? { 'Retry-After': String(Math.ceil(seconds)) } : {}),
    },
    body: JSON.stringify(problem),
  }
}

/** A known target asked with another method. */
class MethodNotAllowed extends Fault {
  readonly allow: readonly Method[]

  constructor(allow: readonly Method[]) {
    super('METHOD_NOT_ALLOWED', `Only ${allow.join(', ')} is answered here.`)
    this.allow = [...new Set(allow)]
  }
}

/** Public operations know no caller and must not use one. */
const NOBODY: Caller = { principal: { kind: 'agent', id: 'local', project: null }, channel: 'http' }

const BASE_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Type': 'application/json',
  'X-Content-Type-Options': 'nosniff',
} as const

function isConditional(request: ApiRequest): boolean {
  return request.header('if-match') !== null || request.header('if-none-match') !== null
}

/** A condition that was passed over would change what its sender meant to keep. On reads a value is never cached. */
function refuseConditions({ method, conditions }: Operation, request: ApiRequest): void {
  if (method === 'GET') return
  for (const field of CONDITIONS)
    if (!conditions.includes(field) && request.header(field.toLowerCase()) !== null)
      throw new Fault('BAD_INPUT', `${field} is no condition that this call knows.`, {
        details: { field, remedy: 'send the request without it' },
      })
}

const CONDITIONS: readonly Condition[] = ['If-Match', 'If-None-Match']

function requestIdOf(request: ApiRequest): string {
  const given = request.header('x-request-id')
  return given !== null && REQUEST_ID.test(given) ? given : randomUUID()
}

function bearerOf(request: ApiRequest): string | null {
  const header = request.header('authorization')
  return header === null ? null : (BEARER.exec(header)?.[1] ?? null)
}

function queryOf(text: string): Readonly<Record<string, string>> {
  if (text === '') return NOTHING
  return fieldsOf(text, 'query')
}

/** One that is given twice may mean the one here and the other to whoever stands before this server. */
function fieldsOf(text: string, place: 'query' | 'body'): Readonly<Record<string, string>> {
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) throw twice(place, name.slice(0, 100))
    fields.set(name, value)
  }
  return Object.fromEntries(fields)
}

function twice(place: 'query' | 'body', field: string = place): Fault {
  return new Fault('BAD_INPUT', `A field of the ${place} is given twice.`, { details: { field } })
}

const NOTHING: Readonly<Record<string, string>> = {}

async function bytesOf(request: ApiRequest, takesForm: boolean): Promise<Uint8Array> {
  const coding = request.header('content-encoding')
  if (coding !== null && coding.toLowerCase() !== 'identity')
    throw new Fault('UNSUPPORTED_MEDIA', 'The body must be sent without a Content-Encoding.', {
      details: { field: 'Content-Encoding' },
    })
  const bytes = await request.body(MAX_BODY_BYTES)
  const type = request.header('content-type') ?? ''
  const isTaken = /^application\/(?:[\w.-]+\+)?json\b/i.test(type) || (takesForm && isForm(request))
  if (bytes.byteLength > 0 && !isTaken)
    throw new Fault('UNSUPPORTED_MEDIA', 'The body must be sent as application/json.')
  return bytes
}

function isForm(request: ApiRequest): boolean {
  const type = request.header('content-type') ?? ''
  return /^application\/x-www-form-urlencoded\b/i.test(type)
}

/** Deeper than anything that a call takes, shallower than what counting the members could stand. */
const MAX_DEPTH = 64

/** Of two members with one name another reader may have taken the other. */
function refuseAmbiguous(text: string, value: unknown): void {
  const { members, depth } = surveyed(text)
  if (depth > MAX_DEPTH)
    throw new Fault('BAD_INPUT', `The body is nested more than ${MAX_DEPTH} deep.`, {
      details: { field: 'body' },
    })
  if (members > membersIn(value)) throw twice('body')
}

/** What was sent is wiped once it is read. */
function parsedBody(schema: z.ZodType, bytes: Uint8Array | null, form: boolean): unknown {
  if (bytes === null || bytes.byteLength === 0) return checked(schema, {}, 'body')
  let value: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    value = form ? fieldsOf(text, 'body') : JSON.parse(text)
    if (!form) refuseAmbiguous(text, value)
  } catch (cause) {
    if (isFault(cause)) throw cause
    throw new Fault('BAD_INPUT', 'The body is not JSON.', { cause, details: { field: 'body' } })
  } finally {
    bytes.fill(0)
  }
  return checked(schema, value, 'body')
}

/** @throws {Fault} `BAD_INPUT` naming the field; what stood there may be a value and is not repeated */
function checked(schema: z.ZodType, value: unknown, place: 'query' | 'body'): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const inner = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  const field = [...(issue?.path ?? []), ...inner].join('.').slice(0, 100) || place
  throw new Fault('BAD_INPUT', `${field}: ${issue?.message ?? 'does not fit'}.`, {
    details: { field },
  })
}
