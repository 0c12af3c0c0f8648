import { setImmediate } from 'node:timers/promises'
import { strictestOf } from '../../core/counter-port.ts'
import type { Caller } from '../../core/principals.ts'
import { type Clock, type EpochMs, epochMs, monotonicMs } from '../../core/time.ts'
import { foundInResult, resultPathsOf, type ToolLimit } from '../../policy/tool-policy/index.ts'
import { decideResultByAll, revisionOf } from '../applied-policies.ts'
import { settledCounts } from '../limit-charge.ts'
import { isNoResultYet } from '../made-tasks.ts'
import type { CallInspection } from '../message-inspection.ts'
import { shownName } from '../tool-call.ts'
import { type Keep, keeperOf } from './kept-value.ts'
import {
  type Kept,
  lineOf,
  type RecordedCall,
  type RecordedEnd,
  type RecordedEntry,
  type RecordedPart,
} from './recorded-call.ts'
import type { CallEnd, JudgedCall, Queued, QueuedCall, RecordingWriter } from './recorder.ts'
import type { Line, Recordings } from './recordings.ts'

/** More of the arguments of a call is not kept; UTF-16 units of their JSON. */
const MAX_ARGUMENTS = 65_536
const MAX_ANNOTATIONS = 4_096
const MAX_PART = 16_384
/** A message that is this much longer holds more than it may. */
const SURELY = 4
const MAX_NAMES = 100
const MAX_NAME = 100
/** So long, at most, others wait for what is sorted out here. */
const TURN_MS = 2

const NOTHING: Kept = { value: null, holes: [['any']] }

export interface RecordingWriterParts {
  readonly recordings: Recordings
  /** With the values that callers know. */
  readonly inspection: CallInspection
  readonly clock: Clock
}

/** Sorts out what may be kept of calls, and writes that. */
export function recordingWriter({
  recordings,
  inspection,
  clock,
}: RecordingWriterParts): RecordingWriter {
  return {
    prune: () => recordings.prune(),
    async write({ calls, ends }: Queued, lost: number) {
      const keepers = new Keepers(inspection, clock)
      const lines: Line[] = []
      const add = (entry: RecordedEntry): number => {
        const { server, at, ends: until } = entry
        return lines.push({ server, at, ends: until, text: lineOf(entry) })
      }
      let turn = monotonicMs()
      const each = async (queued: QueuedCall, write: (keep: Keep) => void): Promise<void> => {
        write(await keepers.of(queued.call))
        if (monotonicMs() - turn < TURN_MS) return
        await setImmediate()
        turn = monotonicMs()
      }
      for (const queued of calls)
        await each(queued, (keep) => {
          if (!areNamesKept(queued.call, keep)) {
            add(gapEntry(queued, 1, queued.call.subject.at))
            return
          }
          add(callEntry(queued, keep))
          if (queued.end !== null) add(endEntry(queued, queued.end, keep))
        })
      for (const [queued, end] of ends)
        await each(queued, (keep) => {
          if (areNamesKept(queued.call, keep)) add(endEntry(queued, end, keep))
        })
      const [first] = [...calls, ...ends.map(([queued]) => queued)]
      if (lost > 0 && first !== undefined) add(gapEntry(first, lost, clock()))
      await recordings.add(lines)
    },
  }
}

/** Who may keep what is asked once for all calls that are written together. */
class Keepers {
  readonly #inspection: CallInspection
  readonly #clock: Clock
  readonly #known = new Map<Caller, Map<string, Promise<Keep>>>()

  constructor(inspection: CallInspection, clock: Clock) {
    this.#inspection = inspection
    this.#clock = clock
  }

