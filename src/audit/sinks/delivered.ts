/**
 * Which records a sink has: all up to a cursor, and what went to it out of turn. Other processes move the same cursor,
 * a moment later than they deliver.
 */
export class Delivered {
  #cursor: number
  /** Disjoint, ascending, none of them next to the cursor. */
  #ahead: (readonly [from: number, to: number])[] = []

  constructor(cursor: number) {
    this.#cursor = cursor
  }

  /** Every record up to this one is there. */
  get cursor(): number {
    return this.#cursor
  }

  /** The records `from` to `to` are there. */
  add(from: number, to: number): void {
    if (to < from) return
    this.#ahead.push([from, to])
    this.#join()
  }

  /** What the store says; a cursor never goes back. */
  reach(cursor: number): void {
    this.#cursor = Math.max(this.#cursor, cursor)
    this.#join()
  }

  #join(): void {
    const ranges = this.#ahead.toSorted((one, other) => one[0] - other[0])
    const ahead: (readonly [from: number, to: number])[] = []
    for (const [from, to] of ranges) {
      if (from <= this.#cursor + 1) {
        this.#cursor = Math.max(this.#cursor, to)
        continue
      }
      const last = ahead.at(-1)
      if (last !== undefined && from <= last[1] + 1)
        ahead[ahead.length - 1] = [last[0], Math.max(last[1], to)]
      else ahead.push([from, to])
    }
    this.#ahead = ahead
  }
}
