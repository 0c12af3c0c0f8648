import type { EpochMs } from '../core/time.ts'

/** What clocks and calendars show at one instant in one zone. */
export interface LocalTime {
  readonly second: number
  readonly minute: number
  readonly hour: number
  /** 1 to 31 */
  readonly day: number
  /** 1 to 12 */
  readonly month: number
  /** 0 is Sunday */
  readonly weekday: number
}

/** @returns null when the instant is none */
export type ZoneClock = (at: EpochMs) => LocalTime | null

/** Names of the IANA database; no offsets, which know nothing of summer time. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){0,2}$/
const MAX_ZONE_CHARS = 64
const MAX_INSTANT = 8.64e15
const MAX_CLOCKS = 1024
const clocks = new Map<string, ZoneClock | null>()

/**
 * The clock of a zone such as `Europe/Berlin`, by the zone rules that came with this Node.
 *
 * @returns null when the zone is not known
 */
export function zoneClock(zone: string): ZoneClock | null {
  const known = clocks.get(zone)
  if (known !== undefined) return known
  const clock = makeClock(zone)
  if (clocks.size >= MAX_CLOCKS) clocks.clear()
  clocks.set(zone, clock)
  return clock
}

function makeClock(zone: string): ZoneClock | null {
  if (zone.length > MAX_ZONE_CHARS || !ZONE.test(zone)) return null
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    return null
  }
  // Formatting takes microseconds and questions come in bursts: the last second is kept.
  let lastSecond = Number.NaN
  let last: LocalTime | null = null
  return (at) => {
    if (!(Math.abs(at) <= MAX_INSTANT)) return null
    const second = Math.floor(at / 1000)
    if (second !== lastSecond) {
      last = localTime(format.formatToParts(at))
      lastSecond = second
    }
    return last
  }
}

function localTime(parts: readonly Intl.DateTimeFormatPart[]): LocalTime {
  const read = (type: Intl.DateTimeFormatPartTypes): number =>
    Number(parts.find((part) => part.type === type)?.value)
  const [day, month] = [read('day'), read('month')]
  return {
    second: read('second'),
    minute: read('minute'),
    hour: read('hour'),
    day,
    month,
    weekday: new Date(Date.UTC(read('year'), month - 1, day)).getUTCDay(),
  }
}
