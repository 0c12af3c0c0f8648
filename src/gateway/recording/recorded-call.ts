import type { CallOutcome } from '../../audit/index.ts'
import type { CounterCharge } from '../../core/counter-port.ts'
import { ExactNumber } from '../../core/decimal.ts'
import type { EpochMs } from '../../core/time.ts'
import { parseExactly, writeExactly } from '../../mcp/wire/index.ts'
import type { RecordedParts } from '../../policy/tool-policy/texts.ts'
import { UNRECORDED, UNRECORDED_TEXT } from '../../policy/tool-policy/texts.ts'

/** What became of a call. `withheld` is that of an answer, which comes later. */
export type RecordedVerdict = 'allowed' | 'denied' | 'hidden' | 'approval' | 'limited'

/** Where a value was not kept: from the root, and whether it is known to have been a text. */
export type Hole = readonly [kind: 'text' | 'any', ...steps: string[]]

/** A value without what is not kept of it. */
export interface Kept {
  readonly value: unknown
  readonly holes: readonly Hole[]
}

/** What the call was counted as. */
export interface RecordedCharge extends CounterCharge {
  /** What says the amount, as text: two that are the same read the same. */
  readonly cost: string
}

/** A call as it was judged. Names of members are those on the disk. */
export interface RecordedCall {
  readonly kind: 'call'
  /** Within its process; with the process, what its end names it by. */
  readonly n: number
  readonly at: EpochMs
  /** From then on it is gone. */
  readonly ends: EpochMs
  readonly server: string
  readonly name: string
  readonly isMethod: boolean
  readonly principal: string
  readonly labels: readonly string[] | null
  readonly client: string | null
  /** What limits count by: of the session, the grant or null, and who calls. */
  readonly session: string
  readonly grant: string | null
  readonly who: string
  /** Null where the server had not said any; undefined where they were not kept. */
  readonly annotations?: Readonly<Record<string, unknown>> | null
  /** Of a catalogue, or null. */
  readonly toolClass: string | null
  /** Names of its arguments, as the audit has them. */
  readonly names: readonly string[]
  readonly args: Kept
  /** Its arguments were more than is kept. */
  readonly isTooLarge: boolean
  readonly verdict: RecordedVerdict
  /** Of what decided, or null. */
  readonly rule: string | null
  /** First characters of the digests of the policies. */
  readonly revision: string | null
  /** A person had allowed it. */
  readonly isApproved: boolean
  /** A round before took what it costs. */
  readonly isPaid: boolean
  readonly charges: readonly RecordedCharge[]
  /** Of `charges`: the first that it did not fit, or null. */
  readonly exceeded: number | null
  /** Its answer was read by the policy, so its end says what was read. */
  readonly readsAnswer: boolean
}

/** How a call ended, where that changes what was counted or who saw the answer. */
export interface RecordedEnd {
  readonly kind: 'end'
  /** `n` of the call. */
  readonly of: number
  readonly at: EpochMs
  readonly ends: EpochMs
  readonly server: string
  readonly end: CallOutcome
  /** Null where there was no result. */
  readonly parts: readonly RecordedPart[] | null
  /** The rule that kept the answer back, or null. */
  readonly withheld: string | null
  /** What it turned out to cost, where that was not what was reserved. */
  readonly costs: readonly (readonly [counter: string, amount: number])[]
}

export interface RecordedPart {
  readonly path: RecordedParts[number]['path']
  /** What stood there; `missing`, `doubt`, or `unrecorded`. */
  readonly found: Kept | 'missing' | 'doubt' | 'unrecorded'
}

/** So many calls could not be recorded. */
export interface RecordedGap {
  readonly kind: 'gap'
  readonly at: EpochMs
  readonly ends: EpochMs
  readonly server: string
  readonly lost: number
}

export type RecordedEntry = RecordedCall | RecordedEnd | RecordedGap

/** Entries as bytes: one line each. */
export function packed(lines: readonly string[]): Buffer {
  return Buffer.from(lines.join('\n'), 'utf8')
}

export function lineOf(entry: RecordedEntry): string {
  return writeExactly(entry)
}

/** What `packed` was made of. It was sealed, so it is what was written. */
export function unpacked(bytes: Uint8Array): readonly RecordedEntry[] {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('utf8')
    .split('\n')
    .map((line) => parseExactly(line) as RecordedEntry)
}

/** The value with what stands for the values that were not kept. */
export function withHoles({ value, holes }: Kept): unknown {
  let whole: unknown = value
  for (const [kind, ...steps] of holes) {
    const hole = kind === 'text' ? UNRECORDED_TEXT : UNRECORDED
    const last = steps.pop()
    if (last === undefined) return hole
    whole = withHole(whole, [...steps, last], hole)
  }
  return whole
}

function withHole(value: unknown, [step, ...rest]: readonly string[], hole: unknown): unknown {
  if (step === undefined) return hole
  if (Array.isArray(value))
    return value.map((one: unknown, at) => (String(at) === step ? withHole(one, rest, hole) : one))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      name === step ? withHole(one, rest, hole) : one,
    ]),
  )
}

/** As JSON may show it: what was not kept says so. */
export function shownWithHoles(kept: Kept): unknown {
  return shown(withHoles(kept))
}

const NOT_KEPT = '[not recorded]'

function shown(value: unknown): unknown {
  if (value === UNRECORDED || value === UNRECORDED_TEXT) return NOT_KEPT
  // No double holds them.
  if (typeof value === 'bigint') return String(value)
  if (value instanceof ExactNumber) return value.source
  if (Array.isArray(value)) return value.map(shown)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shown(one)]))
}
