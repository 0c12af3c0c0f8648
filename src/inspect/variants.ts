import { type PemBody, pemBodyOf } from './pem-body.ts'
import { WINDOW } from './rolling-hash.ts'

/** The forms of a value that are looked for as they stand; all other ways to write it are undone before looking. */
export const VARIANTS = [
  'raw',
  'form',
  'crlf',
  'reversed',
  'hex',
  'utf16',
  'utf16le',
  'utf16be',
  'base64-0',
  'base64-1',
  'base64-2',
  'base64url-0',
  'base64url-1',
  'base64url-2',
  'pem',
  'line',
  'line-form',
  'line-reversed',
  'line-utf16',
  'line-utf16le',
  'line-utf16be',
] as const
export type Variant = (typeof VARIANTS)[number]

export function isVariant(text: string): text is Variant {
  return VARIANTS.some((one) => one === text)
}

/** Whether it is the form of one line of a value. The whole value may stand around it. */
export function isOfLine(variant: Variant): boolean {
  return variant.startsWith('line')
}

/** One form of a value as text, and where in it the window lies by which it is recognised. */
export interface Form {
  readonly variant: Variant
  readonly text: string
  readonly windowAt: number
}

/** A value as it is compared: without white space around it, for shells and files add and drop line ends. */
export interface Canonical {
  /** Text as UTF-16 units, or one unit per byte when the value is not UTF-8. */
  readonly text: string
  readonly isText: boolean
  /** When it is or holds a private key. */
  readonly pem: PemBody | null
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

export function canonicalOf(value: Uint8Array): Canonical {
  try {
    const text = decoder.decode(value).trim()
    return { text, isText: true, pem: pemBodyOf(text) }
  } catch {
    return { text: latin1(value), isText: false, pem: null }
  }
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8_192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8_192))
  return text
}

const STARTS = 64

/**
 * Where in the value the windows of all its forms are taken from: eight characters, none of them at its beginning if
 * it can be helped (thousands of keys begin alike), as mixed as there are.
 */
export function stretchOf({ text, pem }: Canonical): number {
  // Inside of a line, for the body may be written in one. What keys have in common stands in the first one.
  const lines = (pem === null || pem.lines.length === 1 ? pem?.lines : pem.lines.slice(1))
    ?.map(([start, end]) => [start, end - WINDOW] as const)
    .filter(([start, end]) => end >= start)
  return mostMixed(text, lines === undefined || lines.length === 0 ? [inside(text)] : lines)
}

/** @param common see `ValueLine`: a window there leaves the line all that is its own */
export function stretchOfLine(line: string, common: number): number {
  return mostMixed(line, common < WINDOW ? [inside(line)] : [[0, common - WINDOW]])
}

type Span = readonly [first: number, last: number]

function inside(text: string): Span {
  const last = text.length - WINDOW
  return [Math.min(Math.floor(text.length / 3), last), last]
}

/** Where the most mixed window begins that begins within one of the spans. */
function mostMixed(text: string, spans: readonly Span[]): number {
  const starts = spans.reduce((sum, [from, to]) => sum + to - from + 1, 0)
  const step = Math.max(1, Math.floor(starts / STARTS))
  let best = spans[0]?.[0] ?? 0
  let bestScore = -1
  for (const [from, to] of spans)
    for (let at = from; at <= to; at += step) {
      const score = mixture(text.slice(at, at + WINDOW))
      if (score > bestScore && !splitsPair(text, at)) {
        best = at
        bestScore = score
      }
    }
  return splitsPair(text, best) ? Math.max(0, best - 1) : best
}

/** How unlike ordinary text: different characters, and changes between kinds of them. */
function mixture(window: string): number {
  let score = new Set(window).size
  for (let i = 1; i < window.length; i++)
    if (kindOf(window.charCodeAt(i)) !== kindOf(window.charCodeAt(i - 1))) score += 1
  return score
}

function kindOf(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return 0
  if (unit >= 0x41 && unit <= 0x5a) return 1
  if (unit >= 0x61 && unit <= 0x7a) return 2
  return unit < 0x21 ? 3 : 4
}

function splitsPair(text: string, at: number): boolean {
  const isHigh = (index: number): boolean => (text.charCodeAt(index) & 0xfc00) === 0xd800
  return isHigh(at - 1) || isHigh(at + WINDOW - 1)
}

