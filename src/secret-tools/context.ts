import type { AskPeople } from '../core/approval-port.ts'
import type { AskSecret, AskVia, SecretQuestion } from '../core/ask-port.ts'
import type { Log } from '../core/log.ts'
import type { AccessGranting } from '../core/policy-port.ts'
import type { Caller } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { HandOn } from '../core/share-port.ts'
import type { VaultPort } from '../core/vault-port.ts'
import type { ToolCall } from '../mcp/index.ts'
import type { CallInspection } from './inspection.ts'
import type { PageQuestions } from './page-questions.ts'

/** Who is at the other end of a connection. The client's own name is added call by call. */
export interface SecretSession {
  readonly caller: Caller
  /** Name or id of the vault its paths refer to. */
  readonly vault: string
}

/** What the tools need from the program around them. Both are opened on first use: listing the tools needs neither. */
export interface SecretToolsOptions {
  readonly version: string
  openVault(): Promise<VaultPort>
  openDoors(): Promise<AskDoors>
  /** People who decide; without them the tools that ask them are not listed. */
  openPeople?(): Promise<AskPeople>
  /** Granting; without it the tool that grants is not listed. */
  openPolicies?(): Promise<AccessGranting>
  /** Sharing; without it the tool that shares is not listed. */
  openHandOn?(): Promise<HandOn>
  readonly log: Log
  /** Without it calls are inspected as the defaults of the switches say. */
  readonly inspection?: CallInspection
}

/** The ways to ask the person for a value. */
export interface AskDoors {
  /** One-time pages on this machine, for clients that can open one. */
  readonly pages: PageDoor
  /** Dialog, then terminal, for all others. */
  readonly askSecret: AskSecret
  /**
   * One question open per principal, a few in line.
   *
   * @throws {Fault} `INPUT_BUSY` when the line is full or the person just cancelled twice
   */
  pass<T>(principal: string, work: () => Promise<T>, signal: AbortSignal): Promise<T>
}

export interface PageDoor {
  open(
    question: SecretQuestion,
    options?: { readonly signal?: AbortSignal },
  ): Promise<{
    readonly url: string
    readonly answer: Promise<{ readonly value: SecretText; readonly via: AskVia }>
    /** Tells the browser what became of the value. */
    conclude(conclusion: { readonly storedVersion: number } | { readonly failure: string }): void
    cancel(): void
  }>
}

/** One tool call with everything it may use. */
export interface SecretCall {
  readonly vault: VaultPort
  readonly vaultName: string
  readonly caller: Caller
  readonly log: Log
  readonly mcp: ToolCall<SecretSession>
  readonly questions: PageQuestions
  openDoors(): Promise<AskDoors>
}

/** The caller with the name its client gave, where it gave one. */
export function callerOf(session: SecretSession, client: string | null): Caller {
  return client === null ? session.caller : { ...session.caller, client }
}
