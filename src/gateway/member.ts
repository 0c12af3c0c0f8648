import { Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import {
  errorAnswer,
  type Message,
  memberOf,
  type Notification,
  type Request,
  RPC_ERRORS,
  readMessage,
  withMembers,
} from '../mcp/wire/index.ts'
import { Relay } from './relay.ts'
import type { RelayOptions } from './relay-options.ts'
import { isObject } from './tool-call.ts'
import type { OpenUpstream, Upstream } from './upstream.ts'

export interface MemberOptions extends Omit<RelayOptions, 'toClient' | 'toServer'> {
  readonly upstream: OpenUpstream
  /** How we call ourselves to servers. */
  readonly version: string
  /** What the server tells of its own accord: that a list or a resource changed. */
  readonly onNotice: (notice: Notification) => void
  /** Called once, when the server is gone. */
  readonly onOver: () => void
}

interface Asked {
  readonly answered: (text: string) => void
  /** What comes before the answer, with the client's own token in place of ours. */
  readonly event: (text: string) => void
  readonly tokenText: string | null
}

/** What a server changes is told to whoever listens. */
const NOTICES: ReadonlySet<string> = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
])
/** A server that does not introduce itself in that time is passed over. */
const HELLO_MS = 20_000
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
 * One of the servers behind one endpoint. We are its client, with its policies and inspection between us, so that what
 * holds at its own address holds here.
 */
export class Member {
  readonly #options: MemberOptions
  readonly #relay: Relay
  readonly #asked = new Map<string, Asked>()
  readonly #ready: Promise<void>
  #upstream: Upstream | null = null
  #capabilities: Readonly<Record<string, unknown>> = {}
  #count = 0
  #isOver = false

  constructor(options: MemberOptions) {
    this.#options = options
    this.#relay = new Relay({
      ...options,
      toClient: (text, about) => this.#toClient(text, about),
      toServer: (text, message) => this.#upstream?.send(text, message),
    })
    this.#ready = this.#introduced()
    // Whoever asks hears why.
    this.#ready.catch(() => this.close())
  }

  /** Whether nobody waits for an answer. */
  get isIdle(): boolean {
    return this.#asked.size === 0
  }

  /**
   * Asks as the caller.
   *
   * @param text a request; its id and token are ours on the way
   * @returns the answer, with the id of the request
   * @throws {Fault} when the server is not there
   */
  async ask(
    request: Request,
    text: string,
    caller: Caller,
    event: (text: string) => void,
    signal: AbortSignal,
  ): Promise<string> {
    await this.#ready
    if (this.#isOver) throw gone()
    this.#relay.calledBy(caller)
    return this.#sent(request.idText, text, event, signal)
  }

  /** Whether the server says that it has something: `prompts`, `resources`, `completions`. */
  async has(capability: string): Promise<boolean> {
    await this.#ready
    return isObject(this.#capabilities[capability])
  }

  /** For a question of ours. @returns the result @throws {Fault} when there is none */
  async result(method: string, params: object, signal: AbortSignal): Promise<unknown> {
    await this.#ready
    return this.#resultOf(method, params, signal)
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.onOver()
    void this.#relay.serverEnded('it is not needed any more')
    void this.#upstream?.close()
  }

  async #introduced(): Promise<void> {
    const { upstream: open, version } = this.#options
    const upstream = await open({
      hear: (message, about) => this.#relay.heard(message, about),
      failed: (idKey, end, why) => this.#relay.serverFailed(idKey, end, why),
    })
    this.#upstream = upstream
    void upstream.ended.then((how) => this.#ended(how))
    const promised = await this.#resultOf(
      'initialize',
      {
        protocolVersion: REVISION,
        // What a server asks of its own accord would not know for which client it is.
        capabilities: {},
        clientInfo: { name: 'sallyport', version },
      },
      AbortSignal.timeout(HELLO_MS),
    )
    const capabilities = isObject(promised) ? promised['capabilities'] : undefined
    if (isObject(capabilities)) this.#capabilities = capabilities
    this.#relay.fromClient(Buffer.from(INITIALIZED))
  }

  async #resultOf(method: string, params: object, signal: AbortSignal): Promise<unknown> {
    const asked = JSON.stringify({ jsonrpc: '2.0', id: 0, method, params })
    const answer = readMessage(await this.#sent('0', asked, () => {}, signal))
    if (answer.kind === 'response' && answer.outcome === 'result') return answer.body.value
    const { value } = answer.kind === 'response' ? answer.body : { value: null }
    const { message, code } = isObject(value) ? value : {}
    const said = typeof message === 'string' ? message.slice(0, 200) : ''
    throw new Fault('NET_FAILED', `The server refused ${method}: ${said}`, {
      details: { ...(typeof code === 'number' && { code }) },
    })
  }

  #sent(
    idText: string,
    text: string,
    event: (text: string) => void,
    signal: AbortSignal,
  ): Promise<string> {
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
    const cancel = (): void => this.#cancel(idKey, id, idText, signal.reason)
    this.#asked.set(idKey, { answered: resolve, event, tokenText })
    signal.addEventListener('abort', cancel, { once: true })
    this.#relay.fromClient(Buffer.from(sent))
    if (signal.aborted) cancel()
    return promise
      .then((answer) => withMembers(answer, { id: idText }))
      .finally(() => signal.removeEventListener('abort', cancel))
  }

  #cancel(idKey: string, id: string, idText: string, reason: unknown): void {
    const asked = this.#asked.get(idKey)
    if (asked === undefined) return
    this.#asked.delete(idKey)
    const told = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`
    this.#relay.fromClient(Buffer.from(told))
    const isLate = reason instanceof DOMException && reason.name === 'TimeoutError'
    const why = isLate ? 'The server did not answer in time.' : 'The request was cancelled.'
    asked.answered(errorAnswer(idText, RPC_ERRORS.internal, why))
  }

  #toClient(text: string, about: string | null): void {
    const asked = about === null ? undefined : this.#asked.get(about)
    if (about !== null && asked !== undefined && !this.#relay.isOpen(about)) {
      this.#asked.delete(about)
      asked.answered(text)
      return
    }
    this.#told(readMessage(text))
  }

  #told(message: Message | { readonly kind: 'refused' }): void {
    if (message.kind === 'request')
      // Nothing was declared that a server could ask for.
      this.#relay.fromClient(
        Buffer.from(errorAnswer(message.idText, RPC_ERRORS.method, 'Method not found')),
      )
    if (message.kind !== 'notification') return
    if (NOTICES.has(message.method)) this.#options.onNotice(message)
    if (message.method !== 'notifications/progress') return
    const { value } = message.params ?? {}
    const token = isObject(value) ? value['progressToken'] : undefined
    const asked = typeof token === 'string' ? this.#asked.get(`s${token}`) : undefined
    const params = memberOf(message.text, 'params')
    if (asked?.tokenText == null || params === null) return
    const restored = withMembers(params, { progressToken: asked.tokenText })
    asked.event(withMembers(message.text, { params: restored }))
  }

  async #ended(how: string): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.onOver()
    await this.#relay.serverEnded(how)
  }
}

function gone(): Fault {
  return new Fault('NET_FAILED', 'The server ended.')
}
