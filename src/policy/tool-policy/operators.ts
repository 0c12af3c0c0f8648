import { compareDecimals, type Decimal, decimalOf, parseDecimal } from '../../core/decimal.ts'
import type { JsonNode } from './json-tree.ts'
import type { Condition, Operator, Outcome } from './model.ts'

/** Compiles a pattern. @returns what is wrong with it, as a sentence part */
export type CompilePattern = (pattern: string) => ((text: string) => Outcome) | string

type Judges = Pick<Condition, 'meets' | 'whenMissing'>

/** A value of the document that others are compared with. */
type Scalar = string | boolean | null | Decimal

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
      return judges((given) => isSame(given, wanted) === (op === 'eq'))
    }
    case 'in':
    case 'not_in': {
      const wanted = value?.kind === 'list' ? value.items.map(scalarOf) : [undefined]
      if (wanted.length === 0 || wanted.includes(undefined))
        return `'${op}' needs a list of texts, numbers, true, false or null`
      return judges(
        (given) => wanted.some((one) => one !== undefined && isSame(given, one)) === (op === 'in'),
      )
    }
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte': {
      const bound = value?.kind === 'number' ? parseDecimal(value.source) : null
      return bound === null
        ? `'${op}' needs a number`
        : judges((given) => isWithin(op, given, bound))
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
      return judges((given) => {
        if (Array.isArray(given)) return given.some((one) => isSame(one, wanted))
        return typeof given === 'string' && typeof wanted === 'string'
          ? given.includes(wanted)
          : 'doubt'
      })
    }
  }
}

function judges(meets: Condition['meets']): Judges {
  return { meets, whenMissing: false }
}

function scalarOf(node: JsonNode | null): Scalar | undefined {
  if (node?.kind === 'text' || node?.kind === 'plain') return node.value
  return node?.kind === 'number' ? (parseDecimal(node.source) ?? undefined) : undefined
}

function isSame(given: unknown, wanted: Scalar): boolean {
  if (typeof wanted !== 'object' || wanted === null) return given === wanted
  const decimal = decimalOf(given)
  return decimal !== null && compareDecimals(decimal, wanted) === 0
}

/** A text is no number here, though the server may take it for one: that is in doubt. */
function isWithin(op: 'lt' | 'lte' | 'gt' | 'gte', given: unknown, bound: Decimal): Outcome {
  const decimal = decimalOf(given)
  if (decimal === null) return 'doubt'
  const order = compareDecimals(decimal, bound)
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
