import type { CallOutcome } from '../../audit/index.ts'
import type { Log } from '../../core/log.ts'
import type { Caller } from '../../core/principals.ts'
import { type Clock, type EpochMs, epochMs, monotonicMs } from '../../core/time.ts'
import { OPEN_METHODS, recordSecondsOf } from '../../policy/tool-policy/index.ts'
import type { PoliciesNow, Subject } from '../applied-policies.ts'
import type { LimitCharge } from '../limit-charge.ts'
import type { RecordedVerdict } from './recorded-call.ts'

/** A call that was judged, with what it was judged by. Nothing of it may be changed any more. */
export interface JudgedCall {
  readonly caller: Caller
  readonly server: string
  readonly name: string
  readonly subject: Subject
  /** As the caller sent them. */
  readonly args: Readonly<Record<string, unknown>>
  readonly policies: PoliciesNow
  readonly session: string
  readonly grant: string | null
  readonly verdict: RecordedVerdict
  readonly rule: string | null
  readonly isApproved: boolean
  readonly isPaid: boolean
  readonly charges: readonly LimitCharge[]
  /** Of `charges`, or null. */
  readonly exceeded: LimitCharge | null
  readonly readsAnswer: boolean
  /** About so many UTF-16 units it takes to hold it. */
  readonly weight: number
}

/** How it ended. */
export interface CallEnd {
  readonly at: EpochMs
  readonly end: CallOutcome
  /** Undefined where there was none. */
  readonly result: unknown
}

/** A call between two writings. */
export interface QueuedCall {
  readonly call: JudgedCall
  readonly n: number
  readonly ends: EpochMs
  /** Null: not yet, or nothing of it matters. */
  end: CallEnd | null
  isTaken: boolean
}

/** What there is to write: calls, and ends of calls that were written before. */
export interface Queued {
  readonly calls: readonly QueuedCall[]
  readonly ends: readonly (readonly [call: QueuedCall, end: CallEnd])[]
}

/** Where they are written. @throws when none of them could be */
export interface RecordingWriter {
  write(queued: Queued, lost: number): Promise<void>
  prune(): Promise<void>
}

export interface RecorderOptions {
  /** Loaded when the first call is recorded. */
  readonly writer: () => Promise<RecordingWriter>
  readonly log: Log
  readonly clock: Clock
  /** Test: how much may wait to be written, in UTF-16 units. */
  readonly maxWeight?: number
}

const FLUSH_MS = 50
const MAX_QUEUED = 10_000
const MAX_WEIGHT = 33_554_432
const SAID_EVERY_MS = 60_000
/** Only then was nothing run, so that what was taken is given back. */
const GIVEN_BACK: ReadonlySet<CallOutcome> = new Set(['refused-by-server', 'never-sent'])

/** Whether any of the policies has calls recorded. */
export function isRecording(policies: PoliciesNow): boolean {
  for (const { policy } of policies) if (policy.records) return true
  return false
}

/**
 * Takes down the calls whose policy says so. It is told of a call and keeps hold of it; what may be kept is sorted out,
 * sealed and written behind the call's back, within 50 ms. No call waits for it or fails by it: what cannot be written
 * is counted, said, and told with what is written next.
 */
export class CallRecorder {
  readonly #options: RecorderOptions
  #calls: QueuedCall[] = []
  #ends: (readonly [QueuedCall, CallEnd])[] = []
  #weight = 0
  #count = 0
  #lost = 0
  #saidAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> = Promise.resolve()

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** @returns null where it is not recorded */
  judged(call: JudgedCall): QueuedCall | null {
    const { subject } = call
    // What the protocol lives on says nothing that a policy is tried on.
    if ('method' in subject && OPEN_METHODS.has(subject.method)) return null
    const seconds = recordedFor(call.policies, subject)
    if (seconds === 0) return null
    if (this.#isFull(call.weight)) return null
    this.#count += 1
    const queued = {
      call,
      n: this.#count,
      ends: epochMs(subject.at + seconds * 1_000),
      end: null,
      isTaken: false,
    }
    this.#calls.push(queued)
    this.#soon()
    return queued
  }

  ended(queued: QueuedCall, end: CallOutcome, result: unknown): void {
    const { call } = queued
    // What a draft would count is given back too.
    if (!call.readsAnswer && !GIVEN_BACK.has(end)) return
    const ended = { at: this.#options.clock(), end, result: call.readsAnswer ? result : undefined }
    if (!queued.isTaken) {
      queued.end = ended
      return
    }
    if (this.#isFull(0)) return
    this.#ends.push([queued, ended])
    this.#soon()
  }

  /** Removes what is over. */
  async prune(): Promise<void> {
    await (await this.#options.writer()).prune()
  }

  /** Resolves when everything that was judged so far is written, or could not be. */
  async flush(): Promise<void> {
    this.#takeUp()
    await this.#writing
  }

  async close(): Promise<void> {
    await this.flush()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #isFull(weight: number): boolean {
    const isFull =
      this.#calls.length + this.#ends.length >= MAX_QUEUED ||
      this.#weight + weight > (this.#options.maxWeight ?? MAX_WEIGHT)
    if (isFull) this.#notRecorded(1, 'more came than can be written')
    else this.#weight += weight
    return isFull
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#takeUp()
    }, FLUSH_MS).unref()
  }

  /** One writing at a time; what comes meanwhile waits for the next. */
  #takeUp(): void {
    this.#writing = this.#writing.then(() => this.#write())
  }

  async #write(): Promise<void> {
    if (this.#calls.length + this.#ends.length === 0) return
    const queued = { calls: this.#calls, ends: this.#ends }
    for (const one of queued.calls) one.isTaken = true
    const [weight, lost] = [this.#weight, this.#lost]
    this.#calls = []
    this.#ends = []
    try {
      const writer = await this.#options.writer()
      await writer.write(queued, lost)
      this.#lost -= lost
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#notRecorded(queued.calls.length, reason)
    }
    this.#weight -= weight
  }

  #notRecorded(count: number, reason: string): void {
    this.#lost += count
    if (count === 0 || monotonicMs() - this.#saidAt < SAID_EVERY_MS) return
    this.#saidAt = monotonicMs()
    this.#options.log.warn('calls were not recorded for replay', { calls: this.#lost, reason })
  }
}

/** The longest span that a policy asks for; 0 where none does, or one says that these calls are not recorded. */
function recordedFor(policies: PoliciesNow, subject: Subject): number {
  let longest = 0
  for (const { policy } of policies) {
    const seconds = recordSecondsOf(policy, subject)
    if (seconds === 0) return 0
    longest = Math.max(longest, seconds ?? 0)
  }
  return longest
}
