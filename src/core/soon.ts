/**
 * What comes about later in this turn of the event loop, or at its end. Unlike with a promise, whoever waits for it goes
 * on in the moment in which it is there: those that wait for several go on in the order in which these come about, and
 * before anything else does.
 */
export class Soon<T> {
  #outcome: { readonly value: T } | { readonly error: unknown } | null = null
  #onValue: ((value: T) => void) | null = null
  #onError: ((error: unknown) => void) | null = null

  /** Once. */
  resolve(value: T): void {
    this.#outcome = { value }
    this.#onValue?.(value)
  }

  /** Once. */
  reject(error: unknown): void {
    this.#outcome = { error }
    this.#onError?.(error)
  }

  /** One may wait for it; neither function throws. */
  when(onValue: (value: T) => void, onError: (error: unknown) => void): void {
    const outcome = this.#outcome
    if (outcome === null) {
      this.#onValue = onValue
      this.#onError = onError
    } else if ('value' in outcome) onValue(outcome.value)
    else onError(outcome.error)
  }

  /** What is made of it. @param onError without: what was wrong with it is wrong with what is made of it */
  map<U>(onValue: (value: T) => U, onError?: (error: unknown) => U): Soon<U> {
    const made = new Soon<U>()
    const make = (work: () => U): void => {
      let value: U
      try {
        value = work()
      } catch (error) {
        made.reject(error)
        return
      }
      made.resolve(value)
    }
    this.when(
      (value) => make(() => onValue(value)),
      (error) => {
        if (onError === undefined) made.reject(error)
        else make(() => onError(error))
      },
    )
    return made
  }

  promise(): Promise<T> {
    return new Promise((resolve, reject) => this.when(resolve, reject))
  }
}

/** The same for who cannot wait for the end of this turn alone. */
export function promised<T>(one: T | Promise<T> | Soon<T | Promise<T>>): T | Promise<T> {
  return one instanceof Soon ? one.promise().then((value) => value) : one
}
