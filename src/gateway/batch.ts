/** The answers to the requests of one batch: they go out together, in one list, once the last is there. */
export class Batch {
  readonly #send: (text: string) => void
  readonly #waiting = new Set<string>()
  readonly #answers: string[] = []
  readonly #done: (() => void)[] = []
  #isSealed = false

  /** @param send gets the list as one text; nothing is sent when nothing was asked */
  constructor(send: (text: string) => void) {
    this.#send = send
  }

  /** @param open where requests are found by `idKey` until all are answered */
  waitFor(idKey: string, open: Map<string, Batch>): void {
    this.#waiting.add(idKey)
    open.set(idKey, this)
    this.#done.push(() => open.delete(idKey))
  }

  has(idKey: string): boolean {
    return this.#waiting.has(idKey)
  }

  add(idKey: string, answer: string): void {
    if (!this.#waiting.delete(idKey)) return
    this.#answers.push(answer)
    this.#finish()
  }

  /** An element that is no message has its answer, too. */
  refuse(answer: string): void {
    this.#answers.push(answer)
  }

  /** A request that was taken back has no answer. */
  without(idKey: string): void {
    if (this.#waiting.delete(idKey)) this.#finish()
  }

  /** All elements were told. */
  seal(): void {
    this.#isSealed = true
    this.#finish()
  }

  #finish(): void {
    if (!this.#isSealed || this.#waiting.size > 0) return
    for (const listener of this.#done.splice(0)) listener()
    if (this.#answers.length > 0) this.#send(`[${this.#answers.splice(0).join(',')}]`)
  }
}
