import { MOST } from '../../core/counter-units.ts'
import { type Decimal, decimalOf } from '../../core/decimal.ts'
import type { Rule, SubjectPath, ToolLimit } from './model.ts'
import { type Found, findIn, findInSubject, type Judged } from './subject-path.ts'

/** What a call is counted as. */
export interface Charge {
  readonly limit: ToolLimit
  /** In units of the limit: 1 of a limit without a cost. 0 always fits. */
  readonly amount: number
  /** It is counted, and what it would deny passes. */
  readonly isShadow: boolean
}

const TOO_LARGE = 'is too large to be counted'
const IN_DOUBT =
  'could be taken for another name, or stands in a value that is too large to be read'

/** What a number is in units of `10 ** -scale`. @returns what is wrong with it, as the end of a sentence */
export function unitsOf(decimal: Decimal | null, scale: number): number | string {
  if (decimal === null) return 'is no number that can be counted'
  if (decimal.units < 0n) return 'is negative'
  if (decimal.scale > scale)
    return scale === 0 ? 'is not a whole number' : `has more than ${scale} digits behind the point`
  const units = decimal.units * 10n ** BigInt(scale - decimal.scale)
  return units > BigInt(MOST) ? TOO_LARGE : Number(units)
}

/** @returns the units a call reserves, or why they cannot be known, as a sentence */
export function reservedBy(limit: ToolLimit, judged: Judged): number | string {
  const { cost, scale } = limit
  if (cost.kind === 'fixed') return cost.units
  const isEstimate = cost.kind === 'result'
  const from = isEstimate ? cost.estimate : cost.path
  const units = typeof from === 'number' ? from : foundUnits(findInSubject(judged, from), scale)
  // Nothing always fits: what costs something in the end would pass where nothing remains.
  if (isEstimate && units === 0) return 1
  return typeof units === 'number' || typeof from === 'number'
    ? units
    : `What the call costs cannot be counted: '${shownPath(from)}' ${units}.`
}

/** A cost that cannot be known. */
interface Uncounted {
  readonly limit: ToolLimit
  readonly problem: string
  /** Of the other limits of the rule, as far as they can be known. */
  readonly charges: readonly Charge[]
}

/** The charges of a rule, or the first that cannot be known. */
export function chargesOf(
  { limits, action }: Pick<Rule, 'limits' | 'action'>,
  judged: Judged,
): readonly Charge[] | Uncounted {
  const charges: Charge[] = []
  let uncounted: Uncounted | null = null
  for (const limit of limits) {
    const amount = reservedBy(limit, judged)
    if (typeof amount === 'string') uncounted ??= { limit, problem: amount, charges }
    else charges.push({ limit, amount, isShadow: action === 'shadow' })
  }
  return uncounted ?? charges
}

/** An amount as people write it: 1050 of scale 2 is `10.5`. */
export function amountText(units: number, scale: number): string {
  const digits = String(units).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/** What a call cost by its answer. */
export interface Settlement {
  /** In units of the limit; null: the answer does not say, and the estimate stays. */
  readonly amount: number | null
  /** What is wrong with what the answer says, as a sentence. */
  readonly problem: string | null
}

/**
 * What a call cost by its answer. The call was made already, so what cannot be counted as it stands is never counted as
 * less: fractions that are finer than the scale are rounded up, and what is no cost at all counts as the whole limit.
 *
 * @param result - the `result` of the answer, as parsed
 * @returns null where the limit does not read it there
 */
export function settlementOf(limit: ToolLimit, result: unknown): Settlement | null {
  const { cost } = limit
  return cost.kind === 'result'
    ? settlementBy(limit, cost.path, findIn(result, cost.path.steps, cost.path.isPointer))
    : null
}

/** As `settlementOf`, of what stands at the path. */
export function settlementBy(
  { max, scale }: Pick<ToolLimit, 'max' | 'scale'>,
  path: SubjectPath,
  found: Found,
): Settlement {
  const problem = (what: string): string =>
    `What the call cost cannot be counted: '${shownPath(path)}' ${what}.`
  if (found === 'missing') return { amount: null, problem: problem('is missing') }
  if (found === 'doubt') return { amount: max, problem: problem(IN_DOUBT) }
  const units = roundedUp(found.value, scale)
  return typeof units === 'number'
    ? { amount: units, problem: null }
    : { amount: max, problem: problem(units) }
}

function roundedUp(value: unknown, scale: number): number | string {
  if (value === Number.POSITIVE_INFINITY) return MOST
  const decimal = decimalOf(value)
  if (decimal === null || decimal.units < 0n || decimal.scale <= scale) {
    const units = unitsOf(decimal, scale)
    return units === TOO_LARGE ? MOST : units
  }
  const finer = 10n ** BigInt(decimal.scale - scale)
  const units = (decimal.units + finer - 1n) / finer
  return units > BigInt(MOST) ? MOST : Number(units)
}

function shownPath({ root, steps, isPointer }: SubjectPath): string {
  return [root, ...steps].join(isPointer ? '/' : '.')
}

function foundUnits(found: Found, scale: number): number | string {
  if (found === 'missing') return 'is missing'
  if (found === 'doubt') return IN_DOUBT
  return unitsOf(decimalOf(found.value), scale)
}
