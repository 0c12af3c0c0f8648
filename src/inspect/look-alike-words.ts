import {
  ALIKE,
  hasTwinIn,
  LOOSELY_ALIKE,
  likenessOf,
  NO_SCRIPT,
  type ScriptId,
  scriptId,
  scriptOf,
} from './confusables.ts'
import { mostDisguises } from './normalise.ts'
import { onceAScene } from './once-a-scene.ts'

/** A word that is not what it looks like. */
export interface LookAlikeWord {
  /** UTF-16 units. */
  readonly start: number
  readonly end: number
  /**
   * `mixed`: letters of two scripts, all of one of them look-alikes. `edge`: the same with one letter at one end, as in
   * formulas and slips of the keyboard. `phonetic`: letters of phonetic alphabets that look like ASCII. `whole`: a word
   * of look-alikes alone among Latin words.
   */
  readonly kind: 'mixed' | 'edge' | 'phonetic' | 'whole'
}

const LATIN = scriptId('Latin')
const GREEK = scriptId('Greek')
/** Scripts with whole words that read as Latin. */
const TWIN_SCRIPTS: ReadonlySet<ScriptId> = new Set(
  (['Cyrillic', 'Greek', 'Armenian', 'Cherokee', 'Coptic', 'Lisu'] as const).map(scriptId),
)
/** `Other`: scripts of few readers, whose letters in a Latin word are there for their looks. */
const OTHER = scriptId('Other')
const GREEK_NAME = /^[\u0391-\u03a9][a-z]{4,40}$/
/** From here on letters can be look-alikes; below are Latin letters with accents. */
const FOREIGN = /[\u0250-\uffff]/g
/** Longer words are no words. */
const MAX_WORD = 256

/** The words between `from` and `to` whose letters pretend, up to a flood of them. Linear. */
export function lookAlikeWords(text: string, from = 0, to = text.length): LookAlikeWord[] {
  const most = mostDisguises(text)
  let wholes = 0
  const found: LookAlikeWord[] = []
  const whole = new Map<ScriptId, LookAlikeWord[]>()
  const genuine = new Set<ScriptId>()
  let hasLatin = false
  FOREIGN.lastIndex = from
  let done = from
  for (let match = FOREIGN.exec(text); match !== null; match = FOREIGN.exec(text)) {
    const at = match.index
    if (at >= to || found.length + wholes >= most) break
    if (!isPartOfWord(text, at)) continue
    let start = at
    while (start > done && at - start < MAX_WORD && isPartOfWord(text, start - 1)) start -= 1
    let end = at + 1
    while (end < text.length && end - start < MAX_WORD && isPartOfWord(text, end)) end += 1
    done = end
    FOREIGN.lastIndex = end
    const word = readWord(text, start, end)
    if (word.kind === 'genuine') genuine.add(word.script)
    else if (word.kind === 'whole') {
      wholes += 1
      const words = whole.get(word.script)
      if (words === undefined) whole.set(word.script, [{ start, end, kind: 'whole' }])
      else words.push({ start, end, kind: 'whole' })
    } else if (word.kind !== 'plain') found.push({ start, end, kind: word.kind })
  }
  for (const [script, words] of whole) {
    if (genuine.has(script)) continue
    hasLatin ||= /[A-Za-z]{3}/.test(text)
    if (hasLatin) for (const word of words) found.push(word)
  }
  return found.toSorted((a, b) => a.start - b.start)
}

/** The same of the text of a scene, found once for all who ask. */
export const lookAlikesIn = onceAScene((text, from, to) => lookAlikeWords(text, from, to))

type Reading =
  | { readonly kind: 'plain' | 'mixed' | 'edge' | 'phonetic' }
  | { readonly kind: 'whole' | 'genuine'; readonly script: ScriptId }

