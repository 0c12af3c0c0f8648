import { asFault } from '../core/faults.ts'
import { toldTo } from '../core/told.ts'
import { errorAnswer, RPC_ERRORS } from '../mcp/wire/index.ts'
import type { Posted } from './http-door-session.ts'
import type { Admitted, Held } from './http-standings.ts'
import { ListNotices } from './list-notices.ts'
import { unopenedServer } from './lone-request.ts'
import { PendingAnswer, sendJson } from './pending-answer.ts'
import { Relay } from './relay.ts'
import type { RelayOptions } from './relay-options.ts'
import type { SharedUpstream, Sharer, SharerEars } from './shared-upstream.ts'

export interface ModernRequestOptions extends Posted, Omit<RelayOptions, 'toClient' | 'toServer'> {
  readonly held: Held
  readonly admitted: Admitted
  /** Called once, when it is answered or given up. */
  readonly onOver: () => void
}

const NO_HEADERS: Readonly<Record<string, string>> = {}

const NO_LONGER =
  'The server ended before it answered (who asked may not use it any more, or it was removed).'

/** One request of the revisions without sessions: its connection is its stream, and closing it cancels. */
export class ModernRequest {
  readonly held: Held
  /** With what it came, whatever else its owner comes with. */
  admitted: Admitted
  /** Among all that are open. */
  place = -1
  readonly #options: ModernRequestOptions
  readonly #relay: Relay
  readonly #pending: PendingAnswer
  #sharer: Sharer | null = null
  /** Of requests that are told of what changes. */
  readonly #notices: ListNotices | null
  #isOver = false

  constructor(options: ModernRequestOptions) {
    this.#options = options
    this.held = options.held
    this.admitted = options.admitted
    const { message, response, takesStream, prefersStream } = options
    const { caller, path, inspection, policiesNow, log } = options
    this.#notices = ListNotices.areFor(message) ? new ListNotices(policiesNow) : null
    this.#pending = new PendingAnswer(response, {
      isModern: true,
      takesStream,
      prefersStream,
      name: null,
      headers: NO_HEADERS,
    })
    this.#relay = new Relay({
      caller,
      path,
      inspection,
      policiesNow,
      log,
      toClient: (text) => this.#toClient(text),
      toServer: (text, sent) => this.#sharer?.send(text, sent),
    })
    this.#notices?.asked(message)
  }

  /** Done at once when there is no promise, but for the server. */
  go(shared: SharedUpstream): void | Promise<void> {
    this.#options.response.once('close', () => this.#closed())
    const ears: SharerEars = {
      hear: (heard, about) => this.#relay.hear(heard, about),
      failed: (idKey, end, why) => this.#relay.serverFailed(idKey, end, why),
      ended: (how) => void this.#relay.serverEnded(how),
      reader: this.#pending,
    }
    this.#sharer = shared.joinNow(ears)
    return this.#sharer === null ? this.#join(shared, ears) : this.#joined()
  }

  async #join(shared: SharedUpstream, ears: SharerEars): Promise<void> {
    const { message, response, log } = this.#options
    try {
      this.#sharer = await shared.join(ears)
    } catch (error) {
      const { code, message: reason } = asFault(error)
      const { name } = this.held.server
      log.error('a server could not be opened', { server: name, error: code, reason })
      if (message.kind !== 'request') {
        const { message: said } = toldTo(error, null)
        sendJson(response, 503, errorAnswer('null', RPC_ERRORS.internal, said))
        this.#end()
        return
      }
      this.#sharer = unopenedServer(ears, error)
    }
    await this.#joined()
  }

  #joined(): void | Promise<void> {
    const { message, response } = this.#options
    // Its client left meanwhile.
    if (this.#isOver) {
      this.#leave()
      return undefined
    }
    this.#relay.take(message)
    if (message.kind === 'request') return undefined
    response.writeHead(202, { 'Content-Length': 0 }).end()
    return this.#relay.idle().then(() => this.#end())
  }

  touch(): void {
    if (this.#options.message.kind === 'request') this.#pending.touch()
  }

  /** The gateway goes down: who waits is told, and what still has to be written down is waited for. */
  async close(): Promise<void> {
    const { message } = this.#options
    if (this.#sharer !== null) await this.#relay.serverEnded('the gateway ends')
    // Its server is still starting: nothing was judged yet.
    else if (message.kind === 'request')
      this.#pending.answer(errorAnswer(message.idText, RPC_ERRORS.internal, 'The gateway ends.'))
    else this.#pending.drop()
    this.#end()
  }

  /** Its caller no longer counts, or its server was removed. A bare end would have a client call again. */
  drop(): void {
    const { message } = this.#options
    this.#cancel()
    if (message.kind === 'request' && message.method !== 'subscriptions/listen')
      this.#pending.answer(errorAnswer(message.idText, RPC_ERRORS.internal, NO_LONGER))
    else this.#pending.drop()
    this.#end()
  }

  /** The policies may have changed, and with them the list of tools. */
  policiesChanged(): void {
    for (const text of this.#notices?.changed() ?? []) this.#pending.event(text)
  }

  #toClient(said: string): void {
    const { message } = this.#options
    if (message.kind !== 'request') return
    const { idKey } = message
    const isDone = !this.#relay.isOpen(idKey)
    const { text, isAnswer } = this.#notices?.shown(said, idKey, isDone) ?? {
      text: said,
      isAnswer: isDone,
    }
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
    this.#leave()
  }

  /** What the relay still has to write down is written down without us. */
  #leave(): void {
    if (this.#relay.underway === 0) this.#sharer?.leave()
    else void this.#relay.idle().then(() => this.#sharer?.leave())
  }
}
