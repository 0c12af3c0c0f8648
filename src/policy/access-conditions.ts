import { Fault } from '../core/faults.ts'
import type { AccessConditions } from '../core/policy-port.ts'
import type { EpochMs } from '../core/time.ts'
import {
  type AddressRange,
  parseAddress,
  parseRange,
  rangeCovers,
  rangeHas,
} from './address-range.ts'
import { cronHolds, parseCron } from './cron.ts'
import { type LocalTime, zoneClock } from './local-time.ts'
import { quoted } from './quoted.ts'

type TimeWindow = NonNullable<AccessConditions['timeWindow']>

/** What conditions are held against. */
export interface AccessMoment {
  readonly at: EpochMs
  /** The caller's, or null when it is not known. */
  readonly address: string | null
  readonly environment: string | null
}

/** `unknown`: it cannot be said. What follows from that depends on the effect of the policy. */
export interface ConditionVerdict {
  readonly standing: 'holds' | 'fails' | 'unknown'
  /** The end of a sentence that begins with the policy; null when all hold. */
  readonly because: string | null
}

export type ConditionCheck = (moment: AccessMoment) => ConditionVerdict

export const MAX_CONDITION_ENTRIES = 256
const MAX_ENVIRONMENT_CHARS = 64
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const FIELDS = ['ipAllowlist', 'timeWindow', 'environmentIn'] as const
const WINDOW_FIELDS = ['startHour', 'endHour', 'daysOfWeek', 'timezone', 'cronExpr'] as const

/**
 * Checks conditions that somebody wrote.
 *
 * A time window is open from `startHour` (default 0) to just before `endHour` (default 24) of the local day, past
 * midnight when the end is not after the start. A day of `daysOfWeek` is the one on which it opened: 22 to 6 on Friday
 * holds on Saturday at 3. An hour that summer time skips is not there, one that it repeats counts twice. `cronExpr` must
 * hold besides. Addresses of IPv4 and IPv6 are apart (`::/0` is every address of IPv6); environments compare exactly.
 *
 * @returns null when there are none
 * @throws {Fault} `BAD_INPUT` naming the field: unknown or empty fields, a list of nothing, a zone that is not known here
 */
export function parseConditions(input: unknown): AccessConditions | null {
  const conditions = readConditions(input)
  const zone = conditions?.timeWindow?.timezone
  if (zone !== undefined && zoneClock(zone) === null)
    refuse(
      'timeWindow.timezone',
      `is ${quoted(zone)}, which is not known here; use a name such as 'Europe/Berlin'`,
    )
  return conditions
}

/** As `parseConditions`, for what is stored: another node may know zones that this one does not. */
export function readConditions(input: unknown): AccessConditions | null {
  if (input === null) return null
  const fields = fieldsOf(input, 'conditions', FIELDS)
  const { ipAllowlist, timeWindow, environmentIn } = fields
  const conditions: AccessConditions = {
    ...(ipAllowlist !== undefined && { ipAllowlist: readRanges(ipAllowlist) }),
    ...(timeWindow !== undefined && { timeWindow: readWindow(timeWindow) }),
    ...(environmentIn !== undefined && { environmentIn: readEnvironments(environmentIn) }),
  }
  return Object.keys(conditions).length === 0 ? null : conditions
}

/** @param conditions - as `readConditions` gave them back */
export function compileConditions(conditions: AccessConditions): ConditionCheck {
  const checks: ConditionCheck[] = []
  if (conditions.ipAllowlist !== undefined) checks.push(addressCheck(conditions.ipAllowlist))
  if (conditions.timeWindow !== undefined) checks.push(windowCheck(conditions.timeWindow))
  if (conditions.environmentIn !== undefined)
    checks.push(environmentCheck(conditions.environmentIn))
  return (moment) => {
    let worst = HOLDS
    for (const check of checks) {
      const verdict = check(moment)
      // One that fails settles it, whatever another one might have said.
      if (verdict.standing === 'fails') return verdict
      if (verdict.standing === 'unknown') worst = verdict
    }
    return worst
  }
}

