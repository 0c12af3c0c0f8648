/** What a search found: like the answer of `RegExp.exec`. */
export interface Match {
  /** UTF-16 units. */
  readonly index: number
  readonly 0: string
  readonly [group: number]: string | undefined
}

/** The first match that begins at `from` or after it. `from` only grows. */
export type Cursor = (from: number) => Match | null

/** A pattern with the flag `g`, or what is put together of several and takes linear time like each of them. */
export type Search = RegExp | ((text: string) => Cursor)

function matchFrom(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  // In the middle of a pair, a pattern with the flag `u` begins before it.
  for (let at = from; ; at += 1) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null || match.index >= from) return match
  }
}

/** Begins a search. */
export function cursorOf(search: Search, text: string): Cursor {
  return typeof search === 'function' ? search(text) : (from) => matchFrom(search, text, from)
}

/** Stops of a `Step`: what ends a sentence, and a line. */
export const SENTENCE = '.!?\n'
export const LINE = '\n'

/**
 * A pattern that is tried only where its beginning was found. Its time is bounded by its own length at each of these
 * places, so it may hold what would not be linear if it were tried everywhere.
 *
 * @param head - how the pattern begins; it matches wherever the pattern does
 * @param pattern - with the flag `y`
 */
export function startingWith(head: Search, pattern: RegExp): Search {
  return (text) => {
    const heads = cursorOf(head, text)
    return (from) => {
      for (let place = heads(from); place !== null; place = heads(place.index + 1)) {
        pattern.lastIndex = place.index
        const match = pattern.exec(text)
        if (match !== null) return match
      }
      return null
    }
  }
}

/** As `(?:a|b|c)`: the match that begins first; of those that begin at one place that of the first in the list. */
export function either(...searches: readonly Search[]): (text: string) => Cursor {
  return (text) => {
    const next = nextOf(searches, text)
    return (from) => next(from)?.match ?? null
  }
}

/** `either`, and which of them it was. */
export function nextOf(
  searches: readonly Search[],
  text: string,
): (from: number) => { readonly match: Match; readonly which: number } | null {
  const cursors: Cursor[] = []
  const pending: (Match | null | undefined)[] = []
  const find = (which: number, from: number): Match | null => {
    const search = searches[which] as Search
    if (typeof search !== 'function') return matchFrom(search, text, from)
    return (cursors[which] ??= search(text))(from)
  }
  return (from) => {
    let first: Match | null = null
    let which = -1
    for (let at = 0; at < searches.length; at += 1) {
      let match = pending[at]
      if (match === undefined || (match !== null && match.index < from)) {
        match = find(at, from)
        pending[at] = match
      }
      if (match !== null && (first === null || match.index < first.index)) {
        first = match
        which = at
      }
    }
    return first === null ? null : { match: first, which }
  }
}

/** What comes after the former part of a sequence; `within` units at most lie between, none of them in `stops`. */
export interface Step {
  readonly within: number
  readonly stops: string
  /** Null: whatever stands there is taken in, as far as the step reaches. */
  readonly part: Search | null
  readonly isNearest: boolean
}

/** As `[^stops]{0,within}part`: the part that is farthest off. */
export function far(within: number, stops: string, part: Search): Step {
  return { within, stops, part, isNearest: false }
}

/** As `[^stops]{0,within}?part`: the nearest part. */
export function near(within: number, stops: string, part: Search): Step {
  return { within, stops, part, isNearest: true }
}

/** As `[^stops]{0,within}` at the end. */
export function rest(within: number, stops: string): Step {
  return { within, stops, part: null, isNearest: false }
}

interface Place {
  readonly start: number
  readonly end: number
}

/** Where a step from `at` may end at the farthest; asked for ascending places. */
function reachOf({ within, stops }: Step, text: string): (at: number) => number {
  let stop = -1
  let from = 0
  return (at) => {
    if (stop < at || from > at) {
      stop = at
      from = at
    }
    // What lies between the last question and the last answer holds no stop.
    while (stop < text.length && stop < at + within && !stops.includes(text.charAt(stop))) stop += 1
    return Math.min(stop, at + within)
  }
}

function placesOf(part: Search, text: string, from: number): Place[] {
  const places: Place[] = []
  const cursor = cursorOf(part, text)
  for (let match = cursor(from); match !== null; match = cursor(match.index + 1))
    places.push({ start: match.index, end: match.index + match[0].length })
  return places
}

/** The first place in a list that begins at `at` or after it. */
function firstFrom(places: readonly Place[], at: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((places[middle]?.start ?? 0) < at) low = middle + 1
    else high = middle
  }
  return low
}

interface Link {
  readonly reach: (at: number) => number
  readonly isNearest: boolean
  /** Where the part stands and all that follows it is in reach; null for a rest. */
  readonly places: readonly Place[] | null
}

/** Where a step from `at` ends, or -1. */
function endOf({ reach, isNearest, places }: Link, at: number): number {
  const limit = reach(at)
  if (places === null) return limit
  const place = isNearest ? places[firstFrom(places, at)] : places[firstFrom(places, limit + 1) - 1]
  return place === undefined || place.start < at || place.start > limit ? -1 : place.end
}

/** The first part of a sequence is no longer than this, UTF-16 units. */
const LONGEST_FIRST = 256

/**
 * Parts that follow one another, each in reach of the former: `\bsend\b[^.\n]{0,40}\bkey\b` and longer ones. Each part
 * is looked for once, so the time is linear however often the first of them occurs. The match has no groups.
 */
export function inOrder(first: Search, ...steps: readonly Step[]): Search {
  return (text) => {
    const firsts = cursorOf(first, text)
    let links: readonly Link[] | null = null

    /** Null when a part stands nowhere. */
    function linksFrom(from: number): readonly Link[] | null {
      const found: Link[] = []
      for (const step of steps.toReversed()) {
        const following = found[0]
        let places: readonly Place[] | null = null
        if (step.part !== null) {
          const all = placesOf(step.part, text, from)
          places =
            following === undefined ? all : all.filter(({ end }) => endOf(following, end) !== -1)
          if (places.length === 0) return null
        }
        found.unshift({ reach: reachOf(step, text), isNearest: step.isNearest, places })
      }
      return found
    }

    return (from) => {
      let start = firsts(from)
      while (start !== null) {
        const begun = start.index + start[0].length
        links ??= linksFrom(begun)
        if (links === null) return null
        let end = begun
        for (const link of links) {
          end = endOf(link, end)
          if (end === -1) break
        }
        if (end !== -1) return { index: start.index, 0: text.slice(start.index, end) }
        // Nothing that begins far before the next part can reach it.
        const parts = links[0]?.places ?? []
        const part = parts[firstFrom(parts, begun)]
        if (part === undefined) return null
        const earliest = part.start - (steps[0]?.within ?? 0) - LONGEST_FIRST
        start = firsts(Math.max(start.index + 1, earliest))
      }
      return null
    }
  }
}

/**
 * Where the first of some units stands from a place on, or the end of the text. Much faster than looking at each unit.
 *
 * @param units - a class of units, with the flag `g`
 */
export function placeOf(units: RegExp, text: string, from: number): number {
  units.lastIndex = from
  return units.test(text) ? units.lastIndex - 1 : text.length
}
