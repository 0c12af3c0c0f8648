import { lookAlikeOf, looseLookAlikeOf, plainFormOf } from '../confusables.ts'
import { type EncodedRun, FOLD } from '../decoder.ts'
import type { Scene } from '../detector.ts'
import { type LookAlikeWord, lookAlikesIn } from '../look-alike-words.ts'
import { MARK, type Marks } from '../marks.ts'
import { type HiddenRun, hiddenIn, mostDisguises } from '../normalise.ts'
import { MappedText } from './mapped-text.ts'

/** Disguised places this near are read together, with this much of the text around them. */
const NEAR = 128

const SOFT_HYPHEN = 0xad

/** Styled letters, wide dots and slashes, and slashes of other trades. */
const STYLED =
  /[\uff0e\uff0f\uff10-\uff19\uff21-\uff3a\uff3c\uff41-\uff5a\u24b6-\u24e9\u2044\u2215\u29f8\u2024\ufe52\ufe68]|\ud835[\udc00-\udfff]|\ud83c[\udd30-\udd89]/g

interface Disguise {
  readonly start: number
  readonly end: number
  readonly what: 'hidden' | 'word' | 'styled'
}

/**
 * Stretches that a person reads otherwise than a machine does, as the person reads them: hidden characters gone, styled
 * and look-alike letters as plain ones. For matching only. Behind a flood of disguises nothing is read.
 */
export function foldedRuns(text: string, marks: Marks, scene: Scene, into: EncodedRun[]): void {
  if (!marks.has(MARK.hidden | MARK.foreign)) return
  const most = mostDisguises(text)
  const hidden = marks.has(MARK.hidden) ? hiddenIn(text, 0, text.length, scene) : []
  const words = marks.has(MARK.foreign) ? lookAlikesIn(text, 0, text.length, scene) : []
  const isFlood = hidden.length >= most || words.length >= most
  const to = isFlood ? Math.min(endOf(hidden, most, text), endOf(words, most, text)) : text.length
  const disguises = disguisesIn(text, marks, to, hidden, words)
  for (let first = 0; first < disguises.length; ) {
    let last = first
    let end = disguises[first]?.end ?? 0
    for (let next = disguises[last + 1]; next !== undefined; next = disguises[last + 1]) {
      if (next.start - end > 2 * NEAR) break
      end = Math.max(end, next.end)
      last += 1
    }
    const start = Math.max(0, (disguises[first]?.start ?? 0) - NEAR)
    const stop = Math.min(to, end + NEAR)
    const run = fold(text, start, stop, disguises.slice(first, last + 1))
    if (run.decoded !== text.slice(start, stop)) into.push(run)
    first = last + 1
  }
  if (isFlood)
    into.push({ start: to, end: text.length, encoding: FOLD, decoded: '', isUnread: true })
}

/** Where the last of so many ends, or the text when there are fewer. */
function endOf(found: readonly { readonly end: number }[], most: number, text: string): number {
  return found.length < most ? text.length : (found.at(-1)?.end ?? text.length)
}

function disguisesIn(
  text: string,
  marks: Marks,
  to: number,
  hidden: readonly HiddenRun[],
  words: readonly LookAlikeWord[],
): Disguise[] {
  const found: Disguise[] = []
  // Both are in order; a flood of them is not sorted anew.
  let next = 0
  for (const { start, end } of hidden) {
    if (start >= to) break
    if (end - start === 1 && text.charCodeAt(start) === SOFT_HYPHEN) continue
    for (let word = words[next]; word !== undefined && word.start <= start; word = words[next]) {
      found.push({ start: word.start, end: word.end, what: 'word' })
      next += 1
    }
    found.push({ start, end, what: 'hidden' })
  }
  for (let word = words[next]; word !== undefined && word.start < to; word = words[next]) {
    found.push({ start: word.start, end: word.end, what: 'word' })
    next += 1
  }
  for (const one of softHyphens(text, to)) found.push(one)
  const stretches = marks.stretches(MARK.foreign, 0, 1)
  for (let stretch = 0; stretch < stretches.length; stretch += 2) {
    const from = stretches[stretch] ?? 0
    for (const match of text.slice(from, stretches[stretch + 1]).matchAll(STYLED)) {
      const start = from + match.index
      if (start < to) found.push({ start, end: start + match[0].length, what: 'styled' })
    }
  }
  // Mostly they are of one kind, and in order.
  const isInOrder = found.every((one, at) => at === 0 || (found[at - 1]?.start ?? 0) < one.start)
  return isInOrder ? found : found.toSorted((a, b) => a.start - b.start || a.end - b.end)
}

