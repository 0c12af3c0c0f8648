import { Socket } from 'node:net'

/** What the connections of one store go over, so that all of them can be ended when their server does not answer. */
export class PostgresSockets {
  readonly #open = new Set<Socket>()

  /** For one connection. */
  made(): Socket {
    const socket = new Socket()
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
    return socket
  }

  /** Whoever waits for an answer has lost its connection. */
  destroy(): void {
    for (const socket of this.#open) socket.destroy()
  }
}
