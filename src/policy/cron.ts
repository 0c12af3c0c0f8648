import type { LocalTime } from './local-time.ts'

/** The seconds that a cron expression names; each field as the set of its values. */
export interface CronTimes {
  readonly fields: Readonly<Record<keyof LocalTime, ReadonlySet<number>>>
}

interface CronField {
  readonly name: keyof LocalTime
  readonly says: string
  readonly min: number
  readonly max: number
  readonly words?: readonly string[]
}

const FIELDS: readonly CronField[] = [
  { name: 'second', says: 'seconds', min: 0, max: 59 },
  { name: 'minute', says: 'minutes', min: 0, max: 59 },
  { name: 'hour', says: 'hours', min: 0, max: 23 },
  { name: 'day', says: 'day of month', min: 1, max: 31 },
  {
    name: 'month',
    says: 'month',
    min: 1,
    max: 12,
    words: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' '),
  },
  // 7 is Sunday too, so that `5-7` can be written.
  {
    name: 'weekday',
    says: 'day of week',
    min: 0,
    max: 7,
    words: 'sun mon tue wed thu fri sat'.split(' '),
  },
]

export const MAX_CRON_CHARS = 256
const EVERY = ['*', '?']
const ITEM = /^(\*|[A-Za-z]{3}|\d{1,2})(?:-([A-Za-z]{3}|\d{1,2}))?(?:\/(\d{1,2}))?$/

/**
 * Reads a cron expression of six fields: second, minute, hour, day of month, month, day of week (0 is Sunday). A field
 * is `*`, or a list of values, ranges `a-b` and steps (`a-b/n`, `a/n`, and `*` with `/n`); months and days of the week
 * may be English words of three letters.
 *
 * Day of month and day of week may not both be narrowed: some crons mean either, others both, and an access rule that
 * can be read two ways is none.
 *
 * @returns the times, or what is wrong as the end of a sentence
 */
export function parseCron(text: string): CronTimes | string {
  if (text.length > MAX_CRON_CHARS) return `is longer than ${MAX_CRON_CHARS} characters`
  const written = text.trim().split(/[ \t]+/)
  if (written.length !== FIELDS.length)
    return 'needs six fields: second, minute, hour, day of month, month, day of week'
  const fields = {} as Record<keyof LocalTime, ReadonlySet<number>>
  for (const [i, field] of FIELDS.entries()) {
    const values = valuesOf(field, written[i] ?? '')
    if (values === null)
      return `has a field for ${field.says} that is not '*', a list, a range or a step of ${field.min} to ${field.max}`
    fields[field.name] = values
  }
  const isNarrow = (i: number): boolean => !EVERY.includes(written[i] ?? '')
  if (isNarrow(3) && isNarrow(5))
    return 'narrows day of month and day of week at once, which crons read in two ways; write two policies'
  return { fields }
}

export function cronHolds(times: CronTimes, local: LocalTime): boolean {
  return FIELDS.every(({ name }) => times.fields[name].has(local[name]))
}

function valuesOf(field: CronField, text: string): ReadonlySet<number> | null {
  const values = new Set<number>()
  const mayBeOpen = field.name === 'day' || field.name === 'weekday'
  for (const item of text.split(',')) {
    const [, first = '', last, step] = ITEM.exec(item === '?' && mayBeOpen ? '*' : item) ?? []
    const from = first === '*' ? field.min : valueOf(field, first)
    const to = last === undefined ? endOf(field, first, step !== undefined) : valueOf(field, last)
    const by = step === undefined ? 1 : Number(step)
    if (from === null || to === null || from > to || by < 1) return null
    if (first === '*' && last !== undefined) return null
    for (let value = from; value <= to; value += by)
      values.add(field.name === 'weekday' ? value % 7 : value)
  }
  return values
}

/** The end of an item that names none: `*` and `a/n` go on to the last value, `a` is itself. */
function endOf(field: CronField, first: string, hasStep: boolean): number | null {
  // 7 is Sunday a second time: a step must not come upon it.
  const last = field.name === 'weekday' ? 6 : field.max
  return first === '*' || hasStep ? last : valueOf(field, first)
}

function valueOf(field: CronField, text: string): number | null {
  if (/^\d+$/.test(text)) {
    const value = Number(text)
    return value >= field.min && value <= field.max ? value : null
  }
  const at = field.words?.indexOf(text.toLowerCase()) ?? -1
  return at === -1 ? null : at + field.min
}
