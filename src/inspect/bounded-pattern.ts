/** A pattern that is asked of no more than so many units at a time. */
export interface BoundedPattern {
  test(text: string): boolean
  exec(text: string): RegExpExecArray | null
}

/**
 * For the few patterns whose time is not linear in any text, but small in the one they are made for: they see the
 * first `limit` units and nothing behind them. `scripts/check-patterns.ts` reads the limit here and proves the pattern
 * for texts of that length. Both arguments have to be literals.
 *
 * @param limit - UTF-16 units
 * @param pattern - without the flags `g` and `y`
 */
export function boundedTo(limit: number, pattern: RegExp): BoundedPattern {
  const seen = (text: string): string => (text.length > limit ? text.slice(0, limit) : text)
  return {
    test: (text) => pattern.test(seen(text)),
    exec: (text) => pattern.exec(seen(text)),
  }
}
