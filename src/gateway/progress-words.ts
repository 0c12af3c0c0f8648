import { ExactNumber } from '../core/decimal.ts'
import type { CallAllowed } from './judging.ts'

type Judge = CallAllowed['judgeResult']

/** What says how far a call is, and holds no text. */
const NUMBERS: ReadonlySet<string> = new Set(['progress', 'total'])
/** A token is good for longer than its call: a task goes on under it. */
const MAX_KEPT = 1_000

/**
 * What a server tells of calls on their way. A rule on what a call answers holds for these words too: they could say
 * the same.
 */
export class ProgressWords {
  /** Of calls whose answers are judged, by token; the oldest first. */
  readonly #judges = new Map<unknown, NonNullable<Judge>>()

  /** @param token undefined where the client wants to hear nothing */
  begin(token: unknown, judge: Judge): void {
    if (token === undefined) return
    if (this.#judges.size > 0) this.#judges.delete(token)
    if (judge === null) return
    this.#judges.set(token, judge)
    const [oldest] = this.#judges.keys()
    if (this.#judges.size > MAX_KEPT) this.#judges.delete(oldest)
  }

  /**
   * @param params of the server's notification
   * @returns the same object, or numbers alone where a rule does not let the words out
   */
  shown(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { progressToken, ...said } = params
    const judge = this.#judges.size === 0 ? undefined : this.#judges.get(progressToken)
    if (judge === undefined || Object.keys(said).every((name) => isNumber(name, said)))
      return params
    // An answer may be put off; these words stand for themselves.
    if (judge({ progress: said }) === null) return params
    const numbers = Object.entries(said).filter(([name]) => isNumber(name, said))
    return { progressToken, ...Object.fromEntries(numbers) }
  }
}

function isNumber(name: string, said: Readonly<Record<string, unknown>>): boolean {
  const value = said[name]
  const isExact = typeof value === 'bigint' || value instanceof ExactNumber
  return NUMBERS.has(name) && (typeof value === 'number' || isExact)
}
