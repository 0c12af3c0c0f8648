import { type Request, readMessage, withMembers } from '../mcp/wire/index.ts'
import type { OutgoingStream } from '../net/index.ts'
import type { EventLink } from './http-event-link.ts'
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

/** That the client is ready, and what it asked of the session that was lost. */
export async function tellAgain(
  session: Session,
  standing: Iterable<Request>,
  { posts, link, signal }: Renewal,
): Promise<void> {
  const tell = async (text: string): Promise<void> => {
    const message = readMessage(text)
    if (message.kind === 'refused') return
    if (link !== null) await link.tell(message)
    else (await posts.send(message, session, signal)).cancel()
  }
  await tell(INITIALIZED)
  for (const request of standing)
    await tell(withMembers(request.text, { id: JSON.stringify(posts.ownId()) }))
}
