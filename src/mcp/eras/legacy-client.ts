import {
  LOG_LEVELS,
  META,
  type Message,
  memberOf,
  type Notification,
  type Request,
  type Response,
  RPC_ERRORS,
  withMembers,
} from '../wire/index.ts'
import { ANSWER_MS } from './listeners.ts'
import {
  type Crossing,
  error,
  fieldsOf,
  type Introduction,
  inputRequestOf,
  keyOf,
  LISTS,
  MODERN_VERSION,
  memberText,
  notification,
  partText,
  ROUNDS,
  request,
  result,
  type Translator,
  toInitializeResult,
  toLegacyError,
  toLegacyResult,
  toModernCapabilities,
  toModernParams,
} from './rows.ts'

/** A request of the client, under way at the server. */
interface Call {
  readonly message: Request
  /** Of the try that is at the server now; null while the client is asked. */
  serverKey: string | null
  /** In which the client was asked something. */
  rounds: number
  /** How often in a row the server said to come back and asked nothing. */
  returns: number
  /** When it is made again, by the clock of `tidy`; null until that looked. */
  dueAt: number | null
  /** What the client is asked, by the id of the question. */
  readonly open: Map<string, string>
  readonly answers: Map<string, string>
  stateText: string | null
  /** Of places that the person was sent to: they count until the call ends. */
  readonly elicitations: string[]
}

interface Listening {
  readonly serverKey: string
  readonly uris: ReadonlySet<string>
  isAcknowledged: boolean
  /** Since when it waits for that, by the clock of `tidy`; null until that looked. */
  since: number | null
  /** Told once when the server listens, or does not; with what of it the server does not tell. */
  readonly onHeard: (problem: Response | null, untold: ReadonlySet<string>) => readonly Crossing[]
}

const MAX_ROUNDS = 32
const RELISTEN_MS = 1_000
/** A server that says to come back is asked again at once, then after so long, and each time after twice as long. */
const RETURN_MS = 1_000
const MAX_RETURN_MS = 30_000
const NOTHING: ReadonlySet<string> = new Set()
const NOBODY: Listening['onHeard'] = () => []

/**
 * Lets a client of a revision with sessions use a server of 2026-07-28. The session is kept here: what the client
 * declared goes with every request, what it subscribes to becomes a stream of notifications, and `input_required`
 * becomes the requests that such clients know.
 */
export class LegacyClient implements Translator {
  #lastId = 0
  #introduction: Introduction = { capabilitiesText: '{}', clientText: null, logLevelText: null }
  #server: Response | null = null
  /** By the id at the server. */
  readonly #calls = new Map<string, Call>()
  /** By the id of a question to the client. */
  readonly #questions = new Map<string, Call>()
  /** To be made again in a while. */
  readonly #paused = new Set<Call>()
  readonly #ours = new Map<string, (response: Response | null) => readonly Crossing[]>()
  readonly #listening = new Map<string, Listening>()
  /** The one that is wanted; others are on their way out. */
  #current: Listening | null = null
  #uris: ReadonlySet<string> = new Set()
  #relistenAt: number | null = null
  #isLost = false

  /** Its own first word is the client's, which waits for nothing else. */
  readonly isHolding = false

  fromClient(message: Message): readonly Crossing[] {
    switch (message.kind) {
      case 'response':
        return this.#responded(message)
      case 'notification':
        return this.#notified(message)
      case 'request':
        return this.#request(message)
    }
  }

