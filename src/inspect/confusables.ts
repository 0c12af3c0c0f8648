import { LOOK_ALIKES, LOOSE_LOOK_ALIKES, SCRIPT_RANGES, SCRIPTS } from './unicode-tables.ts'

export { UNICODE_VERSION } from './unicode-tables.ts'

/** A script by name, `Other` for a letter of a script that decides nothing here. */
export type Script = (typeof SCRIPTS)[number]

/** Number of a script; `NO_SCRIPT` for what is no letter and for what every script shares (Common, Inherited). */
export type ScriptId = number
export const NO_SCRIPT: ScriptId = 255

export function scriptId(script: Script): ScriptId {
  return SCRIPTS.indexOf(script)
}

const LATIN = scriptId('Latin')
const CYRILLIC = scriptId('Cyrillic')
const GREEK = scriptId('Greek')

const BMP = 0x10000
const scriptOfBmp = new Uint8Array(BMP).fill(NO_SCRIPT)
/** Beyond the BMP: first, last, script; in order. */
const higherRanges: [first: number, last: number, script: ScriptId][] = []

{
  let at = 0
  for (const range of SCRIPT_RANGES.trim().split(/\s+/)) {
    const [gap = 0, length = 0, script = 0] = range.split('.').map((part) => parseInt(part, 36))
    const first = at + gap
    at = first + length
    if (first < BMP) scriptOfBmp.fill(script, first, at)
    else higherRanges.push([first, at - 1, script])
  }
  scriptOfBmp.fill(LATIN, 0x41, 0x5b)
  scriptOfBmp.fill(LATIN, 0x61, 0x7b)
}

/** The script of a letter or mark, `NO_SCRIPT` for anything else. */
export function scriptOf(code: number): ScriptId {
  if (code < BMP) return scriptOfBmp[code] ?? NO_SCRIPT
  let low = 0
  let high = higherRanges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = higherRanges[middle]
    if (range === undefined) break
    if (code < range[0]) high = middle - 1
    else if (code > range[1]) low = middle + 1
    else return range[2]
  }
  return NO_SCRIPT
}

function unpack(table: string): Map<number, string> {
  const found = new Map<number, string>()
  for (const line of table.trim().split('\n')) {
    const [target = '', ...gaps] = line.split(' ')
    let code = 0
    for (const gap of gaps) {
      code += parseInt(gap, 36)
      found.set(code, target)
    }
  }
  return found
}

/** How a sign looks like one or two ASCII letters: not at all, as it is, or as a capital only. */
export const NOT_ALIKE = 0
export const ALIKE = 1
export const LOOSELY_ALIKE = 2

interface Likenesses {
  readonly strict: ReadonlyMap<number, string>
  readonly loose: ReadonlyMap<number, string>
  /** By unit. */
  readonly likeness: Uint8Array
  /** ASCII letters that a Cyrillic or a Greek letter looks like. */
  readonly twins: ReadonlyMap<ScriptId, Set<string>>
}

let known: Likenesses | null = null

/** Made for the first text with letters of other scripts: most programs see none. */
function likenesses(): Likenesses {
  known ??= readLikenesses()
  return known
}

function readLikenesses(): Likenesses {
  const strict = unpack(LOOK_ALIKES)
  const loose = unpack(LOOSE_LOOK_ALIKES)
  const likeness = new Uint8Array(BMP)
  for (const code of loose.keys()) if (code < BMP) likeness[code] = LOOSELY_ALIKE
  for (const [code, target] of strict)
    if (code < BMP && /^[A-Za-z]{1,2}$/.test(target)) likeness[code] = ALIKE
  const twins = new Map<ScriptId, Set<string>>([
    [CYRILLIC, new Set()],
    [GREEK, new Set()],
  ])
  for (const [code, target] of strict)
    if (/^[A-Za-z]$/.test(target)) twins.get(scriptOf(code))?.add(target)
  return { strict, loose, likeness, twins }
}

/** The ASCII text that a sign beyond ASCII looks like, `undefined` when it looks like none. */
export function lookAlikeOf(code: number): string | undefined {
  return likenesses().strict.get(code)
}

/** The same for small letters that look alike only as capitals: `к` for `k`. */
export function looseLookAlikeOf(code: number): string | undefined {
  return likenesses().loose.get(code)
}

export function likenessOf(code: number): number {
  const { likeness, strict } = likenesses()
  if (code < BMP) return likeness[code] ?? NOT_ALIKE
  return /^[A-Za-z]{1,2}$/.test(strict.get(code) ?? '') ? ALIKE : NOT_ALIKE
}

/** Whether an ASCII letter could be read as one of that script: `c` in a Cyrillic word. */
export function hasTwinIn(script: ScriptId, letter: string): boolean {
  return likenesses().twins.get(script)?.has(letter) ?? false
}

/**
 * A sign as plain ASCII where it is a styled or wide form of it (full-width, mathematical, circled, superscript) and null
 * otherwise. Letters with accents are not styled.
 */
export function plainFormOf(code: number): string | null {
  if (code < 0xb2 || (code > 0x2fff && code < 0xfb00)) return null
  if (code >= 0xff01 && code <= 0xff5e) return String.fromCharCode(code - 0xfee0)
  if (code >= 0x1f170 && code <= 0x1f189) return String.fromCharCode(code - 0x1f170 + 0x41)
  let plain = plainForms.get(code)
  if (plain === undefined) {
    const sign = String.fromCodePoint(code)
    const form = sign.normalize('NFKC')
    plain = form !== sign && /^[ -~]{1,4}$/.test(form) ? form : null
    plainForms.set(code, plain)
  }
  return plain
}

/** Normalising one sign costs more than to remember it. */
const plainForms = new Map<number, string | null>()
