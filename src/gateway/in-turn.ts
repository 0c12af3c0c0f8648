import { Soon } from '../core/soon.ts'

/**
 * Messages that go on in the order in which they came, where one has to wait for something that those behind it do not
 * wait for. While nothing waits, a message goes on at once and nothing is made of it here.
 */
export class InTurn {
  /** Resolves when the last one that waits has gone on; null when none does. */
  #last: Promise<void> | null = null

  get isFree(): boolean {
    return this.#last === null
  }

  /**
   * @param go called once, when the value is there and those that came before went on. What it returns is waited for by
   *   nobody but the caller.
   * @returns at once where nothing is waited for
   */
  take<T>(
    value: T | Promise<T> | Soon<T | Promise<T>>,
    go: (value: T) => void | Promise<void>,
  ): void | Promise<void> {
    const before = this.#last
    if (before === null && !isLater(value)) return go(value)
    const { promise: gone, resolve: leave } = Promise.withResolvers<void>()
    this.#last = gone
    const left = (): void => {
      if (this.#last === gone) this.#last = null
      leave()
    }
    return ready(value, before).then(
      (one) => {
        try {
          return go(one)
        } finally {
          left()
        }
      },
      (error: unknown) => {
        left()
        throw error
      },
    )
  }
}

/** Goes on when the value is there, whoever came before. */
export function whenThere<T>(
  value: T | Promise<T>,
  go: (value: T) => void | Promise<void>,
): void | Promise<void> {
  return value instanceof Promise ? value.then(go) : go(value)
}

function isLater<T>(
  value: T | Promise<T> | Soon<T | Promise<T>>,
): value is Promise<T> | Soon<T | Promise<T>> {
  return value instanceof Promise || value instanceof Soon
}

async function ready<T>(
  value: T | Promise<T> | Soon<T | Promise<T>>,
  before: Promise<void> | null,
): Promise<T> {
  try {
    return await (value instanceof Soon ? value.promise() : value)
  } finally {
    await before
  }
}
