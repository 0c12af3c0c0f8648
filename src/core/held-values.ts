import { createHash, randomBytes } from 'node:crypto'

// A value that is too large for memory lies elsewhere, and a reference stands in its place in the message. References
// never leave this process, and nobody outside can make one.

const MARK = `sallyport-held-${randomBytes(16).toString('hex')}-`
const LENGTH = MARK.length + 16

/** Whether there ever was one. */
let hasHeld = false
let count = 0
/** Gives the bytes of a text of JSON, with its large values in their places. */
let piecesOf: ((text: string) => Iterable<Uint8Array>) | null = null

/** A text that stands for one value; letters, digits and dashes, so that it is written in JSON as it is. */
export function newHeldReference(): string {
  hasHeld = true
  return MARK + randomBytes(8).toString('hex')
}

/** @param pieces throws a `Fault` when a value is forgotten */
export function readHeldBy(pieces: (text: string) => Iterable<Uint8Array>): void {
  piecesOf = pieces
}

/** @param change how many more values are held now, or how many fewer */
export function countHeld(change: number): void {
  count += change
}

/** Whether any value is held right now. While none is, nobody need look for references. */
export function mayHold(): boolean {
  return count > 0
}

export function isHeld(value: unknown): value is string {
  return hasHeld && typeof value === 'string' && value.length === LENGTH && value.startsWith(MARK)
}

/** Whether a reference stands anywhere in the text, as a value or otherwise, be its value held or forgotten. */
export function mentionsHeld(text: string): boolean {
  return hasHeld && text.includes(MARK)
}

/** Whether a value that was parsed is a reference, or holds one at any depth. */
export function holdsHeld(value: unknown): boolean {
  if (!hasHeld) return false
  const rest: unknown[] = [value]
  while (rest.length > 0) {
    const one = rest.pop()
    if (isHeld(one)) return true
    if (typeof one === 'object' && one !== null)
      for (const inner of Object.values(one)) rest.push(inner)
  }
  return false
}

/** A copy of a value with something else in place of its references; the value itself when there are none. */
export function withoutHeld(value: unknown, instead: (reference: string) => unknown): unknown {
  if (isHeld(value)) return instead(value)
  if (!holdsHeld(value)) return value
  if (Array.isArray(value)) return value.map((one) => withoutHeld(one, instead))
  return Object.fromEntries(
    Object.entries(value as object).map(([name, one]) => [name, withoutHeld(one, instead)]),
  )
}

/**
 * SHA-256 of a text of JSON as it was written, whether its large values are held or not, base64url. Two messages that
 * say the same have other references.
 *
 * @throws {Fault} `NOT_FOUND` when a value is forgotten
 */
export function digestWithHeld(text: string): string {
  const hash = createHash('sha256')
  if (piecesOf === null || !mentionsHeld(text)) hash.update(text, 'utf8')
  else for (const piece of piecesOf(text)) hash.update(piece)
  return hash.digest('base64url')
}

/**
 * What is made of a message now because its large values may be forgotten when it is needed. Null where it can be made
 * then as well, and where they are forgotten already.
 */
export function beforeForgotten<M extends { readonly text: string }, T>(
  message: M,
  make: (message: M) => T,
): T | null {
  if (!mayHold() || !mentionsHeld(message.text)) return null
  try {
    return make(message)
  } catch {
    return null
  }
}

export interface HeldPlace {
  readonly reference: string
  /** From the quote before it to behind the quote after it, UTF-16 units. */
  readonly start: number
  readonly end: number
}

/** The references that stand in a text of JSON as values, in order. */
export function heldPlacesIn(text: string): readonly HeldPlace[] {
  const places: HeldPlace[] = []
  for (let at = text.indexOf(MARK); at !== -1; at = text.indexOf(MARK, at + LENGTH)) {
    const end = at + LENGTH + 1
    if (text.charAt(at - 1) === '"' && text.charAt(end - 1) === '"')
      places.push({ reference: text.slice(at, end - 1), start: at - 1, end })
  }
  return places
}
