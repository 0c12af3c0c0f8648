import { ExactNumber } from '../../core/decimal.ts'
import { isHeld } from '../../core/held-values.ts'
import { bytesOf, writtenBytes } from '../../core/known-texts.ts'
import type { Caller } from '../../core/principals.ts'
import { isSplit } from '../../core/split-values.ts'
import type { Clock } from '../../core/time.ts'
import type { Engine, Finding, InspectSettings, Located } from '../../inspect/index.ts'
import type { CallInspection, KnownValues } from '../message-inspection.ts'
import type { Hole, Kept } from './recorded-call.ts'

/** What of a value may be kept. */
export type Keep = (value: unknown) => Kept

/** Whoever finds one of these would not want it to be kept, or another reader sees something else there. */
const NOT_KEPT: ReadonlySet<Finding['category']> = new Set([
  'secret',
  'secret_exfiltration',
  'pii',
  'unicode_obfuscation',
])

const LIMIT = 'inspection-limit'
const WHOLE: Kept = { value: null, holes: [['any']] }

/**
 * What may be kept of the messages of one caller: without values that the caller knows, without what inspection would
 * take out or refuse, whether inspection is switched on or not. A text of which a part is not kept is not kept at all,
 * because what is left of it is judged otherwise.
 */
export async function keeperOf(
  inspection: CallInspection,
  {
    caller,
    server,
    name,
  }: { readonly caller: Caller; readonly server: string; readonly name: string },
  clock: Clock,
): Promise<Keep> {
  const [
    { builtInEngine, mergeSettings, isBlocking, isCounted, allowanceOf, stepsOf },
    rules,
    known,
  ] = await Promise.all([
    import('../../inspect/index.ts'),
    inspection.rulesFor(caller, server, name),
    inspection.knownValuesOf?.(caller),
  ])
  const engine: Engine = rules.engine ?? builtInEngine()
  const settings: InspectSettings = mergeSettings(rules.layers)
  const isKeptBack = ({ finding }: Located): boolean =>
    !settings.off.includes(finding.detector) &&
    isCounted(finding) &&
    allowanceOf(finding, settings, clock()) === null &&
    (NOT_KEPT.has(finding.category) || isBlocking(finding, settings, clock()))
  return (value) => {
    const holes: Hole[] = []
    for (const one of engine.locate(value, {})) {
      if (!isKeptBack(one)) continue
      // It goes through several fields, or not all of them were looked at.
      if (one.finding.via.includes('joined') || one.finding.detector === LIMIT) return WHOLE
      const steps = stepsOf(one.leaf.place).map(String)
      const isText = typeof valueAt(value, steps) === 'string'
      if (one.leaf.isKey || one.finding.isKey) holes.push(['any', ...steps.slice(0, -1)])
      else holes.push([isText ? 'text' : 'any', ...steps])
    }
    const texts = leaveOut(value, known ?? null, holes)
    if (known !== undefined && isSplit(texts, known)) return WHOLE
    return without(value, holes)
  }
}

interface NamedText {
  readonly text: string
  readonly name: string
}

/** Numbers with fewer are no part of a value that could be told from a count. */
const MIN_DIGITS = 8

/** @returns the texts and numbers that stay, of which several may hold a known value together */
function leaveOut(whole: unknown, known: KnownValues | null, holes: Hole[]): readonly NamedText[] {
  const texts: NamedText[] = []
  const holds = (text: string): boolean => known !== null && known.find(text).length > 0
  const visit = (value: unknown, steps: readonly string[], name: string): void => {
    const bytes = bytesOf(value)
    if (bytes !== null && holds(writtenBytes(bytes))) holes.push(['any', ...steps])
    if (typeof value === 'string') {
      // What is too large for memory is not here.
      if (isHeld(value)) holes.push(['any', ...steps])
      else if (holds(value)) holes.push(['text', ...steps])
      else texts.push({ text: value, name })
    } else if (Array.isArray(value))
      value.forEach((one, at) => visit(one, [...steps, String(at)], name))
    else if (isObject(value))
      for (const [inner, one] of Object.entries(value)) {
        if (holds(inner)) holes.push(['any', ...steps])
        visit(one, [...steps, inner], inner)
      }
    else if (
      typeof value === 'number' ||
      typeof value === 'bigint' ||
      value instanceof ExactNumber
    ) {
      const text = value instanceof ExactNumber ? value.source : String(value)
      if (holds(text)) holes.push(['any', ...steps])
      else if (text.length >= MIN_DIGITS) texts.push({ text, name })
    }
  }
  visit(whole, [], '')
  return texts
}

function without(value: unknown, holes: readonly Hole[]): Kept {
  if (holes.length === 0) return { value, holes }
  const outer = outermost(holes)
  let left = value
  for (const [, ...steps] of outer) left = emptied(left, steps)
  return { value: left, holes: outer }
}

/** One in each place, and none within another. */
function outermost(holes: readonly Hole[]): readonly Hole[] {
  const kept: Hole[] = []
  for (const hole of holes.toSorted((a, b) => a.length - b.length)) {
    const isWithin = kept.some(([, ...above]) => above.every((step, at) => step === hole[at + 1]))
    if (!isWithin) kept.push(hole)
  }
  return kept
}

function emptied(value: unknown, [step, ...rest]: readonly string[]): unknown {
  if (step === undefined) return null
  if (Array.isArray(value))
    return value.map((one: unknown, at) => (String(at) === step ? emptied(one, rest) : one))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, name === step ? emptied(one, rest) : one]),
  )
}

function valueAt(value: unknown, steps: readonly string[]): unknown {
  let at: unknown = value
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Readonly<Record<string, unknown>>)[step]
  }
  return at
}

/** Numbers that are kept as they were written are objects too, and hold nothing. */
function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
