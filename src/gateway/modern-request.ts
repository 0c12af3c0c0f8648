import { asFault } from '../core/faults.ts'
import {
  errorAnswer,
  META,
  type Message,
  type Refused,
  RPC_ERRORS,
  readMessage,
  writeExactly,
} from '../mcp/wire/index.ts'
import type { PoliciesNow } from './applied-policies.ts'
import { type Posted, unopened, withListChanged } from './http-door-session.ts'
import { PendingAnswer, sendJson } from './pending-answer.ts'
import { Relay, type RelayOptions } from './relay.ts'
import type { SharedUpstream, Sharer } from './shared-upstream.ts'
import { isObject } from './tool-call.ts'

export interface ModernRequestOptions extends Posted, Omit<RelayOptions, 'toClient' | 'toServer'> {
  /** Called once, when it is answered or given up. */
  readonly onOver: () => void
}

/** One request of the revisions without sessions: its connection is its stream, and closing it cancels. */
export class ModernRequest {
  readonly #options: ModernRequestOptions
  readonly #relay: Relay
  readonly #pending: PendingAnswer
  #sharer: Sharer | null = null
  #policies: PoliciesNow
  /** Of a request that waits for changes: whether those of the list of tools are among them. */
  #wantsTools = false
  #isOver = false

  constructor(options: ModernRequestOptions) {
    this.#options = options
    const { message, response, takesStream } = options
    this.#policies = options.policiesNow()
    this.#pending = new PendingAnswer(response, {
      isModern: true,
      takesStream,
      name: null,
      headers: {},
    })
    this.#relay = new Relay({
      ...options,
      toClient: (text) => this.#toClient(text),
      toServer: (text, sent) => this.#sharer?.send(text, sent),
    })
    const filter = isListen(message) ? filterOf(message) : null
    this.#wantsTools = filter?.['toolsListChanged'] === true
  }

  async go(shared: SharedUpstream): Promise<void> {
    const { message, frame, response, log } = this.#options
    const isRequest = message.kind === 'request'
    response.once('close', () => this.#closed())
    try {
      this.#sharer = await shared.join({
        hear: (heard, about) => this.#hear(heard, about),
        failed: (idKey, end, why) => this.#relay.serverFailed(idKey, end, why),
        ended: (how) => void this.#relay.serverEnded(how),
      })
    } catch (error) {
      log.error('a server could not be opened', { error: asFault(error).code })
      if (isRequest) this.#toClient(unopened(message.idText, error))
      else sendJson(response, 503, errorAnswer('null', RPC_ERRORS.internal, asFault(error).message))
      this.#end()
      return
    }
    if (this.#isOver) {
      this.#end()
      return
    }
    this.#relay.fromClient(frame)
    if (isRequest) return
    response.writeHead(202, { 'Content-Length': 0 }).end()
    await this.#relay.idle()
    this.#end()
  }

  touch(): void {
    if (this.#options.message.kind === 'request') this.#pending.touch()
  }

  /** Its caller no longer counts, or the server goes down. */
  drop(): void {
    this.#cancel()
    this.#pending.drop()
    this.#end()
  }

  /** The policies may have changed, and with them the list of tools. */
  policiesChanged(): void {
    const now = this.#options.policiesNow()
    const isSame =
      now.length === this.#policies.length &&
      now.every((one, index) => one.revision === this.#policies[index]?.revision)
    this.#policies = now
    const { message } = this.#options
    if (isSame || !this.#wantsTools || message.kind !== 'request') return
    this.#pending.event(
      `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{${JSON.stringify(META.subscription)}:${message.idText}}}}`,
    )
  }

  async #hear(message: Message | Refused, about: string | null): Promise<void> {
    await this.#relay.heard(message, about)
    await this.#pending.stream.caughtUp()
  }

  #toClient(text: string): void {
    const { message } = this.#options
    if (message.kind !== 'request') return
    if (this.#relay.isOpen(message.idKey)) {
      this.#pending.event(this.#wantsTools ? withToolsAcknowledged(text) : text)
      return
    }
    if (isListen(message) && isUnknownMethod(text)) {
      this.#listenAlone(message.idText)
      return
    }
    this.#pending.answer(message.method === 'server/discover' ? withListChanged(text) : text)
    this.#end()
  }

  /** The server knows no subscriptions: there is still our own policy that changes. */
  #listenAlone(idText: string): void {
    const notifications = this.#wantsTools ? { toolsListChanged: true } : {}
    this.#pending.begin()
    this.#pending.event(
      `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":${JSON.stringify(notifications)},"_meta":{${JSON.stringify(META.subscription)}:${idText}}}}`,
    )
  }

  /** Closing the connection is how a client of these revisions cancels. */
  #closed(): void {
    if (this.#isOver) return
    this.#cancel()
    void this.#relay.idle().then(() => this.#end())
  }

  #cancel(): void {
    const { message } = this.#options
    if (message.kind !== 'request' || !this.#relay.isOpen(message.idKey)) return
    const cancel = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${message.idText}}}`
    this.#relay.fromClient(Buffer.from(cancel))
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.onOver()
    // What the relay still has to write down is written down without us.
    void this.#relay.idle().then(() => this.#sharer?.leave())
  }
}

function isListen(message: Message): boolean {
  return message.kind === 'request' && message.method === 'subscriptions/listen'
}

function filterOf(message: Message): Readonly<Record<string, unknown>> | null {
  const params = message.kind === 'response' ? null : message.params
  const filter = isObject(params?.value) ? params.value['notifications'] : undefined
  return isObject(filter) ? filter : null
}

function isUnknownMethod(text: string): boolean {
  const answer = readMessage(text)
  if (answer.kind !== 'response' || answer.outcome !== 'error') return false
  return (answer.body.value as { readonly code: number }).code === RPC_ERRORS.method
}

/** The server may never change its list of tools; the gateway does. */
function withToolsAcknowledged(text: string): string {
  if (!text.includes('notifications/subscriptions/acknowledged')) return text
  const told = readMessage(text)
  if (told.kind !== 'notification' || told.params === null || !isObject(told.params.value))
    return text
  const { value } = told.params
  const honoured = isObject(value['notifications']) ? value['notifications'] : {}
  const next = { ...value, notifications: { ...honoured, toolsListChanged: true } }
  return `${text.slice(0, told.params.start)}${writeExactly(next)}${text.slice(told.params.end)}`
}
