import type { Caller } from '../core/principals.ts'
import type { Message } from '../mcp/wire/index.ts'
import type { MessageInspection } from './message-inspection.ts'
import { saidTo } from './relay-messages.ts'

/**
 * A message of the client that nobody judges is searched for known values.
 *
 * @returns why it does not go on, or null; what cannot be searched does not. At once where there is nothing to wait for.
 */
export function searchedFor(
  inspection: MessageInspection,
  caller: Caller,
  message: Message,
): string | null | Promise<string | null> {
  const failed = (error: unknown): string => saidTo(error, caller.principal)
  try {
    const refusal = inspection.search.whole(caller, message)
    return refusal instanceof Promise ? refusal.catch(failed) : refusal
  } catch (error) {
    return failed(error)
  }
}
