import { parseDecimal } from '../../core/decimal.ts'
import { unitsOf } from './cost.ts'
import {
  COST_KEYS,
  COUNTER,
  LIMIT_KEYS,
  MAX_SCALE,
  MAX_WINDOW,
  RATE_LIMIT_KEYS,
} from './document-keys.ts'
import type { DocumentReader, Fields } from './document-reader.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'
import { ALGORITHMS, type Cost, SCOPES, type ToolLimit, WINDOWS } from './model.ts'
import { type PathPlace, parseSubjectPath } from './subject-path.ts'
import { defaultAlgorithm, lengthOf } from './windows.ts'

/** The rule that limits stand in. */
interface LimitedRule {
  readonly pointer: string
  /** What a limit without a counter of its own is counted as. */
  readonly owner: string
  readonly place: PathPlace
  /** What a limit without a text of its own says. */
  readonly reason: string | null
}

/** A limit as it was read, until all that count together are known. */
interface Drafted {
  readonly limit: { -readonly [Key in keyof ToolLimit]: ToolLimit[Key] }
  readonly start: number
}

/** Reads how often, and how much. */
export class LimitReader {
  readonly #reader: DocumentReader
  /** By what makes limits count together. */
  readonly #together = new Map<string, Drafted[]>()

  constructor(reader: DocumentReader) {
    this.#reader = reader
  }

  limits(fields: Fields, rule: LimitedRule): readonly ToolLimit[] {
    const limits = this.#reader
      .list(fields.get('limits'))
      .flatMap((node, index) => this.#limit(node, `${rule.pointer}/limits/${index}`, rule) ?? [])
    const rate = fields.get('rate_limit')
    const rateLimit = rate && this.#rateLimit(rate.value, rule)
    return rateLimit === undefined ? limits : [...limits, rateLimit]
  }

  #limit(node: JsonNode, computed: string, { place, reason }: LimitedRule): ToolLimit | undefined {
    const reader = this.#reader
    const what = 'a limit'
    const fields = reader.fields(node, what, LIMIT_KEYS)
    if (fields === undefined) return undefined
    const counterAt = reader.needed(fields, 'counter', node, what)
    const counter = reader.text(counterAt)
    if (
      counterAt !== undefined &&
      counter !== undefined &&
      counterAt.value.isMade !== true &&
      !COUNTER.test(counter)
    )
      reader.refuse(
        counterAt.value.start,
        "'counter' has 1 to 100 letters, digits and the signs _ . : -",
      )
    const window = this.#window(reader.needed(fields, 'window', node, what))
    const costs = this.#cost(fields.get('cost'), place)
    const maxAt = reader.needed(fields, 'max', node, what)
    const max = costs && this.#max(maxAt, costs.scale)
    const scope = reader.oneOf(fields.get('scope'), SCOPES) ?? 'grant'
    const algorithmAt = fields.get('algorithm')
    const given = reader.oneOf(algorithmAt, ALGORITHMS)
    const onDeny = reader.text(fields.get('on_deny')) ?? reason
    const name = reader.text(fields.get('name')) ?? null
    if (counter === undefined || window === undefined || max === undefined || !costs)
      return undefined
    const algorithm = given ?? defaultAlgorithm(window)
    if (algorithmAt !== undefined && given === 'sliding' && lengthOf(window) === null)
      return reader.refuse(algorithmAt.value.start, 'a month has no length to slide')
    const pointer = node.pointer ?? computed
    reader.mark(pointer, node.start)
    const limit = { counter, window, max, ...costs, scope, algorithm, onDeny, name, pointer }
    const key = JSON.stringify([counter, window, scope, algorithm])
    const others = this.#together.get(key)
    if (others === undefined) this.#together.set(key, [{ limit, start: node.start }])
    else others.push({ limit, start: node.start })
    return limit
  }

  /** Has limits that count together count as finely as the finest of them. To be called once all are read. */
  align(): void {
    for (const drafts of this.#together.values()) {
      const scale = Math.max(...drafts.map(({ limit }) => limit.scale))
      for (const drafted of drafts) if (drafted.limit.scale < scale) this.#scaleUp(drafted, scale)
    }
  }

