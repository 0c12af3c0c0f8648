import type { CounterCharge, CounterWindow, Taken } from '../../core/counter-port.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import type { CallOutcome } from '../record.ts'

/** A charge of a limit that has a name in records. */
export interface NamedCharge extends CounterCharge {
  /** What a refusal by it is recorded as, as JSON text. */
  readonly ruleText: string
}

/** What a record will say, as the JSON text of its members, each with the comma before it. */
export interface RecordText {
  /** `,"action":…` and who did it. */
  readonly head: string
  /** `,"detail":{…}` without what closes it. */
  readonly detail: string
}

/** How a call ended that was written at a place. */
export type PlacedEnd = readonly [place: number, end: CallOutcome]

/** By how much a bucket changes. */
export type Change = Taken

export type Entry = { readonly at: EpochMs; readonly ends: readonly PlacedEnd[] } & (
  | {
      /** A call that goes on if all charges fit, and its record either way. */
      readonly kind: 'call'
      readonly text: RecordText
      /** What allowed it, and the rule in shadow that would have stopped it, as JSON text. */
      readonly by: string
      readonly shadow: string | null
      readonly charges: readonly NamedCharge[]
    }
  | { readonly kind: 'refusal'; readonly text: RecordText; readonly by: string }
  /** Charges of what is recorded elsewhere. */
  | { readonly kind: 'charge'; readonly charges: readonly CounterCharge[] }
  | {
      readonly kind: 'change'
      readonly changes: readonly Change[]
      /** Its record, and the place of the call that it is of. */
      readonly record: { readonly text: RecordText; readonly of: number | null } | null
    }
  | { readonly kind: 'ends' }
  /** Nothing behind it counts: it goes on in another file. */
  | { readonly kind: 'seal'; readonly generation: number; readonly id: string }
)

/** Who wrote an entry, and the how manieth of its entries it is. */
export interface Written {
  readonly writer: string
  readonly n: number
  readonly entry: Entry
}

const ENDS = [
  'answered',
  'tool-error',
  'refused-by-server',
  'never-sent',
  'cancelled',
  'timed-out',
  'lost',
] as const satisfies readonly CallOutcome[]
const NO_ENDS: readonly PlacedEnd[] = []
const END_CODES: Readonly<Record<CallOutcome, number>> = {
  answered: 0,
  'tool-error': 1,
  'refused-by-server': 2,
  'never-sent': 3,
  cancelled: 4,
  'timed-out': 5,
  lost: 6,
}

/** Between fields. JSON text does not hold it, and nothing else in an entry may. */
const TAB = '\t'
const UNFIT = /[\t\n]/

export function encodeEntry({ writer, n, entry }: Written): string {
  const { at, ends } = entry
  const begin = `${entry.kind}\t${writer}\t${n}\t${at}\t${endsText(ends)}`
  switch (entry.kind) {
    case 'call': {
      const { text, by, shadow, charges } = entry
      let all = `${begin}\t${text.head}\t${text.detail}\t${by}\t${shadow ?? ''}`
      for (const charge of charges) all += `\t${chargeText(charge)}\t${charge.ruleText}`
      return all
    }
    case 'refusal':
      return `${begin}\t${entry.text.head}\t${entry.text.detail}\t${entry.by}`
    case 'charge': {
      let all = begin
      for (const charge of entry.charges) all += `\t${chargeText(charge)}`
      return all
    }
    case 'change': {
      const { record } = entry
      let all = `${begin}\t${record?.text.head ?? ''}\t${record?.text.detail ?? ''}\t${record?.of ?? ''}`
      for (const { counter, bucket, amount } of entry.changes)
        all += `\t${fit(counter)}\t${bucket}\t${amount}`
      return all
    }
    case 'ends':
      return begin
    case 'seal':
      return `${begin}\t${entry.generation}\t${entry.id}`
  }
}

function endsText(ends: readonly PlacedEnd[]): string {
  let text = ''
  for (const [place, end] of ends) text += `${text === '' ? '' : ','}${place}:${END_CODES[end]}`
  return text
}

