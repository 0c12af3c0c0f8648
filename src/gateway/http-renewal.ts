import type { Log } from '../core/log.ts'
import { type Request, readMessage, withMembers } from '../mcp/wire/index.ts'
import type { OutgoingStream } from '../net/index.ts'
import type { EventLink } from './http-event-link.ts'
import { unansweredBy, unansweredFor } from './http-exchange.ts'
import type { HttpPosts } from './http-posts.ts'
import { type Session, sessionOf } from './http-session.ts'

const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}'

/** How a server that lost a session is spoken to. */
export interface Renewal {
  readonly posts: HttpPosts
  /** A new one, where the server speaks over such. */
  readonly link: EventLink | null
  /** The longest silence before its answer, in milliseconds. */
  readonly answerMs: number
  readonly signal: AbortSignal
}

/** Begins a session behind the client's back. @param hello the client's words @returns null when the server does not */
export async function begunAgain(
  hello: Request,
  { posts, link, answerMs, signal }: Renewal,
): Promise<Session | null> {
  let headers: OutgoingStream['headers'] | null = null
  const response =
    link === null
      ? await posts.answerTo(hello, null, signal, (found) => {
          headers = found
        })
      : await link.answerTo(hello, answerMs, signal)
  if (response === null || response.outcome === 'error') return null
  return sessionOf(response, headers, link)
}

/** Until it knows that the client is ready, a server takes nothing else. @throws {Unanswered} when it does not hear it */
export async function tellReady(session: Session, renewal: Renewal): Promise<void> {
  await tell(INITIALIZED, session, renewal)
}

/** What the client asked of the session that was lost. What the server does not take now stays untold. */
export async function tellAgain(
  session: Session,
  standing: Iterable<Request>,
  renewal: Renewal,
  log: Log,
): Promise<void> {
  for (const { text, method } of standing) {
    const id = JSON.stringify(renewal.posts.ownId())
    await tell(withMembers(text, { id }), session, renewal).catch((error: unknown) => {
      const reason = unansweredBy(error).message
      log.warn('what a client asked of a lost session could not be asked again', { method, reason })
    })
  }
}

async function tell(text: string, session: Session, renewal: Renewal): Promise<void> {
  const { posts, link, signal } = renewal
  const message = readMessage(text)
  if (message.kind === 'refused') return
  if (link !== null) {
    await link.tell(message)
    return
  }
  const answer = await posts.send(message, session, signal)
  answer.cancel()
  if (answer.status > 299) throw unansweredFor(answer.status)
}
