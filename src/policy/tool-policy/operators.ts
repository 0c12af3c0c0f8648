import {
  compareDecimals,
  type Decimal,
  decimalOf,
  ExactNumber,
  parseDecimal,
} from '../../core/decimal.ts'
import type { JsonNode } from './json-tree.ts'
import type { Condition, Operator, Outcome } from './model.ts'

/** Compiles a pattern. @returns what is wrong with it, as a sentence part */
export type CompilePattern = (pattern: string) => ((text: string) => Outcome) | string

type Judges = Pick<Condition, 'meets' | 'whenMissing'>

/** A value of the document that others are compared with. */
type Scalar = string | boolean | null | WantedNumber

interface WantedNumber {
  readonly exact: Decimal
  readonly near: number
}

/** @returns less than, equal to or greater than 0, as for sorting; null for what is no number */
type Compare = (given: unknown, wanted: WantedNumber) => number | null

/** @returns what is wrong with the value, as a sentence part */
export function judgesOf(
  op: Operator,
  value: JsonNode | null,
  compilePattern: CompilePattern,
): Judges | string {
  switch (op) {
    case 'eq':
    case 'neq': {
      const wanted = scalarOf(value)
      if (wanted === undefined) return `'${op}' needs a text, a number, true, false or null`
      return judges((given, compare) => isSame(given, wanted, compare) === (op === 'eq'))
    }
    case 'in':
    case 'not_in': {
      const wanted = value?.kind === 'list' ? value.items.map(scalarOf) : [undefined]
      if (wanted.length === 0 || wanted.includes(undefined))
        return `'${op}' needs a list of texts, numbers, true, false or null`
      return judges(
        (given, compare) =>
          wanted.some((one) => one !== undefined && isSame(given, one, compare)) === (op === 'in'),
      )
    }
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte': {
      const bound = value?.kind === 'number' ? numberOf(value.source) : undefined
      return bound === undefined
        ? `'${op}' needs a number`
        : judges((given, compare) => isWithin(op, compare(given, bound)))
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
      const wanted = scalarOf(value)
      if (wanted === undefined) return "'contains' needs a text, a number, true, false or null"
      return judges((given, compare) => {
        if (Array.isArray(given)) return given.some((one) => isSame(one, wanted, compare))
        return typeof given === 'string' && typeof wanted === 'string'
          ? given.includes(wanted)
          : 'doubt'
      })
    }
  }
}

/** The server may read numbers as doubles: where that would come out otherwise, it is in doubt. */
function judges(meets: (given: unknown, compare: Compare) => Outcome): Judges {
  return {
    meets: (given) => {
      const outcome = meets(given, compareAsWritten)
      return !holdsChanged(given) || meets(given, compareAsDoubles) === outcome ? outcome : 'doubt'
    },
    whenMissing: false,
  }
}

/** Whether a double changes it, or an element of it. */
function holdsChanged(given: unknown): boolean {
  return Array.isArray(given) ? given.some(isChanged) : isChanged(given)
}

function isChanged(given: unknown): boolean {
  return typeof given === 'bigint' || given instanceof ExactNumber
}

function compareAsWritten(given: unknown, { exact }: WantedNumber): number | null {
  const decimal = decimalOf(given)
  return decimal === null ? null : compareDecimals(decimal, exact)
}

function compareAsDoubles(given: unknown, { near }: WantedNumber): number | null {
  if (typeof given !== 'number' && !isChanged(given)) return null
  const read = Number(given instanceof ExactNumber ? given.source : given)
  return read < near ? -1 : read > near ? 1 : 0
}

function scalarOf(node: JsonNode | null): Scalar | undefined {
  if (node?.kind === 'text' || node?.kind === 'plain') return node.value
  return node?.kind === 'number' ? numberOf(node.source) : undefined
}

function numberOf(source: string): WantedNumber | undefined {
  const exact = parseDecimal(source)
  return exact === null ? undefined : { exact, near: Number(source) }
}

function isSame(given: unknown, wanted: Scalar, compare: Compare): boolean {
  if (typeof wanted !== 'object' || wanted === null) return given === wanted
  return compare(given, wanted) === 0
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
