import { Fault } from '../core/faults.ts'
import { beforeForgotten, isHeld, mayHold } from '../core/held-values.ts'
import type { Caller } from '../core/principals.ts'
import {
  errorAnswer,
  judgedParams,
  judgedPart,
  type Message,
  type Request,
  type Response,
  RPC_ERRORS,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import { type PoliciesNow, passesFreely } from './applied-policies.ts'
import type { CallPath } from './call-path.ts'
import type { CallJudged } from './judging.ts'
import type { MessageInspection } from './message-inspection.ts'
import { judgeableAnswer, type Question } from './open-questions.ts'
import { type Asked, methodDenial, said, saidTo } from './relay-messages.ts'
import type { RelayOptions } from './relay-options.ts'
import { type Digests, digestsOf, type Resumed } from './rounds.ts'
import { isObject } from './tool-call.ts'

/** In the middle of these a server may ask something (2026-07-28). */
export const MAY_PAUSE: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
])

/** What a server may ask a client for in the middle of a call. */
const QUESTIONS = ['elicitation/create', 'sampling/createMessage', 'roots/list'] as const

/**
 * A request that says that its server asked something before; null for all others. What did not come out of rounds of
 * ours is refused, whichever revision the client speaks and whichever its server does: those with sessions have none.
 */
export function resumedBy(
  path: CallPath,
  caller: Caller,
  request: Request,
  policies: PoliciesNow,
): Resumed | null {
  const { value } = request.params ?? {}
  if (!isObject(value) || !('requestState' in value || 'inputResponses' in value)) return null
  const read = judgedParams(request)
  if ('refused' in read) return { kind: 'refused', refused: read.refused }
  const isModern = versionNamedBy(request) !== null
  if ('requestState' in value)
    return isModern
      ? path.rounds.resumed(request, path.roundOf(caller))
      : refusedRound(request, 'requestState is none that was given here.')
  return isModern && mayAnswerUnasked(policies)
    ? null
    : refusedRound(request, 'inputResponses answers nothing that was asked here.')
}

/**
 * Servers may be called with the answers they would ask for, and ignore what they do not know. Where a policy does not
 * let them ask anything at all, answers come with the state of the round in which the question was judged.
 */
function mayAnswerUnasked(policies: PoliciesNow): boolean {
  return policies.every((one) => QUESTIONS.every((method) => passesFreely(one, method)))
}

function refusedRound({ idText }: Request, message: string): Resumed {
  return { kind: 'refused', refused: { kind: 'refused', code: RPC_ERRORS.params, message, idText } }
}

/** The other process that alone can go on with a request, or null. */
export function holderElsewhere(path: CallPath, caller: Caller, message: Message): string | null {
  if (message.kind !== 'request' || !MAY_PAUSE.has(message.method)) return null
  return path.rounds.holderElsewhere(message, path.roundOf(caller))
}

/** Of a request that is sent: its large values may be forgotten when its server asks something. */
export function digestsWhenSent(request: Request): Digests | null {
  const mayPause = mayHold() && MAY_PAUSE.has(request.method) && versionNamedBy(request) !== null
  return mayPause ? beforeForgotten(request, digestsOf) : null
}

/** The answer in which a server asks something names a state of ours: only with that does the call go on. */
export function pausedText(
  path: CallPath,
  caller: Caller,
  { request, allowed, digests }: Asked,
  shown: unknown,
  text: string,
): string {
  const isPause =
    isObject(shown) && shown['resultType'] === 'input_required' && MAY_PAUSE.has(request.method)
  if (!isPause || versionNamedBy(request) === null) return text
  return path.rounds.paused(text, request, path.roundOf(caller), allowed?.paid ?? null, digests)
}

/** What the person or the model answered in the middle of a call. @returns why it does not go on, or null */
export async function answersRefused(
  inspection: MessageInspection,
  caller: Caller,
  answers: unknown,
): Promise<string | null> {
  if (!areAnswers(answers))
    return "'inputResponses' must be an object with an object for each answer."
  try {
    const inspected = await inspection.input(caller, 'answer', answers)
    if ('refusal' in inspected) return inspected.refusal
    // Taking something out would answer for the person.
    return inspected.value === answers ? null : 'The answers hold what may not be sent.'
  } catch (error) {
    return saidTo(error, caller.principal)
  }
}

function areAnswers(answers: unknown): boolean {
  return isObject(answers) && Object.values(answers).every((one) => isObject(one) || isHeld(one))
}

/**
 * Tells a server what the person or the model behind the client answers it, or that it may not be told: since it asked,
 * the client may have been frozen, or the policy changed.
 */
export async function answerGoesOn(
  { path, toServer, log }: RelayOptions,
  caller: Caller,
  response: Response,
  question: Question,
): Promise<void> {
  const { idText } = response
  const refuse = (reason: string, text: string): void => {
    log.warn('an answer of the client was not passed on', { reason })
    toServer(text, null)
  }
  const internal = (why: string): string => errorAnswer(idText, RPC_ERRORS.internal, why)
  let judged: CallJudged
  try {
    const { value, hasTwins, problem } = judgedPart(response, response.body)
    if (hasTwins || problem !== null)
      throw new Fault('BAD_INPUT', `The answer ${problem ?? 'says a name twice'}.`)
    const what = judgeableAnswer(question, response, value)
    judged = await path.judgeNow(what, caller, question.paid)
  } catch (error) {
    refuse(said(error), internal('The answer could not be judged.'))
    return
  }
  if ('denial' in judged) {
    const { denial } = judged
    const isInspected = denial.rule === 'INSPECTION_REFUSED'
    refuse(
      denial.rule,
      isInspected ? internal('The answer was refused.') : methodDenial(response, denial),
    )
    return
  }
  toServer(judged.text, response)
  await judged.settle('answered')
}
