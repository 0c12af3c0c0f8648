/** The wish of one caller to wait no longer: what an `AbortSignal` is, for one who hears it at a time. */
export class Leaving {
  #isLeft = false
  #hear: (() => void) | null = null
  #controller: AbortController | null = null

  get isLeft(): boolean {
    return this.#isLeft
  }

  /** The same for whoever wants one; it costs more than all of this. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isLeft) this.#controller.abort()
    return this.#controller.signal
  }

  leave(): void {
    if (this.#isLeft) return
    this.#isLeft = true
    this.#hear?.()
    this.#hear = null
    this.#controller?.abort()
  }

  /** @param hear told at once when that wish is there already; null: nobody is told any more */
  onLeave(hear: (() => void) | null): void {
    this.#hear = hear
    if (this.#isLeft) hear?.()
  }
}
