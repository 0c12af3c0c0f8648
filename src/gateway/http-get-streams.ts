import type { Log } from '../core/log.ts'
import { sleep } from '../core/time.ts'
import type { OutgoingStream } from '../net/index.ts'
import {
  type Heard,
  type HttpWay,
  isEventStream,
  Unanswered,
  unansweredBy,
} from './http-exchange.ts'
import { headersOfSession, isHeaderText, type Session } from './http-session.ts'

const OPEN_MS = 30_000
const FIRST_WAIT_MS = 1_000
const MAX_WAIT_MS = 30_000

/**
 * The stream of a call that broke off, from where it did.
 *
 * @returns null when the server does not give it now
 * @throws {Unanswered} when it does not know the session any more: the answer is gone with it
 */
export async function resumed(
  way: HttpWay,
  of: {
    readonly session: Session | null
    readonly lastEventId: string
    readonly idleMs: number
    readonly signal: AbortSignal
  },
): Promise<OutgoingStream | null> {
  const { session, lastEventId, idleMs, signal } = of
  try {
    const answer = await way.open({
      method: 'GET',
      headers: {
        accept: 'text/event-stream',
        ...headersOfSession(session),
        'last-event-id': lastEventId,
      },
      deadlineMs: OPEN_MS,
      idleMs,
      signal,
    })
    if (answer.status === 200 && isEventStream(answer)) return answer
    answer.cancel()
    if (answer.status === 404) throw new Unanswered('lost', 'The server lost the session.')
    return null
  } catch (error) {
    if (error instanceof Unanswered || signal.aborted) throw error
    return null
  }
}

export interface Listening {
  readonly session: Session
  readonly signal: AbortSignal
  /** Whether the session is still the one that counts. */
  readonly isCurrent: () => boolean
  readonly hear: (message: Heard) => void | Promise<void>
  /** The server does not know the session any more. */
  readonly onLost: () => Promise<unknown>
  readonly log: Log
}

/** Hears what a legacy server says of its own accord, on streams that are opened anew, until the session is over. */
export async function listenTo(way: HttpWay, of: Listening): Promise<void> {
  const { session, signal, isCurrent, hear, onLost, log } = of
  let lastEventId: string | null = null
  let failures = 0
  while (!signal.aborted && isCurrent()) {
    let waitMs = Math.min(FIRST_WAIT_MS * 2 ** failures, MAX_WAIT_MS)
    try {
      const answer = await way.open({
        method: 'GET',
        headers: {
          accept: 'text/event-stream',
          ...headersOfSession(session),
          ...(lastEventId === null || !isHeaderText(lastEventId)
            ? {}
            : { 'last-event-id': lastEventId }),
        },
        deadlineMs: OPEN_MS,
        idleMs: null,
        signal,
      })
      if (answer.status === 404 && session.id !== null) {
        answer.cancel()
        await onLost()
        return
      }
      if (answer.status >= 500) answer.cancel()
      else if (answer.status !== 200 || !isEventStream(answer)) {
        // It has nothing to say of its own accord: 405.
        answer.cancel()
        return
      } else {
        failures = 0
        const followed = await way.follow(answer, hear)
        lastEventId = followed.lastEventId ?? lastEventId
        waitMs = followed.retryMs ?? FIRST_WAIT_MS
      }
    } catch (error) {
      if (signal.aborted) return
      log.debug('the stream of the server could not be opened', {
        reason: unansweredBy(error).message,
      })
    }
    failures += 1
    await sleep(waitMs, signal).catch(() => {})
  }
}
