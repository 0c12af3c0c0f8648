/** One clock over everything that an operation waits for, and the caller's own wish to stop. */
export interface Deadline {
  readonly signal: AbortSignal
  /** Starts the time again, for a stream that is alive. */
  restart(ms: number): void
  /** No time is measured any more; the caller's signal still counts. */
  pause(): void
  end(): void
}

/** @param late the error for whoever waits when the time is over */
export function startDeadline(
  ms: number,
  late: (ms: number) => Error,
  caller: AbortSignal | undefined,
): Deadline {
  const controller = new AbortController()
  const stop = (): void => controller.abort(caller?.reason)
  let timer: NodeJS.Timeout | undefined
  const restart = (nextMs: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => controller.abort(late(nextMs)), nextMs)
  }
  const pause = (): void => clearTimeout(timer)
  if (caller?.aborted === true) stop()
  else {
    caller?.addEventListener('abort', stop, { once: true })
    restart(ms)
  }
  const end = (): void => {
    pause()
    caller?.removeEventListener('abort', stop)
  }
  return { signal: controller.signal, restart, pause, end }
}

/** What the work gives, unless the signal comes first: some of what is waited for here cannot be stopped. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
