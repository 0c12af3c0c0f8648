import type { AskPeople } from '../core/approval-port.ts'
import type { Log } from '../core/log.ts'
import type { PoliciesNow } from './applied-policies.ts'
import type { CallRecord } from './call-record.ts'
import type { MadeTasks } from './made-tasks.ts'
import type { MessageInspection } from './message-inspection.ts'
import type { CallRecorder } from './recording/recorder.ts'
import type { Rounds } from './rounds.ts'
import type { ServerHealth } from './server-health.ts'

/** What calls of one server are judged with. */
export interface CallPathOptions {
  readonly server: string
  /** Without a policy: whether calls pass all the same. */
  readonly isShadow: boolean
  readonly policiesNow: () => PoliciesNow
  readonly inspection: MessageInspection
  /** Opened when the first call needs it. */
  readonly record: () => Promise<CallRecord>
  /** What `scope: session` counts by. */
  readonly session: string
  /** What `scope: grant` counts by; without it, the caller. */
  readonly grant?: string
  /** Calls in which the server asks something. Default: its own, which others do not take up. */
  readonly rounds?: Rounds
  /** Which calls made the tasks of servers. Default: its own, which others do not know. */
  readonly tasks?: MadeTasks
  /** Whom clients wait for whose calls a person has to allow. Without: they are told, and come again. */
  readonly people?: () => Promise<Pick<AskPeople, 'state' | 'decided'>>
  /** Takes calls down whose policy says so. */
  readonly recorder?: CallRecorder
  /** How the server bears what it is asked. Default: its own, which knows of these calls only. */
  readonly health?: ServerHealth
  /** Told what was wrong when callers are not. */
  readonly log?: Log
}
