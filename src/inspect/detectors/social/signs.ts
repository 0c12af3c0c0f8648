import { type Match, nextOf, type Search } from '../../search.ts'

/**
 * A sign in a text: its idea, its weight and what it looks like where no letter stands before it, without capturing
 * groups. Weak alone; one idea said twice counts once. What has a gap of any words in it is a search of its own.
 */
export type Sign = readonly [idea: string, weight: number, look: string | Search]

/** Different ideas that stand near each other. */
export interface SignSum {
  /** UTF-16 units of the text, from the first sign to the last. */
  readonly start: number
  readonly end: number
  readonly sum: number
  readonly ideas: ReadonlySet<string>
}

interface Seen {
  readonly sign: Sign
  readonly start: number
  readonly end: number
}

/** A pattern longer than this takes recheck too long; a pattern for each sign takes us too long. */
const LONGEST_PATTERN = 1_100

/** Signs that are looked for together: as many groups in the match as there are signs, or a single sign. */
interface Look {
  readonly search: Search
  readonly signs: readonly Sign[]
}

function looksOf(signs: readonly Sign[]): readonly Look[] {
  const looks: Look[] = []
  let together: Sign[] = []
  let length = 0
  const finish = (): void => {
    if (together.length === 0) return
    const groups = together.map(([, , look]) => `(${String(look)})`)
    const search = new RegExp(`(?<![a-z])(?:${groups.join('|')})`, 'gi')
    looks.push({ search, signs: together })
    together = []
    length = 0
  }
  for (const sign of signs) {
    const [, , look] = sign
    if (typeof look !== 'string') {
      finish()
      looks.push({ search: look, signs: [sign] })
      continue
    }
    if (length + look.length > LONGEST_PATTERN) finish()
    together.push(sign)
    length += look.length
  }
  finish()
  return looks
}

/** The group that matched; a single sign has none. */
function signOf({ signs }: Look, match: Match): Sign | undefined {
  const which = signs.findIndex((_, at) => match[at + 1] !== undefined)
  return signs[Math.max(0, which)]
}

function seenIn(looks: readonly Look[], text: string, from: number, to: number): readonly Seen[] {
  const seen: Seen[] = []
  const searches = looks.map(({ search }) => search)
  const next = nextOf(searches, text.slice(from, to))
  for (let found = next(0); found !== null; ) {
    const { match, which } = found
    const end = match.index + match[0].length
    const look = looks[which]
    const sign = look === undefined ? undefined : signOf(look, match)
    if (sign !== undefined) seen.push({ sign, start: from + match.index, end: from + end })
    found = next(Math.max(end, match.index + 1))
  }
  return seen
}

/** The sum of the different ideas that begin with a sign and end within `near` units of its start. */
function sumFrom(seen: readonly Seen[], first: number, near: number): SignSum & { last: number } {
  const start = seen[first]?.start ?? 0
  const best = new Map<string, number>()
  let last = first
  for (let at = first; at < seen.length; at++) {
    const one = seen[at]
    if (one === undefined || one.end - start > near) break
    const [idea, weight] = one.sign
    if (weight <= (best.get(idea) ?? 0)) continue
    best.set(idea, weight)
    last = at
  }
  const sum = [...best.values()].reduce((total, weight) => total + weight, 0)
  return { start, end: seen[last]?.end ?? start, sum, ideas: new Set(best.keys()), last }
}

/**
 * Adds up signs that stand near each other.
 *
 * @param near - how far apart the first and the last may stand, UTF-16 units
 * @param enough - the sum from which a place is worth telling
 * @returns a function of text and window that gives the places, none inside another
 */
export function signSums(
  signs: readonly Sign[],
  near: number,
  enough: number,
): (text: string, from: number, to: number) => readonly SignSum[] {
  const looks = looksOf(signs)
  // Weights are hundredths: 0.35 + 0.35 is 0.7 here, whatever binary fractions say.
  const least = enough - 0.001
  return (text, from, to) => {
    const seen = seenIn(looks, text, from, to)
    const places: SignSum[] = []
    for (let at = 0; at < seen.length; at++) {
      const { last, ...place } = sumFrom(seen, at, near)
      if (place.sum < least) continue
      places.push(place)
      at = last
    }
    return places
  }
}
