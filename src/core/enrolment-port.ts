import type { AgentInfo, Origin } from './identity-port.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

export interface EnrolmentRequest {
  readonly name: string
  readonly description: string | null
  /** Of the person who is said to know of it; shown to whoever decides, and nobody is written to. */
  readonly humanEmail: string | null
}

/** As it was asked, with the id that the agent will have. */
export interface EnrolmentQuestion extends EnrolmentRequest {
  readonly agentId: string
}

/** What somebody without a credential is told who asks to become an agent. */
export interface AskedEnrolment {
  /** Id that the agent will have. */
  readonly agentId: string
  readonly approvalId: string
  /** Shown to the person as well, who compares the two. */
  readonly code: string
  /** With which the key is fetched once there is a yes. */
  readonly token: SecretText
  readonly expiresAt: EpochMs
}

export type EnrolmentState =
  | { readonly status: 'pending' | 'denied' }
  /** The one time that the key is given out. */
  | { readonly status: 'approved'; readonly agent: AgentInfo; readonly key: SecretText }

/**
 * Agents that ask to be let in. Nothing is stored of them but the question, until an owner or an admin, in person, says
 * yes; the agent then may do nothing but what policies give it.
 */
export interface EnrolmentPort {
  /** @throws {Fault} `BAD_INPUT` naming the field, `THROTTLED` by address, by e-mail and for all together */
  ask(request: EnrolmentRequest, origin: Origin): Promise<AskedEnrolment>
  /**
   * @param question what was approved, to the letter
   * @throws {Fault} `NOT_FOUND` for a token that is none, and once it is expired or over; `THROTTLED`
   */
  collect(question: EnrolmentQuestion, token: SecretText, origin: Origin): Promise<EnrolmentState>
}
