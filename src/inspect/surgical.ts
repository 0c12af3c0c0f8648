import type { Located } from './engine.ts'
import type { Category, Finding, Kind } from './finding.ts'
import { readJsonText } from './json-text.ts'
import { hiddenRuns, isRemovable } from './normalise.ts'
import { type Place, pathOf, stepsOf } from './place.ts'
import { isCounted } from './verdict.ts'
import type { Leaf } from './walk.ts'

/** Running text still says something when a sentence is missing; a path, a query or a command then says another thing. */
const STAYS_MEANINGFUL: ReadonlySet<Kind> = new Set(['text', 'prose', 'description'])

/** How far a cut may grow to the end of the sentence or line that the finding is a part of. */
const MAX_GROWTH = 400
/** A mark ends a sentence and belongs to it; a line end, the end of a JSON string or an escape stays. */
const SENTENCE_END = /[.!?\n\r]/
const LINE_END = /[\n\r]/
const SENTENCE_END_IN_JSON = /[.!?"\\]/
const LINE_END_IN_JSON = /["\\]/
const MARK = /[.!?]/

interface Span {
  readonly start: number
  readonly end: number
}

const UNITS_OF_REST = /[\p{L}\p{N}]{2}/u

function growEnd(text: string, end: number, stop: RegExp): number {
  const last = Math.min(text.length, end + MAX_GROWTH)
  for (let at = end; at < last; at++)
    if (stop.test(text[at] ?? '')) return MARK.test(text[at] ?? '') ? at + 1 : at
  return last === text.length ? last : end
}

function growStart(text: string, start: number, stop: RegExp): number {
  const first = Math.max(0, start - MAX_GROWTH)
  for (let at = start; at > first; at--) {
    const before = text[at - 1] ?? ''
    if (!stop.test(before)) continue
    // An escape of JSON is not cut in two.
    return before === '\\' ? Math.min(start, at + (text[at] === 'u' ? 5 : 1)) : at
  }
  return first === 0 ? 0 : start
}

/**
 * An instruction is cut with its sentence, a command to the end of its line: the half that is left may still be obeyed.
 *
 * @param isJson - whether the text is JSON and the finding stands in one of its strings
 */
function grown(text: string, { start, end, category }: Finding, isJson: boolean): Span {
  const sentence = isJson ? SENTENCE_END_IN_JSON : SENTENCE_END
  const categories: Partial<Record<Category, () => Span>> = {
    social_engineering: () => ({
      start: growStart(text, start, sentence),
      end: sentence.test(text[end - 1] ?? '') ? end : growEnd(text, end, sentence),
    }),
    command_injection: () => ({
      start,
      end: growEnd(text, end, isJson ? LINE_END_IN_JSON : LINE_END),
    }),
  }
  return categories[category]?.() ?? { start, end }
}

const ESCAPED_UNIT = /\\u([\da-fA-F]{4})/g

/** Whether a stretch, as it stands or with its `\u` escapes undone, is invisible throughout. */
function isHidden(text: string): boolean {
  const plain = text.replaceAll(ESCAPED_UNIT, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return plain !== '' && [...plain].every((letter) => isRemovable(letter.codePointAt(0) ?? 0))
}

function without(text: string, spans: readonly Span[]): string {
  const kept: string[] = []
  let at = 0
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    if (start > at) kept.push(text.slice(at, start))
    at = Math.max(at, end)
  }
  return [...kept, text.slice(at)].join('')
}

/**
 * A leaf's text without what may be taken out of it: hidden code points of the published set, and, where something in
 * it blocks, what was found. Letters are only ever removed with the finding they belong to, never changed.
 */
function cleanedText(
  leaf: Leaf,
  findings: readonly Finding[],
  isBlocking: (finding: Finding) => boolean,
): string {
  const { text } = leaf
  const inPlace = pathOf(leaf.place)
  const hidden = findings.some((one) => one.category === 'unicode_obfuscation')
    ? [
        ...hiddenRuns(text),
        ...findings.filter(({ start, end }) => end > start && isHidden(text.slice(start, end))),
      ]
    : []
  const cuts = findings.some(isBlocking)
    ? findings
        .filter(
          (one) => isCounted(one) && STAYS_MEANINGFUL.has(one.kind) && !one.via.includes('joined'),
        )
        .map((one) => grown(text, one, one.path !== inPlace))
    : []
  const clean = without(text, [...hidden, ...cuts])
  const isStillJson = readJsonText(text) === null || readJsonText(clean) !== null
  return isStillJson && (cuts.length === 0 || UNITS_OF_REST.test(clean)) ? clean : text
}

/** Texts by the steps that lead to them. */
interface Changes {
  readonly inner: Map<string | number, Changes>
  text: string | null
}

function note(changes: Changes, place: Place | null, text: string): void {
  let at = changes
  for (const step of stepsOf(place)) {
    const next: Changes = at.inner.get(step) ?? { inner: new Map(), text: null }
    at.inner.set(step, next)
    at = next
  }
  at.text = text
}

function applied(value: unknown, changes: Changes | undefined): unknown {
  if (changes === undefined) return value
  if (typeof value === 'string') return changes.text ?? value
  if (Array.isArray(value))
    return value.map((one: unknown, index) => applied(one, changes.inner.get(index)))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, applied(one, changes.inner.get(key))]),
  )
}

/**
 * A copy of a value without what may be removed; the value itself when there is nothing. Keys, numbers and leaves of
 * kind `secret` stay as they are.
 *
 * @param located - what counts in the value: nothing that is off or allowed
 */
export function cleanedValue(
  value: unknown,
  located: readonly Located[],
  isBlocking: (finding: Finding) => boolean,
): unknown {
  const changes: Changes = { inner: new Map(), text: null }
  let isChanged = false
  const byLeaf = Map.groupBy(
    located.filter(({ leaf, finding }) => !finding.isKey && leaf.kind !== 'secret'),
    ({ leaf }) => leaf,
  )
  for (const [leaf, own] of byLeaf) {
    const text = cleanedText(
      leaf,
      own.map(({ finding }) => finding),
      isBlocking,
    )
    if (text === leaf.text) continue
    note(changes, leaf.place, text)
    isChanged = true
  }
  return isChanged ? applied(value, changes) : value
}
