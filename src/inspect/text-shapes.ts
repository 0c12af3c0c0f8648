import { type Numbers, numbersIn } from './byte-lists.ts'
import { isHexDigit, isRunDigit, runsIn } from './digit-runs.ts'
import { softBreak } from './escapes.ts'
import { spacedIn } from './spaced.ts'

/** What a text holds that may have to be decoded. Lists are from where to where, by turns. */
export interface Shapes extends Numbers {
  /** Of 24 or more digits of base64. */
  readonly runs: readonly number[]
  /** Of characters with the same sign between any two. */
  readonly spaced: readonly number[]
  /** Where each sign of equality stands with which something may be quoted; none where no line is broken so. */
  readonly quotes: readonly number[]
  readonly isAscii: boolean
  /** Whether something in it may be said to a terminal. */
  readonly isTerminal: boolean
}

/** What is said to a terminal begins with it. */
export const ESC = '\u001b'

const EQUALS = 0x3d

export function shapesIn(text: string, units: Uint16Array): Shapes {
  const { length } = text
  return {
    runs: runsIn(units, length),
    ...numbersIn(units, length),
    spaced: spacedIn(units, length),
    quotes: isBroken(text) ? quotesIn(text, units) : [],
    // Whatever is not ASCII takes more bytes than units.
    isAscii: Buffer.byteLength(text) === length,
    isTerminal: text.includes(ESC),
  }
}

/** Quoted-printable has short lines. Each sign of equality of a text is not looked at for less. */
function isBroken(text: string): boolean {
  return text.includes('=\n') || (text.includes('\r') && text.includes('=\r'))
}

function quotesIn(text: string, units: Uint16Array): readonly number[] {
  const quotes: number[] = []
  for (let at = text.indexOf('='); at !== -1; at = text.indexOf('=', at + 1))
    if (mayBeQuoted(units, at, text.length)) quotes.push(at)
  return quotes
}

/** Most of what looks so is code, a number or a name: `a =`, `status=200`, `a=bc`. What is quoted goes on. */
export function mayBeQuoted(units: Uint16Array, at: number, length: number): boolean {
  if (units[at] !== EQUALS || at + 1 >= length) return false
  const first = units[at + 1] as number
  const second = at + 2 < length ? (units[at + 2] as number) : 0
  if (first <= 0x20) {
    if ((first === 0x20 && second > 0x20) || (at > 0 && !isTold(units[at - 1] as number)))
      return false
    return softBreak(units, at, length) > 0
  }
  // A line end that is an escape itself.
  if (first === 0x5c) return second === 0x6e || second === 0x72
  if (!isHexDigit(first) || !isHexDigit(second) || at + 3 >= length) return false
  const next = units[at + 3] as number
  if (next === EQUALS) return true
  const isSmall = first >= 0x61 || second >= 0x61
  return !isSmall && isRunDigit(next) && !(next >= 0x30 && next <= 0x39)
}

/** What is seen and is no padding of digits. */
function isTold(unit: number): boolean {
  return unit > 0x20 && unit !== EQUALS
}
