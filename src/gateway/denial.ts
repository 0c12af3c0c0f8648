import { toIso } from '../core/time.ts'
import { errorAnswer, RPC_ERRORS, resultAnswer } from '../mcp/wire/index.ts'
import { amountText } from '../policy/tool-policy/index.ts'
import type { Exceeded } from './counters-repository.ts'
import { shownName, type ToolCall } from './tool-call.ts'

/** Why a call does not go on. */
export interface Denial {
  /** As it stands in the audit. */
  readonly rule: string
  /** A tool that is hidden is answered as one that is not there. */
  readonly kind: 'denied' | 'unknown-tool'
  /** What the agent reads. */
  readonly text: string
  /** Whether the refusal is in the audit already. */
  readonly isRecorded: boolean
}

export function deniedByPolicy(rule: string, reason: string): Denial {
  return {
    rule,
    kind: 'denied',
    text: `[POLICY DENIED] ${reason}\nRule: ${rule}`,
    isRecorded: false,
  }
}

export function deniedByLimit({ exceeded, remains, resetsAt }: Exceeded): Denial {
  const { counter, window, onDeny, pointer, scale } = exceeded
  const max = amountText(exceeded.max, scale)
  const left = remains === 0 ? 'Nothing remains' : `${amountText(remains, scale)} remains`
  const span = typeof window === 'number' ? `${window} seconds` : `a ${window}`
  const when = resetsAt === null ? `${left}.` : `${left} until ${toIso(resetsAt)}.`
  return {
    rule: pointer,
    kind: 'denied',
    text: `[POLICY DENIED] ${onDeny ?? `The limit '${counter}' of ${max} in ${span} is reached.`}\nRule: ${pointer}\n${when}`,
    isRecorded: true,
  }
}

/** The answer to a call that does not go on, as a line. */
export function denialAnswer({ request, tool, isModern }: ToolCall, denial: Denial): string {
  if (denial.kind === 'unknown-tool')
    return errorAnswer(request.idText, RPC_ERRORS.params, `Unknown tool: ${shownName(tool)}`)
  return resultAnswer(request.idText, {
    ...(isModern && { resultType: 'complete' }),
    content: [{ type: 'text', text: denial.text }],
    isError: true,
  })
}
