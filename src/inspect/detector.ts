import type { Category, Kind, Severity } from './finding.ts'
import type { Marks } from './marks.ts'
import { cursorOf, type Match, type Search } from './search.ts'

/** A match inside one text. Never the matched text itself. */
export interface Hit {
  /** UTF-16 units. */
  readonly start: number
  readonly end: number
  /** Where it differs from the detector's own. */
  readonly confidence?: number
  readonly severity?: Severity
}

/** What a detector may know of the text it looks at. */
export interface Scene {
  readonly kind: Kind
  /** Encodings that were undone to get this text; empty for what was given. */
  readonly via: readonly string[]
  /** Which classes of units stand in the text, and where. */
  readonly marks?: Marks
}

/** What a detector finds that keywords wake and that `skipsPlain` has a run of so many units without a sign in it. */
export const LONG_WORD = 20

/** A sample: a bare text is judged as kind `text`. */
export type Sample = string | { readonly text: string; readonly kind: Kind }

/** A detector is data with its own samples; docs/detectors.md is printed from it and one test runs every sample. */
export interface Detector {
  /** Stable: what reports, thresholds and allow-lists name. Kebab case. */
  readonly id: string
  readonly category: Category
  readonly severity: Severity
  /** Default of its hits. */
  readonly confidence: number
  /** One line: what it looks for. */
  readonly summary: string
  /**
   * Keywords, in lower case, of which one must be near: one automaton over the text serves all detectors. At least
   * three units; two where they are beyond ASCII.
   * Empty: the detector looks at every text itself and must be cheap (one linear pass with an early way out).
   */
  readonly needs: readonly string[]
  /** Keywords, of the same form, in which every match that they give away begins: nothing around them is looked at. */
  readonly starts?: readonly string[]
  /** Without keywords: bits of `MARK`, of which one must be near. Where they stand is known to blocks of 64 units. */
  readonly marks?: number
  /** It finds nothing in plain words, as `plainCheck` knows them, even where one of its keywords stands in them. */
  readonly skipsPlain?: boolean
  /** How many units before and after a keyword or a block are looked at. Default 256 each. */
  readonly reach?: { readonly before: number; readonly after: number }
  /** Kinds it applies to; default all but `secret`. */
  readonly kinds?: readonly Kind[]
  /** Where the facts come from. */
  readonly source: string
  readonly catches: readonly Sample[]
  readonly ignores: readonly Sample[]
  /**
   * Matches that lie in `text` between `from` and `to` (windows around keywords, merged). It may look beyond the window
   * for context. Linear time: every repeat is bounded, patterns pass the ReDoS check.
   */
  find(text: string, from: number, to: number, scene: Scene): readonly Hit[]
}

export const DEFAULT_REACH = { before: 256, after: 256 } as const

/** What a detector makes of a match: null to drop it, or what differs for this one. */
export type Check<M extends Match> = (
  match: M,
  start: number,
  text: string,
  scene: Scene,
) => Partial<Hit> | null

/**
 * `find` for a pattern and an optional check of each match. The pattern sees the window alone, so that its time is
 * bounded by the window; a check sees the whole text.
 *
 * @param pattern - with the flag `g`, or a search put together of several
 */
export function matchesOf(pattern: RegExp, check?: Check<RegExpExecArray>): Detector['find']
export function matchesOf(pattern: Search, check?: Check<Match>): Detector['find']
export function matchesOf(
  pattern: Search,
  check?: Check<Match> | Check<RegExpExecArray>,
): Detector['find'] {
  return findOf(pattern, check as Check<Match> | undefined, Number.POSITIVE_INFINITY)
}

/** `matchesOf` that stops after so many hits. */
export function findOf(
  pattern: Search,
  check: Check<Match> | undefined,
  most: number,
): Detector['find'] {
  return (text, from, to, scene) => {
    const hits: Hit[] = []
    const window = from === 0 && to === text.length ? text : text.slice(from, to)
    const next = cursorOf(pattern, window)
    for (let match = next(0); match !== null && hits.length < most; ) {
      const start = from + match.index
      const end = start + match[0].length
      const found = check === undefined ? {} : check(match, start, text, scene)
      if (found !== null) hits.push({ start, end, ...found })
      match = next(Math.max(end - from, match.index + 1))
    }
    return hits
  }
}