/**
 * Whether conditions hold at most when others do, each field held against the same one. A time window lies within the
 * same window only.
 *
 * @param outer - null: always
 * @param inner - null: always
 */
export function conditionsCover(
  outer: AccessConditions | null,
  inner: AccessConditions | null,
): boolean {
  if (outer === null) return true
  if (inner === null) return false
  const { ipAllowlist, timeWindow, environmentIn } = outer
  if (ipAllowlist !== undefined) {
    const wide = rangesOf(ipAllowlist)
    const isWithin = (range: AddressRange): boolean => wide.some((one) => rangeCovers(one, range))
    if (inner.ipAllowlist === undefined || !rangesOf(inner.ipAllowlist).every(isWithin))
      return false
  }
  if (
    environmentIn !== undefined &&
    inner.environmentIn?.every((one) => environmentIn.includes(one)) !== true
  )
    return false
  return (
    timeWindow === undefined ||
    (inner.timeWindow !== undefined && windowText(timeWindow) === windowText(inner.timeWindow))
  )
}

const HOLDS: ConditionVerdict = { standing: 'holds', because: null }
const fails = (because: string): ConditionVerdict => ({ standing: 'fails', because })
const unknown = (because: string): ConditionVerdict => ({ standing: 'unknown', because })

function addressCheck(list: readonly string[]): ConditionCheck {
  const ranges = rangesOf(list)
  const isNot = fails("the caller's address is not in its list")
  const isNotKnown = unknown("the caller's address is not known")
  return ({ address }) => {
    const bytes = typeof address === 'string' ? parseAddress(address) : null
    if (bytes === null) return isNotKnown
    return ranges.some((range) => rangeHas(range, bytes)) ? HOLDS : isNot
  }
}

function environmentCheck(list: readonly string[]): ConditionCheck {
  const isNot = fails('the environment is not in its list')
  const isNotKnown = unknown('the environment is not known')
  return ({ environment }) => {
    if (typeof environment !== 'string') return isNotKnown
    return list.includes(environment) ? HOLDS : isNot
  }
}

function windowCheck(window: TimeWindow): ConditionCheck {
  const zone = window.timezone ?? 'UTC'
  const clock = zoneClock(zone)
  const cron = window.cronExpr === undefined ? null : parseCron(window.cronExpr)
  const isNot = fails('its time window is closed')
  const isNotKnown = unknown(
    clock === null ? `its time zone ${quoted(zone)} is not known here` : 'the time is not known',
  )
  return ({ at }) => {
    const local = clock?.(at) ?? null
    if (local === null || typeof cron === 'string') return isNotKnown
    return isOpen(window, local) && (cron === null || cronHolds(cron, local)) ? HOLDS : isNot
  }
}

function isOpen(window: TimeWindow, local: LocalTime): boolean {
  const { startHour = 0, endHour = 24, daysOfWeek } = window
  const { hour, weekday } = local
  const wraps = endHour <= startHour
  const openedToday = hour >= startHour && (wraps || hour < endHour)
  const openedYesterday = wraps && hour < endHour
  const isOn = (day: number): boolean => daysOfWeek === undefined || daysOfWeek.includes(day)
  return (openedToday && isOn(weekday)) || (openedYesterday && isOn((weekday + 6) % 7))
}

function windowText(window: TimeWindow): string {
  const { startHour = 0, endHour = 24, daysOfWeek = [0, 1, 2, 3, 4, 5, 6] } = window
  const { timezone = 'UTC', cronExpr = null } = window
  const days = daysOfWeek.toSorted((a, b) => a - b)
  return JSON.stringify([startHour, endHour % 24, days, timezone, cronExpr])
}

function rangesOf(list: readonly string[]): readonly AddressRange[] {
  return list.map(parseRange).filter((range) => typeof range !== 'string')
}