function chargeText({ counter, window, amount, max, isShadow }: CounterCharge): string {
  return `${fit(counter)}\t${windowText(window)}\t${amount}\t${max}\t${isShadow ? 1 : 0}`
}

function fit(counter: string): string {
  if (UNFIT.test(counter)) throw new TypeError('the name of a counter has a tab or a new line')
  return counter
}

const windowTexts = new WeakMap<CounterWindow, string>()

function windowText(window: CounterWindow): string {
  let text = windowTexts.get(window)
  if (text === undefined) {
    if (window.kind === 'month') text = 'm'
    else if (window.kind === 'sliding') text = `s${window.lengthMs},${window.partMs}`
    else text = `c${window.lengthMs},${window.offsetMs}`
    windowTexts.set(window, text)
  }
  return text
}

/** @returns null when the text is no entry of this program */
export function decodeEntry(text: string): Written | null {
  const [kind, writer = '', count = '', time = '', ended = '', ...fields] = text.split(TAB)
  const n = Number(count)
  const at = epochMs(Number(time))
  const ends = endsOf(ended)
  const entry = ends === null ? null : entryOf(kind, { at, ends }, fields)
  return entry === null ? null : { writer, n, entry }
}

type Common = Pick<Entry, 'at' | 'ends'>

function entryOf(
  kind: string | undefined,
  common: Common,
  fields: readonly string[],
): Entry | null {
  const [first = '', second = '', third = '', fourth = ''] = fields
  switch (kind) {
    case 'call': {
      const charges = chargesOf(fields.slice(4), 6)
      if (charges === null) return null
      const text = { head: first, detail: second }
      const shadow = fourth === '' ? null : fourth
      return { ...common, kind, text, by: third, shadow, charges }
    }
    case 'refusal':
      return { ...common, kind, text: { head: first, detail: second }, by: third }
    case 'charge': {
      const charges = chargesOf(fields, 5)
      return charges === null ? null : { ...common, kind, charges }
    }
    case 'change': {
      const of = third === '' ? null : Number(third)
      const record = first === '' ? null : { text: { head: first, detail: second }, of }
      return { ...common, kind, changes: changesOf(fields.slice(3)), record }
    }
    case 'ends':
      return { ...common, kind }
    case 'seal':
      return { ...common, kind, generation: Number(first), id: second }
    default:
      return null
  }
}

function endsOf(text: string): readonly PlacedEnd[] | null {
  if (text === '') return NO_ENDS
  const ends: PlacedEnd[] = []
  for (const one of text.split(',')) {
    const [place, code] = one.split(':')
    const end = ENDS[Number(code)]
    if (end === undefined) return null
    ends.push([Number(place), end])
  }
  return ends
}

/** @param width how many fields a charge has: with a sixth, its rule */
function chargesOf(fields: readonly string[], width: 5 | 6): readonly NamedCharge[] | null {
  const charges: NamedCharge[] = []
  for (let at = 0; at < fields.length; at += width) {
    const [counter = '', window = '', amount, max, shadow, ruleText = '""'] = fields.slice(
      at,
      at + width,
    )
    const where = windowOf(window)
    if (where === null) return null
    charges.push({
      counter,
      window: where,
      amount: Number(amount),
      max: Number(max),
      isShadow: shadow === '1',
      ruleText,
    })
  }
  return charges
}

function changesOf(fields: readonly string[]): readonly Change[] {
  const changes: Change[] = []
  for (let at = 0; at < fields.length; at += 3) {
    const [counter = '', bucket, amount] = fields.slice(at, at + 3)
    changes.push({ counter, bucket: Number(bucket), amount: Number(amount) })
  }
  return changes
}

const WINDOW = /^([sc])(\d{1,16}),(\d{1,16})$/

function windowOf(text: string): CounterWindow | null {
  if (text === 'm') return { kind: 'month' }
  const [, kind, length, rest] = WINDOW.exec(text) ?? []
  if (kind === undefined) return null
  const lengthMs = Number(length)
  return kind === 's'
    ? { kind: 'sliding', lengthMs, partMs: Number(rest) }
    : { kind: 'calendar', lengthMs, offsetMs: Number(rest) }
}
