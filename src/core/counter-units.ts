/** Behind the point of what is counted. */
export const MAX_SCALE = 9

/** No count goes beyond it: what nothing stops, in shadow, must not become a number that is none. */
export const MOST = Number.MAX_SAFE_INTEGER

/** What a counter is, whatever it is counted in, and how many digits behind the point it is counted with. */
export interface CounterUnit {
  readonly base: string
  readonly scale: number
}

/** A name without it counts whole units. */
const SCALED = /"(?:sliding|calendar)",([1-9])\]$/
const DIGIT_AT = -2

/** @param counter a name as `counterIn` gives it; any other text counts whole units */
export function unitOf(counter: string): CounterUnit {
  const scale = isScaled(counter) ? SCALED.exec(counter)?.[1] : undefined
  return scale === undefined
    ? { base: counter, scale: 0 }
    : { base: `${counter.slice(0, -3)}]`, scale: Number(scale) }
}

/** @param base a list in JSON that ends with the algorithm */
export function counterIn(base: string, scale: number): string {
  return scale === 0 ? base : `${base.slice(0, -1)},${scale}]`
}

/** The same counter in all other units: one of them at most holds what counts. */
export function otherUnits(counter: string): readonly string[] {
  const { base, scale } = unitOf(counter)
  return Array.from({ length: MAX_SCALE + 1 }, (_, other) => other)
    .filter((other) => other !== scale)
    .map((other) => counterIn(base, other))
}

/** Whether two names are of one counter. Quick, because calls with several limits ask it. */
export function areOfOneCounter(one: string, other: string): boolean {
  if (one === other) return true
  return (isScaled(one) || isScaled(other)) && unitOf(one).base === unitOf(other).base
}

function isScaled(counter: string): boolean {
  const code = counter.charCodeAt(counter.length + DIGIT_AT)
  return code > 0x30 && code <= 0x39
}

/** An amount in other units: never less than it is, and at most what can be counted. */
export function amountIn(amount: number, from: number, to: number): number {
  if (to < from) return Math.ceil(amount / 10 ** (from - to))
  return Math.max(-MOST, Math.min(MOST, amount * 10 ** (to - from)))
}

/** What is left of a limit, in the units of another name of the counter that are no finer. */
export function leftIn(left: number, counted: string, told: string): number {
  if (left <= 0) return 0
  return counted === told
    ? left
    : Math.floor(left / 10 ** (unitOf(counted).scale - unitOf(told).scale))
}

/** A limit in finer units: what cannot be counted so finely does not fit. */
export function maxIn(max: number, from: number, to: number): number {
  return to === from ? max : Math.min(MOST - 1, max * 10 ** (to - from))
}

/** A charge as its counter is counted, in the units of another name of it that are finer. */
export function chargeIn<C extends { counter: string; amount: number; max: number }>(
  charge: C,
  counter: string,
): C {
  const from = unitOf(charge.counter).scale
  const to = unitOf(counter).scale
  const { amount, max } = charge
  return { ...charge, counter, amount: amountIn(amount, from, to), max: maxIn(max, from, to) }
}
