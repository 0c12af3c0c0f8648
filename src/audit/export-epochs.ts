import type { StoredRecord } from './record.ts'

interface Start {
  readonly from: number
  /** What the lines from here on have to state; null while nothing says it. */
  readonly epoch: string | null
}

/**
 * The epochs of a copy, which its lines state beside the records: no tree proves them, but each begins with a record of
 * its key, which is proved. Lines before the first such record, and behind a gap, are held against each other.
 */
export class ExportEpochs {
  readonly #starts: Start[] = []

  /**
   * Takes the next record in turn.
   *
   * @param begun what `epochBegunBy` says of it
   * @returns what is wrong, or null
   */
  next(seq: number, stated: string | null, begun: string | null): string | null {
    if (begun !== null) this.#starts.push({ from: seq, epoch: begun })
    const epoch = this.#starts.at(-1)?.epoch ?? null
    if (epoch === null) {
      if (stated !== null) this.#starts.push({ from: seq, epoch: stated })
      return null
    }
    if (stated === epoch) return null
    const said = stated === null ? 'no epoch' : `the epoch ${stated}`
    return `record ${seq} states ${said}, and is of the epoch ${epoch}`
  }

  /** Whether a record that came before states what its line did then. */
  agrees(seq: number, stated: string | null): boolean {
    const start = this.#starts.findLast(({ from }) => from <= seq)
    return (start?.epoch ?? null) === null || start?.epoch === stated
  }

  /** Records before `next` are not there; an epoch may have begun among them. */
  skip(next: number): void {
    if (this.#starts.length > 0) this.#starts.push({ from: next, epoch: null })
  }
}

/** The id of the key whose epoch begins with this record, or null. */
export function epochBegunBy({ action, kind, rows }: StoredRecord): string | null {
  if (action !== 'audit.epoch' || kind !== 'event' || !Array.isArray(rows)) return null
  const [row]: readonly unknown[] = rows
  const [table, id]: readonly unknown[] = Array.isArray(row) ? row : []
  return table === 'keys' && typeof id === 'string' ? id : null
}
