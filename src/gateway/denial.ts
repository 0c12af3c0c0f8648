import type { Exceeded } from '../core/counter-port.ts'
import { toIso } from '../core/time.ts'
import { errorAnswer, RPC_ERRORS, resultAnswer } from '../mcp/wire/index.ts'
import { amountText, windowText } from '../policy/tool-policy/index.ts'
import type { PendingApproval } from './approval-waits.ts'
import type { LimitCharge } from './limit-charge.ts'
import { shownName, type ToolCall } from './tool-call.ts'

/** Why a call does not go on. */
export interface Denial {
  /** As it stands in the audit. */
  readonly rule: string
  /** A tool or method that is hidden is answered as one that is not there. */
  readonly kind: 'denied' | 'unknown-tool'
  /** What the agent reads. */
  readonly text: string
  /** Whether the refusal is in the audit already. */
  readonly isRecorded: boolean
  /** What a person has to decide first. */
  readonly approval?: PendingApproval
}

export function deniedByPolicy(rule: string, reason: string): Denial {
  return {
    rule,
    kind: 'denied',
    text: `[POLICY DENIED] ${reason}\nRule: ${shownRule(rule)}`,
    isRecorded: false,
  }
}

/** Agents read of a policy's default as they do of Intercept's. */
function shownRule(rule: string): string {
  return rule.replace(BY_DEFAULT, '$1(default deny)')
}

const BY_DEFAULT = /(^|#)\/default$/

/** What a server may take for something that it is not judged as: answered as a method that is not there. */
export const MISTAKABLE: Denial = {
  ...deniedByPolicy('(name)', 'A server could take the message for another.'),
  kind: 'unknown-tool',
}

/** Nobody said yes as long as it could be said. Only whoever makes the call again has people asked again. */
export function deniedByTime({ rule, approval }: Denial): Denial {
  const reason = `Nobody decided on ${approval?.id ?? 'this call'} in time. The same call asks anew.`
  return { ...deniedByPolicy(rule, reason), isRecorded: true }
}

export function deniedByLimit({ charge, left, resetsAt }: Exceeded<LimitCharge>): Denial {
  const { limit, amount } = charge
  const { counter, window, max, onDeny, pointer, scale } = limit
  const span = windowText(window)
  const shown = (units: number): string => amountText(units, scale)
  const said =
    left === 0
      ? `The limit '${counter}' of ${shown(max)} in ${span} is reached.`
      : `The limit '${counter}' of ${shown(max)} in ${span} has ${shown(left)} left, and this takes ${shown(amount)}.`
  const remains = left === 0 ? 'Nothing remains' : `${shown(left)} remains`
  const when = resetsAt === null ? `${remains}.` : `${remains} until ${toIso(resetsAt)}.`
  return {
    rule: pointer,
    kind: 'denied',
    text: `[POLICY DENIED] ${onDeny ?? said}\nRule: ${pointer}\n${when}`,
    isRecorded: true,
  }
}

/** The answer to a call that does not go on, as a line. */
export function denialAnswer(call: ToolCall, denial: Denial): string {
  return denial.kind === 'unknown-tool'
    ? unknownToolAnswer(call)
    : denialResult(call.request.idText, call.isModern, denial)
}

/** Where the server does not say how it would answer. */
export function unknownToolAnswer({ request, tool }: ToolCall): string {
  return errorAnswer(request.idText, RPC_ERRORS.params, `Unknown tool: ${shownName(tool)}`)
}

export function denialResult(idText: string, isModern: boolean, denial: Denial): string {
  return resultAnswer(idText, {
    ...(isModern && { resultType: 'complete' }),
    content: [{ type: 'text', text: denial.text }],
    isError: true,
  })
}
