/** Stands where a record was of a call that is over. */
const OVER = 0

/**
 * Records of calls that are not over, by place, while many are taken in. Nothing is taken out of the map: one that
 * empties makes a new table each time, see `Few`.
 */
export class OpenCalls {
  readonly #seqs = new Map<number, number>()

  begin(place: number, seq: number): void {
    this.#seqs.set(place, seq)
  }

  /** Number of its record; undefined where it did not begin here, or is over. */
  seqOf(place: number): number | undefined {
    const seq = this.#seqs.get(place)
    return seq === OVER ? undefined : seq
  }

  end(place: number): void {
    if (this.#seqs.has(place)) this.#seqs.set(place, OVER)
  }

  /** Those that are not over. */
  *left(): Generator<readonly [place: number, seq: number]> {
    for (const one of this.#seqs) if (one[1] !== OVER) yield one
  }
}