  of({ caller, server, name }: JudgedCall): Promise<Keep> {
    const ofCaller = this.#known.get(caller) ?? new Map<string, Promise<Keep>>()
    this.#known.set(caller, ofCaller)
    const key = `${server}\n${name}`
    // What cannot be looked at is not kept, and the call is.
    const keep =
      ofCaller.get(key) ??
      keeperOf(this.#inspection, { caller, server, name }, this.#clock).catch(() => () => NOTHING)
    ofCaller.set(key, keep)
    return keep
  }
}

/** An agent chose the names: of a call that has one that may not be kept, only that it was. */
function areNamesKept({ name, subject }: JudgedCall, keep: Keep): boolean {
  return [name, subject.client ?? ''].every((one) => keep(one).holes.length === 0)
}

function callEntry({ call, n, ends }: QueuedCall, keep: Keep): RecordedCall {
  const { subject, caller, charges, exceeded, weight } = call
  const { principal, labels, client, at } = subject
  const strictest = strictestOf(charges)
  const entry = {
    kind: 'call',
    n,
    at,
    ends,
    server: call.server,
    name: shownName(call.name),
    isMethod: 'method' in subject,
    principal,
    labels,
    client: client === null ? null : shownName(client),
    session: call.session,
    grant: call.grant,
    who: `${caller.principal.kind}:${caller.principal.id}`,
    ...annotationsOf(subject, keep),
    toolClass: 'method' in subject ? null : subject.toolClass,
    verdict: call.verdict,
    rule: call.rule,
    revision: revisionOf(call.policies),
    isApproved: call.isApproved,
    isPaid: call.isPaid,
    charges: strictest.map(({ counter, window, amount, max, isShadow, limit }) => ({
      counter,
      window,
      amount,
      max,
      isShadow,
      cost: JSON.stringify(limit.cost),
    })),
    exceeded: exceeded === null ? null : indexOf(strictest, exceeded),
    readsAnswer: call.readsAnswer,
  } as const
  const args = weight > SURELY * MAX_ARGUMENTS ? null : within(keep(call.args), MAX_ARGUMENTS)
  return {
    ...entry,
    names: args === null || isNothing(args) ? [] : namesOf(call.args),
    args: args ?? NOTHING,
    isTooLarge: args === null,
  }
}

function indexOf(charges: JudgedCall['charges'], { counter }: { readonly counter: string }) {
  return charges.findIndex((one) => one.counter === counter)
}

function annotationsOf(
  subject: JudgedCall['subject'],
  keep: Keep,
): Pick<RecordedCall, 'annotations'> {
  const annotations = 'method' in subject ? null : subject.annotations
  if (annotations === null) return { annotations: null }
  const kept = within(keep(annotations), MAX_ANNOTATIONS)
  return kept === null || kept.holes.length > 0
    ? {}
    : { annotations: kept.value as Readonly<Record<string, unknown>> }
}

function namesOf(args: JudgedCall['args']): readonly string[] {
  return Object.keys(args)
    .slice(0, MAX_NAMES)
    .map((name) => name.slice(0, MAX_NAME).toWellFormed())
}

function isNothing({ holes }: Kept): boolean {
  return holes.some((hole) => hole.length === 1)
}

/** @returns null when it takes more than that */
function within(kept: Kept, most: number): Kept | null {
  return (JSON.stringify(kept.value, plain)?.length ?? 0) > most ? null : kept
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

function endEntry(
  { call, n, ends }: QueuedCall,
  { at, end, result }: CallEnd,
  keep: Keep,
): RecordedEnd {
  const { subject, policies, server, charges } = call
  const ended = { kind: 'end', of: n, at, ends, server, end } as const
  const counters = new Map(charges.map(({ limit, counter }) => [limit, counter]))
  const counterOf = (limit: ToolLimit): string => counters.get(limit) ?? ''
  if (result === undefined || isNoResultYet(result))
    return { ...ended, parts: null, withheld: null, costs: [] }
  return {
    ...ended,
    parts: partsOf(call, result, keep),
    withheld: decideResultByAll(policies, subject, result).denied?.rule ?? null,
    costs: [...(settledCounts(charges, result, counterOf, () => {}) ?? [])],
  }
}

function partsOf(
  { policies, subject }: JudgedCall,
  result: unknown,
  keep: Keep,
): readonly RecordedPart[] {
  const paths = new Map(
    policies.flatMap(({ policy }) =>
      resultPathsOf(policy, subject).map((path) => [JSON.stringify(path), path] as const),
    ),
  )
  return [...paths.values()].map((path): RecordedPart => {
    const found = foundInResult(result, subject, path)
    if (typeof found === 'string') return { path, found }
    const kept = within(keep(found.value), MAX_PART)
    return { path, found: kept === null || isNothing(kept) ? 'unrecorded' : kept }
  })
}

/** Told with what is written next, where it is. */
function gapEntry({ call, ends }: QueuedCall, lost: number, at: EpochMs): RecordedEntry {
  return { kind: 'gap', at, ends: epochMs(Math.max(ends, at + 1)), server: call.server, lost }
}
