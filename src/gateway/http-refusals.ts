// What a server over HTTP means by a refusal.
import { ERA_ERRORS, type Frames } from '../mcp/wire/index.ts'
import type { Heard } from './http-exchange.ts'

/** With a session id: words of servers that do not know it, where they do not answer 404 as the protocol has it. */
const NO_SESSION = /\bsession\b|\bnot initialized\b/i

/** Whether a refusal says that the session is gone: then the request never ran. @param refusal the body */
export function isSessionGone(status: number, refusal: Heard | Frames | null): boolean {
  if (status !== 400 || refusal?.kind !== 'response' || refusal.outcome !== 'error') return false
  const { code, message } = refusal.body.value as Readonly<Record<string, unknown>>
  return (code === -32_000 || code === -32_001) && NO_SESSION.test(String(message))
}

/** Whether the headers of a call did not say what its body says. */
export function isMismatch(message: Heard | Frames | null): boolean {
  if (message?.kind !== 'response' || message.outcome !== 'error') return false
  const { code } = message.body.value as { readonly code?: unknown }
  return code === ERA_ERRORS.headerMismatch
}
