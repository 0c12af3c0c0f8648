/** How far somebody is with what was said to him. */
export interface Reader {
  /** Whether he takes no more right now. */
  readonly isBehind: boolean
  /** What waits for him, in bytes. */
  readonly waiting: number
  /** Resolves when he takes more, or is gone. */
  caughtUp(): Promise<void>
  /** Ends his connection, with all that waits. */
  cut(): void
}

/** Of one reader while others need the server, too. */
const MAX_WAITING = 4_194_304
/** So that a burst ends nobody who reads. */
const GRACE_MS = 1_000

/**
 * Holds a server back for those who do not read what it says. While others wait for the same server, it is not held
 * back: what one of them does not read is kept for him, and he is cut off when that is too much.
 */
export class SlowReaders {
  #isOver = false
  /** What wakes those who wait for one reader alone. */
  readonly #wakes = new Set<() => void>()

  /** Somebody else may need the server now. */
  othersCame(): void {
    if (this.#wakes.size === 0) return
    for (const wake of this.#wakes) wake()
  }

  /** The server is gone: nobody is waited for any more. */
  close(): void {
    this.#isOver = true
    this.othersCame()
  }

  /**
   * Resolves when the server may go on.
   *
   * @param hasOthers whether somebody else needs the server now
   */
  async wait(reader: Reader, hasOthers: () => boolean): Promise<void> {
    while (reader.isBehind && !this.#isOver && !hasOthers()) {
      const { promise: woken, resolve: wake } = Promise.withResolvers<void>()
      this.#wakes.add(wake)
      await Promise.race([reader.caughtUp(), woken])
      this.#wakes.delete(wake)
    }
    if (this.#isOver || reader.waiting <= MAX_WAITING) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GRACE_MS)
    })
    await Promise.race([reader.caughtUp(), late])
    clearTimeout(timer)
    if (reader.waiting > MAX_WAITING) reader.cut()
  }
}
