import { compareDecimals, type Decimal, parseDecimal } from '../../core/decimal.ts'
import { MAX_APPROVAL, MIN_APPROVAL } from './document-keys.ts'
import type { DocumentReader, Fields } from './document-reader.ts'
import {
  MAX_COUNT,
  RATE,
  RULE_ACTIONS,
  RULE_KEYS,
  RULE_WINDOWS,
  STATE_KEYS,
  TIMEOUT,
} from './intercept-keys.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'
import { pointerStep } from './pointer-step.ts'

const SECONDS = { s: 1, m: 60, h: 3600 } as const
/** Amounts of arguments are counted to so many digits behind the point, where the cap leaves room for them. */
const AMOUNT_SCALE = 6
const COUNTED_DIGITS = 15

/**
 * Rewrites what a document says in the rules of Intercept, `tools: {NAME: {rules: […]}}` and `"*"`, into the keys that
 * everything else is written in. Places and pointers stay those of the document.
 */
export function withoutInterceptRules(root: JsonNode, reader: DocumentReader): JsonNode {
  if (root.kind !== 'object') return root
  const tools = root.members.find(({ key }) => key === 'tools')
  if (tools?.value.kind !== 'object') return root
  const lowering = new Lowering(reader)
  const members = tools.value.members.map((member) =>
    hasRules(member) ? lowering.tool(member) : member,
  )
  const all = members.find(({ key, value }) => key === '*' && value.pointer !== undefined)
  const others = root.members.filter((member) => member !== tools)
  if (all !== undefined && others.some(({ key }) => key === 'all_tools'))
    reader.refuse(
      all.keyStart,
      "rules for '*' and 'all_tools' say the same thing; write one of them",
    )
  return {
    ...root,
    members: [
      ...others,
      { ...tools, value: { ...tools.value, members: members.filter((one) => one !== all) } },
      ...(all === undefined ? [] : [{ ...all, key: 'all_tools' }]),
    ],
  }
}

function hasRules({ key, value }: JsonMember): boolean {
  return (
    value.kind === 'object' && (key === '*' || value.members.some((one) => one.key === 'rules'))
  )
}

/** What the rules of a tool come to. */
interface Lowered {
  readonly denyIf: JsonNode[]
  readonly require: JsonNode[]
  readonly approveIf: JsonNode[]
  readonly limits: JsonNode[]
  timeout: Timeout | null
}

interface Timeout {
  readonly seconds: number
  readonly at: JsonNode
}

interface RulePlace {
  readonly node: JsonNode
  readonly fields: Fields
  readonly pointer: string
  /** Name and text of the author. */
  readonly said: readonly JsonMember[]
  /** What counters of the tool are called in conditions. */
  readonly owner: string
}

class Lowering {
  readonly #reader: DocumentReader
  #counters = new Set<string>()

  constructor(reader: DocumentReader) {
    this.#reader = reader
  }

  tool(member: JsonMember): JsonMember {
    const { key, value } = member
    const pointer = `/tools${pointerStep(key)}`
    const fields = this.#reader.fields(value, "a tool with 'rules'", ['rules'])
    const rules = fields && this.#reader.needed(fields, 'rules', value, "the tool '*'")
    const lowered: Lowered = {
      denyIf: [],
      require: [],
      approveIf: [],
      limits: [],
      timeout: null,
    }
    this.#counters = new Set()
    for (const [index, rule] of this.#reader.list(rules).entries())
      this.#rule(rule, `${pointer}/rules/${index}`, key, lowered)
    const { denyIf, require, approveIf, limits, timeout } = lowered
    const made = (name: string, items: readonly JsonNode[]): readonly JsonMember[] =>
      items.length === 0
        ? []
        : [{ key: name, keyStart: member.keyStart, value: list(value, items) }]
    return {
      ...member,
      value: {
        kind: 'object',
        start: value.start,
        end: value.end,
        pointer,
        members: [
          ...made('deny_if', denyIf),
          ...made('require', require),
          ...made('approve_if', approveIf),
          ...made('limits', limits),
          ...(timeout === null
            ? []
            : [
                {
                  key: 'approval_timeout',
                  keyStart: timeout.at.start,
                  value: number(timeout.at, String(timeout.seconds)),
                },
              ]),
        ],
      },
    }
  }

  #rule(node: JsonNode, pointer: string, tool: string, lowered: Lowered): void {
    const reader = this.#reader
    const what = 'a rule'
    const fields = reader.fields(node, what, RULE_KEYS)
    if (fields === undefined) return
    const name = reader.needed(fields, 'name', node, what)
    const action = reader.oneOf(fields.get('action'), RULE_ACTIONS) ?? 'evaluate'
    const onDeny = fields.get('on_deny')
    const said = [name, onDeny].filter((one) => one !== undefined)
    const place = { node, fields, pointer, said, owner: tool === '*' ? '_global' : tool }
    if (action === 'evaluate') {
      this.#evaluate(place, tool, lowered)
      this.#refuseBeside(place, ['approval_timeout'], action)
      return
    }
    this.#refuseBeside(place, ['rate_limit', 'state'], action)
    if (action === 'deny') {
      this.#refuseBeside(place, ['conditions', 'approval_timeout'], action)
      lowered.denyIf.push(clause(place, []))
      return
    }
    const timeout = this.#timeout(fields.get('approval_timeout'))
    if (timeout !== null && timeout.seconds < (lowered.timeout?.seconds ?? Infinity))
      lowered.timeout = timeout
    const asked = {
      ...place,
      said: said.map((one) => (one === onDeny ? { ...one, key: 'reason' } : one)),
    }
    lowered.approveIf.push(clause(asked, reader.list(fields.get('conditions'))))
  }

