import { Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import {
  judgedPart,
  type Message,
  type Request,
  type Response,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import type { CallPath } from './call-path.ts'
import type { MessageInspection } from './message-inspection.ts'
import { saidTo, textOf } from './relay-messages.ts'
import type { Paid, Resumed } from './rounds.ts'
import { isObject } from './tool-call.ts'

/** In the middle of these a server may ask something (2026-07-28). */
export const MAY_PAUSE: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
])

/** A request that says that its server asked something before; null for all others. */
export function resumedBy(path: CallPath, caller: Caller, request: Request): Resumed | null {
  const { value } = request.params ?? {}
  return isObject(value) && 'requestState' in value && versionNamedBy(request) !== null
    ? path.rounds.resumed(request, path.roundOf(caller))
    : null
}

/** The other process that alone can go on with a request, or null. */
export function holderElsewhere(path: CallPath, caller: Caller, message: Message): string | null {
  if (message.kind !== 'request' || !MAY_PAUSE.has(message.method)) return null
  return path.rounds.holderElsewhere(message, path.roundOf(caller))
}

/** The answer in which a server asks something names a state of ours: only with that does the call go on. */
export function pausedText(
  path: CallPath,
  caller: Caller,
  request: Request,
  answer: { readonly shown: unknown; readonly text: string; readonly paid: Paid | null },
): string {
  const { shown, text, paid } = answer
  const isPause =
    isObject(shown) && shown['resultType'] === 'input_required' && MAY_PAUSE.has(request.method)
  if (!isPause || versionNamedBy(request) === null) return text
  return path.rounds.paused(text, request, path.roundOf(caller), paid)
}

/** What the person or the model answered in the middle of a call. @returns why it does not go on, or null */
export async function answersRefused(
  inspection: MessageInspection,
  caller: Caller,
  answers: unknown,
): Promise<string | null> {
  try {
    const inspected = await inspection.input(caller, 'answer', answers)
    if ('refusal' in inspected) return inspected.refusal
    // Taking something out would answer for the person.
    return inspected.value === answers ? null : 'The answers hold what may not be sent.'
  } catch (error) {
    return saidTo(error, caller.principal)
  }
}

/**
 * What the person or the model behind the client answers a server, as it may go on.
 *
 * @returns null when inspection refuses it
 * @throws {Fault} when it cannot be judged
 */
export async function judgedAnswer(
  inspection: MessageInspection,
  caller: Caller,
  response: Response,
): Promise<string | null> {
  const { value, hasTwins, problem } = judgedPart(response, response.body)
  if (hasTwins || problem !== null)
    throw new Fault('BAD_INPUT', `The answer ${problem ?? 'says a name twice'}.`)
  const inspected = await inspection.input(caller, 'answer', value)
  return 'value' in inspected ? textOf(response, response.body, value, inspected.value) : null
}
