import type { Expectation } from './expectation.ts'
import type { Caller } from './principals.ts'
import type { OwnLimits } from './server-limits.ts'
import type { EpochMs } from './time.ts'

/** How the gateway reaches a server. */
export type ServerTarget = Reached & {
  /** Where it differs from what is usual. */
  readonly limits?: OwnLimits
}

type Reached =
  | {
      readonly kind: 'stdio'
      /** Program and arguments, handed over as they are: no shell reads them. */
      readonly command: readonly string[]
      /** Names of variables of the gateway's environment that the program may have, beyond the least. */
      readonly variables: readonly string[]
    }
  | {
      readonly kind: 'http'
      readonly url: string
      /** Their values hold `secret://` references, which become values when a request leaves. */
      readonly headers: readonly UpstreamHeader[]
    }

export interface UpstreamHeader {
  readonly name: string
  readonly value: string
}

/** A server behind the gateway. */
export interface ServerInfo {
  /** What clients, grants and rules know it by. */
  readonly name: string
  /** Names its state, for an `Expectation`. */
  readonly tag: string
  readonly target: ServerTarget
  /** Names of the policies by which every call of the server is judged, whoever makes it. */
  readonly policies: readonly string[]
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly changedAt: EpochMs
}

/**
 * The servers behind the gateway. They are changed by the person at this machine, or by owners and admins who signed
 * in and proved just now that they are there: whoever adds one says which program runs. Looking is open to the local
 * agent too.
 */
export interface ServerPort {
  /** By name. */
  list(caller: Caller): Promise<readonly ServerInfo[]>
  /** @throws {Fault} `NOT_FOUND` */
  get(caller: Caller, name: string): Promise<ServerInfo>
  /** @throws {Fault} `BAD_INPUT` naming the field; `CONFLICT` when the name is taken */
  add(caller: Caller, name: string, target: ServerTarget): Promise<ServerInfo>
  /**
   * Its grants are revoked: a server that is added later under its name has none of them.
   *
   * @throws {Fault} `NOT_FOUND`; `VERSION_CONFLICT` when it is not in the state that is expected
   */
  remove(caller: Caller, name: string, expected?: Expectation): Promise<ServerInfo>
}

/** A policy on tools as the store keeps it. */
export interface ToolPolicyInfo {
  readonly name: string
  /** Names the state of its own record, wherever it is attached; for an `Expectation`. */
  readonly tag: string
  /** First 16 characters of the SHA-256 of its text: what records of calls name. */
  readonly revision: string
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly changedAt: EpochMs
  readonly changedBy: string
  /** Servers whose every call it judges. */
  readonly servers: readonly string[]
}

/** What is right in a policy and perhaps not meant. Lines and columns from 1. */
export interface PolicyWarning {
  readonly line: number
  readonly column: number
  readonly problem: string
}

export type AttachmentTarget =
  | { readonly kind: 'server'; readonly name: string }
  | { readonly kind: 'grant'; readonly id: string }

/**
 * Policies on tools, and for whose calls they hold: those of a server, whoever makes them, or those of one grant. A
 * call has to pass all of both, and with none it is denied. Who may change and who may look is as with servers.
 */
export interface ToolPolicyPort {
  /** By name. */
  list(caller: Caller): Promise<readonly ToolPolicyInfo[]>
  /** @throws {Fault} `NOT_FOUND` */
  get(caller: Caller, name: string): Promise<ToolPolicyInfo & { readonly text: string }>
  /**
   * Keeps the text under the name, in place of the one before.
   *
   * @throws {Fault} `BAD_INPUT` naming the field, or line and column of the text; `VERSION_CONFLICT` when it is not in
   *   the state that is expected
   */
  set(
    caller: Caller,
    name: string,
    text: Uint8Array,
    expected?: Expectation,
  ): Promise<ToolPolicyInfo & { readonly warnings: readonly PolicyWarning[] }>
  /** @throws {Fault} `NOT_FOUND`; `CONFLICT` while it is attached to a server or named by a grant */
  remove(caller: Caller, name: string, expected?: Expectation): Promise<ToolPolicyInfo>
  /** @throws {Fault} `NOT_FOUND`; `CONFLICT` when it is attached already */
  attach(caller: Caller, name: string, to: AttachmentTarget): Promise<readonly string[]>
  /** @returns the policies that are left there @throws {Fault} `NOT_FOUND` when it is not attached */
  detach(caller: Caller, name: string, from: AttachmentTarget): Promise<readonly string[]>
}

/** What went through one server since a moment. */
export interface ServerStatus {
  readonly name: string
  /** `wrapped` for one that is and was not added; null for one that was removed. */
  readonly kind: ServerTarget['kind'] | 'wrapped' | null
  readonly policies: readonly string[]
  readonly calls: number
  readonly denied: number
  /** Of those that went on: the tool failed, the server was not reached, refused or was lost. */
  readonly failed: number
  readonly lastAt: EpochMs | null
}

/** How much of a limit is used by somebody. */
export interface LimitStatus {
  readonly server: string
  readonly counter: string
  readonly scope: string
  /** Whose calls are counted together; empty where it is everybody's. */
  readonly of: string
  readonly window: string
  readonly used: number
  /** The lowest that a policy now sets; null when none names it any more. */
  readonly max: number | null
  /** When the first of it is given back. */
  readonly endsAt: EpochMs
}

export interface GatewayStatus {
  readonly since: EpochMs
  /** There were more calls than were read. */
  readonly isCut: boolean
  readonly servers: readonly ServerStatus[]
  /** Those that something is used of. */
  readonly limits: readonly LimitStatus[]
  /** Why it is not known what is used of limits, or null. */
  readonly limitsUnknown: string | null
}
