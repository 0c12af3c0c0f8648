import { type Message, readMessage } from '../mcp/wire/index.ts'

/** How long a server may take to answer what we ask of our own accord. */
const PROBE_MS = 10_000

/**
 * Requests of our own among those of the client. Their ids are random, or that of the one request of the client in whose
 * place they go, so that none is taken for another.
 */
export class Probes {
  readonly #send: (text: string, message: Message) => void
  readonly #asked = new Map<string, (text: string | null) => void>()

  constructor(send: (text: string, message: Message) => void) {
    this.#send = send
  }

  /** @returns the text of the answer, or null when none came */
  ask(text: string): Promise<string | null> {
    const message = readMessage(text)
    if (message.kind !== 'request') return Promise.resolve(null)
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answered(message.idKey, null), PROBE_MS)
      this.#asked.set(message.idKey, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      this.#send(text, message)
    })
  }

  /** @returns whether it was one of ours */
  answered(idKey: string, text: string | null): boolean {
    const tell = this.#asked.get(idKey)
    if (tell === undefined) return false
    this.#asked.delete(idKey)
    tell(text)
    return true
  }

  /** Nobody answers any more. */
  end(): void {
    const asked = [...this.#asked.keys()]
    for (const idKey of asked) this.answered(idKey, null)
  }
}