function readRanges(input: unknown): readonly string[] {
  return listOf(input, 'ipAllowlist', (entry, field) => {
    if (typeof entry !== 'string') return refuse(field, 'must be text')
    const range = parseRange(entry)
    return typeof range === 'string' ? refuse(field, `${range}: ${quoted(entry)}`) : entry
  })
}

function readEnvironments(input: unknown): readonly string[] {
  return listOf(input, 'environmentIn', (entry, field) =>
    typeof entry === 'string' &&
    entry !== '' &&
    entry.length <= MAX_ENVIRONMENT_CHARS &&
    !CONTROL.test(entry)
      ? entry
      : refuse(field, `must be a name of 1 to ${MAX_ENVIRONMENT_CHARS} characters`),
  )
}

function readWindow(input: unknown): TimeWindow {
  const window = fieldsOf(input, 'timeWindow', WINDOW_FIELDS)
  const { startHour, endHour, daysOfWeek, timezone, cronExpr } = window
  if (startHour !== undefined && !isWhole(startHour, 0, 23))
    return refuse('timeWindow.startHour', 'must be a whole hour of 0 to 23')
  if (endHour !== undefined && !isWhole(endHour, 0, 24))
    return refuse('timeWindow.endHour', 'must be a whole hour of 0 to 24')
  if (timezone !== undefined && typeof timezone !== 'string')
    return refuse('timeWindow.timezone', "must be a name such as 'Europe/Berlin'")
  if (cronExpr !== undefined && typeof cronExpr !== 'string')
    return refuse('timeWindow.cronExpr', 'must be text')
  const cron = cronExpr === undefined ? null : parseCron(cronExpr)
  if (typeof cron === 'string') refuse('timeWindow.cronExpr', cron)
  if ([startHour, endHour, daysOfWeek, cronExpr].every((one) => one === undefined))
    refuse('timeWindow', 'names no time; give startHour, endHour, daysOfWeek or cronExpr')
  return {
    ...(startHour !== undefined && { startHour }),
    ...(endHour !== undefined && { endHour }),
    ...(daysOfWeek !== undefined && { daysOfWeek: readDays(daysOfWeek) }),
    ...(timezone !== undefined && { timezone }),
    ...(cronExpr !== undefined && { cronExpr }),
  }
}

function readDays(input: unknown): readonly number[] {
  const days = listOf(input, 'timeWindow.daysOfWeek', (entry, field) =>
    isWhole(entry, 0, 6) ? entry : refuse(field, 'must be 0 (Sunday) to 6 (Saturday)'),
  )
  return [...new Set(days)]
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
}

function listOf<T>(
  input: unknown,
  field: string,
  read: (entry: unknown, field: string) => T,
): readonly T[] {
  if (!Array.isArray(input)) return refuse(field, 'must be a list')
  // A list of nothing would hold never; whoever means that wants no policy.
  if (input.length === 0) refuse(field, 'is empty; leave it out')
  if (input.length > MAX_CONDITION_ENTRIES)
    refuse(field, `has more than ${MAX_CONDITION_ENTRIES} entries`)
  return Array.from(input, (entry: unknown, i) => read(entry, `${field}[${i}]`))
}

/** The known fields of an object; one that is not known may be the one that narrows. */
function fieldsOf<K extends string>(
  input: unknown,
  name: string,
  known: readonly K[],
): Partial<Record<K, unknown>> {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return refuse(name, name === 'conditions' ? 'must be null or an object' : 'must be an object')
  const fields: Partial<Record<K, unknown>> = {}
  for (const [key, value] of Object.entries(input)) {
    const own = known.find((one) => one === key)
    if (own === undefined)
      return refuse(name, `has the unknown field ${quoted(key)}; there are ${known.join(', ')}`)
    fields[own] = value
  }
  return fields
}

function refuse(field: string, problem: string): never {
  throw new Fault('BAD_INPUT', `${field} ${problem}.`, { details: { field } })
}
