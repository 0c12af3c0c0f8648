/** How a number of a list is read: the bytes it is, or null when it is none of the kind. */
export type Reading = (units: Uint16Array, from: number, to: number) => readonly number[] | null

const ZERO = 0x30
const SMALL_X = 0x78

export function isPrefixed(units: Uint16Array, at: number): boolean {
  return units[at] === ZERO && ((units[at + 1] ?? 0) | 0x20) === SMALL_X
}

/** @returns -1 when one of them is no digit of the radix */
function valueOf(units: Uint16Array, from: number, to: number, radix: number): number {
  let value = 0
  for (let at = from; at < to; at += 1) {
    const unit = units[at] as number
    const digit = unit < 0x3a ? unit - ZERO : (unit | 0x20) - 0x57
    if (digit >= radix) return -1
    value = value * radix + digit
  }
  return value
}

function hexBytes(units: Uint16Array, from: number, to: number): number[] {
  const bytes: number[] = []
  for (let at = from; at < to; at += 2) bytes.push(valueOf(units, at, at + 2, 16))
  return bytes
}

/** `73`, `0x73`, `736b5f6c`. */
const asHex: Reading = (units, from, to) => {
  const first = isPrefixed(units, from) ? from + 2 : from
  return (to - first) % 2 === 1 ? null : hexBytes(units, first, to)
}

/** `115`. */
const asDecimal: Reading = (units, from, to) => {
  const value = to - from > 3 ? -1 : valueOf(units, from, to, 10)
  return value < 0 || value > 0xff ? null : [value]
}

/** `163`, `072563`: a byte, or two of which the second one is written first. */
const asOctal: Reading = (units, from, to) => {
  const size = to - from
  const value = size === 3 || size === 6 ? valueOf(units, from, to, 8) : -1
  if (value < 0 || value > (size === 3 ? 0xff : 0xffff)) return null
  return size === 3 ? [value] : [value & 0xff, value >>> 8]
}

/** `6b73`, `6c5f6b73`: the last byte is written first. */
const asTurned: Reading = (units, from, to) => {
  const size = to - from
  return size >= 4 && size % 2 === 0 && !isPrefixed(units, from)
    ? hexBytes(units, from, to).toReversed()
    : null
}

/** `01110011`. */
const asBits: Reading = (units, from, to) => {
  const value = to - from === 8 ? valueOf(units, from, to, 2) : -1
  return value < 0 ? null : [value]
}

export const READINGS: readonly Reading[] = [asHex, asDecimal, asOctal, asTurned, asBits]

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d

/** Whether a byte may be of a text: ASCII, UTF-8 or UTF-16. */
function isTextByte(byte: number): boolean {
  return byte >= 0x20
    ? byte !== 0x7f && byte <= 0xff
    : byte === 0 || byte === LF || byte === CR || byte === TAB
}

/** As which readings a number may be text, a bit for each of `READINGS`. Without making bytes: most are none. */
export function readingsOf(units: Uint16Array, from: number, to: number): number {
  const size = to - from
  if (isPrefixed(units, from)) return size % 2 === 0 && isHexText(units, from + 2, to) ? 1 : 0
  if (size < 4) {
    let readings = size === 2 && isHexText(units, from, to) ? 1 : 0
    if (isTextByte(valueOf(units, from, to, 10))) readings |= 2
    return size === 3 && isTextByte(valueOf(units, from, to, 8)) ? readings | 4 : readings
  }
  if (size % 2 === 1) return 0
  let readings = isHexText(units, from, to) ? 9 : 0
  if (size === 6) {
    const value = valueOf(units, from, to, 8)
    if (value >= 0 && isTextByte(value & 0xff) && isTextByte(value >>> 8)) readings |= 4
  }
  return size === 8 && isTextByte(valueOf(units, from, to, 2)) ? readings | 16 : readings
}

/** Bytes of a number of so many digits. */
export function bytesOf(reading: number, digits: number): number {
  if (reading === 1 || reading === 4) return 1
  return reading === 2 ? digits / 3 : digits / 2
}

function isHexText(units: Uint16Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 2) {
    if (!isTextByte(valueOf(units, at, at + 2, 16))) return false
  }
  return true
}
