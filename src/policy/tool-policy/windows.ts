import type { CounterWindow } from '../../core/counter-port.ts'
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

/** `a day`, `an hour`, `90 seconds` */
export function windowText(window: ToolLimit['window']): string {
  if (typeof window === 'number') return window === 1 ? 'a second' : `${window} seconds`
  return window === 'hour' ? 'an hour' : `a ${window}`
}

/** Longer windows begin at boundaries of the calendar where nothing else is said. */
export function defaultAlgorithm(window: ToolLimit['window']): ToolLimit['algorithm'] {
  return (lengthOf(window) ?? DAY) <= HOUR ? 'sliding' : 'calendar'
}

/** Into so many parts a sliding window is cut; a call counts up to one part longer than it has to, never shorter. */
const PARTS = 60
/** Weeks begin on Monday, and the epoch began on a Thursday. */
const WEEK_OFFSET = 4 * DAY

/** Where a limit counts. */
export function windowOf({
  window,
  algorithm,
}: Pick<ToolLimit, 'window' | 'algorithm'>): CounterWindow {
  const lengthMs = lengthOf(window)
  if (lengthMs === null) return { kind: 'month' }
  return algorithm === 'calendar'
    ? { kind: 'calendar', lengthMs, offsetMs: window === 'week' ? WEEK_OFFSET : 0 }
    : { kind: 'sliding', lengthMs, partMs: Math.ceil(lengthMs / PARTS) }
}
