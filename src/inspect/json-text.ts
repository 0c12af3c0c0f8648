import { kindOfMember } from './kinds.ts'
import { isNamedBeside, nameForElement, nameForMembers } from './neighbours.ts'
import type { Place } from './place.ts'
import { type Leaf, WALK_LIMITS } from './walk.ts'

/** A leaf of a JSON text: what stands between the quotes with its escapes undone, and where that is in the source. */
export interface JsonLeaf extends Leaf {
  /** UTF-16 units of the JSON text, without the quotes. */
  readonly start: number
  readonly end: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null|NaN|-?Infinity/y
const SPACE = /[ \t\r\n\ufeff]*/y
const MIN_DIGITS = 7

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

/** Length in the source of the escape that starts at `at`. */
function escapeLength(source: string, at: number): number {
  return source[at + 1] === 'u' && /^[\da-fA-F]{4}$/.test(source.slice(at + 2, at + 6)) ? 6 : 2
}

function unescaped(source: string): string {
  if (!source.includes('\\')) return source
  return source.replaceAll(/\\(?:u([\da-fA-F]{4})|([\s\S]))/g, (_, hex?: string, one?: string) =>
    hex === undefined
      ? (ESCAPES[one ?? ''] ?? one ?? '')
      : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/**
 * Where the unit `offset` of a leaf's text stands in the JSON text it came from.
 *
 * @param offset - up to and including the length of the leaf's text
 */
export function sourceOffsetOf(source: string, leaf: JsonLeaf, offset: number): number {
  if (leaf.end - leaf.start === leaf.text.length) return leaf.start + offset
  let at = leaf.start
  for (let unit = 0; unit < offset && at < leaf.end; unit++)
    at += source.charCodeAt(at) === BACKSLASH ? escapeLength(source, at) : 1
  return Math.min(at, leaf.end)
}

/**
 * The leaves of a text that is one JSON object or array, else null. More is taken than the grammar allows (trailing
 * commas, raw control characters, lone surrogates, keys that repeat), but nothing that could hold text which is not a
 * leaf, such as comments. Linear; deeper than the limit of a walk it is no JSON.
 */
export function readJsonText(source: string): readonly JsonLeaf[] | null {
  const leaves: JsonLeaf[] = []
  let at = 0

  function skip(pattern: RegExp): boolean {
    pattern.lastIndex = at
    const found = pattern.test(source)
    if (found) at = pattern.lastIndex
    return found
  }

  function endOfString(): number {
    let quote = source.indexOf('"', at + 1)
    while (quote !== -1) {
      let slashes = 0
      while (source.charCodeAt(quote - 1 - slashes) === BACKSLASH && quote - 1 - slashes > at)
        slashes += 1
      if (slashes % 2 === 0) return quote
      quote = source.indexOf('"', quote + 1)
    }
    return -1
  }

  function string(): { start: number; end: number; text: string } | null {
    if (source.charCodeAt(at) !== QUOTE) return null
    const end = endOfString()
    if (end === -1) return null
    const start = at + 1
    at = end + 1
    return { start, end, text: unescaped(source.slice(start, end)) }
  }

  function list(close: string, member: (index: number) => boolean): boolean {
    at += 1
    for (let index = 0; ; index++) {
      skip(SPACE)
      if (source[at] === close) {
        at += 1
        return true
      }
      if (!member(index)) return false
      skip(SPACE)
      if (source[at] === ',') at += 1
      else if (source[at] !== close) return false
    }
  }

  /** Values that stand directly in the object or array which is being read: the name or index, and which leaf. */
  interface Direct {
    readonly step: string | number
    readonly at: number
  }

  function rename(at: number, name: string | null): void {
    const leaf = leaves[at]
    if (leaf !== undefined && name !== null) leaves[at] = { ...leaf, name }
  }

  /** An object says at its end what names its members, an array how many elements it has. */
  function nameNeighbours(direct: readonly Direct[], length: number | null): void {
    if (length === null) {
      if (!direct.some(({ step }) => isNamedBeside(String(step)))) return
      const name = nameForMembers(direct.map(({ step, at }) => [String(step), leaves[at]?.text]))
      for (const { step, at } of direct) if (isNamedBeside(String(step))) rename(at, name)
      return
    }
    for (const [index, { step, at }] of direct.entries()) {
      const before = direct[index - 1]
      if (before !== undefined && before.step === Number(step) - 1)
        rename(at, nameForElement(leaves[before.at]?.text, length))
    }
  }

  function value(
    place: Place | null,
    kind: Leaf['kind'],
    name: string | null,
    depth: number,
  ): boolean {
    if (leaves.length > WALK_LIMITS.maxNodes || depth > WALK_LIMITS.maxDepth) return false
    const first = source[at]
    if (first === '"') {
      const found = string()
      if (found !== null)
        leaves.push({ ...found, place, kind, isGuessed: true, isKey: false, name })
      return found !== null
    }
    const direct: Direct[] = []
    /** Reads a member or element and notes it when it is a leaf itself. */
    function part(inner: Place, of: Leaf['kind'], called: string | null): boolean {
      const isLeaf = source[at] !== '{' && source[at] !== '['
      const index = leaves.length
      const isRead = value(inner, of, called, depth + 1)
      if (isLeaf && leaves.length > index) direct.push({ step: inner.step, at: index })
      return isRead
    }
    if (first === '{') {
      const isRead = list('}', () => {
        const key = string()
        if (key === null) return false
        const inner = { up: place, step: key.text }
        leaves.push({
          ...key,
          place: inner,
          kind: 'text',
          isGuessed: false,
          isKey: true,
          name: null,
        })
        skip(SPACE)
        if (source[at] !== ':') return false
        at += 1
        skip(SPACE)
        return part(inner, kindOfMember(key.text, kind), key.text)
      })
      nameNeighbours(direct, null)
      return isRead
    }
    if (first === '[') {
      let length = 0
      const isRead = list(']', (index) => {
        length = index + 1
        return part({ up: place, step: index }, kind, name)
      })
      nameNeighbours(direct, length)
      return isRead
    }
    const start = at
    if (skip(NUMBER)) {
      const text = source.slice(start, at)
      if (text.length >= MIN_DIGITS)
        leaves.push({ text, start, end: at, place, kind, isGuessed: true, isKey: false, name })
      return true
    }
    return skip(WORD)
  }

  skip(SPACE)
  if (source[at] !== '{' && source[at] !== '[') return null
  if (!value(null, null, null, 0)) return null
  skip(SPACE)
  return at === source.length ? leaves : null
}

/** A cheap look at both ends. */
export function mayBeJsonText(text: string): boolean {
  return /^[\s\ufeff]{0,64}[[{]/.test(text) && /[\]}]\s{0,64}$/.test(text.slice(-80))
}
