/** A run of text read the way a lenient path parser at the other end may read it. */
export interface UnfoldedPath {
  /** With `/` for every separator, `NUL` for U+0000. */
  readonly plain: string
  /** A dot was written encoded; nobody needs to. */
  readonly hidesDots: boolean
  /** The same of letters and digits. */
  readonly hidesLetters: boolean
  /** A separator was written encoded. */
  readonly hidesSeparator: boolean
  /** Overlong UTF-8, `%u`, textual hex or more than one layer of percent signs. */
  readonly isEvasive: boolean
  readonly hasNul: boolean
  /** Both `/` and `\` stand beside dots. */
  readonly mixesSeparators: boolean
}

/** Stands for U+0000 in an unfolded path. */
export const NUL = '\u2400'

const MAX_LAYERS = 5

/** The lead bytes 0xC0 and 0xC1 are never part of well-formed UTF-8. */
const FORBIDDEN_LEAD = /%(?:25){0,3}c[01](?=%|\.|[0-9a-z]{2}|\/|\\)/gi
const LONG_FORM =
  /%(?:fc%80%80%80%80|f8%80%80%80|f0%80%80|e0%80)%([0-9a-f]{2})|%c([01])%([0-9a-f]{2})/gi
const WIDE = /%u([0-9a-f]{4})/gi
const TEXTUAL_HEX = /(?:%01)?0x(2e|2f|5c)/gi
const PERCENT = /%([0-9a-f]{2})/gi
/** The sign of any form that is not two digits of hex after a percent sign. */
const UNUSUAL = /%[%cefu]/i
/** `%%32%%65`: each digit of `%2e` written with percent signs of its own. */
const DIGIT_BY_DIGIT = /%%([0-9a-f]{2})%%([0-9a-f]{2})/gi
/** `..2f..2fetc2f`: the percent sign was stripped on the way and is expected to come back. */
const STRIPPED_PERCENT = /\.\.2f(?:\.\.2f|etc2f|var2f|windows2f)/i

const WIDE_FORMS: Readonly<Record<string, string>> = {
  '002e': '.',
  ff0e: '.',
  '002f': '/',
  '2044': '/',
  '2215': '/',
  ff0f: '/',
  '005c': '\\',
  '2216': '\\',
  ff3c: '\\',
  efc8: '\\',
  f025: '/',
}

/** Without any of these a path reads as it is written. */
const ENCODED = /[%\\]|0x|2f/i
const AS_WRITTEN = {
  hidesDots: false,
  hidesLetters: false,
  hidesSeparator: false,
  isEvasive: false,
  hasNul: false,
  mixesSeparators: false,
} as const

const byteOf = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16))

/** What a decoder that does not check for the shortest form makes of the last byte. */
function lenientByte(lead: number, hex: string): string {
  const byte = Number.parseInt(hex, 16)
  const candidates = [(lead << 6) | (byte & 0x3f), byte, byte & 0x7f]
  for (const code of candidates) {
    if (code === 0x2e || code === 0x2f || code === 0x5c) return String.fromCharCode(code)
  }
  return '\ufffd'
}

/**
 * Undoes percent signs (up to five layers), `%u`, overlong UTF-8, textual hex and backslashes.
 *
 * @param run - at most a few thousand units, no white space
 */
export function unfoldPath(run: string): UnfoldedPath {
  if (!ENCODED.test(run) && !run.includes('\0')) return { ...AS_WRITTEN, plain: run }
  let text = run
  let layers = 0
  let hidesDots = false
  let hidesLetters = false
  let hidesSeparator = false
  let isEvasive = false
  const note = (char: string): string => {
    if (char === '/' || char === '\\') hidesSeparator = true
    else if (char === '.') hidesDots = true
    else if (/[0-9A-Za-z]/.test(char)) hidesLetters = true
    return char
  }
  if ((run.match(FORBIDDEN_LEAD)?.length ?? 0) >= 2) isEvasive = true
  for (; layers < MAX_LAYERS && text.includes('%'); layers += 1) {
    const before = text
    if (UNUSUAL.test(text))
      text = text
        .replace(DIGIT_BY_DIGIT, (_all, high: string, low: string) => {
          isEvasive = true
          return `%${byteOf(high)}${byteOf(low)}`
        })
        .replace(LONG_FORM, (_all, long?: string, lead?: string, short?: string) => {
          isEvasive = true
          return note(lenientByte(Number(lead ?? 0), long ?? short ?? '00'))
        })
        .replace(WIDE, (all, hex: string) => {
          const char = WIDE_FORMS[hex.toLowerCase()]
          if (char === undefined) return all
          isEvasive = true
          return note(char)
        })
    // Most of many layers is percent signs, of which nothing is to be noted.
    text = text
      .split('%25')
      .map((part) =>
        part.includes('%') ? part.replace(PERCENT, (_all, hex: string) => note(byteOf(hex))) : part,
      )
      .join('%')
    if (text === before) break
    if (layers > 0 && (hidesDots || hidesSeparator)) isEvasive = true
  }
  const withoutTextualHex = text.replace(TEXTUAL_HEX, (_all, hex: string) => note(byteOf(hex)))
  if (withoutTextualHex !== text && /0x2[ef].{0,4}0x|\.\.(?:%01)?0x(?:2f|5c)|0x5c/i.test(text)) {
    isEvasive = true
    text = withoutTextualHex
  }
  if (STRIPPED_PERCENT.test(text)) {
    isEvasive = true
    text = text.replace(/2f/gi, '/')
  }
  const mixesSeparators =
    /\.\.[/\\]{0,3}\\/.test(text) && /\.\.[/\\]{0,3}\//.test(text.replace(/\\{1,4}/g, '\\'))
  return {
    plain: text.replaceAll('\\', '/').replaceAll('\0', NUL),
    hidesDots,
    hidesLetters,
    hidesSeparator,
    isEvasive,
    hasNul: text.includes('\0'),
    mixesSeparators,
  }
}
