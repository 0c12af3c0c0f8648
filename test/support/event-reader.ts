import { SseReader } from '../../src/mcp/wire/index.ts'

/** The events of an answer, one after another as they come. */
export interface EventReader {
  /** The next message, parsed. @throws when the stream ends before, or nothing came in time */
  next(): Promise<{
    readonly id?: unknown
    readonly method?: string
    readonly params?: Record<string, unknown>
    readonly result?: unknown
    readonly error?: { readonly code: number; readonly message: string }
  }>
  /** Id of the last event that came. */
  readonly lastEventId: string | null
  /** Resolves when the stream is over. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

const WAIT_MS = 5_000

export function readEvents(response: Response): EventReader {
  const messages: unknown[] = []
  const waiting: ((message: unknown) => void)[] = []
  const reader = new SseReader({
    maxBytes: 10_000_000,
    onEvent({ data }) {
      const message: unknown = JSON.parse(data.toString('utf8'))
      const first = waiting.shift()
      if (first === undefined) messages.push(message)
      else first(message)
    },
    onTooLong: () => {},
  })
  const body = response.body?.getReader()
  const ended = (async () => {
    try {
      for (;;) {
        const { value, done } = (await body?.read()) ?? { value: undefined, done: true }
        if (done) return
        if (value !== undefined) reader.push(Buffer.from(value))
      }
    } catch {
      // Closed by us.
    }
  })()
  return {
    async next() {
      const message =
        messages.shift() ??
        (await new Promise((resolve, reject) => {
          const late = setTimeout(() => reject(new Error('no event came')), WAIT_MS)
          waiting.push((one) => {
            clearTimeout(late)
            resolve(one)
          })
        }))
      return message as Awaited<ReturnType<EventReader['next']>>
    },
    get lastEventId() {
      return reader.lastEventId
    },
    ended,
    async close() {
      await body?.cancel()
      await ended
    },
  }
}
