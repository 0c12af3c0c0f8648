import { ExactNumber } from '../core/decimal.ts'
import type { CallAllowed } from './judging.ts'

type Judge = CallAllowed['judgeResult']

/** What says how far a call is, and holds no text. */
const NUMBERS: ReadonlySet<string> = new Set(['progress', 'total'])
/** A token is good for longer than its call: a task goes on under it. */
const MAX_KEPT = 1_000
/** Calls under one token; with more of them, no words are let out. */
const MAX_ALIKE = 8

/**
 * What a server tells of calls on their way. A rule on what a call answers holds for these words too: they could say
 * the same.
 */
export class ProgressWords {
  /** Of calls whose answers are judged, by token; the oldest first. */
  #judges: Map<string, readonly NonNullable<Judge>[]> | null = null

  /** @param token undefined where the client wants to hear nothing */
  begin(token: unknown, judge: Judge): void {
    if (token === undefined || judge === null) return
    const all = (this.#judges ??= new Map())
    // One that is used again is judged by all that came under it.
    const before = all.get(keyOf(token)) ?? []
    all.delete(keyOf(token))
    all.set(keyOf(token), before.length > MAX_ALIKE ? before : [...before, judge])
    const [oldest] = all.keys()
    if (all.size > MAX_KEPT && oldest !== undefined) all.delete(oldest)
  }

  /**
   * @param params of the server's notification
   * @returns the same object, or numbers alone where a rule does not let the words out
   */
  shown(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { progressToken, ...said } = params
    const judges = this.#judges?.get(keyOf(progressToken))
    if (judges === undefined || Object.keys(said).every((name) => isNumber(name, said)))
      return params
    // An answer may be put off; these words stand for themselves.
    const isLetOut = judges.every((judge) => judge({ progress: said }) === null)
    if (isLetOut && judges.length <= MAX_ALIKE) return params
    const numbers = Object.entries(said).filter(([name]) => isNumber(name, said))
    return { progressToken, ...Object.fromEntries(numbers) }
  }
}

function isNumber(name: string, said: Readonly<Record<string, unknown>>): boolean {
  const value = said[name]
  const isExact = typeof value === 'bigint' || value instanceof ExactNumber
  return NUMBERS.has(name) && (typeof value === 'number' || isExact)
}

/** Servers may not care whether a token is written as a text or as a number. */
function keyOf(token: unknown): string {
  return String(token)
}
