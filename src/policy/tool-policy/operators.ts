import {
  compareDecimals,
  type Decimal,
  decimalOf,
  ExactNumber,
  parseDecimal,
} from '../../core/decimal.ts'
import { foldedName } from '../../core/folded-name.ts'
import type { JsonNode } from './json-tree.ts'
import type { Condition, Operator, Outcome } from './model.ts'

/** Compiles a pattern. @returns what is wrong with it, as a sentence part */
export type CompilePattern = (pattern: string) => ((text: string) => Outcome) | string

type Judges = Pick<Condition, 'meets' | 'whenMissing'>

/** How numbers are read. */
type Reading = 'as written' | 'as doubles'

interface Bound {
  readonly exact: Decimal
  readonly near: number
}

/** @returns what is wrong with the value, as a sentence part */
export function judgesOf(
  op: Operator,
  value: JsonNode | null,
  compilePattern: CompilePattern,
): Judges | string {
  switch (op) {
    case 'eq':
    case 'neq': {
      const wanted = Values.of(value === null ? [] : [value])
      if (wanted === null) return `'${op}' needs a text, a number, true, false or null`
      return judges((given, reading) => wanted.has(given, reading) === (op === 'eq'))
    }
    case 'in':
    case 'not_in': {
      const wanted = Values.of(value?.kind === 'list' ? value.items : [])
      if (wanted === null) return `'${op}' needs a list of texts, numbers, true, false or null`
      return judges((given, reading) => wanted.has(given, reading) === (op === 'in'))
    }
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte': {
      const exact = value?.kind === 'number' ? parseDecimal(value.source) : null
      if (value?.kind !== 'number' || exact === null) return `'${op}' needs a number`
      const bound = { exact, near: Number(value.source) }
      return judges((given, reading) => isWithin(op, orderOf(given, bound, reading)))
    }
    case 'exists': {
      if (value?.kind !== 'plain' || value.value === null) return "'exists' needs true or false"
      const wanted = value.value
      return { meets: (given) => (given !== null) === wanted, whenMissing: !wanted }
    }
    case 'regex': {
      if (value?.kind !== 'text') return "'regex' needs a text"
      const isFound = compilePattern(value.value)
      if (typeof isFound === 'string') return isFound
      return judges((given) => (typeof given === 'string' ? isFound(given) : 'doubt'))
    }
    case 'contains': {
      const wanted = Values.of(value === null ? [] : [value])
      if (wanted === null) return "'contains' needs a text, a number, true, false or null"
      const part = value?.kind === 'text' ? value.value : null
      return judges((given, reading) => {
        if (Array.isArray(given)) return given.some((one) => wanted.has(one, reading))
        return typeof given === 'string' && part !== null ? given.includes(part) : 'doubt'
      })
    }
  }
}

/** Values of the document that others are compared with. */
class Values {
  readonly #plain = new Set<unknown>()
  readonly #written = new Set<string>()
  readonly #doubles = new Set<number>()

  /** @returns null when there are none, or one that nothing is compared with */
  static of(nodes: readonly JsonNode[]): Values | null {
    const values = new Values()
    return nodes.length > 0 && nodes.every((node) => values.#takes(node)) ? values : null
  }

  #takes(node: JsonNode): boolean {
    if (node.kind === 'text' || node.kind === 'plain') this.#plain.add(node.value)
    else {
      const decimal = node.kind === 'number' ? parseDecimal(node.source) : null
      if (node.kind !== 'number' || decimal === null) return false
      this.#written.add(decimalKey(decimal))
      this.#doubles.add(Number(node.source))
    }
    return true
  }

  has(given: unknown, reading: Reading): boolean {
    if (typeof given !== 'number' && !isChanged(given)) return this.#plain.has(given)
    if (this.#written.size === 0) return false
    if (reading === 'as doubles') return this.#doubles.has(asDouble(given))
    const decimal = decimalOf(given)
    return decimal !== null && this.#written.has(decimalKey(decimal))
  }
}

function decimalKey({ units, scale }: Decimal): string {
  return `${units}/${scale}`
}

/** The server may read numbers as doubles: where that would come out otherwise, it is in doubt. */
function judges(meets: (given: unknown, reading: Reading) => Outcome): Judges {
  return {
    meets: (given) => {
      const outcome = meets(given, 'as written')
      return !holdsChanged(given) || meets(given, 'as doubles') === outcome ? outcome : 'doubt'
    },
    whenMissing: false,
  }
}

/** Judges names: another spelling of one that is wanted could be taken for it, and is in doubt. */
export function withLookAlikes({ meets, whenMissing }: Judges, wanted: readonly unknown[]): Judges {
  const names = new Set(wanted.filter((one) => typeof one === 'string'))
  const folded = new Set([...names].map(foldedName))
  return {
    meets: (given) =>
      typeof given === 'string' && !names.has(given) && folded.has(foldedName(given))
        ? 'doubt'
        : meets(given),
    whenMissing,
  }
}

/** Whether a double changes it, or an element of it. */
function holdsChanged(given: unknown): boolean {
  return Array.isArray(given) ? given.some(isChanged) : isChanged(given)
}

function isChanged(given: unknown): given is bigint | ExactNumber {
  return typeof given === 'bigint' || given instanceof ExactNumber
}

function asDouble(given: number | bigint | ExactNumber): number {
  return Number(given instanceof ExactNumber ? given.source : given)
}

/** @returns less than, equal to or greater than 0, as for sorting; null for what is no number */
function orderOf(given: unknown, { exact, near }: Bound, reading: Reading): number | null {
  if (reading === 'as doubles') {
    if (typeof given !== 'number' && !isChanged(given)) return null
    const read = asDouble(given)
    return read < near ? -1 : read > near ? 1 : 0
  }
  const decimal = decimalOf(given)
  return decimal === null ? null : compareDecimals(decimal, exact)
}

/** A text is no number here, though the server may take it for one: that is in doubt. */
function isWithin(op: 'lt' | 'lte' | 'gt' | 'gte', order: number | null): Outcome {
  if (order === null) return 'doubt'
  switch (op) {
    case 'lt':
      return order < 0
    case 'lte':
      return order <= 0
    case 'gt':
      return order > 0
    case 'gte':
      return order >= 0
  }
}
