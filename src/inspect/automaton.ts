import { BLOCK, MARK, MARKS_OF_UNIT } from './marks.ts'

/** What `Marks` are made of. */
export interface Noted {
  readonly blocks: Uint8Array
  readonly digits: Uint8Array
}

const NOTHING: Noted = { blocks: new Uint8Array(0), digits: new Uint8Array(0) }
const DIGIT = MARK.digits << 8

/**
 * All keywords of all detectors in one pass: an Aho–Corasick automaton as one flat table over UTF-16 units. Capital
 * letters count as small ones; a unit that is in no keyword leads back to the start. Units beyond ASCII share a few
 * classes, so a keyword with such units may also be reported where another text stands: a hit is a place to look.
 */
export interface Automaton {
  /** Number of states; the table has `states` × `classes` cells. */
  readonly states: number
  /** Keywords (indices of the given list) that end in a state. */
  readonly endings: readonly (readonly number[])[]
  /**
   * Calls `onHit` at every place where keywords end.
   *
   * @param onHit - `ending`: index into `endings`; `end`: UTF-16 units, just after the keyword
   * @param noted - where the marks of each block of the text are put; room for all of them
   */
  scan(text: string, onHit: (ending: number, end: number) => void, noted?: Noted): void
}

const UNITS = 65_536
const BEYOND_ASCII = 128
/** So many classes are shared by all units beyond ASCII, or scripts with many letters would blow up the table. */
const SHARED_CLASSES = 24

interface Classes {
  /** By unit; 0 for a unit of no keyword. */
  readonly ofUnit: Uint8Array
  readonly count: number
}

function classesOf(keywords: readonly string[]): Classes {
  const ofUnit = new Uint8Array(UNITS)
  let count = 1 + SHARED_CLASSES
  for (const letter of new Set(keywords.join(''))) {
    for (let at = 0; at < letter.length; at++) {
      const unit = letter.charCodeAt(at)
      if (ofUnit[unit] !== 0) continue
      ofUnit[unit] = unit < BEYOND_ASCII ? count++ : 1 + (unit % SHARED_CLASSES)
    }
    const upper = letter.toUpperCase()
    const isPair = letter.length === 1 && upper.length === 1
    // The capital of some letter beyond ASCII is a plain I, which is the capital of i.
    if (isPair && upper.charCodeAt(0) < BEYOND_ASCII === letter.charCodeAt(0) < BEYOND_ASCII)
      ofUnit[upper.charCodeAt(0)] = ofUnit[letter.charCodeAt(0)] ?? 0
  }
  return { ofUnit, count }
}

/**
 * The keywords as a tree. Children of a state are a chain, so that only the finished table takes room for every class:
 * filling tables of millions of cells is most of the time it takes to build.
 */
interface Trie {
  /** Number of states; the start is 0. */
  readonly size: number
  /** By state; 0 is none. */
  readonly firstChild: Int32Array
  readonly sibling: Int32Array
  /** By state: the class of the unit that leads to it. */
  readonly classOf: Uint8Array
  /** By state, only where keywords end. */
  readonly keywords: (number[] | undefined)[]
}

function childOf({ firstChild, sibling, classOf }: Trie, state: number, unitClass: number): number {
  let child = firstChild[state] as number
  while (child !== 0 && classOf[child] !== unitClass) child = sibling[child] as number
  return child
}

function trieOf(keywords: readonly string[], { ofUnit }: Classes): Trie {
  const most = keywords.reduce((sum, one) => sum + one.length, 1)
  const trie = {
    size: 1,
    firstChild: new Int32Array(most),
    sibling: new Int32Array(most),
    classOf: new Uint8Array(most),
    keywords: new Array<number[] | undefined>(most),
  }
  for (const [index, keyword] of keywords.entries()) {
    let state = 0
    for (let at = 0; at < keyword.length; at++) {
      const unitClass = ofUnit[keyword.charCodeAt(at)] as number
      let child = childOf(trie, state, unitClass)
      if (child === 0) {
        child = trie.size++
        trie.classOf[child] = unitClass
        trie.sibling[child] = trie.firstChild[state] as number
        trie.firstChild[state] = child
      }
      state = child
    }
    const own = trie.keywords[state]
    if (own === undefined) trie.keywords[state] = [index]
    else own.push(index)
  }
  return trie
}

