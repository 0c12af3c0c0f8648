import {
  type CallOutcome,
  changeLane,
  type Ledger,
  type RecordDraft,
  type Settled,
} from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import {
  type Charge,
  correct,
  dropEnded,
  type Exceeded,
  type Reserved,
  refund,
  reserve,
  type Taken,
} from './counters-repository.ts'
import { shownName } from './tool-call.ts'

/** A call as the audit knows it: names of arguments, never their values. */
export interface RecordedCall {
  readonly caller: Caller
  readonly server: string
  readonly tool: string
  readonly keys: readonly string[]
  /** First characters of the policy's digest, or null without one. */
  readonly revision: string | null
  /** The rule in shadow that would have stopped it. */
  readonly shadow?: string
}

interface Passing extends RecordedCall {
  readonly charges: readonly Charge[]
  /** Whether it goes on only once its record is on the disk, where a power cut leaves it. */
  readonly isDurable: boolean
}

interface Refused extends RecordedCall {
  readonly rule: string
}

/** Only then did the server provably not run the call. */
const REFUNDED: ReadonlySet<CallOutcome> = new Set(['refused-by-server', 'never-sent'])

interface Settling extends RecordedCall {
  readonly seq: number
  readonly taken: readonly Taken[]
}

export type Passed = { readonly seq: number; readonly taken: readonly Taken[] } | Exceeded

const MAX_KEYS = 100
const MAX_KEY = 100

/** Counts calls and records what was decided: both in one transaction, before the call goes on. */
export class CallRecord {
  readonly #ledger: Ledger
  readonly #passing
  readonly #passingAtOnce
  readonly #refused
  readonly #refunding
  readonly #correcting
  readonly #tidying

  constructor(ledger: Ledger, standing: StandingPort) {
    this.#ledger = ledger
    const pass = async (tx: Tx, call: Passing, at: EpochMs): Promise<Settled<Reserved>> => {
      const frozen = await standing.frozen(tx)
      if (frozen.has('all') || frozen.has(principalName(call.caller.principal)))
        return { fault: frozenFault(), record: recordOf(call, 'refusal', { by: 'frozen' }) }
      const reserved = await reserve(tx, call.charges, at)
      return 'taken' in reserved
        ? { value: reserved, record: recordOf(call, 'intent', { by: policyOf(call) }) }
        : {
            value: reserved,
            record: recordOf(call, 'refusal', { by: reserved.exceeded.pointer }),
          }
    }
    this.#passing = changeLane('gateway.call.durable', pass)
    this.#passingAtOnce = changeLane('gateway.call', pass, 'soon')
    this.#tidying = changeLane('gateway.tidy', async (tx, _member: null, at) => {
      await dropEnded(tx, at)
      return { value: null, record: null }
    })
    this.#correcting = changeLane(
      'gateway.correct',
      async (tx, corrections: Parameters<typeof correct>[1]) => {
        await correct(tx, corrections)
        return { value: null, record: null }
      },
      'soon',
    )
    this.#refused = changeLane('gateway.refusal', async (_tx, call: Refused) => ({
      value: null,
      record: recordOf(call, 'refusal', { by: call.rule }),
    }))
    this.#refunding = changeLane('gateway.refund', async (tx, call: Settling) => {
      await refund(tx, call.taken)
      const { caller, server, tool, seq } = call
      return {
        value: null,
        record: {
          kind: 'event',
          action: 'tool.refund',
          caller,
          detail: { server, tool: shownName(tool), call: seq },
        },
      }
    })
  }

  /** Counts what calls really cost, where their answers say so. */
  async correct(corrections: Parameters<typeof correct>[1]): Promise<void> {
    await this.#ledger.commit(this.#correcting, corrections)
  }

  /** Drops what no limit counts any more: the counters of sessions that are over. */
  async tidy(): Promise<void> {
    await this.#ledger.commit(this.#tidying, null)
  }

  /**
   * Counts a call that the policy allows.
   *
   * @throws {Fault} `ACCESS_DENIED` when the caller is frozen, `AUDIT_UNAVAILABLE` when nothing could be recorded
   */
  async pass(call: Passing): Promise<Passed> {
    const lane = call.isDurable ? this.#passing : this.#passingAtOnce
    const { value, seq } = await this.#ledger.commit(lane, call)
    return 'taken' in value ? { taken: value.taken, seq } : value
  }

  async refuse(call: Refused): Promise<void> {
    await this.#ledger.commit(this.#refused, call)
  }

  /** Records how a call ended, and gives back what it took when the server provably did not run it. */
  async settle(call: Settling, end: CallOutcome): Promise<void> {
    if (REFUNDED.has(end) && call.taken.length > 0) await this.#ledger.commit(this.#refunding, call)
    this.#ledger.outcome(call.seq, end)
  }
}

function recordOf(
  { caller, server, tool, keys, revision, shadow }: RecordedCall,
  kind: 'intent' | 'refusal',
  more: { readonly by?: string },
): RecordDraft {
  const shown = keys.slice(0, MAX_KEYS).map((key) => key.slice(0, MAX_KEY).toWellFormed())
  return {
    kind,
    action: 'tool.call',
    caller,
    ...more,
    detail: {
      server,
      tool: shownName(tool),
      keys: shown.toSorted(),
      policy: revision,
      ...(shadow !== undefined && { shadow }),
    },
  }
}

function policyOf({ revision }: RecordedCall): string {
  return revision === null ? '(no policy)' : `policy ${revision}`
}

function frozenFault(): Fault {
  return new Fault('ACCESS_DENIED', 'Everything this agent does is frozen.', {
    details: { remedy: 'have the person run sallyport unfreeze' },
  })
}
