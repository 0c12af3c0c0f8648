import { byFirstUnit } from './first-units.ts'

/**
 * A sign in a text: its idea, its weight and what it looks like where no letter stands before it, without capturing
 * groups. Weak alone; one idea said twice counts once.
 */
export type Sign = readonly [idea: string, weight: number, pattern: string]

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

/** One pattern for the signs that can begin with a unit: as many groups as there are. */
interface Look {
  /** With the flag `y`. */
  readonly pattern: RegExp
  readonly signs: readonly Sign[]
}

/** Units beyond ASCII share one look. */
const BEYOND_ASCII = 128

/** By unit in lower case: what can begin with it. */
function looksOf(signs: readonly Sign[]): readonly (Look | null)[] {
  const own = signs.map(([idea, weight, pattern]) => ({
    idea,
    weight,
    byUnit: byFirstUnit(pattern),
  }))
  const lookOf = (unit: string | null): Look | null => {
    const possible = own.flatMap(({ idea, weight, byUnit }): readonly Sign[] => {
      const pattern = byUnit(unit)
      return pattern === null ? [] : [[idea, weight, pattern]]
    })
    if (possible.length === 0) return null
    const groups = possible.map(([, , pattern]) => `(${pattern})`)
    return { pattern: new RegExp(groups.join('|'), 'iy'), signs: possible }
  }
  const ascii = Array.from({ length: BEYOND_ASCII }, (_, code) => {
    const unit = String.fromCharCode(code)
    return unit === unit.toLowerCase() ? lookOf(unit) : null
  })
  return [...ascii, lookOf(null)]
}

const isLetter = (code: number): boolean => (code | 32) >= 97 && (code | 32) <= 122

function seenIn(
  looks: readonly (Look | null)[],
  text: string,
  from: number,
  to: number,
): readonly Seen[] {
  const seen: Seen[] = []
  const window = text.slice(from, to)
  let before = 0
  for (let at = 0; at < window.length; at += 1) {
    const code = window.charCodeAt(at)
    const isInWord = isLetter(before)
    before = code
    if (isInWord) continue
    const look = looks[code >= BEYOND_ASCII ? BEYOND_ASCII : isLetter(code) ? code | 32 : code]
    if (look === null || look === undefined) continue
    look.pattern.lastIndex = at
    const match = look.pattern.exec(window)
    if (match === null) continue
    const sign = look.signs[match.findIndex((group, index) => index > 0 && group !== undefined) - 1]
    const end = at + match[0].length
    if (sign === undefined || end === at) continue
    seen.push({ sign, start: from + at, end: from + end })
    before = window.charCodeAt(end - 1)
    at = end - 1
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
  // Made when first asked for: most runs of the program never do.
  let looks: readonly (Look | null)[] | null = null
  // Weights are hundredths: 0.35 + 0.35 is 0.7 here, whatever binary fractions say.
  const least = enough - 0.001
  return (text, from, to) => {
    const seen = seenIn((looks ??= looksOf(signs)), text, from, to)
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
