import type { Caller } from './principals.ts'
import type { EpochMs } from './time.ts'

/** What becomes of a call: `approval` waits for a person, `withheld` is that of its answer. */
export type ReplayedOutcome = 'allowed' | 'denied' | 'hidden' | 'approval' | 'limited' | 'withheld'

export interface ReplayDraft {
  /** As a file: its ending says whether it is JSON or YAML. */
  readonly name: string
  readonly text: Uint8Array
}

export interface ReplayRequest {
  /** A call has to pass all of them. */
  readonly drafts: readonly ReplayDraft[]
  /** Null: the calls of all servers. */
  readonly server: string | null
  readonly since: EpochMs
  /** Whether the recorded arguments are shown: then the caller is a person who is there. */
  readonly showsArguments: boolean
}

interface OfCalls {
  readonly server: string
  /** Of the tool, or of the method. */
  readonly name: string
  readonly isMethod: boolean
}

interface Seen extends OfCalls {
  readonly count: number
  readonly firstAt: EpochMs
  readonly lastAt: EpochMs
}

/** Calls that would end otherwise, in one way. */
export interface ReplayedChange extends Seen {
  readonly from: ReplayedOutcome
  readonly to: ReplayedOutcome
  /** What decided then, and what would decide; null where nothing had to. */
  readonly was: string | null
  readonly rule: string | null
  readonly argumentNames: readonly string[]
}

/** Calls of which it cannot be said, because of what is not recorded: places, or `limit` and its pointer. */
export interface ReplayedDoubt extends Seen {
  readonly paths: readonly string[]
}

/** One call that would end otherwise. */
export interface ReplayedCall
  extends OfCalls,
    Pick<ReplayedChange, 'from' | 'to' | 'was' | 'rule' | 'argumentNames'> {
  readonly at: EpochMs
  readonly principal: string
  readonly client: string | null
  /** Where they were asked for, as JSON has them; what is not recorded says so. */
  readonly arguments?: unknown
}

export interface ReplayReport {
  readonly since: EpochMs
  /** When the first of the compared calls was made. */
  readonly first: EpochMs | null
  readonly servers: readonly string[]
  readonly compared: number
  readonly changed: number
  readonly undecidable: number
  /** Calls that should have been recorded and were not. */
  readonly lost: number
  /** Batches whose key is gone. */
  readonly unreadable: number
  /** Most calls first. */
  readonly changes: readonly ReplayedChange[]
  readonly undecided: readonly ReplayedDoubt[]
  /** The first 1,000 of those that would end otherwise, by time. */
  readonly calls: readonly ReplayedCall[]
}

/** Tries drafts of policies on the calls that were recorded. Who may look at policies may; that it was done is recorded. */
export interface ReplayPort {
  /** @throws {Fault} `BAD_INPUT` for a draft that is not valid; `ACCESS_DENIED` */
  replay(caller: Caller, request: ReplayRequest): Promise<ReplayReport>
}
