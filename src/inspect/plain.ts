import { mayBeRotated } from './decode/lists.ts'
import { type Detector, LONG_WORD } from './detector.ts'
import { READ_APART } from './joined.ts'
import { kindOfName, kindOfSchema, schemaOfStep } from './kinds.ts'
import type { Scanner } from './scanner.ts'
import type { KindSources } from './walk.ts'

/** What is not short is looked at as always. */
const MAX_UNITS = 1_024
const MAX_NODES = 64
const MAX_DEPTH = 8
const MAX_NAMES = 1_000
/** A short name of plain letters holds nothing by itself. */
const PLAIN_NAME = /^[\w-]{1,12}$/
/** A longer one that stands in most answers. */
const KNOWN_NAME = 'structuredContent'
/** Shorter than the shortest run that is tried as an encoding. */
const MAX_WORD = 11
/** Fewer than a number of a person or a machine has. */
const MAX_DIGITS = 3
/** Longer numbers are texts to whoever walks over a value. */
const MIN_NUMBER = 1_000_000

const LETTER = 1
const DIGIT = 2
const SIGN = 3
/** By ASCII unit; 0: not plain. */
const classes = new Uint8Array(128)
for (const unit of '0123456789') classes[unit.charCodeAt(0)] = DIGIT
for (const unit of ' ,.!?') classes[unit.charCodeAt(0)] = SIGN
for (const unit of 'abcdefghijklmnopqrstuvwxyz-_') {
  classes[unit.charCodeAt(0)] = LETTER
  classes[unit.toUpperCase().charCodeAt(0)] = LETTER
}

/**
 * Tells short values that hold nothing but plain words from all others: most arguments are such, and what an engine
 * does for each text takes longer than reading it. Plain are ASCII letters, single spaces and signs that end sentences,
 * few digits, no word long enough to be an encoded text, and no keyword in any text or across the joints of texts, but
 * those of tokens, which are longer than any word. What is left over is looked at as always.
 *
 * @returns null when a detector may find something in such a text
 */
export function plainCheck(
  detectors: readonly Detector[],
  scanner: Scanner,
): ((value: unknown, sources: KindSources) => boolean) | null {
  const isBlind = (one: Detector): boolean =>
    one.needs.length + (one.starts?.length ?? 0) > 0 ||
    one.marks !== undefined ||
    one.skipsPlain === true
  if (!detectors.every(isBlind)) return null
  const plainNames = new Map<string, boolean>()
  // Scratch of one check; none begins while another one runs.
  let nodes = 0
  let digits = 0
  let texts = ''
  /** Units behind the last sign, and the most between two: words of texts that are joined make a longer one. */
  let run = 0
  let longestRun = 0
  /** The array that the last text is an element of. */
  let lastIn: object | null = null

  function isSpared(index: number): boolean {
    return detectors[index]?.skipsPlain === true
  }

  function isPlainName(name: string): boolean {
    let isPlain = plainNames.get(name)
    if (isPlain === undefined) {
      isPlain =
        (PLAIN_NAME.test(name) || name === KNOWN_NAME) &&
        !READ_APART.has(kindOfName(name)) &&
        !scanner.hasKeyword(name, isSpared)
      if (plainNames.size >= MAX_NAMES) plainNames.clear()
      plainNames.set(name, isPlain)
    }
    return isPlain
  }

  function isPlainText(text: string, within: object | null): boolean {
    if (texts.length + text.length > MAX_UNITS) return false
    // Joined as `joinLeaves` does.
    const isApart = within !== null && within === lastIn
    if (isApart) run = 0
    let word = 0
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at)
      const own = unit < 128 ? (classes[unit] as number) : 0
      if (own === 0) return false
      if (own === SIGN) {
        word = 0
        run = 0
        continue
      }
      word += 1
      run += 1
      if (word > MAX_WORD) return false
      if (run > longestRun) longestRun = run
      if (own === DIGIT) digits += 1
    }
    if (digits > MAX_DIGITS || mayBeRotated(text)) return false
    texts += isApart && texts !== '' ? ` ${text}` : text
    lastIn = within
    return true
  }

  function visit(node: unknown, within: object | null, schema: unknown, depth: number): boolean {
    if (typeof node === 'string') return isPlainText(node, within)
    if (typeof node === 'number') return Math.abs(node) < MIN_NUMBER
    if (typeof node === 'boolean' || node === null) return true
    if (typeof node !== 'object') return false
    nodes += 1
    if (nodes > MAX_NODES || depth > MAX_DEPTH) return false
    if (Array.isArray(node)) {
      for (const [index, one] of node.entries())
        if (!visitStep(one, node, schema, index, depth)) return false
      return true
    }
    const prototype: unknown = Object.getPrototypeOf(node)
    if (prototype !== Object.prototype && prototype !== null) return false
    for (const name in node) {
      if (!isPlainName(name)) return false
      const one = (node as Readonly<Record<string, unknown>>)[name]
      if (!visitStep(one, null, schema, name, depth)) return false
    }
    return true
  }

  function visitStep(
    one: unknown,
    within: object | null,
    schema: unknown,
    step: string | number,
    depth: number,
  ): boolean {
    if (schema === undefined) return visit(one, within, undefined, depth + 1)
    const inner = schemaOfStep(schema, step)
    return !READ_APART.has(kindOfSchema(inner)) && visit(one, within, inner, depth + 1)
  }

  return (value, { kind, kinds, schema }) => {
    if (kind !== undefined || kinds !== undefined) return false
    nodes = 0
    digits = 0
    texts = ''
    lastIn = null
    run = 0
    longestRun = 0
    if (!visit(value, null, schema, 0)) return false
    return texts === '' || !scanner.hasKeyword(texts, longestRun < LONG_WORD ? isSpared : undefined)
  }
}
