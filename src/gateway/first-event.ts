interface Emitter {
  once(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
}

/** Resolves with the first of these events, and leaves no listener behind. */
export function firstEvent(of: Emitter, ...events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) of.off(event, done)
      resolve()
    }
    for (const event of events) of.once(event, done)
  })
}
