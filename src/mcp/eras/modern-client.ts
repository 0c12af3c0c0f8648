import { asFault } from '../../core/faults.ts'
import { beforeForgotten } from '../../core/held-values.ts'
import {
  askedDigest,
  ERA_ERRORS,
  LOG_LEVELS,
  META,
  type Message,
  memberOf,
  type Notification,
  type Request,
  type Response,
  RPC_ERRORS,
  readMessage,
  UNLIKE_ID,
  unlikeKey,
  versionNamedBy,
  withMembers,
} from '../wire/index.ts'
import { Listeners } from './listeners.ts'
import { type Call, type Ended, hasRoom, metaOf, waitingFor } from './modern-call.ts'
import {
  type Crossing,
  codeOf,
  error,
  type Fields,
  fieldsOf,
  keyOf,
  LEGACY_VERSIONS,
  MODERN_VERSION,
  mayBeAsked,
  memberText,
  notification,
  partText,
  QUESTIONS,
  ROUNDS,
  request,
  result,
  type Translator,
  toDiscoverResult,
  toInputRequest,
  toLegacyCapabilities,
  toLegacyParams,
  toModernError,
  toModernResult,
  URL_REQUIRED,
} from './rows.ts'

export interface ModernClientOptions {
  /** A text that nobody can guess, for each held call another one. */
  readonly newHandle: () => string
  /** What ids of requests to the server begin with; left out: they are numbers. */
  readonly ids?: string
  /** How long a call is held for a client that does not come back, in milliseconds. Default: ten minutes. */
  readonly holdMs?: number
}

const HOLD_MS = 600_000
const MAX_HELD = 1_000
const METHOD_MESSAGE = 'Method not found'

/** Of older revisions; in this one they are methods nobody knows. */
const RETIRED: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
])

/**
 * Lets a client of 2026-07-28 use a server of an older revision. The session it needs is begun with what the first
 * request declares. What the server asks in the middle of a call becomes `input_required`: the call stays open at the
 * server, and the retry that brings its handle back takes it up again.
 */
