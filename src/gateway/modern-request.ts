import { asFault } from '../core/faults.ts'
import { toldTo } from '../core/told.ts'
import { errorAnswer, type Message, type Refused, RPC_ERRORS } from '../mcp/wire/index.ts'
import { type Posted, unopened } from './http-door-session.ts'
import { ListNotices } from './list-notices.ts'
import { PendingAnswer, sendJson } from './pending-answer.ts'
import { Relay } from './relay.ts'
import type { RelayOptions } from './relay-options.ts'
import type { SharedUpstream, Sharer } from './shared-upstream.ts'

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
  readonly #notices: ListNotices
  #isOver = false

  constructor(options: ModernRequestOptions) {
    this.#options = options
    const { message, response, takesStream, prefersStream } = options
    this.#notices = new ListNotices(options.policiesNow)
    this.#pending = new PendingAnswer(response, {
      isModern: true,
      takesStream,
      prefersStream,
      name: null,
      headers: {},
    })
    this.#relay = new Relay({
      ...options,
      toClient: (text) => this.#toClient(text),
      toServer: (text, sent) => this.#sharer?.send(text, sent),
    })
    this.#notices.asked(message)
  }

  async go(shared: SharedUpstream): Promise<void> {
    const { message, response, log } = this.#options
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
      else
        sendJson(
          response,
          503,
          errorAnswer('null', RPC_ERRORS.internal, toldTo(error, null).message),
        )
      this.#end()
      return
    }
    if (this.#isOver) {
      this.#end()
      return
    }
    this.#relay.take(message)
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
    for (const text of this.#notices.changed()) this.#pending.event(text)
  }

  async #hear(message: Message | Refused, about: string | null): Promise<void> {
    await this.#relay.heard(message, about)
    if (this.#pending.stream.isBehind) await this.#pending.stream.caughtUp()
  }

  #toClient(said: string): void {
    const { message } = this.#options
    if (message.kind !== 'request') return
    const { idKey } = message
    const { text, isAnswer } = this.#notices.shown(said, idKey, !this.#relay.isOpen(idKey))
    if (!isAnswer || text === null) {
      if (text !== null) this.#pending.event(text)
      return
    }
    this.#pending.answer(text)
    this.#end()
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