/** Every form of the value, each with its window inside the stretch that starts at `stretch`. */
export function formsOf(value: Canonical, stretch: number): readonly Form[] {
  const { text, isText, pem } = value
  const bytes = isText ? encoder.encode(text) : Uint8Array.from(text, (one) => one.charCodeAt(0))
  const bytesBefore = isText ? encoder.encode(text.slice(0, stretch)).length : stretch
  const forms: Form[] = []
  const add = (variant: Variant, form: string, windowAt: number): void => {
    if (!forms.some((one) => one.text === form)) forms.push({ variant, text: form, windowAt })
  }
  if (isText) {
    add('raw', text, stretch)
    if (text.includes(' ')) add('form', text.replaceAll(' ', '+'), stretch)
    // A window with a line end inside would be another one.
    if (LINE_END.test(text) && !text.slice(stretch, stretch + WINDOW).includes('\n'))
      add('crlf', withCrLf(text), withCrLf(text.slice(0, stretch)).length)
    add('reversed', reversed(text), text.length - stretch - WINDOW)
    for (const form of utf16Of(text, stretch)) add(...form)
  }
  add('hex', hexOf(bytes), bytesBefore * 2)
  for (const alphabet of [BASE64, BASE64URL] as const)
    for (const before of [0, 1, 2] as const) {
      const first = Math.ceil((before * 8) / 6)
      const windowAt = Math.ceil(((before + bytesBefore) * 8) / 6) - first
      const name =
        alphabet === BASE64 ? (`base64-${before}` as const) : (`base64url-${before}` as const)
      const form = base64Core(bytes, before, alphabet)
      if (windowAt + WINDOW <= form.length) add(name, form, windowAt)
    }
  if (pem !== null) addPem(add, pem, stretch)
  return forms
}

/** The body of a private key without its armour. */
function addPem(
  add: (variant: Variant, form: string, windowAt: number) => void,
  { digits, lines }: PemBody,
  stretch: number,
): void {
  let before = 0
  for (const [start, end] of lines) {
    if (stretch >= start && stretch + WINDOW <= end) {
      add('pem', digits, before + stretch - start)
    }
    before += end - start
  }
}

/** Every form of a line in which it is not found by decoding: those of digits are text once they are read. */
export function formsOfLine(line: string, stretch: number): readonly Form[] {
  const forms: Form[] = [{ variant: 'line', text: line, windowAt: stretch }]
  if (line.includes(' '))
    forms.push({ variant: 'line-form', text: line.replaceAll(' ', '+'), windowAt: stretch })
  forms.push({
    variant: 'line-reversed',
    text: reversed(line),
    windowAt: line.length - stretch - WINDOW,
  })
  for (const [variant, text, windowAt] of utf16Of(line, stretch))
    forms.push({ variant: `line-${variant}`, text, windowAt })
  return forms
}

const LINE_END = /(?<!\r)\n/

function withCrLf(text: string): string {
  return text.replaceAll(/(?<!\r)\n/g, '\r\n')
}

/** Characters in opposite order; pairs stay pairs. */
function reversed(text: string): string {
  return [...text].toReversed().join('')
}

type Utf16Variant = 'utf16' | 'utf16le' | 'utf16be'

/** Bytes of UTF-16 read as one character each. Below U+0100 both byte orders are the same but for one NUL at an end. */
function* utf16Of(
  text: string,
  stretch: number,
): Generator<readonly [variant: Utf16Variant, form: string, windowAt: number]> {
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index))
  if (units.every((unit) => unit < 0x100)) {
    yield ['utf16', units.map((unit) => String.fromCharCode(unit)).join('\0'), stretch * 2]
    return
  }
  const low = (unit: number): string => String.fromCharCode(unit & 0xff)
  const high = (unit: number): string => String.fromCharCode(unit >>> 8)
  yield ['utf16le', units.map((unit) => low(unit) + high(unit)).join(''), stretch * 2]
  yield ['utf16be', units.map((unit) => high(unit) + low(unit)).join(''), stretch * 2]
}

function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The characters of a base64 text that depend on `bytes` alone when `before` other bytes came before in its group. */
function base64Core(bytes: Uint8Array, before: 0 | 1 | 2, alphabet: string): string {
  const end = Math.floor(((before + bytes.length) * 8) / 6)
  let text = ''
  for (let at = Math.ceil((before * 8) / 6); at < end; at++) {
    const bit = at * 6 - before * 8
    const pair = ((bytes[bit >>> 3] ?? 0) << 8) | (bytes[(bit >>> 3) + 1] ?? 0)
    text += alphabet[(pair >>> (10 - (bit & 7))) & 63] ?? ''
  }
  return text
}
