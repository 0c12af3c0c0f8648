import { textOfBytes } from './bytes.ts'

/** Nine bytes: the shortest command worth hiding. */
export const MIN_RUN = 12
/** Units of a run that are tried first: almost everything that is no encoded text is told by them. */
const SNIFF = 24

/** What digits stand for. */
export interface Digits {
  /** Of a digit. */
  readonly bits: number
  /** Digits after which bytes begin at the same place of a digit. */
  readonly group: number
  /** By ASCII unit; `NONE` for what is no digit. */
  readonly values: Uint8Array
}

const NONE = 255
function digits(bits: number, group: number, alphabet: string): Digits {
  const values = new Uint8Array(128).fill(NONE)
  for (let at = 0; at < alphabet.length; at += 1) values[alphabet.charCodeAt(at)] = at
  return { bits, group, values }
}

export const SIX_BITS = digits(
  6,
  4,
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
)
export const FIVE_BITS = digits(5, 8, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')
export const FOUR_BITS = digits(4, 2, '0123456789abcdef')
SIX_BITS.values[0x2d] = 62
SIX_BITS.values[0x5f] = 63
for (let at = 0; at < 6; at += 1) FOUR_BITS.values[0x41 + at] = 10 + at

/** Whether a unit is a digit of any of them. */
export function isInRun(unit: number): boolean {
  return isDigit(SIX_BITS, unit)
}

export function isDigit({ values }: Digits, unit: number): boolean {
  return unit < 128 && values[unit] !== NONE
}

/** Decodes units as text; null when one is not of the alphabet or when they hold no text. */
export function decodeAs(digits: Digits, text: string, start: number, end: number): string | null {
  if (end - start < MIN_RUN) return null
  if (!beginsLikeText(digits, text, start, end)) return null
  const bytes = bytesOf(digits, text, start, end)
  return bytes === null ? null : textOfBytes(bytes)
}

/** Whether the first bytes of a run may be text: printable ASCII, well-formed UTF-8, or zeros at every second place. */
export function beginsLikeText(digits: Digits, text: string, start: number, end: number): boolean {
  const { bits, values } = digits
  const sniffed = Math.min(end, start + SNIFF)
  let held = 0
  let count = 0
  let place = 0
  let zeros = 0
  let pending = 0
  for (let at = start; at < sniffed; at += 1) {
    const unit = text.charCodeAt(at)
    const value = unit < 128 ? (values[unit] ?? NONE) : NONE
    if (value === NONE) return false
    held = ((held << bits) | value) & 0xffff
    count += bits
    if (count < 8) continue
    count -= 8
    const byte = (held >> count) & 0xff
    if (pending > 0) {
      if ((byte & 0xc0) !== 0x80) return false
      pending -= 1
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return isByteOrderMark(byte, place)
      pending = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    } else if (byte === 0) {
      zeros += 1
      if (zeros > (place >> 1) + 1) return false
    } else if (byte < 0x20 ? byte !== 10 && byte !== 13 && byte !== 9 && byte !== 27 : byte === 127)
      return false
    place += 1
  }
  return zeros === 0 || zeros * 3 >= place
}

/** U+FEFF before UTF-16. */
function isByteOrderMark(byte: number, place: number): boolean {
  return place === 0 && byte >= 0xfe
}

export function bytesOf(
  digits: Digits,
  text: string,
  start: number,
  end: number,
): Uint8Array | null {
  const { bits, values } = digits
  const bytes = new Uint8Array(Math.floor(((end - start) * bits) / 8))
  let held = 0
  let count = 0
  let put = 0
  for (let at = start; at < end; at += 1) {
    const unit = text.charCodeAt(at)
    const value = unit < 128 ? (values[unit] ?? NONE) : NONE
    if (value === NONE) return null
    held = ((held << bits) | value) & 0xffff
    count += bits
    if (count >= 8) {
      count -= 8
      bytes[put] = (held >> count) & 0xff
      put += 1
    }
  }
  return bytes
}
