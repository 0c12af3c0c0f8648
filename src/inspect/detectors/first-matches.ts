import { type Check, type Detector, findOf } from '../detector.ts'
import type { Match, Search } from '../search.ts'

/** Sixteen of a kind in one window say all there is to say, and keep hostile text from buying time. */
const MAX_HITS = 16

/** `matchesOf`, but it stops after sixteen hits. */
export function firstMatchesOf(pattern: RegExp, check?: Check<RegExpExecArray>): Detector['find']
export function firstMatchesOf(pattern: Search, check?: Check<Match>): Detector['find']
export function firstMatchesOf(
  pattern: Search,
  check?: Check<Match> | Check<RegExpExecArray>,
): Detector['find'] {
  return findOf(pattern, check as Check<Match> | undefined, MAX_HITS)
}