  #request(message: Request): readonly Crossing[] {
    const { idText, idKey, method } = message
    const done = (): Crossing => ({ to: 'client', text: result(idText, '{}'), about: idKey })
    switch (method) {
      case 'initialize':
        return this.#introduce(message)
      // Row: ping is answered here.
      case 'ping':
        return [done()]
      case 'logging/setLevel':
        return this.#setLevel(message, done)
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return this.#subscribe(message, done)
      default: {
        const call: Call = {
          message,
          serverKey: null,
          rounds: 0,
          returns: 0,
          dueAt: null,
          open: new Map(),
          answers: new Map(),
          stateText: null,
          elicitations: [],
        }
        return this.#send(call)
      }
    }
  }

  /** Row: `initialize` → `server/discover`; what the session declares → `_meta` of every request. */
  #introduce(message: Request): readonly Crossing[] {
    const { params, idText, idKey } = message
    this.#introduction = {
      capabilitiesText: toModernCapabilities(memberText(message, params, 'capabilities') ?? '{}'),
      clientText: memberText(message, params, 'clientInfo'),
      logLevelText: null,
    }
    const asked = fieldsOf(params?.value)['protocolVersion']
    const id = this.#newId()
    const discover = this.#modern(id, 'server/discover', '{}')
    this.#ours.set(`n${id}`, (response) => {
      const text = response?.outcome === 'result' ? toInitializeResult(response, asked) : null
      if (text === null || response === null)
        return [
          {
            to: 'client',
            text:
              response?.outcome === 'error'
                ? answered(idText, response)
                : error(idText, RPC_ERRORS.internal, 'The server speaks no revision known here.'),
            about: idKey,
          },
        ]
      this.#server = response
      return [{ to: 'client', text: result(idText, text), about: idKey }]
    })
    return [{ to: 'server', text: discover }]
  }

  #modern(idText: string, method: string, paramsText: string): string {
    const { capabilitiesText, clientText, logLevelText } = this.#introduction
    const meta = withMembers(memberOf(paramsText, '_meta') ?? '{}', {
      [META.version]: JSON.stringify(MODERN_VERSION),
      [META.capabilities]: capabilitiesText,
      [META.client]: clientText,
      [META.logLevel]: logLevelText,
    })
    return request(idText, method, withMembers(paramsText, { _meta: meta }))
  }

  /** Row: `logging/setLevel` → `_meta` log level. */
  #setLevel(message: Request, done: () => Crossing): readonly Crossing[] {
    const { level } = fieldsOf(message.params?.value)
    // It goes with every request from now on: a server that does not know it would refuse them all.
    if (typeof level !== 'string' || !LOG_LEVELS.includes(level))
      return [refused(message, "'level' must be a level of a log.")]
    this.#introduction = { ...this.#introduction, logLevelText: JSON.stringify(level) }
    return [done()]
  }

  /** A first try, or the next one with what the client answered. */
  #send(call: Call): readonly Crossing[] {
    const { message, answers, stateText } = call
    const id = this.#newId()
    call.serverKey = `n${id}`
    this.#calls.set(call.serverKey, call)
    const params = toModernParams(message, this.#introduction)
    const text = request(
      id,
      message.method,
      call.rounds + call.returns === 0
        ? params
        : withMembers(params, {
            inputResponses:
              answers.size === 0 ? null : withMembers('{}', Object.fromEntries(answers)),
            requestState: stateText,
          }),
    )
    return [{ to: 'server', text }]
  }

  #notified(message: Notification): readonly Crossing[] {
    switch (message.method) {
      case 'notifications/initialized':
        return this.#listen()
      case 'notifications/roots/list_changed':
        return []
      case 'notifications/cancelled':
        return this.#cancel(message)
      default:
        return [{ to: 'server', text: message.text }]
    }
  }

  #cancel(message: Notification): readonly Crossing[] {
    const idKey = keyOf(fieldsOf(message.params?.value)['requestId'])
    const calls = new Set([...this.#calls.values(), ...this.#questions.values(), ...this.#paused])
    const call = [...calls].find((one) => one.message.idKey === idKey)
    if (call === undefined) return []
    const { serverKey } = call
    const params = message.params === null ? '{}' : partText(message, message.params)
    const toServer: readonly Crossing[] =
      serverKey === null
        ? []
        : [
            {
              to: 'server',
              text: notification(
                message.method,
                withMembers(params, { requestId: serverKey.slice(1), _meta: null }),
              ),
            },
          ]
    return [...this.#end(call), ...toServer]
  }

  /** Nothing of the call is left: questions are withdrawn, places are done with. */
  #end(call: Call): readonly Crossing[] {
    if (call.serverKey !== null) this.#calls.delete(call.serverKey)
    this.#paused.delete(call)
    const about = call.message.idKey
    const out: Crossing[] = []
    for (const key of call.open.keys()) {
      this.#questions.delete(key)
      const text = notification(
        'notifications/cancelled',
        JSON.stringify({ requestId: key.slice(1) }),
      )
      out.push({ to: 'client', text, about })
    }
    call.open.clear()
    // Row: `elicitationId` is retired.
    for (const elicitationId of call.elicitations) {
      const params = JSON.stringify({ elicitationId })
      const text = notification('notifications/elicitation/complete', params)
      out.push({ to: 'client', text, about })
    }
    return out
  }

  /** The client answers what it was asked in the middle of a call. */
  #responded(response: Response): readonly Crossing[] {
    const { idKey, body } = response
    const call = idKey === null ? undefined : this.#questions.get(idKey)
    const key = idKey === null ? undefined : call?.open.get(idKey)
    if (idKey === null || call === undefined || key === undefined) return []
    this.#questions.delete(idKey)
    call.open.delete(idKey)
    if (response.outcome === 'error') {
      const { message } = fieldsOf(body.value)
      return this.#lost(call, `The client did not answer what the server asked: ${String(message)}`)
    }
    call.answers.set(key, partText(response, body))
    return call.open.size > 0 ? [] : this.#send(call)
  }

  /** It goes no further, and the server has done some of it. */
  #lost(call: Call, why: string): readonly Crossing[] {
    return [...this.#end(call), { to: 'nobody', about: call.message.idKey, end: 'lost', why }]
  }

  fromServer(message: Message): readonly Crossing[] {
    switch (message.kind) {
      case 'request':
        // Servers of this revision ask nothing of their own accord.
        return [
          {
            to: 'server',
            text: error(message.idText, RPC_ERRORS.method, 'Method not found'),
          },
        ]
      case 'notification':
        return this.#told(message)
      case 'response':
        return this.#answered(message)
    }
  }

  #answered(response: Response): readonly Crossing[] {
    const { idKey, body } = response
    if (idKey === null) return []
    const ours = this.#ours.get(idKey)
    if (ours !== undefined) {
      this.#ours.delete(idKey)
      return ours(response)
    }
    const listening = this.#listening.get(idKey)
    if (listening !== undefined) return this.#unheard(listening, response)
    const call = this.#calls.get(idKey)
    if (call === undefined) return []
    const { idText, method, idKey: about } = call.message
    const { resultType } = fieldsOf(body.value)
    const isResult = response.outcome === 'result'
    if (isResult && resultType === 'input_required' && ROUNDS.has(method))
      return this.#round(call, response)
    // Without its type it would look like a result that is whole.
    if (isResult && resultType !== undefined && resultType !== 'complete')
      return this.#lost(call, 'The answer of the server is of a kind that its client cannot take.')
    const text = isResult
      ? result(idText, toLegacyResult(method, partText(response, body)))
      : `{"jsonrpc":"2.0","id":${idText},"error":${toLegacyError(method, response, partText(response, body))}}`
    const told: Crossing = { to: 'client', text, about }
    return [...this.#end(call), told]
  }

  /** Row: `input_required` → requests to the client, and the next try. */
  #round(call: Call, response: Response): readonly Crossing[] {
    if (call.serverKey !== null) this.#calls.delete(call.serverKey)
    call.serverKey = null
    call.answers.clear()
    call.stateText = memberText(response, response.body, 'requestState')
    const about = call.message.idKey
    const asked = memberText(response, response.body, 'inputRequests') ?? '{}'
    const keys = Object.keys(fieldsOf(JSON.parse(asked)))
    if (keys.length === 0) return this.#comeBack(call)
    call.returns = 0
    call.rounds += 1
    if (call.rounds > MAX_ROUNDS) return this.#lost(call, 'The server asks again and again.')
    const out: Crossing[] = []
    for (const key of keys) {
      const question = inputRequestOf(memberOf(asked, key) ?? 'null')
      if (question === null)
        return this.#lost(call, 'The server asks for something that no client knows.')
      const id = `sallyport-${this.#newId()}`
      call.open.set(`s${id}`, key)
      this.#questions.set(`s${id}`, call)
      out.push({
        to: 'client',
        text: request(JSON.stringify(id), question.method, this.#asLegacy(call, question)),
        about,
      })
    }
    return out
  }

  /** Row: `input_required` that asks nothing → the next try, which waits for as long as its client does. */
  #comeBack(call: Call): readonly Crossing[] {
    call.returns += 1
    if (call.returns === 1) return this.#send(call)
    call.dueAt = null
    this.#paused.add(call)
    return []
  }

  /** Row: `elicitationId` is made. */
  #asLegacy(
    call: Call,
    { method, paramsText }: { readonly method: string; readonly paramsText: string | null },
  ): string | null {
    if (paramsText === null || method !== 'elicitation/create') return paramsText
    if (fieldsOf(JSON.parse(paramsText))['mode'] !== 'url') return paramsText
    const elicitationId = `sallyport-${this.#newId()}`
    call.elicitations.push(elicitationId)
    return withMembers(paramsText, { elicitationId: JSON.stringify(elicitationId) })
  }

  /** Row: GET stream and `resources/subscribe` → `subscriptions/listen`. */
  #subscribe(message: Request, done: () => Crossing): readonly Crossing[] {
    const { uri } = fieldsOf(message.params?.value)
    if (typeof uri !== 'string') return [refused(message, "'uri' must be a text.")]
    const isMore = message.method === 'resources/subscribe'
    if (this.#uris.has(uri) === isMore) return [done()]
    this.#want(uri, isMore)
    return this.#listen((problem, untold) => {
      if (problem === null && !untold.has(uri)) return [done()]
      // What the server does not tell of is not asked for again with what comes next.
      if (isMore) this.#want(uri, false)
      return [
        problem === null
          ? refused(message, 'The server does not tell when this resource changes.')
          : { to: 'client', text: answered(message.idText, problem), about: message.idKey },
      ]
    })
  }

  #want(uri: string, isWanted: boolean): void {
    const uris = new Set(this.#uris)
    if (isWanted) uris.add(uri)
    else uris.delete(uri)
    this.#uris = uris
  }

  /** Listens for all that is wanted now; the stream before ends when this one is there. */
  #listen(onHeard = NOBODY, uris = this.#uris): readonly Crossing[] {
    const { capabilities } = fieldsOf(this.#server?.body.value)
    const lists = LISTS.filter(
      ([, capability]) => fieldsOf(fieldsOf(capabilities)[capability])['listChanged'] === true,
    )
    const filter = {
      ...Object.fromEntries(lists.map(([kind]) => [kind, true])),
      ...(uris.size > 0 ? { resourceSubscriptions: [...uris] } : {}),
    }
    this.#relistenAt = null
    this.#isLost = false
    if (Object.keys(filter).length === 0) {
      const old = this.#current
      this.#current = null
      return [...this.#leave(old, NOTHING), ...onHeard(null, NOTHING)]
    }
    const id = this.#newId()
    const listening: Listening = {
      serverKey: `n${id}`,
      uris,
      isAcknowledged: false,
      since: null,
      onHeard,
    }
    this.#current = listening
    this.#listening.set(listening.serverKey, listening)
    const params = withMembers('{}', { notifications: JSON.stringify(filter) })
    return [{ to: 'server', text: this.#modern(id, 'subscriptions/listen', params) }]
  }

  /** @param untold what of it the server does not tell, as it said for the one in place of this */
  #leave(listening: Listening | null, untold: ReadonlySet<string>): readonly Crossing[] {
    if (listening === null || !this.#listening.delete(listening.serverKey)) return []
    return [
      cancelled(listening),
      ...(listening.isAcknowledged ? [] : listening.onHeard(null, untold)),
    ]
  }

  /** The server listens no more, or not at all. */
  #unheard(listening: Listening, response: Response | null): readonly Crossing[] {
    // A server that refuses is not asked again; one that went away is.
    if (response !== null && !listening.isAcknowledged)
      return this.#refusedToListen(listening, response.outcome === 'error' ? response : null)
    this.#listening.delete(listening.serverKey)
    if (this.#current === listening) {
      this.#current = null
      this.#isLost = true
    }
    return listening.isAcknowledged ? [] : listening.onHeard(null, NOTHING)
  }

  /** @param problem as the server says it; null when it says nothing of it */
  #refusedToListen(listening: Listening, problem: Response | null): readonly Crossing[] {
    const { serverKey, uris, onHeard } = listening
    this.#listening.delete(serverKey)
    // What was heard before it was asked for is heard still.
    if (this.#current === listening) this.#current = [...this.#listening.values()].at(-1) ?? null
    const told = onHeard(problem, uris)
    // What was asked for behind it is asked for without that, each by itself: what is refused next is refused alone.
    const failing = [...this.#listening.values()].filter(
      (one) =>
        !one.isAcknowledged && [...uris].some((uri) => one.uris.has(uri) && !this.#uris.has(uri)),
    )
    for (const one of failing) this.#listening.delete(one.serverKey)
    return [
      ...told,
      ...failing.flatMap((one) => [
        cancelled(one),
        ...this.#listen(one.onHeard, new Set([...one.uris].filter((uri) => this.#uris.has(uri)))),
      ]),
    ]
  }

  #told(message: Notification): readonly Crossing[] {
    const { method, params } = message
    const fields = fieldsOf(params?.value)
    const subscription = keyOf(fieldsOf(fields['_meta'])[META.subscription])
    if (method === 'notifications/subscriptions/acknowledged') {
      const listening = subscription === null ? undefined : this.#listening.get(subscription)
      if (listening === undefined || listening.isAcknowledged) return []
      listening.isAcknowledged = true
      const older = [...this.#listening.values()].filter((one) => one !== this.#current)
      const isCurrent = listening === this.#current
      const untold = untoldOf(listening, fields['notifications'])
      return [
        ...(isCurrent ? older.flatMap((one) => this.#leave(one, untold)) : []),
        ...listening.onHeard(null, untold),
      ]
    }
    if (method === 'notifications/cancelled') {
      const key = keyOf(fields['requestId'])
      const listening = key === null ? undefined : this.#listening.get(key)
      return listening === undefined ? [] : this.#unheard(listening, null)
    }
    const about = this.#aboutOf(fields['progressToken'])
    if (params === null || subscription === null)
      return [{ to: 'client', text: message.text, about }]
    // While two streams overlap, the older one says nothing any more that the newer one says too.
    const current = this.#current
    if (current !== null && current.isAcknowledged && current.serverKey !== subscription) return []
    const text = partText(message, params)
    const meta = withMembers(memberOf(text, '_meta') ?? '{}', { [META.subscription]: null })
    const edited = withMembers(text, { _meta: meta === '{}' ? null : meta })
    return [
      { to: 'client', text: notification(method, edited === '{}' ? null : edited), about: null },
    ]
  }

  #aboutOf(token: unknown): string | null {
    const key = keyOf(token)
    if (key === null) return null
    for (const { message } of this.#calls.values()) {
      const meta = fieldsOf(fieldsOf(message.params?.value)['_meta'])
      if (keyOf(meta['progressToken']) === key) return message.idKey
    }
    return null
  }

  failed(
    idKey: string,
    end: 'never-sent' | 'refused-by-server' | 'lost',
    why: string,
  ): readonly Crossing[] {
    const ours = this.#ours.get(idKey)
    this.#ours.delete(idKey)
    if (ours !== undefined) return ours(null)
    const listening = this.#listening.get(idKey)
    if (listening !== undefined) return this.#unheard(listening, null)
    const call = this.#calls.get(idKey)
    if (call === undefined) return []
    // The server took the tries before, and has done some of it.
    const hasBegun = call.rounds + call.returns > 0
    const about = call.message.idKey
    return [...this.#end(call), { to: 'nobody', about, end: hasBegun ? 'lost' : end, why }]
  }

  tidy(now: number): readonly Crossing[] {
    const out: Crossing[] = []
    for (const call of this.#paused) {
      call.dueAt ??= now + Math.min(RETURN_MS * 2 ** (call.returns - 2), MAX_RETURN_MS)
      if (now < call.dueAt) continue
      this.#paused.delete(call)
      out.push(...this.#send(call))
    }
    for (const listening of this.#listening.values()) {
      if (listening.isAcknowledged || listening.onHeard === NOBODY) continue
      listening.since ??= now
      if (now - listening.since < ANSWER_MS) continue
      out.push(cancelled(listening), ...this.#refusedToListen(listening, null))
    }
    if (!this.#isLost) return out
    this.#relistenAt ??= now + RELISTEN_MS
    return now < this.#relistenAt ? out : [...out, ...this.#listen()]
  }

  #newId(): string {
    this.#lastId += 1
    return String(this.#lastId)
  }
}

/** Nobody listens there any more. */
function cancelled({ serverKey }: Listening): Crossing {
  const params = `{"requestId":${serverKey.slice(1)}}`
  return { to: 'server', text: notification('notifications/cancelled', params) }
}

/** What a server that acknowledged this does not tell of. @param honored what it says it tells; all of it when it says nothing */
function untoldOf({ uris }: Listening, honored: unknown): ReadonlySet<string> {
  if (honored === undefined) return NOTHING
  const { resourceSubscriptions } = fieldsOf(honored)
  const told = new Set(Array.isArray(resourceSubscriptions) ? resourceSubscriptions : [])
  return new Set([...uris].filter((uri) => !told.has(uri)))
}

function refused({ idText, idKey }: Request, why: string): Crossing {
  return { to: 'client', text: error(idText, RPC_ERRORS.params, why), about: idKey }
}

/** The same answer for another id. */
function answered(idText: string, response: Response): string {
  return withMembers(response.text, { id: idText })
}
