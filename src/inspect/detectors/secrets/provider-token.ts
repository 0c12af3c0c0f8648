import { type Detector, type Hit, LONG_WORD } from '../../detector.ts'
import type { Severity } from '../../finding.ts'
import { distinctUnits, entropyOf } from './entropy.ts'
import { isPlaceholder } from './placeholder.ts'
import { matcherOf, type NextToken } from './shape-matcher.ts'
import { ALPHABETS, beginningsOf, piecesOf, type Shape, sampleOf, shortOf } from './token-shape.ts'

/** One kind of token that a provider hands out and that its own form gives away. */
export interface TokenKind {
  /** Kebab case; the detector's id. */
  readonly id: string
  /** Who hands it out and what it is, for people. */
  readonly what: string
  readonly shapes: readonly Shape[]
  /**
   * Words of which one must be near, lower case: for shapes that do not give themselves away. Without it, what the
   * shapes begin with.
   */
  readonly near?: readonly string[]
  /** Beside `near`: how most tokens of the kind begin, lower case, a unit before the token included. */
  readonly begins?: readonly string[]
  /** Default critical; what opens little is high. */
  readonly severity?: Severity
  /** Default 0.9; less for shapes that other things have too. */
  readonly confidence?: number
  /** A further check of the token: a checksum, a date, a readable part. */
  readonly isRight?: (token: string) => boolean
}

/** Less than this of Shannon's bits per unit has no token that was drawn. */
const MIN_ENTROPY = 2.6
const MIN_DISTINCT = 6
/** Said of a token that stands in for one: shown as a hint, and counted as nothing. */
const STAND_IN = 0.3
/** What a token is made of after the part that all tokens of its kind share. */
function isDrawn(body: string): boolean {
  return distinctUnits(body) >= MIN_DISTINCT && entropyOf(body) >= MIN_ENTROPY
}

/** Whether a token has a long run without a sign that ends words. */
function isLongWord(shape: Shape): boolean {
  return piecesOf(shape).some(
    (piece) =>
      'min' in piece && piece.min >= LONG_WORD && ALPHABETS[piece.alphabet]?.includes('.') !== true,
  )
}

/** Where the shared beginning ends: the longest beginning of a shape that the token starts with. */
function bodyOf(token: string, beginnings: readonly string[]): string {
  const folded = token.toLowerCase()
  const longest = beginnings
    .filter((one) => folded.startsWith(one))
    .reduce((best, one) => Math.max(best, one.length), 0)
  return token.slice(longest)
}

/** The detector for one kind of token; samples are drawn from the shape, so that none stands in the repository. */
export function tokenDetector(kind: TokenKind): Detector {
  const beginnings = [...new Set(kind.shapes.flatMap(beginningsOf))]
  const confidence = kind.confidence ?? 0.9
  let nextToken: NextToken | null = null
  let skipsPlain: boolean | null = null
  const isRight = kind.isRight ?? (() => true)
  if (kind.near === undefined && beginnings.some((one) => one.length < 3))
    throw new RangeError(`tokens of kind '${kind.id}' begin with nothing to look for: give 'near'`)
  const near = kind.near?.[0]
  const written = (token: string): string => (near === undefined ? token : `${near} = '${token}'`)
  return {
    id: kind.id,
    category: 'secret',
    severity: kind.severity ?? 'critical',
    confidence,
    summary: `${kind.what}.`,
    needs: kind.near ?? [],
    starts: kind.begins ?? (kind.near === undefined ? beginnings : []),
    reach: { before: 96, after: 512 },
    get skipsPlain() {
      skipsPlain ??= kind.shapes.every(isLongWord)
      return skipsPlain
    },
    source: `The provider's own documentation of its tokens, and public rule sets for prefix, length and alphabet.`,
    find(text, from, to) {
      const hits: Hit[] = []
      // Most texts have nothing of most kinds in them.
      nextToken ??= matcherOf(kind.shapes)
      let place = nextToken(text, from, to)
      for (; place !== null; place = nextToken(text, place.end, to)) {
        const token = text.slice(place.start, place.end)
        if (!isRight(token)) continue
        const body = bodyOf(token, beginnings)
        const isStandIn = !isDrawn(body) || isPlaceholder(body)
        hits.push(isStandIn ? { ...place, confidence: STAND_IN } : place)
      }
      return hits
    },
    // Drawn when a test or a page asks for them: drawing all takes longer than building the engine.
    get catches() {
      return kind.shapes.flatMap((shape) => [
        written(sampleOf(shape)),
        `{"value": "${written(sampleOf(shape, 2)).replaceAll('"', "'")}"}`,
      ])
    },
    get ignores() {
      return kind.shapes.flatMap((shape) => [
        written(shortOf(shape)),
        ...(beginningsOf(shape).includes('') ? [] : [written(`a${sampleOf(shape, 3)}`)]),
      ])
    },
  }
}
