// What a server over HTTP means by a refusal.
import { ERA_ERRORS, type Frames, RPC_ERRORS } from '../mcp/wire/index.ts'
import type { OutgoingStream } from '../net/index.ts'
import type { Heard, HttpWay, Refusal } from './http-exchange.ts'

/** With a session id: words of servers that do not know it, where they do not answer 404 as the protocol has it. */
const NO_SESSION = /\bsession\b|\bnot initialized\b/i

/**
 * The same where nothing but the words says so: they are all that a text, a line or an element says, so that whoever
 * speaks of another session (of a browser, a login) or of an argument is not taken for it.
 */
const UNKNOWN_SESSION =
  /(?:^|["'>])\s{0,8}(?:bad request:\s{0,4})?(?:(?:no valid|invalid|unknown|missing|expired) (?:mcp[- ])?session(?:[- ]?id)?(?: header)?(?: provided)?|(?:mcp[- ])?session(?:[- ]?id)?(?: [\w-]{8,64})? (?:is |was |has )?(?:not found|not valid|invalid|unknown|expired|closed|terminated|does not exist)(?: or expired)?|server not initialized)[.!]?\s{0,8}(?:["'<]|$)/im

/** Whether a refusal with HTTP 400 says that the session is gone: then the request never ran. */
export function isSessionGone({ message, words }: Refusal): boolean {
  if (message?.kind !== 'response') return UNKNOWN_SESSION.test(words)
  if (message.outcome !== 'error') return false
  const error = message.body.value as { readonly code: number; readonly message: string }
  if (error.code === -32_000 || error.code === -32_001) return NO_SESSION.test(error.message)
  return error.code === RPC_ERRORS.request && UNKNOWN_SESSION.test(error.message)
}

/** Whether the server does not know the session that it was asked in. What cannot be read says nothing. */
export async function hasLostSession(way: HttpWay, answer: OutgoingStream): Promise<boolean> {
  if (answer.status !== 400) return answer.status === 404
  return way.refusal(answer).then(isSessionGone, () => false)
}

/** Whether the headers of a call did not say what its body says. */
export function isMismatch(message: Heard | Frames | null): boolean {
  if (message?.kind !== 'response' || message.outcome !== 'error') return false
  const { code } = message.body.value as { readonly code?: unknown }
  return code === ERA_ERRORS.headerMismatch
}
