import { type CallEntry, isLike, likeText } from './entries.ts'

interface Shape {
  readonly entry: CallEntry
  readonly text: string
}

/** More kinds of calls than come by turns. */
const MOST = 16

/**
 * Calls that this process wrote at length into a file. Most calls are like one of the last: who, what and which limits
 * are the same, and four fifths of an entry.
 */
export class Shapes {
  /** The last that was met first. */
  #known: Shape[] = []

  /** @returns what names a call that this one is like, null where there is none */
  like(entry: CallEntry): string | null {
    const known = this.#known
    for (let at = 0; at < known.length; at += 1) {
      const one = known[at] as Shape
      if (!isLike(one.entry, entry)) continue
      if (at > 0) {
        known.splice(at, 1)
        known.unshift(one)
      }
      return one.text
    }
    return null
  }

  /** A call stands at length at an offset. */
  add(entry: CallEntry, offset: number, n: number): void {
    if (this.like(entry) !== null) return
    const text = likeText({ offset, n, detailLength: entry.text.detail.length })
    this.#known.unshift({ entry, text })
    if (this.#known.length > MOST) this.#known.pop()
  }

  /** Another file begins. */
  forget(): void {
    this.#known = []
  }
}
