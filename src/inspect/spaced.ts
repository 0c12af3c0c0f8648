/** The shortest that is read: fewer characters are no value that could be remembered. */
const MIN_SPACED = 32
/** It holds a probe wherever it begins. */
const STEP = 16

/** Where each row of characters begins and ends that has the same sign between any two (`a b c`, `a-b-c`), by turns. */
export function spacedIn(units: Uint16Array, length: number): readonly number[] {
  let spaced: number[] | null = null
  let done = 0
  for (let probe = 0; probe + STEP <= length; probe += STEP) {
    const isFirst = units[probe] === units[probe + 2] && isRepeated(units, probe)
    if (!isFirst && (units[probe + 1] !== units[probe + 3] || !isRepeated(units, probe + 1)))
      continue
    const sign = isFirst ? probe : probe + 1
    if (sign < done) continue
    let from = sign
    while (from - 2 >= done && units[from - 2] === units[sign]) from -= 2
    let to = sign
    while (to + 2 < length && units[to + 2] === units[sign]) to += 2
    // A character stands before the first sign and behind the last one.
    from = Math.max(done, from - 1)
    to = Math.min(length, to + 2)
    done = to
    if (to - from >= MIN_SPACED) (spaced ??= []).push(from, to)
  }
  return spaced ?? NONE
}

const NONE: readonly number[] = []

/** Whether a unit stands in every second place of a probe, and another one between: signs alone are a rule. */
function isRepeated(units: Uint16Array, at: number): boolean {
  const sign = units[at]
  return (
    sign !== 0 &&
    sign === units[at + 4] &&
    sign === units[at + 6] &&
    sign === units[at + 8] &&
    !(sign === units[at + 1] && sign === units[at + 3] && sign === units[at + 5])
  )
}