  #refuseBeside({ fields }: RulePlace, names: readonly string[], action: string): void {
    for (const name of names) {
      const member = fields.get(name)
      if (member !== undefined)
        this.#reader.refuse(member.keyStart, `'${name}' never counts beside the action '${action}'`)
    }
  }

  #evaluate(place: RulePlace, tool: string, lowered: Lowered): void {
    const reader = this.#reader
    const { node, fields, owner } = place
    const rate = fields.get('rate_limit')
    if (rate !== undefined) {
      for (const name of ['conditions', 'state']) {
        const beside = fields.get(name)
        if (beside !== undefined)
          reader.refuse(
            beside.keyStart,
            `'${name}' stands in a rule of its own beside 'rate_limit'`,
          )
      }
      this.#rateLimit(place, rate, tool, lowered)
      return
    }
    const conditions = reader.list(fields.get('conditions'))
    if (conditions.length === 0) {
      reader.refuse(node.start, "a rule needs 'conditions', 'rate_limit' or the action 'deny'")
      return
    }
    const isState = (one: JsonNode): boolean => pathOf(one)?.startsWith('state.') === true
    const capped = conditions.filter(isState)
    const judged = conditions.filter((one) => !isState(one))
    if (judged.length > 0) lowered.require.push(clause(place, judged))
    const state = fields.get('state')
    if (state === undefined) {
      for (const one of capped)
        reader.refuse(one.start, "a condition on a counter needs the rule's own 'state'")
      return
    }
    const counted = this.#state(state, owner)
    if (counted === undefined) return
    const scale = counted.from === undefined ? 0 : scaleFor(capped)
    if (capped.length === 0)
      reader.refuse(
        state.keyStart,
        `the counter is never capped; add a condition: state.${owner}.${counted.name} lte …`,
      )
    for (const one of capped) {
      const max = this.#cap(one, `state.${owner}.${counted.name}`, scale)
      if (max === null) continue
      const cost = counted.from === undefined ? counted.cost : amountOf(counted.from, scale)
      lowered.limits.push(limit(place, counted.name, tool, counted.window, max, cost))
    }
  }

  #rateLimit(place: RulePlace, rate: JsonMember, tool: string, lowered: Lowered): void {
    const text = this.#reader.text(rate)
    if (text === undefined) return
    const [, max, window] = RATE.exec(text) ?? []
    if (max === undefined || window === undefined) {
      this.#reader.refuse(
        rate.value.start,
        "'rate_limit' must be a number and a window: '5/hour', with minute, hour or day",
      )
      return
    }
    const counter = `_rate_${window}`
    this.#take(counter, rate.keyStart)
    lowered.limits.push(limit(place, counter, tool, window, max, null))
  }

  #take(counter: string, at: number): void {
    if (this.#counters.has(counter))
      this.#reader.refuse(at, `the counter '${counter}' of this tool stands there twice`)
    this.#counters.add(counter)
  }

  #state(member: JsonMember, owner: string) {
    const reader = this.#reader
    const what = "'state'"
    const fields = reader.fields(member.value, what, STATE_KEYS)
    if (fields === undefined) return undefined
    const counterAt = reader.needed(fields, 'counter', member.value, what)
    const name = reader.text(counterAt)
    const window = reader.oneOf(reader.needed(fields, 'window', member.value, what), RULE_WINDOWS)
    const incrementAt = fields.get('increment')
    const increment = reader.wholeNumber(incrementAt, 1, MAX_COUNT) ?? 1
    const from = fields.get('increment_from')
    const path = reader.text(from)
    if (from !== undefined && path !== undefined && !path.startsWith('args.'))
      return reader.refuse(from.value.start, "'increment_from' must begin with 'args.'")
    if (from !== undefined && incrementAt !== undefined)
      reader.refuse(incrementAt.keyStart, "'increment' never counts beside 'increment_from'")
    if (name === undefined || window === undefined || counterAt === undefined) return undefined
    if (/\s/.test(name))
      return reader.refuse(counterAt.value.start, `'counter' of ${owner} must be one word`)
    this.#take(name, counterAt.value.start)
    const cost = incrementAt && number(incrementAt.value, String(increment))
    return { name, window, from, cost: cost ?? null }
  }

  /** What a condition on a counter lets it come to, as the document would have it. */
  #cap(node: JsonNode, own: string, scale: number): string | null {
    const reader = this.#reader
    const fields = reader.fields(node, 'a condition', ['path', 'op', 'value'])
    if (fields === undefined) return null
    const path = fields.get('path')
    if (path?.value.kind === 'text' && path.value.value !== own) {
      reader.refuse(path.value.start, `a rule can cap its own counter only: '${own}'`)
      return null
    }
    const op = reader.needed(fields, 'op', node, 'a condition')
    const bound = reader.oneOf(op, ['lt', 'lte'])
    const value = fields.get('value')?.value
    const max = value?.kind === 'number' ? parseDecimal(value.source) : null
    if (max === null) {
      reader.refuse(value?.start ?? node.start, 'a counter is capped by a number from 0')
      return null
    }
    const units = unitsBelow(max, scale, bound === 'lt')
    if (units < 0n) {
      reader.refuse(value?.start ?? node.start, 'no count is ever below this')
      return null
    }
    if (units > Number.MAX_SAFE_INTEGER) {
      const most = `nothing is counted beyond ${Number.MAX_SAFE_INTEGER}`
      reader.refuse(value?.start ?? node.start, `${most}; leave the cap out, or count larger units`)
      return null
    }
    return decimalText(units, scale)
  }

  #timeout(member: JsonMember | undefined): Timeout | null {
    const text = this.#reader.text(member)
    if (member === undefined || text === undefined) return null
    const [, count, unit] = TIMEOUT.exec(text) ?? []
    const seconds =
      unit === 's' || unit === 'm' || unit === 'h' ? Number(count) * SECONDS[unit] : Number.NaN
    if (seconds >= MIN_APPROVAL && seconds <= MAX_APPROVAL) return { seconds, at: member.value }
    const most = MAX_APPROVAL / SECONDS.h
    this.#reader.refuse(
      member.value.start,
      `'approval_timeout' must be a time such as '30m', ${MIN_APPROVAL}s to ${most}h`,
    )
    return null
  }
}

