export interface Lazy<T> {
  (): Promise<T>
  /** Null before it was asked for. */
  made(): Promise<T> | null
  /** What was made, or null while it is not there. */
  now(): T | null
}

/** A value made on first use and kept; a failure is not kept. */
export function lazily<T>(make: () => Promise<T>): Lazy<T> {
  let made: Promise<T> | null = null
  let now: T | null = null
  const get = (): Promise<T> => {
    made ??= make().then(
      (value) => {
        now = value
        return value
      },
      (error: unknown) => {
        made = null
        throw error
      },
    )
    return made
  }
  return Object.assign(get, { made: () => made, now: () => now })
}

/** Asks what is made lazily: without a promise where it is there and answers without one. */
export function askLazily<T, R>(lazy: Lazy<T>, ask: (value: T) => R | Promise<R>): R | Promise<R> {
  const now = lazy.now()
  return now === null ? lazy().then(ask) : ask(now)
}
