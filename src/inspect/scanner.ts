import { buildAutomaton } from './automaton.ts'
import { DEFAULT_REACH, type Detector, type Hit, type Scene } from './detector.ts'
import { gravityOf, type Kind } from './finding.ts'
import { BLOCK, Marks, marksOf } from './marks.ts'

/** A hit and the index of its detector. */
export interface FoundHit extends Hit {
  readonly detector: number
}

export interface Scanned {
  readonly hits: readonly FoundHit[]
  /** With the marks of the text. */
  readonly scene: Scene
}

export interface Scanner {
  /** What the detectors find in one text, decoding nothing. `only`: indices of the detectors to ask, default all. */
  scan(text: string, scene: Scene, only?: ReadonlySet<number>): Scanned
  /** Detectors of which a keyword stands in a text. */
  nearTo(text: string): ReadonlySet<number>
  /** Whether any keyword stands in a text. */
  hasKeyword(text: string, isSpared?: (detector: number) => boolean): boolean
}

/** So many hits of one detector in one text say as much as more would; a worse one is always kept. */
const MAX_HITS = 100

function appliesTo(detector: Detector, kind: Kind): boolean {
  return detector.kinds === undefined ? kind !== 'secret' : detector.kinds.includes(kind)
}

/** Windows of one detector while a text is scanned: pairs of from and to, ascending, none touching the next. */
function mergeInto(windows: number[], from: number, to: number): void {
  const last = windows.length - 1
  if (last < 0 || from > (windows[last] as number)) {
    windows.push(from, to)
    return
  }
  // Mostly it begins inside the last one.
  if (from >= (windows[last - 1] as number)) {
    if (to > (windows[last] as number)) windows[last] = to
    return
  }
  let start = from
  let end = to
  while (windows.length > 0 && start <= (windows.at(-1) as number)) {
    end = Math.max(end, windows.pop() as number)
    start = Math.min(start, windows.pop() as number)
  }
  windows.push(start, end)
}

function collect(
  detector: Detector,
  index: number,
  text: string,
  scene: Scene,
  windows: readonly number[],
  found: FoundHit[],
): void {
  const first = found.length
  let worst = 0
  for (let at = 0; at + 1 < windows.length; at += 2) {
    const from = Math.max(0, windows[at] ?? 0)
    const to = Math.min(text.length, windows[at + 1] ?? 0)
    for (const hit of detector.find(text, from, to, scene)) {
      const gravity = gravityOf({
        severity: hit.severity ?? detector.severity,
        confidence: hit.confidence ?? detector.confidence,
      })
      if (found.length - first >= MAX_HITS && gravity <= worst) continue
      worst = Math.max(worst, gravity)
      found.push({ ...hit, detector: index })
    }
  }
}

/** A detector that a keyword wakes, and how far before and after its end it looks. */
type Look = readonly [detector: number, before: number, after: number]
type Wanted = readonly Look[]

