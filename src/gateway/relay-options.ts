import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import type { Message } from '../mcp/wire/index.ts'
import type { PoliciesNow } from './applied-policies.ts'
import type { CallPath } from './call-path.ts'
import type { MessageInspection } from './message-inspection.ts'

export interface RelayOptions {
  readonly caller: Caller
  readonly path: CallPath
  readonly inspection: MessageInspection
  readonly policiesNow: () => PoliciesNow
  readonly log: Log
  /** Whether it is asked here of each message if its caller is frozen; else whoever let it in has asked. */
  readonly asksStanding?: true
  /**
   * Carries one message, JSON without a newline, to the client.
   *
   * @param about `idKey` of the client's request that it answers or came with; null for what stands alone
   */
  readonly toClient: (text: string, about: string | null) => void
  /** The client took a request back: nothing more is said of it. */
  readonly onCancelled?: (idKey: string) => void
  /**
   * Carries one message to the server.
   *
   * @param message what `text` was made of, equal to its own `text` when nothing was changed; null for a refusal of
   *   something that the server asked
   */
  readonly toServer: (text: string, message: Message | null) => void
}
