import { type Decimal, decimalOf } from '../../core/decimal.ts'
import type { Rule, ToolLimit } from './model.ts'
import { type Found, findIn, findInSubject, type Judged } from './subject-path.ts'

/** What a call is counted as. */
export interface Charge {
  readonly limit: ToolLimit
  /** In units of the limit: 1 of a limit without a cost. 0 always fits. */
  readonly amount: number
  /** It is counted, and what it would deny passes. */
  readonly isShadow: boolean
}

/** What a number is in units of `10 ** -scale`. @returns what is wrong with it, as the end of a sentence */
export function unitsOf(decimal: Decimal | null, scale: number): number | string {
  if (decimal === null) return 'is no number that can be counted'
  if (decimal.units < 0n) return 'is negative'
  if (decimal.scale > scale)
    return scale === 0 ? 'is not a whole number' : `has more than ${scale} digits behind the point`
  const units = decimal.units * 10n ** BigInt(scale - decimal.scale)
  return units > BigInt(Number.MAX_SAFE_INTEGER) ? 'is too large to be counted' : Number(units)
}

/** @returns the units a call reserves, or why they cannot be known, as a sentence */
export function reservedBy(limit: ToolLimit, judged: Judged): number | string {
  const { cost, scale } = limit
  if (cost.kind === 'fixed') return cost.units
  const from = cost.kind === 'argument' ? cost.path : cost.estimate
  if (typeof from === 'number') return from
  const units = foundUnits(findInSubject(judged, from), scale)
  return typeof units === 'number'
    ? units
    : `What the call costs cannot be counted: '${[from.root, ...from.steps].join(from.isPointer ? '/' : '.')}' ${units}.`
}

/** The charges of a rule, or the first that cannot be known. */
export function chargesOf(
  { limits, action }: Pick<Rule, 'limits' | 'action'>,
  judged: Judged,
): readonly Charge[] | { readonly limit: ToolLimit; readonly problem: string } {
  const charges: Charge[] = []
  for (const limit of limits) {
    const amount = reservedBy(limit, judged)
    if (typeof amount === 'string') return { limit, problem: amount }
    charges.push({ limit, amount, isShadow: action === 'shadow' })
  }
  return charges
}

/** An amount as people write it: 1050 of scale 2 is `10.5`. */
export function amountText(units: number, scale: number): string {
  const digits = String(units).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/**
 * What a call cost by its answer, in units of the limit.
 *
 * @param result - the `result` of the answer, as parsed
 * @returns null where the limit does not read it there, or the answer does not say: then the estimate stays
 */
export function settledAmount({ cost, scale }: ToolLimit, result: unknown): number | null {
  if (cost.kind !== 'result') return null
  const units = foundUnits(findIn(result, cost.path.steps, cost.path.isPointer), scale)
  return typeof units === 'number' ? units : null
}

function foundUnits(found: Found, scale: number): number | string {
  if (found === 'missing') return 'is missing'
  if (found === 'doubt') return 'could be taken for another name or is not known'
  return unitsOf(decimalOf(found.value), scale)
}
