import { Fault } from '../core/faults.ts'
import { MAX_PATH_CHARS } from './path.ts'
import { quoted } from './quoted.ts'

export type GlobMatch = (path: string) => boolean

const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u
const MAX_COMPILED = 4096
const compiled = new Map<string, GlobMatch>()

/**
 * Compiles a glob over secret paths.
 *
 * `?` is one character and `*` any run of them, empty too, both within a segment; `**` is a whole segment of the
 * pattern and stands for any number of path segments, none too (`**` + `/a` matches `a`). At the end it stands for one
 * or more, as in gitignore: `a/**` matches `a/b` and `a/b/c` but not `a`. Everything else is plain, and case counts.
 *
 * No backtracking: a match takes at most pattern length × path length steps, whatever the pattern.
 *
 * @param pattern - at most 512 characters
 * @throws {Fault} `BAD_INPUT` naming the pattern: empty, too long, empty or dot segments, a slash at either end,
 *   control characters, `**` glued to other characters
 */
export function compileGlob(pattern: string): GlobMatch {
  const known = compiled.get(pattern)
  if (known !== undefined) return known
  const parts = parseGlob(pattern)
  const match: GlobMatch = (path) => matchSegments(parts, path.split('/'))
  // Patterns come from files that change: the table must not grow for ever, and recompiling is cheap.
  if (compiled.size >= MAX_COMPILED) compiled.clear()
  compiled.set(pattern, match)
  return match
}

/** Whether any path at all could match: a pattern with characters that no path has is a mistake worth a warning. */
export function canMatchAnyPath(pattern: string): boolean {
  return pattern
    .split('/')
    .every((segment) => /^(?:[A-Za-z0-9_?*])(?:[A-Za-z0-9_.?*-])*$/.test(segment))
}

/**
 * The segments of a pattern, checked. A last `**` comes back as `**` and `*`, one or more.
 *
 * @throws {Fault} `BAD_INPUT`
 */
export function parseGlob(pattern: string): readonly string[] {
  const problem = problemOf(pattern)
  if (problem !== null)
    throw new Fault('BAD_INPUT', `The pattern ${quoted(pattern)} ${problem}.`, {
      details: { field: 'pattern', pattern: pattern.slice(0, MAX_PATH_CHARS) },
    })
  const parts = pattern.split('/')
  // A path segment is never empty, so `*` is exactly one of them: this is how a last `**` stands for one or more.
  return parts.at(-1) === '**' ? [...parts, '*'] : parts
}

function problemOf(pattern: string): string | null {
  if (pattern === '') return 'is empty'
  if (pattern.length > MAX_PATH_CHARS) return `is longer than ${MAX_PATH_CHARS} characters`
  if (CONTROL.test(pattern)) return 'has a control character'
  if (pattern.startsWith('/')) return 'begins with a slash; paths are relative to the vault'
  if (pattern.endsWith('/')) return "ends with a slash; write '/**' for everything below a folder"
  for (const segment of pattern.split('/')) {
    if (segment === '') return 'has an empty segment'
    if (segment === '.' || segment === '..') return `has the dot segment '${segment}'`
    if (segment !== '**' && segment.includes('**'))
      return "has '**' next to other characters; it stands alone between slashes"
  }
  return null
}

function matchSegments(parts: readonly string[], segments: readonly string[]): boolean {
  return matchRun(
    parts.length,
    segments.length,
    (p) => parts[p] === '**',
    (p, s) => matchSegment(parts[p] ?? '', segments[s] ?? ''),
  )
}

function matchSegment(part: string, segment: string): boolean {
  return matchRun(
    part.length,
    segment.length,
    (p) => part[p] === '*',
    (p, s) => part[p] === '?' || part[p] === segment[s],
  )
}

/**
 * The one wildcard algorithm, for segments and for characters. Only the last wildcard is ever tried again: whatever
 * an earlier one could take, a later one can take too. So no pair of positions is compared twice.
 */
function matchRun(
  patternLength: number,
  textLength: number,
  isRun: (p: number) => boolean,
  isSame: (p: number, s: number) => boolean,
): boolean {
  let p = 0
  let s = 0
  let runAt = -1
  let runTook = 0
  while (s < textLength) {
    if (p < patternLength && isRun(p)) {
      runAt = p
      runTook = s
      p += 1
    } else if (p < patternLength && isSame(p, s)) {
      p += 1
      s += 1
    } else if (runAt >= 0) {
      runTook += 1
      s = runTook
      p = runAt + 1
    } else {
      return false
    }
  }
  while (p < patternLength && isRun(p)) p += 1
  return p === patternLength
}
