/** Milliseconds since the Unix epoch, UTC. */
export type EpochMs = number & { readonly __unit: 'epoch-ms' }

/** The clock as a function, so that a test can step it both ways. */
export type Clock = () => EpochMs

export const systemClock: Clock = () => Date.now() as EpochMs

export function epochMs(ms: number): EpochMs {
  return ms as EpochMs
}

/** `2026-11-20T10:00:00.000Z` */
export function toIso(at: EpochMs): string {
  return new Date(at).toISOString()
}

const ISO_WITH_ZONE =
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/

/** Parses an RFC 3339 instant with a zone. @returns `null` when the text is anything else */
export function parseInstant(text: string): EpochMs | null {
  if (!ISO_WITH_ZONE.test(text)) return null
  const ms = Date.parse(text)
  return Number.isNaN(ms) || !isOfCalendar(text.slice(0, 10)) ? null : (ms as EpochMs)
}

/** `Date.parse` takes 30 February for 2 March. */
function isOfCalendar(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date)
}

/** Monotonic milliseconds, for time-outs and measuring; unrelated to the calendar. */
export function monotonicMs(): number {
  return performance.now()
}

export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error)
      return
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    function onAbort(): void {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
