import { Fault } from '../core/faults.ts'
import { Few } from '../core/few.ts'
import type { Caller } from '../core/principals.ts'
import {
  errorAnswer,
  type Message,
  memberOf,
  type Refused,
  type Request,
  RPC_ERRORS,
  readMessage,
  resultAnswer,
  withMembers,
} from '../mcp/wire/index.ts'
import {
  type AllMember,
  cancelAt,
  givenUp,
  type MemberOptions,
  type Result,
  resultIn,
  unlessGivenUp,
  type Way,
} from './all-member.ts'
import { wordOfAll } from './all-names.ts'
import type { AllWords, Asker } from './all-words.ts'
import { askAlone, unopenedServer } from './lone-request.ts'
import { Relay } from './relay.ts'
import type { SharerEars } from './shared-upstream.ts'
import { SlowReaders } from './slow-readers.ts'
import { isObject } from './tool-call.ts'
import type { Upstream } from './upstream.ts'

interface Asked {
  readonly answered: (text: string) => void
  /** For what comes before the answer; null where nobody hears it. */
  readonly way: Way | null
  /** Of the client, in place of which goes our own. */
  readonly tokenText: string | null
}

/** What a server changes is told to whoever listens. */
const NOTICES: ReadonlySet<string> = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
])
/** What else a server says to its client. */
const WORDS: ReadonlySet<string> = new Set([
  'notifications/message',
  'notifications/elicitation/complete',
])
const SOON_MS = 5_000
const REVISION = '2025-11-25'
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}'

/** What a request of the revisions without sessions says of itself; the server knows it from our introduction. */
const STANDING = {
  'io.modelcontextprotocol/protocolVersion': null,
  'io.modelcontextprotocol/clientCapabilities': null,
  'io.modelcontextprotocol/clientInfo': null,
  'io.modelcontextprotocol/logLevel': null,
}

/**
 * One of the servers behind one endpoint, for a client of the revisions with sessions. We are the server's client, with
 * its policies and inspection between us, so that what holds at its own address holds here.
 */
export class Member implements AllMember, Asker {
  readonly #options: MemberOptions
  readonly #words: AllWords | null
  readonly #relay: Relay
  readonly #asked = new Few<Asked>()
  /** Until it has introduced itself. */
  #starting: Promise<void> | null
  #upstream: Upstream | null = null
  readonly #slow = new SlowReaders()
  /** On which the client was told something last. */
  #told: Way | null = null
  #capabilities: Readonly<Record<string, unknown>> = {}
  #count = 0
  /** From which on the client wants to hear of what the server logs; null: as the server likes. */
  #level: string | null = null
  #isIntroduced = false
  #isOver = false