interface Suffixes {
  /** States by their depth. */
  readonly order: Int32Array
  /** By state: that of its longest suffix which is the beginning of a keyword. */
  readonly suffix: Int32Array
}

/** Finds the suffixes; a state inherits the keywords of its own. */
function suffixesOf(trie: Trie): Suffixes {
  const { size, firstChild, sibling, classOf, keywords } = trie
  const order = new Int32Array(size)
  const suffix = new Int32Array(size)
  let found = 1
  for (let at = 0; at < found; at++) {
    const state = order[at] as number
    const inherited = state === 0 ? undefined : keywords[suffix[state] as number]
    if (inherited !== undefined) keywords[state] = [...(keywords[state] ?? []), ...inherited]
    for (let child = firstChild[state] as number; child !== 0; child = sibling[child] as number) {
      order[found++] = child
      if (state === 0) continue
      const unitClass = classOf[child] as number
      let back = suffix[state] as number
      let next = childOf(trie, back, unitClass)
      while (next === 0 && back !== 0) {
        back = suffix[back] as number
        next = childOf(trie, back, unitClass)
      }
      suffix[child] = next
    }
  }
  return { order, suffix }
}

/**
 * @param keywords - in lower case, not empty; their place in the list is their index
 * @throws {RangeError} for a keyword that could never match
 */
export function buildAutomaton(keywords: readonly string[]): Automaton {
  for (const keyword of keywords)
    if (keyword === '' || keyword !== keyword.toLowerCase())
      throw new RangeError(`the keyword '${keyword}' is empty or not in lower case`)
  const classes = classesOf(keywords)
  const trie = trieOf(keywords, classes)
  const { count, ofUnit } = classes
  const { size, firstChild, sibling, classOf } = trie
  const { order, suffix } = suffixesOf(trie)
  // States where a keyword ends come last, so that one comparison tells them; a state's number is its row's offset.
  const row = new Int32Array(size)
  const endings: (readonly number[])[] = []
  let silent = 0
  for (const state of order) if (trie.keywords[state] === undefined) row[state] = count * silent++
  for (const state of order) {
    const own = trie.keywords[state]
    if (own === undefined) continue
    row[state] = count * (silent + endings.length)
    endings.push(own)
  }
  // What leads nowhere from a state leads where it does from its suffix, which is less deep and so done before.
  const table = new Int32Array(size * count)
  for (const state of order) {
    const to = row[state] as number
    const from = row[suffix[state] as number] as number
    if (state !== 0) table.copyWithin(to, from, from + count)
    for (let child = firstChild[state] as number; child !== 0; child = sibling[child] as number)
      table[to + (classOf[child] as number)] = row[child] as number
  }
  const firstEnding = silent * count
  const known = new Uint16Array(UNITS)
  for (let unit = 0; unit < UNITS; unit++)
    known[unit] = (ofUnit[unit] as number) | ((MARKS_OF_UNIT[unit] as number) << 8)

  return {
    states: size,
    endings,
    scan(text, onHit, { blocks, digits } = NOTHING) {
      const length = text.length
      let state = 0
      for (let at = 0; at < length; ) {
        const start = at
        const stop = Math.min(length, start + BLOCK)
        let marks = 0
        let found = 0
        for (; at < stop; at++) {
          const of = known[text.charCodeAt(at)] as number
          marks |= of
          found += of & DIGIT
          state = table[state + (of & 0xff)] as number
          if (state >= firstEnding) onHit((state - firstEnding) / count, at + 1)
        }
        blocks[start / BLOCK] = marks >>> 8
        digits[start / BLOCK] = found / DIGIT
      }
    },
  }
}
