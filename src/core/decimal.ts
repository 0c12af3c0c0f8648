/** A JSON number that a double cannot hold as it was written, kept as written: `0.10000000000000000001`. */
export class ExactNumber {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

/** `units / 10 ** scale`, without trailing zeros. */
export interface Decimal {
  readonly units: bigint
  readonly scale: number
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
/** Beyond these no reader agrees with another on what was meant, and the arithmetic would cost. */
const MAX_CHARACTERS = 1_000
const MAX_EXPONENT = 1_000

/** @returns null for what is no JSON number, or one with more than 1,000 digits or an exponent beyond 1,000 */
export function parseDecimal(source: string): Decimal | null {
  if (source.length > MAX_CHARACTERS) return null
  const [, sign, whole, fraction = '', exponent = '0'] = NUMBER.exec(source) ?? []
  if (whole === undefined || Math.abs(Number(exponent)) > MAX_EXPONENT) return null
  let units = BigInt(`${whole}${fraction}`)
  let scale = fraction.length - Number(exponent)
  if (units === 0n) return { units, scale: 0 }
  while (scale > 0 && units % 10n === 0n) {
    units /= 10n
    scale -= 1
  }
  if (scale < 0) {
    units *= 10n ** BigInt(-scale)
    scale = 0
  }
  return { units: sign === '-' ? -units : units, scale }
}

/** The decimal that a number is written as; null for what is no number, or not a finite one. */
export function decimalOf(value: unknown): Decimal | null {
  if (typeof value === 'number') return parseDecimal(String(value))
  if (typeof value === 'bigint') return { units: value, scale: 0 }
  return value instanceof ExactNumber ? parseDecimal(value.source) : null
}

/** @returns less than, equal to or greater than 0, as for sorting */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale)
  const left = a.units * 10n ** BigInt(scale - a.scale)
  const right = b.units * 10n ** BigInt(scale - b.scale)
  return left < right ? -1 : left > right ? 1 : 0
}