/** The largest count of units that is at most, or below, a bound. */
function unitsBelow(bound: Decimal, scale: number, isBelow: boolean): bigint {
  const { units, scale: given } = bound
  const floor =
    given <= scale
      ? units * 10n ** BigInt(scale - given)
      : floorOf(units, 10n ** BigInt(given - scale))
  const isExact = compareDecimals(bound, { units: floor, scale }) === 0
  return isBelow && isExact ? floor - 1n : floor
}

function floorOf(units: bigint, by: bigint): bigint {
  const whole = units / by
  return units < 0n && units % by !== 0n ? whole - 1n : whole
}

function decimalText(units: bigint, scale: number): string {
  if (scale === 0) return String(units)
  const digits = String(units).padStart(scale + 1, '0')
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** So many digits behind the point as the largest cap leaves room for. */
function scaleFor(conditions: readonly JsonNode[]): number {
  const digits = conditions.map((one) => {
    const value = one.kind === 'object' ? one.members.find(({ key }) => key === 'value') : undefined
    const bound = value?.value.kind === 'number' ? parseDecimal(value.value.source) : null
    return bound === null ? 0 : String(bound.units / 10n ** BigInt(bound.scale)).length
  })
  return Math.max(0, Math.min(AMOUNT_SCALE, COUNTED_DIGITS - Math.max(0, ...digits)))
}

function amountOf(from: JsonMember, scale: number): JsonNode {
  return object(from.value, [
    { key: 'path', keyStart: from.keyStart, value: from.value },
    { key: 'scale', keyStart: from.keyStart, value: number(from.value, String(scale)) },
  ])
}

function pathOf(node: JsonNode): string | null {
  const path = node.kind === 'object' ? node.members.find(({ key }) => key === 'path') : undefined
  return path?.value.kind === 'text' ? path.value.value : null
}

function clause({ node, pointer, said }: RulePlace, conditions: readonly JsonNode[]): JsonNode {
  return {
    ...object(node, [
      ...said,
      { key: 'conditions', keyStart: node.start, value: list(node, conditions) },
    ]),
    pointer,
  }
}

function limit(
  { node, pointer, said }: RulePlace,
  counter: string,
  tool: string,
  window: string,
  max: string,
  cost: JsonNode | null,
): JsonNode {
  const member = (key: string, value: JsonNode): JsonMember => ({
    key,
    keyStart: node.start,
    value,
  })
  return {
    ...object(node, [
      ...said,
      // No counter that people name has spaces, so none is the same, whatever the tool is called.
      member('counter', { ...text(node, `${counter} of ${tool}`), isMade: true }),
      member('window', text(node, window)),
      member('max', number(node, max)),
      member('scope', text(node, 'server')),
      member('algorithm', text(node, 'calendar')),
      ...(cost === null ? [] : [member('cost', cost)]),
    ]),
    pointer,
  }
}

type At = Pick<JsonNode, 'start' | 'end'>

function object({ start, end }: At, members: readonly JsonMember[]): JsonNode {
  return { kind: 'object', start, end, members }
}

function list({ start, end }: At, items: readonly JsonNode[]): JsonNode {
  return { kind: 'list', start, end, items }
}

function text({ start, end }: At, value: string): JsonNode {
  return { kind: 'text', start, end, value }
}

function number({ start, end }: At, source: string): JsonNode {
  return { kind: 'number', start, end, source }
}
