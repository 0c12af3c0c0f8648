import { compareDecimals, decimalOf, ExactNumber, parseDecimal } from '../../core/decimal.ts'

// Everything here reads text that JSON.parse has accepted, so it looks only for what JSON.parse does not tell.

/** A stretch of the text, in UTF-16 units. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface Member extends Span {
  readonly key: string
  /** Where its name begins. */
  readonly from: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09
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

function afterValue(text: string, from: number): number {
  let depth = 0
  let at = from
  for (;;) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = afterString(text, at)
    else if (unit === 0x7b || unit === 0x5b) {
      depth += 1
      at += 1
    } else if (unit === 0x7d || unit === 0x5d) {
      depth -= 1
      at += 1
    } else if (depth > 0) {
      at += 1
      continue
    } else {
      while (at < text.length && !/[\s,\]}]/.test(text.charAt(at))) at += 1
      return at
    }
    if (depth === 0) return at
  }
}

/** The members of the object that the text is, in order, equal names included. */
export function membersOf(text: string): readonly Member[] {
  const members: Member[] = []
  let at = afterSpace(text, afterSpace(text, 0) + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const behindKey = afterString(text, at)
    const key = JSON.parse(text.slice(at, behindKey)) as string
    const start = afterSpace(text, afterSpace(text, behindKey) + 1)
    const end = afterValue(text, start)
    members.push({ key, from: at, start, end })
    at = afterSpace(text, end)
    if (text.charAt(at) === ',') at = afterSpace(text, at + 1)
  }
  return members
}

/** The elements of the list that the text is, in order. */
export function elementsOf(text: string): readonly Span[] {
  const elements: Span[] = []
  let at = afterSpace(text, afterSpace(text, 0) + 1)
  while (at < text.length && text.charAt(at) !== ']') {
    const end = afterValue(text, at)
    elements.push({ start: at, end })
    at = afterSpace(text, end)
    if (text.charAt(at) === ',') at = afterSpace(text, at + 1)
  }
  return elements
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

/** Digits that a double always keeps. */
const KEPT_DIGITS = 15

export function surveyed(text: string, { start, end }: Span): Survey {
  let members = 0
  let level = 0
  let depth = 0
  let hasUnusableNumber = false
  let hasInexactNumber = false
  let at = start
  while (at < end) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) {
      at = afterString(text, at)
      continue
    }
    if (unit === 0x3a) members += 1
    else if (unit === 0x7b || unit === 0x5b) {
      level += 1
      if (level > depth) depth = level
    } else if (unit === 0x7d || unit === 0x5d) level -= 1
    else if (unit === 0x2d || (unit >= 0x30 && unit <= 0x39)) {
      const from = at
      let isPlain = true
      for (; at < end; at += 1) {
        const next = text.charCodeAt(at)
        if (next === 0x65 || next === 0x45) isPlain = false
        else if (next !== 0x2b && next !== 0x2d && next !== 0x2e && !(next >= 0x30 && next <= 0x39))
          break
      }
      if (!isPlain || at - from > KEPT_DIGITS) {
        const kind = kindOfNumber(text.slice(from, at))
        if (kind === 'unusable') hasUnusableNumber = true
        else if (kind === 'inexact') hasInexactNumber = true
      }
      continue
    }
    at += 1
  }
  return { members, depth, hasUnusableNumber, hasInexactNumber }
}

export function kindOfNumber(source: string): 'exact' | 'inexact' | 'unusable' {
  const value = Number(source)
  const written = parseDecimal(source)
  const held = Number.isFinite(value) ? decimalOf(value) : null
  if (written === null || held === null) return 'unusable'
  return compareDecimals(written, held) === 0 ? 'exact' : 'inexact'
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
