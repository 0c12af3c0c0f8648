import { findEncoded } from './decode.ts'
import type { Detector, Hit } from './detector.ts'
import { detectors } from './detectors/index.ts'
import { createEngine, type Engine } from './engine.ts'
import { ENGINE_FINDINGS } from './engine-findings.ts'
import type { Category, Kind, Severity } from './finding.ts'

/** A detector that a person wrote, as data. */
export interface WrittenDetector {
  /** Kebab case; none of the built-in ids. */
  readonly id: string
  readonly category: Category
  readonly severity: Severity
  /** 0–1. */
  readonly confidence: number
  readonly summary?: string | undefined
  /** RE2 syntax: no backreferences, no look-around, repeats up to 1,000. Its time is linear in the text. */
  readonly pattern: string
  /** Texts of which one must stand within 256 units of a match, in any case; without them every text is read whole. */
  readonly keywords?: readonly string[] | undefined
  /** Default all but `secret`. */
  readonly kinds?: readonly Kind[] | undefined
  readonly samples?:
    | {
        readonly catches?: readonly string[] | undefined
        readonly ignores?: readonly string[] | undefined
      }
    | undefined
}

export const WRITTEN_LIMITS = {
  detectors: 50,
  patternUnits: 1_000,
  /** Instructions a pattern compiles to; the time for a unit of text grows with it. */
  instructions: 500,
  /** Units of one text times instructions: what a pattern does not get to read counts as found. About half a second. */
  work: 20_000_000,
  keywords: 50,
  samples: 50,
} as const

/** So many matches in one stretch say as much as more would. */
const MAX_MATCHES = 100
const ID = /^[a-z][a-z\d]*(?:-[a-z\d]+)*$/
const MIN_KEYWORD = 3

/** What is wrong with a written detector, and in which of its fields. */
export class UnusableDetector extends Error {
  /** `pattern`, `samples.catches.0`. */
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

/**
 * A detector from what a person wrote; its samples are tried. The package that runs the patterns is loaded here.
 *
 * @throws {UnusableDetector}
 */
export async function readWritten(written: WrittenDetector): Promise<Detector> {
  const { id, category, severity, confidence, pattern, keywords = [], kinds, samples } = written
  if (!ID.test(id) || id.length > 64)
    throw new UnusableDetector('id', 'must be up to 64 small letters and digits with dashes')
  if (isBuiltIn(id)) throw new UnusableDetector('id', 'is the id of a built-in detector')
  for (const [index, keyword] of keywords.entries())
    if (keyword.length < MIN_KEYWORD)
      throw new UnusableDetector(`keywords.${index}`, `must have ${MIN_KEYWORD} characters or more`)
  const find = await finderOf(pattern)
  const detector: Detector = {
    id,
    category,
    severity,
    confidence,
    summary: written.summary ?? 'Written in the inspection file.',
    needs: keywords.map((one) => one.toLowerCase()),
    source: 'the inspection file',
    catches: samples?.catches ?? [],
    ignores: samples?.ignores ?? [],
    find,
    ...(kinds !== undefined && { kinds }),
  }
  const alone = createEngine([detector])
  const kind = kinds?.[0] ?? 'text'
  const isFound = (text: string): boolean => alone.inspect(text, { kind }).length > 0
  for (const [index, text] of (samples?.catches ?? []).entries())
    if (!isFound(text))
      throw new UnusableDetector(`samples.catches.${index}`, 'is not found by the pattern')
  for (const [index, text] of (samples?.ignores ?? []).entries())
    if (isFound(text))
      throw new UnusableDetector(`samples.ignores.${index}`, 'is found by the pattern')
  return detector
}

/** The built-in detectors and more. */
export function engineWith(more: readonly Detector[]): Engine {
  return createEngine([...detectors, ...more], findEncoded)
}

function isBuiltIn(id: string): boolean {
  return [...detectors, ...ENGINE_FINDINGS].some((one) => one.id === id)
}

async function finderOf(pattern: string): Promise<Detector['find']> {
  if (pattern === '' || pattern.length > WRITTEN_LIMITS.patternUnits)
    throw new UnusableDetector(
      'pattern',
      `must have 1 to ${WRITTEN_LIMITS.patternUnits} characters`,
    )
  const { RE2JS } = await import('re2js')
  const compiled = ((): InstanceType<typeof RE2JS> => {
    try {
      return RE2JS.compile(pattern)
    } catch (error) {
      const said = error instanceof Error ? error.message : 'no pattern'
      throw new UnusableDetector('pattern', said.replace(/^error parsing regexp: /, ''))
    }
  })()
  if (compiled.programSize() > WRITTEN_LIMITS.instructions)
    throw new UnusableDetector('pattern', 'is too large')
  if (compiled.matches('')) throw new UnusableDetector('pattern', 'matches the empty text')
  const maxUnits = Math.floor(WRITTEN_LIMITS.work / compiled.programSize())
  let readOf = { text: '', units: 0 }
  return (text, from, to) => {
    if (readOf.text !== text) readOf = { text, units: 0 }
    if (readOf.units > maxUnits) return []
    readOf.units += to - from
    // Inspection fails closed.
    if (readOf.units > maxUnits) return [{ start: from, end: to }]
    const hits: Hit[] = []
    const matcher = compiled.matcher(text.slice(from, to))
    while (hits.length < MAX_MATCHES && matcher.find())
      if (matcher.end() > matcher.start())
        hits.push({ start: from + matcher.start(), end: from + matcher.end() })
    return hits
  }
}