  #scaleUp({ limit, start }: Drafted, scale: number): void {
    const by = 10 ** (scale - limit.scale)
    const cost = scaledUp(limit.cost, by)
    const most = Math.max(limit.max * by, cost.kind === 'fixed' ? cost.units : 0)
    if (most > Number.MAX_SAFE_INTEGER)
      this.#reader.refuse(
        start,
        `the counter '${limit.counter}' is counted with ${scale} digits behind the point: this is too large for it`,
      )
    else {
      limit.cost = cost
      limit.max *= by
      limit.scale = scale
    }
  }

  #window(member: JsonMember | undefined): ToolLimit['window'] | undefined {
    return member?.value.kind === 'number'
      ? this.#reader.wholeNumber(member, 1, MAX_WINDOW)
      : this.#reader.oneOf(member, WINDOWS)
  }

  #max(member: JsonMember | undefined, scale: number): number | undefined {
    return scale === 0
      ? this.#reader.wholeNumber(member, 0, Number.MAX_SAFE_INTEGER)
      : this.#units(member, scale)
  }

  /** A number of the document in units of `10 ** -scale`. */
  #units(member: JsonMember | undefined, scale: number): number | undefined {
    if (member === undefined) return undefined
    const { value } = member
    const units =
      value.kind === 'number' ? unitsOf(parseDecimal(value.source), scale) : 'must be a number'
    return typeof units === 'number'
      ? units
      : this.#reader.refuse(value.start, `'${member.key}' ${units}`)
  }

  /** A number, a path, or a path with a scale, and with an estimate where it stands in the answer. */
  #cost(
    member: JsonMember | undefined,
    place: PathPlace,
  ): { readonly cost: Cost; readonly scale: number } | undefined {
    const reader = this.#reader
    if (member === undefined) return { cost: { kind: 'fixed', units: 1 }, scale: 0 }
    if (member.value.kind === 'number') {
      const scale = Math.min(parseDecimal(member.value.source)?.scale ?? 0, MAX_SCALE)
      const units = this.#units(member, scale)
      return units === undefined ? undefined : { cost: { kind: 'fixed', units }, scale }
    }
    const fields =
      member.value.kind === 'text'
        ? new Map([['path', { ...member, key: 'path' }]])
        : reader.fields(member.value, "'cost'", COST_KEYS)
    if (fields === undefined) return undefined
    const scale = reader.wholeNumber(fields.get('scale'), 0, MAX_SCALE) ?? 0
    const pathAt = reader.needed(fields, 'path', member.value, "'cost'")
    const path = this.#path(pathAt, place === 'call' ? 'result' : 'method-result')
    if (pathAt === undefined || path === undefined) return undefined
    const estimateAt = fields.get('estimate')
    if (path.root === 'args' || path.root === 'params') {
      if (estimateAt !== undefined)
        reader.refuse(estimateAt.keyStart, "'estimate' is for a cost that stands in the answer")
      return { cost: { kind: 'argument', path }, scale }
    }
    if (path.root !== 'result')
      return reader.refuse(pathAt.value.start, "a cost is a number of the arguments or of 'result'")
    if (estimateAt === undefined)
      return reader.refuse(
        member.value.start,
        "a cost of the answer needs 'estimate': a number, or a path into the arguments",
      )
    const estimate =
      estimateAt.value.kind === 'number'
        ? this.#units(estimateAt, scale)
        : this.#path(estimateAt, place)
    return estimate === undefined ? undefined : { cost: { kind: 'result', path, estimate }, scale }
  }

  #path(member: JsonMember | undefined, place: PathPlace) {
    const text = this.#reader.text(member)
    if (member === undefined || text === undefined) return undefined
    const path = parseSubjectPath(text, place)
    return typeof path === 'string' ? this.#reader.refuse(member.value.start, path) : path
  }

  /** The short form: seconds, by session. */
  #rateLimit(node: JsonNode, { owner, reason, ...rule }: LimitedRule): ToolLimit | undefined {
    const reader = this.#reader
    const pointer = `${rule.pointer}/rate_limit`
    const what = "'rate_limit'"
    const fields = reader.fields(node, what, RATE_LIMIT_KEYS)
    if (fields === undefined) return undefined
    const max = reader.wholeNumber(
      reader.needed(fields, 'max', node, what),
      0,
      Number.MAX_SAFE_INTEGER,
    )
    const window = reader.wholeNumber(reader.needed(fields, 'window', node, what), 1, MAX_WINDOW)
    if (max === undefined || window === undefined) return undefined
    reader.mark(pointer, node.start)
    return {
      counter: `rate_limit of ${owner}`,
      window,
      max,
      scale: 0,
      cost: { kind: 'fixed', units: 1 },
      scope: 'session',
      algorithm: 'sliding',
      onDeny: reason,
      name: null,
      pointer,
    }
  }
}

function scaledUp(cost: Cost, by: number): Cost {
  if (cost.kind === 'fixed') return { kind: 'fixed', units: cost.units * by }
  if (cost.kind === 'argument' || typeof cost.estimate !== 'number') return cost
  return { ...cost, estimate: cost.estimate * by }
}
