// Globs as sets of paths: whether one lies within another, and whether two share a path.
import { parseGlob } from './glob.ts'

/**
 * Whether every path that `inner` matches is matched by `outer`. A yes is proven for every text, path or not; so a no
 * may be wrong where only the limits of paths (their length, their characters) leave nothing outside.
 *
 * @throws {Fault} `BAD_INPUT` when a pattern is malformed
 */
export function globCovers(outer: string, inner: string): boolean {
  return covers(SEGMENTS, segmentsOf(outer), segmentsOf(inner))
}

/**
 * Whether some path is matched by both. It may say yes for two patterns that only share texts which are no paths.
 *
 * @throws {Fault} `BAD_INPUT` when a pattern is malformed
 */
export function globsMeet(one: string, other: string): boolean {
  return meet(SEGMENTS, segmentsOf(one), segmentsOf(other))
}

/** Paths are made of segments as segments are made of characters: a run takes any number, a single exactly one. */
interface Wildcards {
  readonly run: string
  readonly single: string
  /** Whether a part of a pattern that is no run takes all that another one takes. */
  isWithin(wide: string, narrow: string): boolean
  isShared(one: string, other: string): boolean
}

const CHARACTERS: Wildcards = {
  run: '*',
  single: '?',
  isWithin: (wide, narrow) => wide === '?' || wide === narrow,
  isShared: (one, other) => one === '?' || other === '?' || one === other,
}

const SEGMENTS: Wildcards = {
  run: '**',
  single: '*',
  isWithin: (wide, narrow) => covers(CHARACTERS, [...wide], [...narrow]),
  isShared: (one, other) => meet(CHARACTERS, [...one], [...other]),
}

/** No segment is empty, so that one of any length and one of at least one character are the same. */
function segmentsOf(pattern: string): readonly string[] {
  return parseGlob(pattern).map((part) => (/^(?:\*\?|\?\*|\*\?\*)$/.test(part) ? '*' : part))
}

/**
 * Walks both patterns side by side, no pair of positions twice. Runs of the narrow side are symbols: only a run takes
 * them, or the singles next to one, which with it are "so many or more".
 */
function covers(kind: Wildcards, wide: readonly string[], narrow: readonly string[]): boolean {
  const parts = runsLast(kind, wide)
  // below[j]: whether the parts after this one cover the narrow side from j on.
  let below: readonly boolean[] = narrow.map(() => false).concat(true)
  let isAtLeast = false
  for (const part of parts.toReversed()) {
    isAtLeast = part === kind.run || (part === kind.single && isAtLeast)
    const row: boolean[] = new Array<boolean>(narrow.length + 1).fill(false)
    for (let j = narrow.length; j >= 0; j -= 1) {
      const other = narrow[j]
      const skips = row[j + 1] ?? false
      if (part === kind.run) row[j] = (below[j] ?? false) || skips
      else if (other === undefined) row[j] = false
      else if (other === kind.run) row[j] = isAtLeast && skips
      else row[j] = (below[j + 1] ?? false) && kind.isWithin(part, other)
    }
    below = row
  }
  return below[0] ?? false
}

function meet(kind: Wildcards, one: readonly string[], other: readonly string[]): boolean {
  let below: readonly boolean[] = []
  for (let i = one.length; i >= 0; i -= 1) {
    const row: boolean[] = []
    for (let j = other.length; j >= 0; j -= 1) {
      const [a, b] = [one[i], other[j]]
      if (a === kind.run || b === kind.run) row[j] = (below[j] ?? false) || (row[j + 1] ?? false)
      else if (a === undefined || b === undefined) row[j] = a === b
      else row[j] = (below[j + 1] ?? false) && kind.isShared(a, b)
    }
    below = row
  }
  return below[0] ?? false
}

/** The same set with each run behind the singles next to it, with which it may change places; one of several is kept. */
function runsLast({ run, single }: Wildcards, parts: readonly string[]): readonly string[] {
  const out: string[] = []
  let isRunOpen = false
  for (const part of parts) {
    if (part === run) {
      isRunOpen = true
      continue
    }
    if (isRunOpen && part !== single) {
      out.push(run)
      isRunOpen = false
    }
    out.push(part)
  }
  if (isRunOpen) out.push(run)
  return out
}
