import type { Engine, InspectContext, Located } from './engine.ts'
import { stepsOf } from './place.ts'
import { isCounted } from './verdict.ts'

interface Span {
  readonly start: number
  readonly end: number
  readonly detector: string
}

/** What is taken out of a value, by the steps that lead there. */
interface Cuts {
  readonly inner: Map<string | number, Cuts>
  /** Of the text, or the number. */
  readonly value: Span[]
  /** Of the name of the member. */
  readonly name: Span[]
}

/** Of a private key the detector finds where it begins. */
const PRIVATE_KEY = 'private-key'
const KEY_END = /-----END [^\n-]{0,60}-----/g

/**
 * A value with a marker in place of each secret that detectors see in it, also in names, encoded, or split over texts.
 *
 * @param off detectors that do not count
 * @returns the same value where there is none
 */
export function withoutSecrets<T>(
  engine: Engine,
  value: T,
  context: InspectContext,
  off: readonly string[],
): T {
  const found = engine
    .locate(value, context)
    .filter(
      ({ finding }) =>
        finding.category === 'secret' && isCounted(finding) && !off.includes(finding.detector),
    )
  if (found.length === 0) return value
  const cuts = noCuts()
  for (const one of found) note(cuts, one)
  // A text stays a text, an object an object with the same members, but for their names.
  return applied(value, cuts) as T
}

function noCuts(): Cuts {
  return { inner: new Map(), value: [], name: [] }
}

function note(cuts: Cuts, { leaf, finding }: Located): void {
  let at = cuts
  for (const step of stepsOf(leaf.place)) {
    const next = at.inner.get(step) ?? noCuts()
    at.inner.set(step, next)
    at = next
  }
  const { start, end, detector } = finding
  const whole = detector === PRIVATE_KEY ? Math.max(end, endOfKey(leaf.text, end)) : end
  ;(finding.isKey ? at.name : at.value).push({ start, end: whole, detector })
}

function endOfKey(text: string, from: number): number {
  KEY_END.lastIndex = from
  return KEY_END.exec(text) === null ? text.length : KEY_END.lastIndex
}

function applied(node: unknown, cuts: Cuts | undefined): unknown {
  if (cuts === undefined) return node
  if (typeof node === 'string') return withMarkers(node, cuts.value)
  if (typeof node !== 'object' || node === null || !isPlain(node)) {
    // A number, or what stands for one.
    const [first = [...cuts.inner.values()].flatMap(({ value }) => value)[0]] = cuts.value
    return first === undefined ? node : markerOf(first)
  }
  if (Array.isArray(node)) return node.map((one: unknown, at) => applied(one, cuts.inner.get(at)))
  return Object.fromEntries(
    Object.entries(node).map(([name, one]) => {
      const own = cuts.inner.get(name)
      return [own === undefined ? name : withMarkers(name, own.name), applied(one, own)]
    }),
  )
}

function isPlain(node: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(node)
  return Array.isArray(node) || prototype === Object.prototype || prototype === null
}

function withMarkers(text: string, spans: readonly Span[]): string {
  let shown = ''
  let done = 0
  for (const span of spans.toSorted((one, other) => one.start - other.start)) {
    if (span.start >= done) shown += text.slice(done, span.start) + markerOf(span)
    done = Math.max(done, span.end)
  }
  return shown + text.slice(done)
}

function markerOf({ detector }: Span): string {
  return `[DETECTED:${detector}]`
}