/** Soft hyphens are ordinary in long words, and still nothing that a person reads. */
function softHyphens(text: string, to: number): Disguise[] {
  const found: Disguise[] = []
  for (let at = text.indexOf('\u00ad'); at >= 0 && at < to; at = text.indexOf('\u00ad', at + 1))
    found.push({ start: at, end: at + 1, what: 'hidden' })
  return found
}

function fold(
  text: string,
  start: number,
  end: number,
  disguises: readonly Disguise[],
): EncodedRun {
  const folded = new MappedText()
  let next = 0
  let word: Disguise | null = null
  for (let at = start; at < end; ) {
    for (let one = disguises[next]; one !== undefined && one.start <= at; one = disguises[next]) {
      next += 1
      if (one.what === 'hidden' && one.end > at) at = one.end
      else if (one.what === 'word') word = one
    }
    if (at >= end) break
    if (word !== null && at >= word.end) word = null
    const code = text.codePointAt(at) ?? 0
    if (code < 0x80) {
      const stop = Math.min(end, disguises[next]?.start ?? end)
      let plain = at + 1
      while (plain < stop && text.charCodeAt(plain) < 0x80) plain += 1
      folded.copy(text, at, plain)
      at = plain
      continue
    }
    const alike = plainText(code, word !== null)
    if (alike === null) folded.putCode(code, at)
    else folded.put(alike, at)
    at += code > 0xffff ? 2 : 1
  }
  return {
    start,
    end,
    encoding: FOLD,
    decoded: folded.text,
    sourceOffset: folded.sourceOffset(end),
  }
}

/** What a sign is read as; null when it is read as it is. */
function plainText(code: number, isInWord: boolean): string | null {
  const plain = plainFormOf(code)
  if (plain !== null) return plain
  const alike = lookAlikeOf(code)
  if (alike !== undefined && (isInWord || /^[/\\.]$/.test(alike))) return alike
  return (isInWord ? looseLookAlikeOf(code) : undefined) ?? null
}

const TAGS = /(?:\udb40[\udc20-\udc7e]){3,65536}/g
const SELECTORS = /(?:[\ufe00-\ufe0f]|\udb40[\udd00-\uddef]){4,65536}/g

/** ASCII in tag characters, and bytes in variation selectors. */
export function smuggledRuns(text: string, marks: Marks, into: EncodedRun[]): void {
  // Bytes of text need selectors beyond the first sixteen, which stand where the tags do.
  if (!marks.has(MARK.hidden) || !text.includes('\udb40')) return
  for (const match of text.matchAll(TAGS)) {
    const start = match.index
    const end = start + match[0].length
    const decoded = match[0].replace(/\udb40./gs, (tag) =>
      String.fromCharCode((tag.codePointAt(0) ?? 0) - 0xe0000),
    )
    const sourceOffset = (offset: number): number => Math.min(start + 2 * offset, end)
    into.push({ start, end, encoding: 'tags', decoded, sourceOffset })
  }
  for (const match of text.matchAll(SELECTORS)) {
    const bytes = Array.from(match[0], (sign) => {
      const code = sign.codePointAt(0) ?? 0
      return code < 0xe0100 ? code - 0xfe00 : code - 0xe0100 + 16
    })
    const decoded = new TextDecoder().decode(Uint8Array.from(bytes))
    const start = match.index
    into.push({ start, end: start + match[0].length, encoding: 'variation-selectors', decoded })
  }
}