/** The automaton, and by ending state, flat: the detectors to wake and how far around the end of the keyword they look. */
interface Waking {
  readonly automaton: ReturnType<typeof buildAutomaton>
  readonly firstOf: Int32Array
  readonly woken: readonly number[]
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** Texts up to this length, of ASCII, are looked at without the automaton while there is none. */
const SHORT = 512
/** So often, and then there seem to be more. */
const MANY_LOOKS = 24
const ASCII = /^[ -~\t\r\n]*$/

function buildWaking(keywords: readonly string[], wantedBy: readonly Wanted[]): Waking {
  const automaton = buildAutomaton(keywords)
  const firstOf = new Int32Array(automaton.endings.length + 1)
  const woken: number[] = []
  const before: number[] = []
  const after: number[] = []
  for (const [ending, words] of automaton.endings.entries()) {
    const first = woken.length
    for (const word of words)
      for (const [index, back, ahead] of wantedBy[word] ?? []) {
        let at = first
        while (at < woken.length && woken[at] !== index) at++
        woken[at] = index
        // Of keywords that end at one place the widest look counts.
        before[at] = Math.max(before[at] ?? 0, back)
        after[at] = Math.max(after[at] ?? 0, ahead)
      }
    firstOf[ending + 1] = woken.length
  }
  return { automaton, firstOf, woken, before, after }
}

/** Indices of keywords by their first two units: none is shorter. */
type Beginnings = ReadonlyMap<number, readonly number[]>

function beginningAt(text: string, at: number): number {
  return text.charCodeAt(at) * 65_536 + text.charCodeAt(at + 1)
}

function beginningsOf(keywords: readonly string[]): Beginnings {
  const words = new Map<number, number[]>()
  for (let word = 0; word < keywords.length; word++) {
    const keyword = keywords[word] as string
    if (keyword.length < 2) throw new RangeError(`the keyword '${keyword}' is too short`)
    const beginning = beginningAt(keyword, 0)
    const own = words.get(beginning)
    if (own === undefined) words.set(beginning, [word])
    else own.push(word)
  }
  return words
}

/** What each keyword wakes, and how far around its end. */
function wantedByAll(detectors: readonly Detector[], keywords: readonly string[]): Wanted[] {
  const indexOf = new Map(keywords.map((keyword, index) => [keyword, index]))
  const wanted: Look[][] = keywords.map(() => [])
  for (const [index, one] of detectors.entries())
    for (const keyword of one.needs)
      wanted[indexOf.get(keyword) ?? 0]?.push(near(one, index, keyword))
  for (const [index, one] of detectors.entries())
    for (const keyword of one.starts ?? [])
      wanted[indexOf.get(keyword) ?? 0]?.push([index, keyword.length, 0])
  return wanted
}

/** The same of one keyword. */
function wantedBy(detectors: readonly Detector[], keyword: string): Wanted {
  const wanted: Look[] = []
  for (let index = 0; index < detectors.length; index++) {
    const one = detectors[index] as Detector
    if (one.needs.includes(keyword)) wanted.push(near(one, index, keyword))
  }
  for (let index = 0; index < detectors.length; index++)
    if (detectors[index]?.starts?.includes(keyword) === true)
      wanted.push([index, keyword.length, 0])
  return wanted
}

function near({ reach = DEFAULT_REACH }: Detector, index: number, keyword: string): Look {
  return [index, keyword.length + reach.before, reach.after]
}

/** What applies to a text of one kind. */
interface OfKind {
  readonly applies: readonly boolean[]
  /** Detectors that no keyword wakes. */
  readonly unconditional: readonly number[]
}

/** Every keyword of some detectors once. */
export function keywordsOf(detectors: readonly Detector[]): readonly string[] {
  return [...new Set(detectors.flatMap(({ needs, starts = [] }) => [...needs, ...starts]))]
}

/** One automaton for all keywords; around each keyword its detectors look at a window. */
export function createScanner(detectors: readonly Detector[]): Scanner {
  const keywords = keywordsOf(detectors)
  let beginnings: Beginnings | null = null
  /** By keyword, as far as one was met. */
  const wantedOf = new Map<number, Wanted>()
  let waking: Waking | null = null
  let looks = 0
  let digits = new Uint8Array(64)
  /** Marks of texts of which only keywords are asked. */
  const unread = new Uint8Array(64)

  const unconditional = detectors.flatMap((one, index) =>
    one.needs.length + (one.starts?.length ?? 0) === 0 ? [index] : [],
  )
  const byKind = new Map<Kind, OfKind>()
  function ofKind(kind: Kind): OfKind {
    let own = byKind.get(kind)
    if (own === undefined) {
      const applies = detectors.map((one) => appliesTo(one, kind))
      own = { applies, unconditional: unconditional.filter((index) => applies[index] === true) }
      byKind.set(kind, own)
    }
    return own
  }
  // Scratch of one scan; no detector scans in turn, so one set is enough.
  const windows: number[][] = detectors.map(() => [])
  let touched: number[] = []

  function wake(index: number, from: number, to: number): void {
    const own = windows[index] as number[]
    if (own.length === 0) touched.push(index)
    mergeInto(own, from, to)
  }

  /** The first texts are short, and building the automaton takes longer than looking for the keywords in them. */
  function lookWithout(text: string): Marks {
    beginnings ??= beginningsOf(keywords)
    const folded = text.toLowerCase()
    const ends: (readonly [end: number, word: number])[] = []
    // Plain loops: this runs a few times in a process, before anything is compiled.
    for (let at = 0; at + 1 < folded.length; at++) {
      const words = beginnings.get(beginningAt(folded, at))
      if (words === undefined) continue
      for (const word of words) {
        const keyword = keywords[word] as string
        if (folded.startsWith(keyword, at)) ends.push([at + keyword.length, word])
      }
    }
    // In the order of the automaton, so that the windows are the same.
    ends.sort(([one, a], [other, b]) => one - other || a - b)
    for (const [end, word] of ends) {
      let wanted = wantedOf.get(word)
      if (wanted === undefined) {
        wanted = wantedBy(detectors, keywords[word] as string)
        wantedOf.set(word, wanted)
      }
      for (const [index, back, ahead] of wanted) wake(index, end - back, end + ahead)
    }
    return marksOf(text)
  }

  function wakeAll(ending: number, end: number): void {
    const { firstOf, woken, before, after } = waking as Waking
    const last = firstOf[ending + 1] as number
    for (let at = firstOf[ending] as number; at < last; at++)
      wake(woken[at] as number, end - (before[at] as number), end + (after[at] as number))
  }

  function isFirst(text: string): boolean {
    return waking === null && text.length <= SHORT && looks < MANY_LOOKS && ASCII.test(text)
  }

  function look(text: string): Marks {
    if (isFirst(text)) {
      looks += 1
      return lookWithout(text)
    }
    const blocks = new Uint8Array(Math.ceil(text.length / BLOCK))
    lookInto(text, blocks)
    return new Marks(blocks, digits, text.length)
  }

  function lookInto(text: string, blocks: Uint8Array): void {
    waking ??= buildWaking(keywords, wantedByAll(detectors, keywords))
    // No reading keeps the counts of digits; a message of many short texts would make as many arrays.
    if (digits.length < blocks.length) digits = new Uint8Array(blocks.length)
    waking.automaton.scan(text, wakeAll, { blocks, digits })
  }

  /** Where a detector looks that looks for marks. */
  function windowsByMarks({ marks = 0, reach = DEFAULT_REACH }: Detector, found: Marks): number[] {
    return found.stretches(marks, reach.before, reach.after)
  }

  function forget(): void {
    if (touched.length === 0) return
    for (const index of touched) windows[index] = []
    touched = []
  }

  return {
    scan(text, given, only) {
      const { applies, unconditional: always } = ofKind(given.kind)
      const isWanted = (index: number): boolean =>
        applies[index] === true && (only === undefined || only.has(index))
      const found: FoundHit[] = []
      forget()
      const marks = look(text)
      const scene: Scene = { kind: given.kind, via: given.via, marks }
      const whole = [0, text.length]
      for (const index of always) {
        if (only !== undefined && !only.has(index)) continue
        const one = detectors[index] as Detector
        if (one.marks === undefined) collect(one, index, text, scene, whole, found)
        else if (marks.has(one.marks))
          collect(one, index, text, scene, windowsByMarks(one, marks), found)
      }
      for (const index of touched) {
        const one = detectors[index]
        if (one !== undefined && isWanted(index))
          collect(one, index, text, scene, windows[index] ?? [], found)
      }
      forget()
      return { hits: found, scene }
    },
    nearTo(text) {
      forget()
      look(text)
      const near = new Set(touched)
      forget()
      return near
    },
    hasKeyword(text, isSpared) {
      forget()
      if (isFirst(text) || text.length > unread.length * BLOCK) look(text)
      else lookInto(text, unread)
      const hasOne =
        isSpared === undefined ? touched.length > 0 : !touched.every((index) => isSpared(index))
      forget()
      return hasOne
    },
  }
}
