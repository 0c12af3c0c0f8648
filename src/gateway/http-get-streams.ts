import type { Log } from '../core/log.ts'
import { sleep } from '../core/time.ts'
import type { OutgoingStream } from '../net/index.ts'
import {
  type Followed,
  type Heard,
  type HttpWay,
  isEventStream,
  Unanswered,
  unansweredBy,
} from './http-exchange.ts'
import { hasLostSession } from './http-refusals.ts'
import { headersOfSession, type Session } from './http-session.ts'
import { backOffMs, pollWaitMs, retryAfterMs } from './http-waits.ts'

const OPEN_MS = 30_000

/** So often in a row a stream may not be there to go on with. */
const MAX_FAILURES = 5

export interface Resuming {
  readonly session: Session | null
  /** The longest silence of one stream, in milliseconds. */
  readonly idleMs: number
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal
  readonly hear: (message: Heard) => void | Promise<void>
  /** Whether the answer is there. */
  readonly isDone: () => boolean
}

/**
 * Goes on with the stream of a call that ended before its answer, until that is there or the server has no stream to go
 * on with. From 2025-11-25 on a server may end its streams as it likes and be asked again and again: that is a wait like
 * any other, and whoever waits for the call ends it.
 *
 * @param from how the stream ended; one whose events have no ids cannot be gone on with
 * @throws {Unanswered} when it does not know the session any more: the answer is gone with it
 */
export async function resume(way: HttpWay, from: Followed, of: Resuming): Promise<void> {
  const { signal, hear, isDone } = of
  let { lastEventId } = from
  let pollMs = pollWaitMs(from.retryMs)
  let waitMs = pollMs
  let failures = 0
  while (failures < MAX_FAILURES && lastEventId !== null && lastEventId !== '') {
    await sleep(waitMs, signal)
    const answer = await streamBehind(lastEventId, way, of)
    if (answer?.status === 200 && isEventStream(answer)) {
      failures = 0
      const followed = await way.follow(answer, hear, isDone)
      if (isDone()) return
      lastEventId = followed.lastEventId ?? lastEventId
      if (followed.retryMs !== null) pollMs = pollWaitMs(followed.retryMs)
      waitMs = pollMs
    } else {
      const isLost = answer !== null && (await hasLostSession(way, answer))
      answer?.cancel()
      if (isLost) throw new Unanswered('lost', 'The server lost the session.')
      failures += 1
      waitMs = backOffMs(failures, pollMs)
      if (answer !== null) waitMs = Math.max(waitMs, retryAfterMs(answer))
    }
  }
}

/** @returns null when the server could not be asked */
async function streamBehind(
  lastEventId: string,
  way: HttpWay,
  { session, idleMs, signal }: Resuming,
): Promise<OutgoingStream | null> {
  try {
    return await way.open({
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

/**
 * Hears what a legacy server says of its own accord, on streams that are opened anew, until the session is over or the
 * server has no such stream.
 */
export async function listenTo(way: HttpWay, of: Listening): Promise<void> {
  const { session, signal, isCurrent, hear, onLost, log } = of
  let lastEventId: string | null = null
  let failures = 0
  let mayOpen = false
  while (!signal.aborted && isCurrent()) {
    failures += 1
    let waitMs = backOffMs(failures)
    try {
      const answer = await way.open({
        method: 'GET',
        headers: {
          accept: 'text/event-stream',
          ...headersOfSession(session),
          ...(lastEventId === null || lastEventId === '' ? {} : { 'last-event-id': lastEventId }),
        },
        deadlineMs: OPEN_MS,
        idleMs: null,
        signal,
      })
      if (answer.status === 200 && isEventStream(answer)) {
        mayOpen = true
        failures = 0
        const followed = await way.follow(answer, hear)
        lastEventId = followed.lastEventId ?? lastEventId
        waitMs = pollWaitMs(followed.retryMs)
      } else {
        const isOver = hasNoStream(answer.status, mayOpen)
        const isLost = !isOver && session.id !== null && (await hasLostSession(way, answer))
        answer.cancel()
        if (isOver) return
        mayOpen = true
        if (isLost) await onLost()
        // It may know the place to go on from no more: what is said from now on is better than nothing.
        if (answer.status === 400) lastEventId = null
        waitMs = Math.max(waitMs, retryAfterMs(answer))
      }
    } catch (error) {
      if (signal.aborted) return
      mayOpen = true
      log.debug('the stream of the server could not be opened', {
        reason: unansweredBy(error).message,
      })
    }
    await sleep(waitMs, signal).catch(() => {})
  }
}

/**
 * Whether a status says that there is nothing to listen to, now or later.
 *
 * @param mayOpen whether there was a stream before, or the server could not be asked: then most refusals pass, as that of
 * a server which did not notice yet that the stream before broke off
 */
function hasNoStream(status: number, mayOpen: boolean): boolean {
  if (status === 401 || status === 403 || status === 405) return true
  return !mayOpen && status < 500 && status !== 429
}
