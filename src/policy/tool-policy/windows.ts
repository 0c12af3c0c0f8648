import { type EpochMs, epochMs } from '../../core/time.ts'
import type { ToolLimit, WindowName } from './model.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A month has no length of its own. */
const LENGTH: Readonly<Record<Exclude<WindowName, 'month'>, number>> = {
  second: SECOND,
  minute: MINUTE,
  hour: HOUR,
  day: DAY,
  week: 7 * DAY,
}

/** Milliseconds; null for a month. */
export function lengthOf(window: ToolLimit['window']): number | null {
  if (typeof window === 'number') return window * SECOND
  return window === 'month' ? null : LENGTH[window]
}

/** Longer windows begin at boundaries of the calendar where nothing else is said. */
export function defaultAlgorithm(window: ToolLimit['window']): ToolLimit['algorithm'] {
  return (lengthOf(window) ?? DAY) <= HOUR ? 'sliding' : 'calendar'
}

/** Where a call is counted, and what counts against it. */
export interface LimitWindow {
  /** The call is counted here. */
  readonly bucket: EpochMs
  /** All buckets from this one on count. */
  readonly from: EpochMs
  /** When what was counted in a bucket no longer counts. */
  readonly endOf: (bucket: number) => EpochMs
}

/** Into so many parts a sliding window is cut; a call counts up to one part longer than it has to, never shorter. */
const PARTS = 60

export function windowAt({ window, algorithm }: ToolLimit, now: EpochMs): LimitWindow {
  const length = lengthOf(window)
  if (length === null) return monthAt(now)
  if (algorithm === 'calendar') {
    // Weeks begin on Monday, and the epoch began on a Thursday.
    const offset = window === 'week' ? 4 * DAY : 0
    const start = epochMs(Math.floor((now - offset) / length) * length + offset)
    return { bucket: start, from: start, endOf: (bucket) => epochMs(bucket + length) }
  }
  const part = Math.ceil(length / PARTS)
  const bucketOf = (at: number): EpochMs => epochMs(Math.floor(at / part) * part)
  return {
    bucket: bucketOf(now),
    from: bucketOf(now - length),
    endOf: (bucket) => epochMs(bucket + part + length),
  }
}

function monthAt(now: EpochMs): LimitWindow {
  const date = new Date(now)
  const start = epochMs(Date.UTC(date.getUTCFullYear(), date.getUTCMonth()))
  return {
    bucket: start,
    from: start,
    endOf(bucket) {
      const begun = new Date(bucket)
      return epochMs(Date.UTC(begun.getUTCFullYear(), begun.getUTCMonth() + 1))
    },
  }
}
