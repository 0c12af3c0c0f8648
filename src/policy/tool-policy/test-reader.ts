import { ExactNumber } from '../../core/decimal.ts'
import { zoneClock } from '../local-time.ts'
import { quoted } from '../quoted.ts'
import { CONDITION_KEYS, DAYS, GROUPS, TIME_KEYS } from './document-keys.ts'
import type { DocumentReader } from './document-reader.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'
import {
  type Condition,
  OPERATORS,
  type Operator,
  type PathRoot,
  type Test,
  type TestGroup,
  type TimeTest,
} from './model.ts'
import { type CompilePattern, judgesOf, withLookAlikes } from './operators.ts'
import { type PathPlace, parseSubjectPath } from './subject-path.ts'

const CLOCK = /^(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/
/** What can be asked of what is a list always. */
const OF_LISTS: ReadonlySet<Operator> = new Set(['contains', 'exists'])
/** Names that a caller writes, and a server may read another way. */
const OF_CALLERS: ReadonlySet<PathRoot> = new Set(['tool', 'method'])
/** What compares whole names. */
const OF_NAMES: ReadonlySet<Operator> = new Set(['eq', 'neq', 'in', 'not_in'])
const MINUTES_OF_DAY = 24 * 60

/** Reads what is so or not of a call: conditions, groups of them, hours. */
export class TestReader {
  readonly #reader: DocumentReader
  readonly #compilePattern: CompilePattern

  constructor(reader: DocumentReader, compilePattern: CompilePattern) {
    this.#reader = reader
    this.#compilePattern = compilePattern
  }

  tests(nodes: readonly JsonNode[], place: PathPlace): readonly Test[] {
    return nodes.flatMap((node) => this.#test(node, place) ?? [])
  }

  #test(node: JsonNode, place: PathPlace): Test | undefined {
    const members = node.kind === 'object' ? node.members : []
    const group = members.find(({ key }) => GROUPS.some((one) => one === key))
    if (group !== undefined) return this.#group(node, group, place)
    const time = members.find(({ key }) => key === 'time')
    return time === undefined ? this.#condition(node, place) : this.#time(node, time)
  }

  #group(node: JsonNode, { key, value }: JsonMember, place: PathPlace): TestGroup | undefined {
    const reader = this.#reader
    if (reader.fields(node, 'a group', [key]) === undefined) return undefined
    if (key === 'not') {
      const test = this.#test(value, place)
      return test && { kind: 'not', tests: [test] }
    }
    const nodes = reader.list({ key, keyStart: value.start, value })
    if (value.kind === 'list' && nodes.length === 0)
      return reader.refuse(value.start, `'${key}' needs conditions`)
    return { kind: key === 'any' ? 'any' : 'all', tests: this.tests(nodes, place) }
  }

  #condition(node: JsonNode, place: PathPlace): Condition | undefined {
    const reader = this.#reader
    const fields = reader.fields(node, 'a condition', CONDITION_KEYS, [...GROUPS, 'time'])
    if (fields === undefined) return undefined
    const pathAt = reader.needed(fields, 'path', node, 'a condition')
    const text = reader.text(pathAt)
    const opAt = reader.needed(fields, 'op', node, 'a condition')
    const op = reader.oneOf(opAt, OPERATORS)
    if (pathAt === undefined || text === undefined) return undefined
    const path = parseSubjectPath(text, place)
    if (typeof path === 'string') return reader.refuse(pathAt.value.start, path)
    if (opAt === undefined || op === undefined) return undefined
    if (path.root === 'labels' && !OF_LISTS.has(op))
      return reader.refuse(opAt.value.start, "'labels' is a list: 'contains' asks for one of them")
    const value = fields.get('value')?.value ?? null
    const judges = judgesOf(op, value, this.#compilePattern)
    if (typeof judges === 'string') return reader.refuse(value?.start ?? node.start, judges)
    const wanted = wantedOf(value)
    const shown = `${text} ${op} ${value === null ? '' : reader.source(value)}`
    const isOfName = OF_CALLERS.has(path.root) && OF_NAMES.has(op)
    const careful = isOfName ? withLookAlikes(judges, wanted) : judges
    return { kind: 'condition', path, op, shown, wanted, ...careful }
  }

  /** Hours of days in a zone. A day is the one on which it opened: 22:00 to 06:00 of Friday holds on Saturday at 3. */
  #time(node: JsonNode, member: JsonMember): TimeTest | undefined {
    const reader = this.#reader
    if (reader.fields(node, 'a condition', ['time']) === undefined) return undefined
    const fields = reader.fields(member.value, "'time'", TIME_KEYS)
    if (fields === undefined) return undefined
    const from = this.#minutes(fields.get('from')) ?? 0
    const to = this.#minutes(fields.get('to')) ?? MINUTES_OF_DAY
    const daysAt = fields.get('days')
    const days = reader.list(daysAt).flatMap((value) => {
      const day = reader.oneOf({ key: 'days', keyStart: value.start, value }, DAYS)
      return day === undefined ? [] : [DAYS.indexOf(day)]
    })
    if (daysAt?.value.kind === 'list' && daysAt.value.items.length === 0)
      reader.refuse(daysAt.value.start, "'days' is empty; leave it out")
    if (daysAt === undefined && !fields.has('from') && !fields.has('to'))
      reader.refuse(member.value.start, "'time' needs 'from', 'to' or 'days'")
    const zoneAt = fields.get('zone')
    const zone = reader.text(zoneAt) ?? 'UTC'
    const clock = zoneClock(zone)
    if (clock === null && zoneAt !== undefined)
      return reader.refuse(
        zoneAt.value.start,
        `the time zone ${quoted(zone)} is not known here; use a name such as 'Europe/Berlin'`,
      )
    const isOn = (day: number): boolean => daysAt === undefined || days.includes(day)
    const isOvernight = to <= from
    return {
      kind: 'time',
      shown: `time ${reader.source(member.value)}`,
      isOpen(at) {
        const local = clock?.(at) ?? null
        if (local === null) return 'doubt'
        const minute = local.hour * 60 + local.minute
        const openedToday = minute >= from && (isOvernight || minute < to)
        const openedYesterday = isOvernight && minute < to
        return (
          (openedToday && isOn(local.weekday)) || (openedYesterday && isOn((local.weekday + 6) % 7))
        )
      },
    }
  }

  #minutes(member: JsonMember | undefined): number | undefined {
    const text = this.#reader.text(member)
    if (member === undefined || text === undefined) return undefined
    const [found, hours, minutes] = CLOCK.exec(text) ?? []
    if (found === undefined || (found === '24:00' && member.key === 'from'))
      return this.#reader.refuse(
        member.value.start,
        `'${member.key}' must be a time such as "09:30"`,
      )
    return hours === undefined ? MINUTES_OF_DAY : Number(hours) * 60 + Number(minutes)
  }
}

function wantedOf(node: JsonNode | null): readonly unknown[] {
  if (node?.kind === 'list') return node.items.flatMap(wantedOf)
  if (node?.kind === 'number') return [new ExactNumber(node.source)]
  return node?.kind === 'text' || node?.kind === 'plain' ? [node.value] : []
}
