import { type Caller, principalName } from '../core/principals.ts'
import { systemClock } from '../core/time.ts'
import { withPart } from '../mcp/wire/index.ts'
import type { Asker } from '../policy/tool-policy/index.ts'
import type { AllowedByAll, PoliciesNow, Subject } from './applied-policies.ts'
import type { PassedCall } from './call-record.ts'
import type { AuditedCall } from './call-texts.ts'
import type { CallAllowed, Judgeable } from './judging.ts'
import type { KnownValues } from './message-inspection.ts'
import type { QueuedCall } from './recording/recorder.ts'
import type { Paid } from './rounds.ts'

/** A call on its way. Each step may stop it or change what goes on. */
export interface Underway {
  readonly what: Judgeable
  readonly caller: Caller
  /** A call is judged and counted by one revision of each. */
  policies: PoliciesNow
  /** What hides the tool: then the call is judged as one of a tool that is not there. */
  hiddenBy: string | null
  /** What a round before took. */
  paid: Paid | null
  took: string
  args: Judgeable['args']
  /** What the client says to what the server asked. */
  said: unknown
  /** Of the arguments, as they may be written down; null: as they are. */
  names: readonly string[] | null
  subject: Subject | null
  decision: AllowedByAll
  /** Values that must not be written down. */
  readonly known: KnownValues | null
  /** As it was counted. */
  recorded: AuditedCall | null
  passed: PassedCall | null
  recording: QueuedCall | null
  /** Whether it is one of the open calls of the server. */
  isOpen: boolean
  /** Of what is about a task: the tool whose call made it, and how its answers are judged. */
  task: { readonly tool: string | null; readonly judgeResult: CallAllowed['judgeResult'] } | null
}

export function askerOf({ principal, client, labels }: Caller): Asker {
  return {
    principal: principalName(principal),
    labels: labels ?? (principal.id === 'local' ? [] : null),
    client: client ?? null,
    at: systemClock(),
  }
}

/** The message as it came when nothing was changed. */
export function textOf({ what, args, said }: Underway): string {
  const { message, params, isMethod, answer } = what
  if (answer !== undefined)
    return said === answer.value
      ? answer.message.text
      : withPart(answer.message, answer.message.body, said)
  if (args === what.args || message.params === null) return message.text
  return withPart(message, message.params, isMethod ? args : { ...params, arguments: args })
}

export function tookText(before: string, name: string, ms: number): string {
  const us = Math.round(ms * 1_000)
  return `${before === '' ? '' : ', '}${name} ${us}`
}