  /** @param words of the client's session; null when it has none, and so is asked and told nothing */
  constructor(options: MemberOptions, words: AllWords | null = null) {
    this.#options = options
    this.#words = words
    this.#relay = new Relay({
      ...options,
      toClient: (text, about) => this.#toClient(text, about),
      toServer: (text, message) => this.#upstream?.send(text, message),
    })
    this.#starting = this.#introduced()
    this.#starting.then(
      () => {
        this.#starting = null
      },
      // Whoever asks hears why.
      () => void this.close(),
    )
  }

  get isIdle(): boolean {
    return this.#starting === null && this.#asked.size === 0
  }

  async started(): Promise<void> {
    await this.#starting
  }

  async ask(
    request: Request,
    text: string,
    caller: Caller,
    way: Way | null,
    signal: AbortSignal,
  ): Promise<string> {
    try {
      // What is given up meanwhile is never sent.
      if (this.#starting !== null) await unlessGivenUp(this.#starting, signal)
      if (this.#isOver) throw gone()
    } catch (error) {
      return this.#asksInVain(text, caller, way, signal, error)
    }
    this.#relay.calledBy(caller)
    return this.#sent(request.idText, text, way, signal)
  }

  async has(capability: string): Promise<boolean> {
    await this.#starting
    return isObject(this.#capabilities[capability])
  }

  async result(method: string, params: object, signal: AbortSignal): Promise<Result> {
    if (this.#starting !== null) await unlessGivenUp(this.#starting, signal)
    return this.#resultOf(method, params, signal)
  }

  async subscribe(uri: string, signal: AbortSignal): Promise<void> {
    await this.result('resources/subscribe', { uri }, signal)
  }

  unsubscribe(uri: string): void {
    this.result('resources/unsubscribe', { uri }, AbortSignal.timeout(SOON_MS)).catch(() => {})
  }

  heed(): void {
    // In these revisions a server tells without being asked.
  }

  told(text: string): void {
    void this.started().then(
      () => this.#relay.fromClient(Buffer.from(text)),
      () => {},
    )
  }

  heard(text: string): void {
    this.#relay.fromClient(Buffer.from(text))
  }

  answered(idKey: string, text: string): void {
    this.#relay.answeredForClient(idKey, text)
  }

  async setLevel(level: string): Promise<void> {
    this.#level = level
    // One that introduces itself just now hears of it then.
    if (this.#isIntroduced) await this.#levelled()
  }

  async close(): Promise<void> {
    if (this.#isOver) return
    this.#over()
    // It hears what becomes of what it asked.
    await this.#relay.serverEnded('it is not needed any more')
    await this.#upstream?.close()
  }

  /** Its server is not there, which takes nothing away from what is judged and recorded. */
  async #asksInVain(
    text: string,
    caller: Caller,
    way: Way | null,
    signal: AbortSignal,
    error: unknown,
  ): Promise<string> {
    const request = readMessage(text)
    if (signal.aborted || request.kind !== 'request') throw error
    const { path, inspection, policiesNow, log } = this.#options
    const join = (ears: SharerEars) => unopenedServer(ears, error)
    const of = { caller, path, inspection, policiesNow, log, way, reader: way, signal, join }
    return askAlone({ request, ...of })
  }

  async #introduced(): Promise<void> {
    const { upstream: open, version, path } = this.#options
    const introduction = this.#words?.introduction
    const upstream = await open({
      hear: (message, about) => this.#hear(message, about),
      failed: (idKey, end, why) => this.#relay.serverFailed(idKey, end, why),
      questionsLost: () => this.#relay.questionsLost(),
    })
    this.#upstream = upstream
    if (this.#isOver) {
      await upstream.close()
      throw gone()
    }
    void upstream.ended.then((how) => this.#ended(how))
    const { value: promised } = await this.#resultOf(
      'initialize',
      {
        protocolVersion: introduction?.version ?? REVISION,
        // What a server asked of its own accord would not know for which client it is.
        capabilities: introduction?.capabilities ?? {},
        clientInfo: introduction?.clientInfo ?? { name: 'sallyport', version },
      },
      AbortSignal.timeout(path.health.startMs),
    )
    const capabilities = isObject(promised) ? promised['capabilities'] : undefined
    if (isObject(capabilities)) this.#capabilities = capabilities
    this.#relay.fromClient(Buffer.from(INITIALIZED))
    this.#isIntroduced = true
    await this.#levelled()
  }

  /** What is asked for later is logged as the client wants it. */
  async #levelled(): Promise<void> {
    if (this.#level === null || !isObject(this.#capabilities['logging'])) return
    const signal = AbortSignal.timeout(SOON_MS)
    await this.#resultOf('logging/setLevel', { level: this.#level }, signal).catch(() => {})
  }

  async #resultOf(method: string, params: object, signal: AbortSignal): Promise<Result> {
    const asked = JSON.stringify({ jsonrpc: '2.0', id: 0, method, params })
    return resultIn(await this.#sent('0', asked, null, signal), method)
  }

  #sent(idText: string, text: string, way: Way | null, signal: AbortSignal): Promise<string> {
    this.#count += 1
    const id = JSON.stringify(`m${this.#count}`)
    const idKey = `sm${this.#count}`
    const params = memberOf(text, 'params')
    const meta = params === null ? null : memberOf(params, '_meta')
    const hasMeta = meta?.startsWith('{') === true
    const tokenText = hasMeta ? memberOf(meta, 'progressToken') : null
    const edits = { ...STANDING, ...(tokenText !== null && { progressToken: id }) }
    const sent = withMembers(text, {
      id,
      ...(params !== null &&
        hasMeta && { params: withMembers(params, { _meta: withMembers(meta, edits) }) }),
    })
    const { promise, resolve } = Promise.withResolvers<string>()
    const cancel = (): void => this.#cancel(idKey, id, idText, signal)
    this.#asked.set(idKey, { answered: resolve, way, tokenText })
    this.#slow.othersCame()
    signal.addEventListener('abort', cancel, { once: true })
    this.#relay.fromClient(Buffer.from(sent))
    if (signal.aborted) cancel()
    return promise
      .then((answer) => withMembers(answer, { id: idText }))
      .finally(() => signal.removeEventListener('abort', cancel))
  }

  #cancel(idKey: string, id: string, idText: string, signal: AbortSignal): void {
    const asked = this.#asked.get(idKey)
    if (asked === undefined) return
    this.#asked.delete(idKey)
    this.#relay.fromClient(Buffer.from(cancelAt(id, signal)))
    asked.answered(errorAnswer(idText, RPC_ERRORS.internal, givenUp(signal)))
  }

  #hear(message: Message | Refused, about: string | null): void | Promise<void> {
    const hearing = this.#relay.hear(message, about)
    return hearing instanceof Promise ? hearing.then(() => this.#caughtUp()) : this.#caughtUp()
  }

  /** A client that is behind is waited for, so that the server is. */
  #caughtUp(): void | Promise<void> {
    if (this.#told?.isBehind === true) return this.#waited()
    for (const { way } of this.#asked.values()) if (way?.isBehind === true) return this.#waited()
    return undefined
  }

  async #waited(): Promise<void> {
    const ways = [this.#told, ...this.#asked.values().map(({ way }) => way)]
    for (const way of ways)
      if (way?.isBehind === true) await this.#slow.wait(way, () => this.#isNeededBeside(way))
  }

  /** Clients that show no session share their servers; one with a session has its own. */
  #isNeededBeside(way: Way): boolean {
    if (this.#words !== null) return false
    for (const one of this.#asked.values()) if (one.way !== way) return true
    return false
  }

  #toClient(text: string, about: string | null): void {
    const asked = about === null ? undefined : this.#asked.get(about)
    if (about !== null && asked !== undefined && !this.#relay.isOpen(about)) {
      this.#asked.delete(about)
      asked.answered(text)
      return
    }
    // On a pipe nothing says to which request a message belongs; often there is only one.
    const [only] = this.#asked.size === 1 ? this.#asked.values() : []
    const said = readMessage(text)
    if (said.kind !== 'refused')
      this.#said(wordOfAll(said, this.#options.server), (asked ?? only)?.way ?? null)
  }

  /** @param way of the request that it belongs to, when that is known */
  #said(message: Message | Refused, way: Way | null): void {
    if (message.kind === 'request') {
      const { idText, idKey } = message
      if (message.method === 'ping') this.answered(idKey, resultAnswer(idText, {}))
      else if (this.#words !== null) this.#told = this.#words.ask(this, message, way)
      else this.answered(idKey, errorAnswer(idText, RPC_ERRORS.method, 'Method not found'))
    }
    if (message.kind !== 'notification') return
    const { method } = message
    if (NOTICES.has(method)) this.#options.onNotice(message)
    else if (WORDS.has(method)) this.#told = this.#words?.tell(message.text, way) ?? null
    else if (method === 'notifications/cancelled') this.#words?.withdrawn(this, message)
    if (method !== 'notifications/progress') return
    const { value } = message.params ?? {}
    const token = isObject(value) ? value['progressToken'] : undefined
    const asked = typeof token === 'string' ? this.#asked.get(`s${token}`) : undefined
    const params = memberOf(message.text, 'params')
    if (asked?.tokenText == null || params === null) return
    const restored = withMembers(params, { progressToken: asked.tokenText })
    const shown = withMembers(message.text, { params: restored })
    // Before an answer that is no stream nothing comes: it goes where the client listens.
    if (asked.way === null) this.#told = this.#words?.tell(shown, null) ?? null
    else asked.way.event(shown)
  }

  async #ended(how: string): Promise<void> {
    if (this.#isOver) return
    this.#relay.questionsLost()
    this.#over()
    await this.#relay.serverEnded(how)
  }

  #over(): void {
    this.#isOver = true
    this.#slow.close()
    this.#words?.gone(this)
    this.#options.onOver()
  }
}

function gone(): Fault {
  return new Fault('NET_FAILED', 'The server ended.')
}
