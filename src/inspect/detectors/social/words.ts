import { partsOf } from './lexicon.ts'

/** A word of a text, as instructions are read. */
export interface Word {
  /** Lower case, with plain apostrophes. */
  readonly text: string
  /** UTF-16 units of the text. */
  readonly start: number
  readonly end: number
  /** Bits of `PART`. */
  readonly parts: number
  /** Counts up at the end of a sentence and at an empty line. */
  readonly sentence: number
  /** Begins a clause: after punctuation, a bracket, a quote or a line break, or with a capital after a small letter. */
  readonly opens: boolean
}

const WORD = /[a-z\u00c0-\u024f\u1e00-\u1eff]{1,40}(?:['’][a-z]{1,6})?/gi
const SENTENCE_END = /[.!?;]|\n[ \t\r]{0,40}\n/
const CLAUSE = /[^\s\u0300-\u036f]|\n/

/** The words between `from` and `to`. One pass; a word of more than 40 letters is cut. */
export function wordsOf(text: string, from: number, to: number): readonly Word[] {
  const window = text.slice(from, to)
  const words: Word[] = []
  let sentence = 0
  let last = 0
  WORD.lastIndex = 0
  for (let match = WORD.exec(window); match !== null; match = WORD.exec(window)) {
    const said = match[0]
    const lower = said.toLowerCase()
    // Most words stand one space apart.
    const isNear = match.index - last === 1 && window.charCodeAt(last) === 32
    const between = isNear ? '' : window.slice(last, match.index)
    if (between.length > 1 && SENTENCE_END.test(between)) sentence += 1
    words.push({
      text: lower.replace('’', "'"),
      start: from + match.index,
      end: from + match.index + said.length,
      parts: partsOf(lower),
      sentence,
      opens: words.length === 0 || said[0] !== lower[0] || (!isNear && CLAUSE.test(between)),
    })
    last = match.index + said.length
  }
  return words
}