export class ModernClient implements Translator {
  readonly #options: ModernClientOptions
  #lastId = 0
  #lastQuestion = 0
  /** The answer to our `initialize`; null before it came. */
  #server: Response | null = null
  #hasGreeted = false
  #queue: Request[] = []
  readonly #calls = new Map<string, Call>()
  readonly #held = new Map<string, Call>()
  readonly #ours = new Map<string, (response: Response | null) => readonly Crossing[]>()
  readonly #listeners = new Listeners((method, params, then) =>
    this.#ask(method, params, (response) => then(response?.outcome === 'result')),
  )
  #level: string | null = null

  constructor(options: ModernClientOptions) {
    this.#options = options
  }

  /** Calls that are held at the server for a client that was asked something. */
  get held(): number {
    return this.#held.size
  }

  get isHolding(): boolean {
    return this.#queue.length > 0
  }

  fromClient(message: Message): readonly Crossing[] {
    // Nothing is asked of clients of this revision, so they answer nothing.
    if (message.kind === 'response') return []
    if (message.kind === 'notification') return this.#notified(message)
    const version = versionNamedBy(message)
    if (version !== null && version !== MODERN_VERSION)
      return [
        this.#refusal(message, ERA_ERRORS.version, 'Unsupported protocol version', {
          supported: [MODERN_VERSION],
          requested: version,
        }),
      ]
    const missing = missingIn(message)
    if (missing !== null)
      return [this.#refusal(message, RPC_ERRORS.params, `params._meta must name ${missing}.`)]
    if (RETIRED.has(message.method))
      return [this.#refusal(message, RPC_ERRORS.method, METHOD_MESSAGE)]
    if (this.#server !== null) return this.#request(message)
    this.#queue.push(message)
    if (this.#hasGreeted) return []
    this.#hasGreeted = true
    return this.#greet(message)
  }

  /** Row: `server/discover`, or any first request → `initialize`. */
  #greet(first: Request): readonly Crossing[] {
    const meta = memberText(first, first.params, '_meta') ?? '{}'
    const params = withMembers('{}', {
      protocolVersion: JSON.stringify(LEGACY_VERSIONS[0]),
      capabilities: toLegacyCapabilities(memberOf(meta, META.capabilities) ?? '{}'),
      clientInfo: memberOf(meta, META.client) ?? '{"name":"sallyport","version":"0"}',
    })
    return [
      this.#ask('initialize', params, (response) => {
        const queued = this.#queue
        this.#queue = []
        if (response === null || response.outcome === 'error') {
          this.#hasGreeted = false
          return queued.map((one) =>
            this.#refusal(one, RPC_ERRORS.internal, 'The server does not begin a session.'),
          )
        }
        this.#server = response
        return [
          { to: 'server', text: notification('notifications/initialized', null) },
          ...queued.flatMap((one) => this.#request(one)),
        ]
      }),
    ]
  }

  #request(message: Request): readonly Crossing[] {
    const { idText, idKey, method, params } = message
    if (method === 'server/discover' && this.#server !== null)
      return [{ to: 'client', text: result(idText, toDiscoverResult(this.#server)), about: idKey }]
    if (method === 'subscriptions/listen')
      return this.#listeners.listen(message, this.#capabilities())
    const { requestState } = fieldsOf(params?.value)
    if (requestState !== undefined) return this.#retry(message, requestState)
    return [...this.#setLevel(message), ...this.#call(message)]
  }

  #call(message: Request): readonly Crossing[] {
    const serverId = this.#newId()
    this.#calls.set(keyOfId(serverId), {
      idText: serverId,
      method: message.method,
      request: message,
      asks: ROUNDS.has(message.method) ? beforeForgotten(message, askedDigest) : null,
      capabilities: metaOf(message)[META.capabilities],
      progressKey: keyOf(metaOf(message)['progressToken']),
      waiting: waitingFor(message),
      questions: new Map(),
      unasked: new Set(),
      handle: null,
      heldSince: null,
      ended: null,
      isOver: false,
    })
    return [{ to: 'server', text: request(serverId, message.method, toLegacyParams(message)) }]
  }

  /** Row: `_meta` log level → `logging/setLevel`. */
  #setLevel(message: Request): readonly Crossing[] {
    const level = metaOf(message)[META.logLevel]
    if (typeof level !== 'string' || level === this.#level || !LOG_LEVELS.includes(level)) return []
    if (this.#capabilities()['logging'] === undefined) return []
    this.#level = level
    return [this.#ask('logging/setLevel', JSON.stringify({ level }), () => [])]
  }

  /** The client comes back with answers to what it was asked. */
  #retry(message: Request, state: unknown): readonly Crossing[] {
    const call = typeof state === 'string' ? this.#held.get(state) : undefined
    if (call === undefined)
      return [
        this.#refusal(
          message,
          RPC_ERRORS.params,
          'The call that this answers is not held here any more: make it again without requestState.',
        ),
      ]
    const why = whyNoRetryOf(call, message)
    if (why !== null) return [this.#refusal(message, RPC_ERRORS.params, why)]
    this.#release(call)
    call.waiting = waitingFor(message)
    const out: Crossing[] = []
    const answers = memberText(message, message.params, 'inputResponses')
    for (const [key, question] of call.questions) {
      const answer = answers === null ? null : memberOf(answers, key)
      if (answer === null) {
        call.unasked.add(key)
        continue
      }
      call.questions.delete(key)
      if (!call.isOver) out.push({ to: 'server', text: result(question.idText, answer) })
      else if (fieldsOf(JSON.parse(answer))['action'] !== 'accept') {
        this.#calls.delete(keyOfId(call.idText))
        return [
          this.#refusal(message, RPC_ERRORS.params, 'The person did not go where the server asks.'),
        ]
      }
    }
    if (call.ended !== null) return [...out, ...this.#end(call, call.ended)]
    if (call.unasked.size > 0) return [...out, ...this.#hold(call)]
    if (!call.isOver) return out
    this.#calls.delete(keyOfId(call.idText))
    return this.#call(withoutRound(message))
  }

  /** Row: a request of the server → `input_required`. */
  #hold(call: Call): readonly Crossing[] {
    const { waiting } = call
    if (waiting === null) return []
    const why = this.#whyNotHeld(call)
    if (why !== null)
      return [
        ...this.#leave(call),
        ...this.#end(call, ({ idKey }) => ({ to: 'nobody', about: idKey, end: 'lost', why })),
      ]
    const asked = [...call.unasked].flatMap((key) => {
      const question = call.questions.get(key)
      return question === undefined ? [] : [[key, toInputRequest(question)] as const]
    })
    call.unasked.clear()
    call.waiting = null
    call.heldSince = null
    call.handle = this.#options.newHandle()
    this.#held.set(call.handle, call)
    const text = withMembers('{}', {
      resultType: '"input_required"',
      inputRequests: withMembers('{}', Object.fromEntries(asked)),
      requestState: JSON.stringify(call.handle),
    })
    return [{ to: 'client', text: result(waiting.idText, text), about: waiting.idKey }]
  }

  /** Notes what a call asks for, unless there is no room for it. */
  #whyNotHeld(call: Call): string | null {
    if (this.#held.size >= MAX_HELD) return 'Too many calls wait for the client.'
    try {
      if (call.request !== null) call.asks ??= askedDigest(call.request)
    } catch (error) {
      return asFault(error).message
    }
    call.request = null
    return null
  }

  #release(call: Call): void {
    if (call.handle !== null) this.#held.delete(call.handle)
    call.handle = null
    call.heldSince = null
  }

  #end(call: Call, ended: Ended): readonly Crossing[] {
    if (call.waiting === null) {
      call.ended = ended
      return []
    }
    this.#calls.delete(keyOfId(call.idText))
    return [ended(call.waiting)]
  }

  #notified(message: Notification): readonly Crossing[] {
    if (message.method !== 'notifications/cancelled')
      // Of older revisions: there is nothing a client of this one would say so.
      return message.method.startsWith('notifications/roots/')
        ? []
        : [{ to: 'server', text: message.text }]
    const idKey = keyOf(fieldsOf(message.params?.value)['requestId'])
    if (idKey !== null && this.#listeners.has(idKey)) return this.#listeners.leave(idKey)
    this.#queue = this.#queue.filter((one) => one.idKey !== idKey)
    const found = [...this.#calls].find(([, { waiting }]) => waiting?.idKey === idKey)
    if (found === undefined) return []
    const [serverKey, call] = found
    this.#calls.delete(serverKey)
    return [...this.#leave(call), this.#cancelled(call, message)]
  }

  /** What the server asked will not be answered. */
  #leave(call: Call): readonly Crossing[] {
    if (call.isOver) return []
    return [...call.questions.values()].map(({ idText, method }) => ({
      to: 'server',
      text:
        method === 'elicitation/create'
          ? result(idText, '{"action":"cancel"}')
          : error(idText, RPC_ERRORS.internal, 'The client did not answer.'),
    }))
  }

  #cancelled(call: Call, by: Notification | null): Crossing {
    const params = by?.params == null ? '{}' : partText(by, by.params)
    return {
      to: 'server',
      text: notification(
        'notifications/cancelled',
        withMembers(params, { requestId: call.idText, _meta: null }),
      ),
    }
  }

  fromServer(message: Message, about: string | null): readonly Crossing[] {
    switch (message.kind) {
      case 'response':
        return this.#answered(message)
      case 'request':
        return this.#asked(message, about)
      case 'notification':
        return this.#told(message, about)
    }
  }

  #answered(response: Response): readonly Crossing[] {
    const { idKey } = response
    const ours = idKey === null ? undefined : this.#ours.get(idKey)
    if (idKey !== null && ours !== undefined) {
      this.#ours.delete(idKey)
      return ours(response)
    }
    const call = idKey === null ? undefined : this.#calls.get(idKey)
    if (call === undefined)
      return idKey === null ? [] : this.failed(unlikeKey(idKey), 'lost', UNLIKE_ID)
    const bodyText = partText(response, response.body)
    if (response.outcome === 'result') {
      const text = toModernResult(call.method, bodyText)
      return this.#end(call, (waiting) => ({
        to: 'client',
        text: result(waiting.idText, text),
        about: waiting.idKey,
      }))
    }
    const places = codeOf(response) === URL_REQUIRED ? placesOf(response) : []
    if (places.length > 0 && ROUNDS.has(call.method)) return this.#sendAway(call, places)
    const text = toModernError(bodyText)
    return this.#end(call, (waiting) => ({
      to: 'client',
      text: `{"jsonrpc":"2.0","id":${waiting.idText},"error":${text}}`,
      about: waiting.idKey,
    }))
  }

  /** Row: −32042 with places to go → `input_required`, and the call made again; −32021 for who takes nobody there. */
  #sendAway(call: Call, places: readonly Request[]): readonly Crossing[] {
    const mayGo = places.every(({ method, params }) =>
      mayBeAsked(call.capabilities, method, params?.value),
    )
    if (!mayGo)
      return this.#end(call, (waiting) =>
        this.#refusal(
          waiting,
          ERA_ERRORS.missingCapability,
          'The person has to go to an address.',
          {
            requiredCapabilities: { elicitation: { url: {} } },
          },
        ),
      )
    call.questions.clear()
    call.unasked.clear()
    for (const place of places) this.#note(call, place)
    call.isOver = true
    return this.#hold(call)
  }

  #note(call: Call, question: Request): void {
    this.#lastQuestion += 1
    const key = `q${this.#lastQuestion}`
    call.questions.set(key, question)
    call.unasked.add(key)
  }

  #asked(question: Request, about: string | null): readonly Crossing[] {
    const { method, idText } = question
    // Row: ping is answered here.
    if (method === 'ping') return [{ to: 'server', text: result(idText, '{}') }]
    const call = Object.hasOwn(QUESTIONS, method) ? this.#callFor(question, about) : null
    if (call === null)
      return [{ to: 'server', text: error(idText, RPC_ERRORS.method, METHOD_MESSAGE) }]
    if (!hasRoom(call, question)) {
      const why = 'Too many questions are not answered yet.'
      return [{ to: 'server', text: error(idText, RPC_ERRORS.internal, why) }]
    }
    this.#note(call, question)
    return call.waiting === null ? [] : this.#hold(call)
  }

  /** The call on whose stream the question came; where there are no streams, any one that can carry it. */
  #callFor(question: Request, about: string | null): Call | null {
    const own = about === null ? undefined : this.#calls.get(about)
    const all = own === undefined ? [...this.#calls.values()].toReversed() : [own]
    const fit = all.filter(
      (call) =>
        ROUNDS.has(call.method) &&
        !call.isOver &&
        call.ended === null &&
        mayBeAsked(call.capabilities, question.method, question.params?.value),
    )
    return fit.find(({ waiting }) => waiting !== null) ?? fit[0] ?? null
  }

  #told(message: Notification, about: string | null): readonly Crossing[] {
    const { method, params } = message
    const fields = fieldsOf(params?.value)
    switch (method) {
      case 'notifications/progress': {
        const call = this.#callOf(keyOf(fields['progressToken']), about)
        const token = call?.waiting?.progressText ?? null
        if (call?.waiting == null || token === null || params === null) return []
        const text = withMembers(partText(message, params), { progressToken: token })
        return [{ to: 'client', text: notification(method, text), about: call.waiting.idKey }]
      }
      case 'notifications/message': {
        const level = LOG_LEVELS.indexOf(String(fields['level']))
        const all = [...this.#calls.values()].flatMap(({ waiting }) => waiting ?? [])
        const own = (about === null ? null : this.#calls.get(about)?.waiting) ?? null
        // Where it is not said whose it is, it is for nobody's ears who did not ask for it.
        const whose = own === null ? all : [own]
        const isHeard = whose.length > 0 && whose.every((waiting) => level >= waiting.level)
        return isHeard ? [{ to: 'client', text: message.text, about: own?.idKey ?? null }] : []
      }
      case 'notifications/cancelled':
        return this.#withdrawn(keyOf(fields['requestId']))
      // There is no such thing in this revision: going on with the call says it.
      case 'notifications/elicitation/complete':
        return []
      default:
        return this.#listeners.heard(message) ?? [{ to: 'client', text: message.text, about: null }]
    }
  }

  #callOf(progressKey: string | null, about: string | null): Call | null {
    const own = about === null ? undefined : this.#calls.get(about)
    if (own !== undefined) return own
    return [...this.#calls.values()].find((call) => call.progressKey === progressKey) ?? null
  }

  /** The server does not want to know any more. */
  #withdrawn(questionKey: string | null): readonly Crossing[] {
    for (const call of this.#calls.values())
      for (const [key, question] of call.questions)
        if (question.idKey === questionKey && !call.isOver) {
          call.questions.delete(key)
          call.unasked.delete(key)
        }
    return []
  }

  failed(
    idKey: string,
    end: 'never-sent' | 'refused-by-server' | 'lost',
    why: string,
  ): readonly Crossing[] {
    const ours = this.#ours.get(idKey)
    this.#ours.delete(idKey)
    if (ours !== undefined) return ours(null)
    const call = this.#calls.get(idKey)
    if (call === undefined) return []
    return this.#end(call, (waiting) => ({ to: 'nobody', about: waiting.idKey, end, why }))
  }

  /** The server says nothing to our `initialize`: whoever waits for its answer hears that, and the next asks anew. */
  giveUp(why: string): readonly Crossing[] {
    const queued = this.#queue
    this.#queue = []
    this.#hasGreeted = false
    return queued.map(({ idKey }) => ({ to: 'nobody', about: idKey, end: 'never-sent', why }))
  }

  tidy(now: number): readonly Crossing[] {
    const limit = this.#options.holdMs ?? HOLD_MS
    const out: Crossing[] = [...this.#listeners.tidy(now)]
    for (const [handle, call] of this.#held) {
      call.heldSince ??= now
      if (now - call.heldSince < limit) continue
      this.#held.delete(handle)
      this.#calls.delete(keyOfId(call.idText))
      out.push(...this.#leave(call))
      if (call.ended === null && !call.isOver) out.push(this.#cancelled(call, null))
    }
    return out
  }

  #ask(
    method: string,
    paramsText: string,
    then: (response: Response | null) => readonly Crossing[],
  ): Crossing {
    const id = this.#newId()
    this.#ours.set(keyOfId(id), then)
    return { to: 'server', text: request(id, method, paramsText) }
  }

  #capabilities(): Fields {
    return fieldsOf(fieldsOf(this.#server?.body.value)['capabilities'])
  }

  #newId(): string {
    this.#lastId += 1
    const { ids } = this.#options
    return ids === undefined ? String(this.#lastId) : JSON.stringify(ids + this.#lastId)
  }

  #refusal(
    { idText, idKey }: Pick<Request, 'idText' | 'idKey'>,
    code: number,
    message: string,
    data?: object,
  ): Crossing {
    const dataText = data === undefined ? undefined : JSON.stringify(data)
    return { to: 'client', text: error(idText, code, message, dataText), about: idKey }
  }
}

/** Of an id of ours, by which its answer is known. */
function keyOfId(idText: string): string {
  return idText.startsWith('"') ? `s${idText.slice(1, -1)}` : `n${idText}`
}

/** What every request says of itself, and this one does not. */
function missingIn(message: Request): string | null {
  if (versionNamedBy(message) === null) return META.version
  const capabilities = metaOf(message)[META.capabilities]
  return fieldsOf(capabilities) === capabilities ? null : META.capabilities
}

/** @returns null for a retry of the call */
function whyNoRetryOf({ asks }: Call, message: Request): string | null {
  try {
    return asks === askedDigest(message) ? null : 'requestState belongs to another call.'
  } catch (error) {
    return asFault(error).message
  }
}

function withoutRound(message: Request): Request {
  const { params, idText, method } = message
  if (params === null) return message
  const without = withMembers(partText(message, params), {
    inputResponses: null,
    requestState: null,
  })
  const read = readMessage(request(idText, method, without))
  return read.kind === 'request' ? read : message
}

/** Where the person has to go before the call is made again, as questions. */
function placesOf(response: Response): readonly Request[] {
  const { elicitations } = fieldsOf(fieldsOf(response.body.value)['data'])
  if (!Array.isArray(elicitations)) return []
  return elicitations.flatMap((place: unknown) => {
    const fields = fieldsOf(place)
    if (fields['mode'] !== 'url') return []
    const read = readMessage(request('0', 'elicitation/create', JSON.stringify(fields)))
    return read.kind === 'request' ? [read] : []
  })
}
