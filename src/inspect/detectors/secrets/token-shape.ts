/**
 * The shape of a token, written as people read it: `ghp_{A36}` is the text `ghp_` and 36 letters or digits. In braces
 * stand a letter of `ALPHABETS` and how many: `{h40}`, `{w20-60}`. `(a|b)` is one of several texts, `?` after a group
 * makes it optional. From the one shape come the search, the keywords and the samples.
 */
export type Shape = string

/** What a run may be made of: the letter of the shape, and all units it may have, in an order to draw from. */
export const ALPHABETS: Readonly<Record<string, string>> = (() => {
  const lower = 'qzwkxvjbnmghtyplrcdfsueaoi'
  const upper = lower.toUpperCase()
  const digits = '7401582936'
  return {
    A: lower + upper + digits,
    a: lower + digits,
    U: upper + digits,
    h: `fbdace${digits}`,
    x: `fbdaceFBDACE${digits}`,
    d: digits,
    z: lower + upper,
    l: lower,
    L: upper,
    t: `${upper}274563`,
    W: `${lower}${upper}${digits}_`,
    w: `${lower}${upper}${digits}_-`,
    e: `${lower}${upper}${digits}_-=`,
    m: `${lower}${upper}${digits}_~.-`,
    b: `${lower}${upper}${digits}+/`,
    p: `${lower}${upper}${digits}%`,
  }
})()

export type Piece =
  | { readonly text: string }
  | { readonly choices: readonly string[]; readonly isOptional: boolean }
  | {
      readonly alphabet: string
      readonly letters: string
      readonly min: number
      readonly max: number
    }

const PLAIN_BEGINNING = /^[^{}()]+(?=\{)/
const PIECE = /\{([A-Za-z])(\d+)(?:-(\d+))?\}|\(([^()]*)\)(\?)?|[^{}()]+/gy

/** @throws RangeError when the shape cannot be read */
export function piecesOf(shape: Shape): readonly Piece[] {
  const pieces: Piece[] = []
  PIECE.lastIndex = 0
  let at = 0
  for (let match = PIECE.exec(shape); match !== null; match = PIECE.exec(shape)) {
    const [whole, alphabet, min, max, choices, optional] = match
    if (alphabet !== undefined)
      pieces.push({
        letters: lettersOf(alphabet),
        alphabet,
        min: Number(min),
        max: Number(max ?? min),
      })
    else if (choices !== undefined)
      pieces.push({ choices: choices.split('|'), isOptional: optional === '?' })
    else pieces.push({ text: whole })
    at = PIECE.lastIndex
  }
  if (at !== shape.length) throw new RangeError(`'${shape}' is no shape of a token`)
  return pieces
}

function lettersOf(alphabet: string): string {
  const letters = ALPHABETS[alphabet]
  if (letters === undefined) throw new RangeError(`'${alphabet}' is no alphabet of a shape`)
  return letters
}

/** The texts a token of this shape may begin with, lower case; what the automaton looks for. */
export function beginningsOf(shape: Shape): readonly string[] {
  // Most shapes: a start builds the detectors of hundreds.
  const plain = PLAIN_BEGINNING.exec(shape)?.[0]
  if (plain !== undefined) return [plain.toLowerCase()]
  let beginnings = ['']
  for (const piece of piecesOf(shape)) {
    if ('text' in piece) beginnings = beginnings.map((one) => one + piece.text)
    else if ('choices' in piece && !piece.isOptional)
      beginnings = beginnings.flatMap((one) => piece.choices.map((choice) => one + choice))
    else break
  }
  return [...new Set(beginnings.map((one) => one.toLowerCase()))]
}

/** Numbers that look drawn and are the same on every run (Lehmer's generator, modulus 2^31 − 1). */
function drawing(seed: number): (below: number) => number {
  let state = (seed * 7919 + 104729) % 2147483647
  return (below) => {
    state = (state * 48271) % 2147483647
    return Math.floor((state / 2147483647) * below)
  }
}

/**
 * A made-up token of a shape, the same for the same seed: no text that looks like a leaked token has to stand in the
 * repository.
 */
export function sampleOf(shape: Shape, seed = 1): string {
  const draw = drawing(seed + shape.length)
  return piecesOf(shape)
    .map((piece) => {
      if ('text' in piece) return piece.text
      if ('choices' in piece) return piece.choices[draw(piece.choices.length)] ?? ''
      const { letters } = piece
      const length = piece.min + draw(Math.min(piece.max - piece.min, 12) + 1)
      return Array.from({ length }, () => letters[draw(letters.length)]).join('')
    })
    .join('')
}

/** A text of a shape that is one unit too short everywhere a length is given. */
export function shortOf(shape: Shape): string {
  return piecesOf(shape)
    .map((piece) => {
      if ('text' in piece) return piece.text
      if ('choices' in piece) return piece.choices[0] ?? ''
      return (piece.letters[0] ?? '').repeat(Math.max(0, piece.min - 1))
    })
    .join('')
}