function readWord(text: string, start: number, end: number): Reading {
  let latin = 0
  let phonetic = 0
  let otherLatin = 0
  let twinlessLatin = 0
  let foreign = 0
  let strict = 0
  let loose = 0
  let symbols = 0
  let switches = 0
  let script: ScriptId = NO_SCRIPT
  let before: ScriptId = NO_SCRIPT
  let isManyScripts = false
  let isWellRead = false
  for (let at = start; at < end; at += 1) {
    const code = text.codePointAt(at) ?? 0
    if (code > 0xffff) at += 1
    const own = scriptOf(code)
    if (own === NO_SCRIPT) {
      if (code >= 0x2100 && likenessOf(code) === ALIKE) symbols += 1
      continue
    }
    if (before !== NO_SCRIPT && own !== before) switches += 1
    before = own
    if (own === LATIN) {
      latin += 1
      if (code < 0x80) continue
      if (code < 0x250 || (code >= 0x1e00 && code < 0x1f00)) otherLatin += 1
      else if (likenessOf(code) === ALIKE) phonetic += 1
      else otherLatin += 1
      continue
    }
    foreign += 1
    isWellRead ||= own !== OTHER && !TWIN_SCRIPTS.has(own)
    if (script === NO_SCRIPT) script = own
    else if (script !== own) isManyScripts = true
    if (likenessOf(code) === ALIKE) strict += 1
    else if (likenessOf(code) === LOOSELY_ALIKE) loose += 1
  }
  if (foreign === 0) {
    const isPhonetic = phonetic > 0 && otherLatin === 0 && latin - phonetic >= 2
    return { kind: isPhonetic ? 'phonetic' : symbols > 0 && latin >= 2 ? 'mixed' : 'plain' }
  }
  if (latin === 0) {
    if (isManyScripts) return { kind: strict === foreign ? 'mixed' : 'plain' }
    if (!TWIN_SCRIPTS.has(script)) return { kind: 'plain' }
    if (strict < foreign) return { kind: 'genuine', script }
    return foreign >= 4 ? { kind: 'whole', script } : { kind: 'plain' }
  }
  // A prefix of one letter is glued to foreign names in Hebrew and Arabic; inside them it is not.
  if (isWellRead && switches < 2) return { kind: 'plain' }
  if (strict === foreign) {
    // A capital before small Latin letters begins a name, not a formula.
    const isName = GREEK_NAME.test(text.slice(start, end))
    const isFormula = script === GREEK && foreign === 1 && switches === 1 && latin < 5 && !isName
    return { kind: isFormula ? 'edge' : 'mixed' }
  }
  if (strict + loose === foreign && switches >= 2) return { kind: 'mixed' }
  if (isManyScripts || foreign < latin) return { kind: 'plain' }
  for (let at = start; at < end; at += 1) {
    const unit = text.charCodeAt(at)
    if (scriptOf(unit) === LATIN && !hasTwinIn(script, text.charAt(at))) twinlessLatin += 1
  }
  if (twinlessLatin > 0) return { kind: 'plain' }
  return { kind: latin === 1 && switches === 1 ? 'edge' : 'mixed' }
}

let inWords: Uint8Array | null = null

/** By unit whether it is part of a word: letters of any script, marks on them, and signs that stand for letters. */
function unitsInWords(): Uint8Array {
  const units = new Uint8Array(0x10000)
  for (let unit = 0; unit < units.length; unit += 1) {
    const isMark = unit >= 0x300 && unit < 0x370
    const isSign = unit >= 0x2100 && unit < 0x2c00 && likenessOf(unit) === ALIKE
    if (scriptOf(unit) !== NO_SCRIPT || isMark || isSign) units[unit] = 1
  }
  return units
}

function isPartOfWord(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  if (unit < 0xd800 || unit > 0xdfff) {
    inWords ??= unitsInWords()
    return inWords[unit] === 1
  }
  const first = unit >= 0xdc00 ? at - 1 : at
  return scriptOf(text.codePointAt(Math.max(first, 0)) ?? 0) !== NO_SCRIPT
}
