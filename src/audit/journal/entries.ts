import type { CounterCharge, CounterWindow, Taken } from '../../core/counter-port.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import type { CallOutcome } from '../record.ts'
import type { TextBytes } from './text-bytes.ts'

/** A charge of a limit that has a name in records. */
export interface NamedCharge extends CounterCharge {
  /** What a refusal by it is recorded as, as JSON text. */
  readonly ruleText: string
}

/** What a record will say, as the JSON text of its members, each with the comma before it. */
export interface RecordText {
  /** `,"action":…` and who did it. */
  readonly head: string
  /** `,"detail":{…` with what calls of a kind have in common. */
  readonly detail: string
  /** What else is in the detail, without what closes it. */
  readonly rest: string
}

/** How a call ended that was written at a place. */
export type PlacedEnd = readonly [place: number, end: CallOutcome]

/** By how much a bucket changes. */
export type Change = Taken

export type CallEntry = Extract<Entry, { readonly kind: 'call' }>

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

/** A call written at length, in the same file by the same writer: one that is like it names it. */
export interface Like {
  /** Where it begins in the file. */
  readonly offset: number
  readonly n: number
  /** Of its detail, which stands there together with its rest. */
  readonly detailLength: number
}

/** A call as it is read where another one stands for most of it. */
export interface Again {
  readonly writer: string
  readonly n: number
  readonly at: EpochMs
  readonly ends: readonly PlacedEnd[]
  readonly like: Like
  readonly rest: string
  /** Of its charges, in order. */
  readonly amounts: readonly number[]
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

const AGAIN = 'again'

/** Between fields. JSON text does not hold it, and nothing else in an entry may. */
const TAB = '\t'
const TAB_BYTE = 9

/** An entry on its way into the file. */
export interface Outgoing extends Written {
  /** As `likeText` gives it: which call stands for most of it. */
  readonly like: string | null
}

/** What names a call that others are like. */
export function likeText({ offset, n, detailLength }: Like): string {
  return [offset, n, detailLength].join(TAB)
}

export function writeEntry(out: TextBytes, { writer, n, entry, like }: Outgoing): void {
  out.text(like === null ? entry.kind : AGAIN)
  field(out, writer)
  number(out, n)
  number(out, entry.at)
  writeEnds(out, entry.ends)
  if (like !== null && entry.kind === 'call') {
    field(out, like)
    field(out, entry.text.rest)
    for (const { amount } of entry.charges) number(out, amount)
    return
  }
  switch (entry.kind) {
    case 'call': {
      const { text, by, shadow, charges } = entry
      writeText(out, text)
      field(out, by)
      field(out, shadow ?? '')
      for (const charge of charges) {
        writeCharge(out, charge)
        field(out, charge.ruleText)
      }
      return
    }
    case 'refusal':
      writeText(out, entry.text)
      field(out, entry.by)
      return
    case 'charge':
      for (const charge of entry.charges) writeCharge(out, charge)
      return
    case 'change': {
      const { record, changes } = entry
      writeText(out, record?.text ?? NO_TEXT)
      field(out, String(record?.of ?? ''))
      for (const { counter, bucket, amount } of changes) {
        writeName(out, counter)
        field(out, String(bucket))
        field(out, String(amount))
      }
      return
    }
    case 'ends':
      return
    case 'seal':
      field(out, String(entry.generation))
      field(out, entry.id)
  }
}

const NO_TEXT: RecordText = { head: '', detail: '', rest: '' }

function field(out: TextBytes, text: string): void {
  out.byte(TAB_BYTE)
  out.text(text)
}

/** Of a count, a time or a place. */
function number(out: TextBytes, value: number): void {
  out.byte(TAB_BYTE)
  out.integer(value)
}

function writeText(out: TextBytes, { head, detail, rest }: RecordText): void {
  field(out, head)
  field(out, detail)
  out.text(rest)
}

function writeEnds(out: TextBytes, ends: readonly PlacedEnd[]): void {
  out.byte(TAB_BYTE)
  for (let at = 0; at < ends.length; at += 1) {
    const [place, end] = ends[at] as PlacedEnd
    if (at > 0) out.byte(COMMA)
    out.integer(place)
    out.byte(COLON)
    out.byte(DIGIT_0 + END_CODES[end])
  }
}

const COMMA = 44
const COLON = 58
const DIGIT_0 = 48

function writeCharge(
  out: TextBytes,
  { counter, window, amount, max, isShadow }: CounterCharge,
): void {
  writeName(out, counter)
  field(out, windowText(window))
  field(out, String(amount))
  field(out, String(max))
  field(out, isShadow ? '1' : '0')
}

/** @throws {TypeError} when the name has a tab or a new line */
function writeName(out: TextBytes, counter: string): void {
  const from = out.length
  field(out, counter)
  const { bytes, length } = out
  for (let at = from + 1; at < length; at += 1)
    if (bytes[at] === TAB_BYTE || bytes[at] === NEW_LINE)
      throw new TypeError('the name of a counter has a tab or a new line')
}

const NEW_LINE = 10

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
export function decodeEntry(text: string): Written | Again | null {
  const [kind, writer = '', count = '', time = '', ended = '', ...fields] = text.split(TAB)
  const n = Number(count)
  const at = epochMs(Number(time))
  const ends = endsOf(ended)
  if (ends === null) return null
  if (kind === AGAIN) return { writer, n, at, ends, ...againOf(fields) }
  const entry = entryOf(kind, { at, ends }, fields)
  return entry === null ? null : { writer, n, entry }
}

function againOf(fields: readonly string[]): Pick<Again, 'like' | 'rest' | 'amounts'> {
  const [offset, n, detailLength, rest = '', ...amounts] = fields
  return {
    like: { offset: Number(offset), n: Number(n), detailLength: Number(detailLength) },
    rest,
    amounts: amounts.map(Number),
  }
}

/** @returns null when the call that it names is not the one that stands there */
export function repeated(of: Written, again: Again): Written | null {
  const { writer, n, at, ends, like, rest, amounts } = again
  const { entry } = of
  if (of.writer !== writer || of.n !== like.n || entry.kind !== 'call') return null
  if (entry.charges.length !== amounts.length) return null
  const { head, detail } = entry.text
  const text = { head, detail: detail.slice(0, like.detailLength), rest }
  const charges = entry.charges.map((one, index) => ({ ...one, amount: amounts[index] ?? 0 }))
  return { writer, n, entry: { ...entry, at, ends, text, charges } }
}

/** Whether two calls differ in nothing but what `Again` says. */
export function isLike(one: CallEntry, other: CallEntry): boolean {
  const { text, charges } = one
  if (text.head !== other.text.head || text.detail !== other.text.detail) return false
  if (one.by !== other.by || one.shadow !== other.shadow) return false
  if (charges.length !== other.charges.length) return false
  for (let at = 0; at < charges.length; at += 1)
    if (!isSameLimit(charges[at] as NamedCharge, other.charges[at] as NamedCharge)) return false
  return true
}

function isSameLimit(one: NamedCharge, other: NamedCharge): boolean {
  return (
    one.counter === other.counter &&
    one.max === other.max &&
    one.isShadow === other.isShadow &&
    one.ruleText === other.ruleText &&
    (one.window === other.window || windowText(one.window) === windowText(other.window))
  )
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
      const text = textOf(first, second)
      const shadow = fourth === '' ? null : fourth
      return { ...common, kind, text, by: third, shadow, charges }
    }
    case 'refusal':
      return { ...common, kind, text: textOf(first, second), by: third }
    case 'charge': {
      const charges = chargesOf(fields, 5)
      return charges === null ? null : { ...common, kind, charges }
    }
    case 'change': {
      const of = third === '' ? null : Number(third)
      const record = first === '' ? null : { text: textOf(first, second), of }
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

function textOf(head: string, detail: string): RecordText {
  return { head, detail, rest: '' }
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
