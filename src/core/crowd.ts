/** What is in one crowd at most, and knows where. */
export interface InCrowd {
  /** −1: in none. Changed by the crowd alone. */
  place: number
}

/**
 * Things that come and go. As a `Set` of them, without its tables, which keep alive what has left: see `Few`. In no
 * order.
 */
export class Crowd<T extends InCrowd> {
  readonly #all: T[] = []

  get size(): number {
    return this.#all.length
  }

  has(one: T): boolean {
    return one.place >= 0 && this.#all[one.place] === one
  }

  /** Once is enough. */
  add(one: T): void {
    if (one.place >= 0) return
    one.place = this.#all.length
    this.#all.push(one)
  }

  delete(one: T): void {
    if (!this.has(one)) return
    const last = this.#all.pop() as T
    if (last !== one) {
      this.#all[one.place] = last
      last.place = one.place
    }
    one.place = -1
  }

  clear(): void {
    for (const one of this.#all) one.place = -1
    this.#all.length = 0
  }

  /** As they are now: who comes or goes meanwhile changes nothing. */
  all(): readonly T[] {
    return this.#all.slice()
  }
}
