import type { Reader } from './slow-readers.ts'

/** Carries what is told, to a client that may not read it. */
interface Told extends Pick<Reader, 'isBehind' | 'caughtUp'> {
  event(text: string): void
}

/**
 * Tells one client what changes. While it takes no more, each notice waits once, however often it comes: that something
 * changed is said by the last one as by all, and no server is held back for it.
 */
export class ChangeNotices {
  readonly #to: Told
  readonly #waiting = new Set<string>()

  constructor(to: Told) {
    this.#to = to
  }

  tell(text: string): void {
    if (this.#waiting.size === 0 && !this.#to.isBehind) {
      this.#to.event(text)
      return
    }
    this.#waiting.add(text)
    if (this.#waiting.size === 1) void this.#later()
  }

  async #later(): Promise<void> {
    while (this.#waiting.size > 0) {
      await this.#to.caughtUp()
      for (const text of this.#waiting) {
        // Who is gone is not behind, and hears nothing.
        if (this.#to.isBehind) break
        this.#waiting.delete(text)
        this.#to.event(text)
      }
    }
  }
}
