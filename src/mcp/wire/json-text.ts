import { compareDecimals, decimalOf, ExactNumber, parseDecimal } from '../../core/decimal.ts'

// Everything here reads text that JSON.parse has accepted, so it looks only for what JSON.parse does not tell.

/** A stretch of the text, in UTF-16 units. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** What the text of a value holds that its parsed form does not show. */
export interface Survey {
  /** Members written down; more than the parsed value has means that one name stands twice. */
  readonly members: number
  readonly depth: number
  /** A number that is infinite as a double, or too long to be reckoned with. */
  readonly hasUnusableNumber: boolean
  /** A number that a double changes. */
  readonly hasInexactNumber: boolean
}

export interface Member extends Span {
  readonly key: string
  /** Where its name begins. */
  readonly from: number
  /** Of its value. */
  readonly survey: Survey
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** Digits that a double always keeps. */
const KEPT_DIGITS = 15

const PLAIN: Survey = { members: 0, depth: 0, hasUnusableNumber: false, hasInexactNumber: false }

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

function afterSpace(text: string, from: number): number {
  let at = from
  while (isSpace(text.charCodeAt(at))) at += 1
  return at
}

/** @returns behind the closing quote of the string that opens at `from` */
function afterString(text: string, from: number): number {
  let at = from + 1
  for (;;) {
    at = text.indexOf('"', at)
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1
    at += 1
    if (slashes % 2 === 0) return at
  }
}

/** Goes over one value; what it met on its way is read off afterwards. One is enough: nothing waits in between. */
class Walk {
  #members = 0
  #depth = 0
  #hasUnusableNumber = false
  #hasInexactNumber = false

  /** @returns behind the value that begins at `from` */
  over(text: string, from: number): number {
    this.#members = 0
    this.#depth = 0
    this.#hasUnusableNumber = false
    this.#hasInexactNumber = false
    let level = 0
    let at = from
    do {
      const unit = text.charCodeAt(at)
      if (unit === QUOTE) at = afterString(text, at)
      else if (unit === COLON) {
        this.#members += 1
        at += 1
      } else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
        level += 1
        if (level > this.#depth) this.#depth = level
        at += 1
      } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
        level -= 1
        at += 1
      } else if (unit === 0x2d || isDigit(unit)) at = this.#overNumber(text, at)
      else if (level > 0 && (unit === COMMA || isSpace(unit))) at += 1
      else at = afterWord(text, at)
    } while (level > 0 && at < text.length)
    return at
  }

  get survey(): Survey {
    const isPlain = this.#depth === 0 && !this.#hasUnusableNumber && !this.#hasInexactNumber
    if (isPlain) return PLAIN
    return {
      members: this.#members,
      depth: this.#depth,
      hasUnusableNumber: this.#hasUnusableNumber,
      hasInexactNumber: this.#hasInexactNumber,
    }
  }

  #overNumber(text: string, from: number): number {
    let isPlain = true
    let at = from + 1
    for (; ; at += 1) {
      const unit = text.charCodeAt(at)
      if (isDigit(unit) || unit === 0x2e || unit === 0x2b || unit === 0x2d) continue
      if (unit !== 0x65 && unit !== 0x45) break
      isPlain = false
    }
    if (!isPlain || at - from > KEPT_DIGITS) {
      const kind = kindOfNumber(text.slice(from, at))
      if (kind === 'unusable') this.#hasUnusableNumber = true
      else if (kind === 'inexact') this.#hasInexactNumber = true
    }
    return at
  }
}

/** Behind `true`, `false` or `null`. */
function afterWord(text: string, from: number): number {
  let at = from
  for (let unit = text.charCodeAt(at); unit >= 0x61 && unit <= 0x7a; unit = text.charCodeAt(at))
    at += 1
  return at
}

const walk = new Walk()

/** The members of the object that the text is, in order, equal names included. */
export function membersOf(text: string): readonly Member[] {
  const members: Member[] = []
  let at = afterSpace(text, afterSpace(text, 0) + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const behindKey = afterString(text, at)
    const key = keyIn(text, at, behindKey)
    const start = afterSpace(text, afterSpace(text, behindKey) + 1)
    const end = walk.over(text, start)
    members.push({ key, from: at, start, end, survey: walk.survey })
    at = afterSpace(text, end)
    if (text.charCodeAt(at) === COMMA) at = afterSpace(text, at + 1)
  }
  return members
}

/** Names that stand in nearly every message: found without making a string of what stands there. */
const USUAL = ['id', 'jsonrpc', 'method', 'params', 'result', 'error'] as const

function keyIn(text: string, from: number, to: number): string {
  const length = to - from - 2
  for (const name of USUAL)
    if (name.length === length && text.startsWith(name, from + 1)) return name
  const written = text.slice(from + 1, to - 1)
  return written.includes('\\') ? (JSON.parse(text.slice(from, to)) as string) : written
}

/** The elements of the list that the text is, in order. */
export function elementsOf(text: string): readonly Span[] {
  const elements: Span[] = []
  let at = afterSpace(text, afterSpace(text, 0) + 1)
  while (at < text.length && text.charAt(at) !== ']') {
    const end = walk.over(text, at)
    elements.push({ start: at, end })
    at = afterSpace(text, end)
    if (text.charAt(at) === ',') at = afterSpace(text, at + 1)
  }
  return elements
}

/** Of the one value that the text is. */
export function surveyed(text: string): Survey {
  walk.over(text, afterSpace(text, 0))
  return walk.survey
}

/** Digits that may say something by themselves. */
const DIGITS = /\d{6,}/g

/** All texts and names that stand in the text of a value, those that are said twice too, and what has many digits. */
export function textsIn(text: string): readonly string[] {
  const texts: string[] = []
  let before = 0
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', before)) {
    texts.push(...(text.slice(before, at).match(DIGITS) ?? []))
    before = afterString(text, at)
    texts.push(JSON.parse(text.slice(at, before)) as string)
  }
  texts.push(...(text.slice(before).match(DIGITS) ?? []))
  return texts
}

export function kindOfNumber(source: string): 'exact' | 'inexact' | 'unusable' {
  if (isShortInteger(source)) return 'exact'
  const value = Number(source)
  const written = parseDecimal(source)
  const held = Number.isFinite(value) ? decimalOf(value) : null
  if (written === null || held === null) return 'unusable'
  return compareDecimals(written, held) === 0 ? 'exact' : 'inexact'
}

function isShortInteger(source: string): boolean {
  if (source.length > KEPT_DIGITS) return false
  for (let at = 0; at < source.length; at += 1) if (!isDigit(source.charCodeAt(at))) return false
  return true
}

/** How many members the objects in a value have. */
export function membersIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const one of value) if (typeof one === 'object') count += membersIn(one)
    return count
  }
  const inner: unknown[] = Object.values(value)
  count = inner.length
  for (const one of inner) if (typeof one === 'object') count += membersIn(one)
  return count
}

const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

/** As JSON.parse, with numbers that a double changes as `bigint` or `ExactNumber`. */
export function parseExactly(text: string): unknown {
  return parseWithSource(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined || kindOfNumber(source) === 'exact')
      return value
    return /^-?\d+$/.test(source) ? BigInt(source) : new ExactNumber(source)
  })
}

const rawJson = (JSON as unknown as { rawJSON(source: string): unknown }).rawJSON

/** As JSON.stringify, with the numbers of `parseExactly` as they were written. */
export function writeExactly(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => {
    if (typeof one === 'bigint') return rawJson(String(one))
    return one instanceof ExactNumber ? rawJson(one.source) : one
  })
}
