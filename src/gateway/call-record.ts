import {
  type CallJournal,
  type CallOutcome,
  changeLane,
  isRecorded,
  type JournalCall,
  type JournaledCall,
  type Lane,
  type Ledger,
  quoted,
  type RecordDraft,
  type RecordRef,
  type RecordText,
  type Settled,
} from '../audit/index.ts'
import type { ApprovalAct, ApprovalPort, ConsumedApproval } from '../core/approval-port.ts'
import {
  type Counters,
  type Exceeded,
  type Reserved,
  strictestOf,
  type Taken,
} from '../core/counter-port.ts'
import { type Db, type Tx, takeSteps } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import type { Caller } from '../core/principals.ts'
import { promised, Soon } from '../core/soon.ts'
import { type Clock, type EpochMs, systemClock } from '../core/time.ts'
import { frozenFault, frozenNow, isFrozenIn, knownFrozen } from './call-standing.ts'
import { type AuditedCall, callText, changeText, recordOf, ruleText } from './call-texts.ts'
import { dropEnded, refund, reserve, settle } from './counters-repository.ts'
import type { LimitCharge } from './limit-charge.ts'
import { shownName } from './tool-call.ts'

interface NeededAct {
  readonly act: ApprovalAct
  /** By which a person has to be asked. */
  readonly rule: string
}

interface Passing {
  readonly call: AuditedCall
  /** What lets it pass. */
  readonly rule: string
  /** What hides the tool: it is counted as one that is not there, and refused. */
  readonly hiddenBy: string | null
  readonly charges: readonly LimitCharge[]
  /** Whether it goes on only once its record is on the disk, where a power cut leaves it. */
  readonly isDurable: boolean
  /** Rules in shadow that would have stopped it. */
  readonly shadow: string | null
  /** What people have to have allowed. */
  readonly act: NeededAct | null
  /** Whether it may wait for others that come in the same turn. */
  readonly mayWait: boolean
}

interface Refused extends AuditedCall {
  readonly rule: string
}

interface Settling {
  readonly call: AuditedCall
  readonly passed: PassedCall
  /** By counter; null: all is given back. */
  readonly actual: ReadonlyMap<string, number> | null
}

/** Only then did the server provably not run the call. */
const REFUNDED: ReadonlySet<CallOutcome> = new Set(['refused-by-server', 'never-sent'])

export interface PassedCall {
  /** Names its record, for its end: its place in the journal, or its number. Null: it was refused, and has none. */
  readonly ref: number | null
  readonly isJournaled: boolean
  /** Where what was taken stands with its record: both are in the tree, or neither. */
  readonly record?: RecordRef
  readonly taken: readonly Taken[]
  /** An earlier round of the call took it: that one was sent. */
  readonly isPaid?: boolean
  /** What was used up for it, where a person had to allow it. */
  readonly approval?: ConsumedApproval
}

export type Passed =
  | PassedCall
  | { readonly exceeded: Exceeded<LimitCharge> }
  | { readonly isAsked: true }

/** At once, later in this turn of the event loop, or when something was waited for. */
export type PassedSoon = Passed | Promise<Passed> | Soon<Passed | Promise<Passed>>

type Counted =
  | (Reserved<LimitCharge> & { readonly approval?: ConsumedApproval })
  | { readonly isAsked: true }

/** A call with what was taken for it already, where its counters stand apart from its record. */
interface Counting extends Passing {
  readonly reserved: Reserved<LimitCharge> | null
}

const NOTHING_TAKEN = { taken: [], shadow: null } as const

/** People who can be asked about calls. */
export type CallApprovals = Pick<ApprovalPort, 'consumeWithin' | 'demand' | 'giveBack'>

const FROZEN = '"frozen"'

type CountersApart = Pick<Counters, 'take' | 'refund' | 'settle' | 'tidy'>

export interface CallRecordParts {
  readonly db: Pick<Db, 'read'>
  readonly ledger: Ledger
  readonly standing: StandingPort
  /** Without: nobody can be asked, and what needs a person does not pass. */
  readonly approvals?: CallApprovals
  /** Without: in the journal; without one, rows of the store, in the transaction of the record. */
  readonly counters?: CountersApart
  readonly journal?: CallJournal
  readonly clock?: Clock
}

/** Counts calls and records what was decided, both before the call goes on. */
export class CallRecord {
  readonly #db: Pick<Db, 'read'>
  readonly #ledger: Ledger
  readonly #approvals: CallApprovals | null
  readonly #standing: StandingPort
  /** Where they stand apart from the records. */
  readonly #counters: CountersApart | null
  readonly #journal: CallJournal | null
  readonly #clock: Clock
  readonly #passing: Lane<Counting, Counted>
  readonly #passingSoon: Lane<Counting, Counted>
  readonly #refused: Lane<Refused, null>
  readonly #lifted: Lane<Refused, null>
  readonly #settling: Lane<Settling, null>
  readonly #tidying: Lane<null, null>

  constructor({ db, ledger, standing, approvals, counters, journal, clock }: CallRecordParts) {
    this.#db = db
    this.#ledger = ledger
    this.#standing = standing
    this.#approvals = approvals ?? null
    this.#counters = counters ?? journal ?? null
    this.#journal = journal ?? null
    this.#clock = clock ?? systemClock
    const pass = async (tx: Tx, passing: Counting, at: EpochMs): Promise<Settled<Counted>> => {
      const { call, charges, act } = passing
      const refusal = standingProblem(await frozenNow(standing, tx, call.caller, at), call)
      if (refusal !== null) return refusal
      const reserved = passing.reserved ?? (await takeSteps(tx, reserve(charges, at)))
      if (act === null || 'exceeded' in reserved) return counted(passing, reserved)
      return this.#approved(tx, passing, act, reserved.taken, at)
    }
    this.#passing = changeLane('gateway.call.durable', pass)
    this.#passingSoon = changeLane('gateway.call', pass, 'soon')
    this.#tidying = changeLane('gateway.tidy', async (tx, _member: null, at) => {
      await takeSteps(tx, dropEnded(at))
      return { value: null, record: null }
    })
    this.#refused = changeLane(
      'gateway.refusal',
      async (_tx: Tx, call: Refused) => ({
        value: null,
        record: recordOf(call, 'refusal', call.rule),
      }),
      'soon',
    )
    this.#lifted = changeLane(
      'gateway.shadow',
      async (_tx: Tx, { caller, server, name, isMethod, revision, rule }: Refused) => {
        const kind = isMethod ? 'method' : 'tool'
        const detail = { server, [kind]: shownName(name), policy: revision, shadow: rule }
        return { value: null, record: { kind: 'event', action: `${kind}.shadow`, caller, detail } }
      },
      'soon',
    )
    this.#settling = changeLane(
      'gateway.settle',
      async (tx, { call, passed, actual }: Settling) => {
        const { taken, ref, record } = passed
        if (record !== undefined && !(await isRecorded(tx, record)))
          return { value: null, record: null }
        if (this.#counters === null)
          await takeSteps(tx, actual === null ? refund(taken) : settle(taken, actual))
        const { caller, server, name, isMethod } = call
        const action = actual === null ? 'refund' : 'settle'
        return {
          value: null,
          record: {
            kind: 'event',
            action: `${isMethod ? 'method' : 'tool'}.${action}`,
            caller,
            detail: {
              server,
              [isMethod ? 'method' : 'tool']: shownName(name),
              ...(ref !== null && { call: ref }),
            },
          },
        }
      },
      'soon',
    )
  }

  /** Drops what no limit counts any more: the counters of sessions that are over. */
  async tidy(): Promise<void> {
    if (this.#counters === null) await this.#ledger.commit(this.#tidying, null)
    else await this.#counters.tidy(this.#clock())
  }

  /**
   * Whether nothing of the caller goes on now. At once where that is known.
   *
   * @throws {Fault} `UNAUTHENTICATED` when the caller no longer counts
   */
  isFrozen(caller: Caller): boolean | Promise<boolean> {
    const journal = this.#journal
    const known =
      journal === null
        ? null
        : knownFrozen(this.#standing.atRevision(journal.rights()), caller, this.#clock())
    if (known !== null) return isFrozenIn(known, caller)
    return this.#db
      .read((reader) => frozenNow(this.#standing, reader, caller, this.#clock()))
      .then((frozen) => isFrozenIn(frozen, caller))
  }

  /**
   * Counts a call that the policy allows, and uses up the approval that it needs.
   *
   * @returns at once where nothing has to be waited for, and in this turn where only other calls are
   * @throws {Fault} `ACCESS_DENIED` when the caller is frozen, `UNAUTHENTICATED` when it no longer counts,
   *   `AUDIT_UNAVAILABLE` when nothing could be recorded
   */
  pass(asked: Passing): PassedSoon {
    const { call, rule, hiddenBy, charges: all, isDurable, shadow, act, mayWait } = asked
    const charges = strictestOf(all)
    const isApart = this.#counters !== null && this.#counters !== this.#journal
    const reserved = isApart ? NOTHING_TAKEN : null
    const passing: Counting = {
      call,
      rule,
      hiddenBy,
      charges,
      isDurable,
      shadow,
      act,
      mayWait,
      reserved,
    }
    return isApart && charges.length > 0 ? this.#takenApart(passing) : this.#recorded(passing)
  }

  #takenApart(passing: Passing): Promise<Passed> {
    const reserved = this.#counters?.take(passing.charges, this.#clock()) ?? NOTHING_TAKEN
    return reserved instanceof Promise
      ? reserved.then(
          (found) => this.#recordedApart(passing, found),
          (error: unknown) => this.#uncounted(passing.call, error),
        )
      : this.#recordedApart(passing, reserved)
  }

  /** @param isKnown whether the caller was just looked up */
  #recorded(passing: Counting, isKnown = false): PassedSoon {
    const written = this.#writtenDown(passing, isKnown)
    if (written !== null) return written
    if (this.#counters !== null && passing.reserved === null) return this.#takenApart(passing)
    const isDurable = passing.isDurable || passing.act !== null
    return this.#ledger
      .commit(isDurable ? this.#passing : this.#passingSoon, passing)
      .then(({ value, record }) => passedOf(value, record, passing.hiddenBy !== null))
  }

  /** In the journal, with its charges. @returns null where a person, a sink or somebody unknown has to be asked first */
  #writtenDown(passing: Counting, isKnown: boolean): PassedSoon | null {
    const journal = this.#journal
    if (journal === null || passing.act !== null) return null
    const behind = journal.behind()
    if (behind !== null) return behind.then(() => promised(this.#recorded(passing)))
    const rights = journal.rights()
    if (!this.#ledger.mayWriteDown(rights)) return null
    const { call, reserved, charges } = passing
    const frozen = knownFrozen(this.#standing.atRevision(rights), call.caller, this.#clock())
    if (frozen === null) return isKnown ? null : this.#knownFirst(passing)
    const text = callText(call)
    const problem = frozenFault(frozen, call.caller)
    if (problem !== null) {
      journal.refusal(text, FROZEN)
      throw problem
    }
    if (reserved !== null && 'exceeded' in reserved) {
      journal.refusal(text, reserved.exceeded.charge.ruleText)
      return reserved
    }
    if (passing.hiddenBy !== null) return hiddenIn(journal, passing, text, passing.hiddenBy)
    const shadow = passing.shadow === null ? null : quoted(passing.shadow)
    const written: JournalCall<LimitCharge> = {
      text,
      by: ruleText(passing.rule),
      shadow: shadow ?? reserved?.shadow?.ruleText ?? null,
      charges: reserved === null ? charges : [],
    }
    const journaled = passing.mayWait ? journal.callSoon(written) : journal.call(written)
    return journaled instanceof Soon
      ? journaled.map((one) => passedIn(journal, passing, one))
      : passedIn(journal, passing, journaled)
  }

  /** What cannot be counted does not go on, and that is in the audit. Always throws. */
  async #uncounted(call: AuditedCall, error: unknown): Promise<never> {
    await this.refuse({ ...call, rule: asFault(error).code })
    throw error
  }

  async #knownFirst(passing: Counting): Promise<Passed> {
    const { caller } = passing.call
    await this.#db.read((reader) => frozenNow(this.#standing, reader, caller, this.#clock()))
    return promised(this.#recorded(passing, true))
  }

  /** Records a call that was counted. What does not go on in the end is given back. */
  async #recordedApart(passing: Passing, reserved: Reserved<LimitCharge>): Promise<Passed> {
    try {
      const passed = await promised(this.#recorded({ ...passing, reserved }))
      if ('isAsked' in passed) await this.#giveBack(reserved)
      return passed
    } catch (error) {
      await this.#giveBack(reserved)
      throw error
    }
  }

  async #giveBack(reserved: Reserved<LimitCharge>): Promise<void> {
    if ('taken' in reserved) await this.#counters?.refund(reserved.taken)
  }

  /** Calls that come from now on may be written down together, by `flush`, and wait for it. */
  gather(): void {
    this.#journal?.gather()
  }

  flush(): void {
    this.#journal?.flush()
  }

  /** Does something behind the calls that wait for `flush`. */
  inOrder(work: () => void): void {
    if (this.#journal === null) work()
    else this.#journal.inOrder(work)
  }

  refuse(call: Refused): void | Promise<void> {
    const journal = this.#journal
    const behind = journal?.behind() ?? null
    if (behind !== null) return behind.then(() => this.refuse(call))
    if (journal !== null && this.#ledger.mayWriteDown(journal.rights()))
      return journal.refusal(callText(call), quoted(call.rule))
    return this.#ledger.commit(this.#refused, call).then(() => undefined)
  }

  /** Records that a rule in shadow would have kept the answer back. */
  async lifted(call: Refused): Promise<void> {
    await this.#ledger.commit(this.#lifted, call)
  }

  /**
   * Asks people for what `pass` found not to be allowed yet. Always throws.
   *
   * @throws {Fault} as `ApprovalPort.demand`
   */
  async ask(caller: Caller, request: Parameters<CallApprovals['demand']>[1]): Promise<never> {
    if (this.#approvals === null)
      throw new Fault('ACCESS_DENIED', 'A person has to allow this call, and nobody can be asked.')
    return this.#approvals.demand(caller, request)
  }

  /**
   * Records how a call ended. It gives back what it took when the server provably did not run it.
   *
   * @param actual what was counted by estimate, by counter, as it turned out; null when it stands
   */
  settle(
    call: AuditedCall,
    passed: PassedCall,
    end: CallOutcome,
    actual: ReadonlyMap<string, number> | null = null,
  ): void | Promise<void> {
    const { approval } = passed
    if (approval === undefined || !REFUNDED.has(end) || this.#approvals === null)
      return this.#settled(call, passed, end, actual)
    // An act that did not begin keeps its yes.
    return this.#approvals
      .giveBack(call.caller, approval)
      .then(() => this.#settled(call, passed, end, actual))
  }

  #settled(
    call: AuditedCall,
    passed: PassedCall,
    end: CallOutcome,
    actual: ReadonlyMap<string, number> | null,
  ): void | Promise<void> {
    const wasSent = passed.isPaid === true && end === 'never-sent'
    const isRefunded =
      REFUNDED.has(end) && !wasSent && passed.taken.some(({ amount }) => amount > 0)
    const changed = isRefunded || actual !== null ? { actual: isRefunded ? null : actual } : null
    const { ref } = passed
    if (passed.isJournaled && ref !== null && this.#journal !== null)
      return this.#endedIn(this.#journal, ref, call, passed, end, changed)
    const ended = (): void => {
      if (ref !== null) this.#ledger.outcome(passed.record ?? null, end)
    }
    if (changed === null) return ended()
    return this.#resettled(passed, changed.actual)
      .then(() => this.#ledger.commit(this.#settling, { call, passed, ...changed }))
      .then(ended)
  }

  #endedIn(
    journal: CallJournal,
    ref: number,
    call: AuditedCall,
    passed: PassedCall,
    end: CallOutcome,
    changed: Pick<Settling, 'actual'> | null,
  ): void | Promise<void> {
    const { taken } = passed
    if (changed !== null) {
      const { actual } = changed
      const record = { text: changeText(call, actual === null ? 'refund' : 'settle'), of: ref }
      if (this.#counters !== journal)
        return this.#resettled(passed, actual).then(() => {
          journal.refund([], record)
          journal.end(ref, end)
        })
      if (actual === null) journal.refund(taken, record)
      else journal.settle(taken, actual, record)
    }
    journal.end(ref, end)
    return undefined
  }

  /** @param actual null: all is given back */
  async #resettled(
    { taken }: PassedCall,
    actual: ReadonlyMap<string, number> | null,
  ): Promise<void> {
    if (actual === null) await this.#counters?.refund(taken)
    else await this.#counters?.settle(taken, actual)
  }

  async #approved(
    tx: Tx,
    passing: Passing,
    { act, rule }: NeededAct,
    taken: readonly Taken[],
    at: EpochMs,
  ): Promise<Settled<Counted>> {
    const found = await this.#approvals?.consumeWithin(tx, passing.call.caller, act, at)
    if (found?.consumption.outcome === 'granted') {
      const settled = counted(passing, { taken, shadow: null })
      const { taken: approval } = found.consumption
      const { id } = approval.approval
      return settled.record === null || 'fault' in settled
        ? settled
        : {
            ...settled,
            value: { ...settled.value, approval },
            record: {
              ...settled.record,
              detail: { ...settled.record.detail, approval: id },
              rows: found.rows,
            },
          }
    }
    if (this.#counters === null) await takeSteps(tx, refund(taken))
    return { value: { isAsked: true }, record: askedRecord(passing.call, rule) }
  }
}

function passedOf(value: Counted, record: RecordRef | null, isHidden: boolean): Passed {
  if (!('taken' in value)) return value
  const { taken, approval } = value
  return {
    taken,
    ref: isHidden || record === null ? null : record.seq,
    isJournaled: false,
    ...(record !== null && { record }),
    ...(approval !== undefined && { approval }),
  }
}

/** What becomes of a call that stands in the journal. */
function passedIn(
  journal: CallJournal,
  { isDurable, reserved: before }: Counting,
  { place, reserved }: JournaledCall<LimitCharge>,
): Passed | Promise<Passed> {
  if ('exceeded' in reserved) return reserved
  const taken = before !== null && 'taken' in before ? before.taken : reserved.taken
  const passed = { ref: place, isJournaled: true, taken }
  if (!isDurable) return passed
  const own = before === null ? taken : []
  try {
    if (journal.syncedAtOnce()) return passed
  } catch (error) {
    neverSent(journal, place, own)
    throw error
  }
  return journal.synced().then(
    () => passed,
    (error: unknown) => {
      neverSent(journal, place, own)
      throw error
    },
  )
}

/** A call of a hidden tool is refused, and charged as one that is not there would be. */
function hiddenIn(
  journal: CallJournal,
  { reserved: before, charges }: Counting,
  text: RecordText,
  hiddenBy: string,
): Passed {
  const reserved = before ?? (charges.length === 0 ? NOTHING_TAKEN : journal.take(charges))
  if ('exceeded' in reserved) {
    journal.refusal(text, reserved.exceeded.charge.ruleText)
    return reserved
  }
  journal.refusal(text, ruleText(hiddenBy))
  return { taken: reserved.taken, ref: null, isJournaled: false }
}

/** A call that was written down and does not go on. */
function neverSent(journal: CallJournal, place: number, taken: readonly Taken[]): void {
  journal.end(place, 'never-sent')
  try {
    journal.refund(taken)
  } catch {
    // What cannot be written stays charged.
  }
}

function counted(
  { call, rule, hiddenBy, shadow: lifted }: Passing,
  reserved: Reserved<LimitCharge>,
): Settled<Reserved<LimitCharge>> {
  if ('exceeded' in reserved)
    return {
      value: reserved,
      record: recordOf(call, 'refusal', reserved.exceeded.charge.limit.pointer),
    }
  const shadow = lifted ?? (reserved.shadow === null ? null : reserved.shadow.limit.pointer)
  const record =
    hiddenBy === null ? recordOf(call, 'intent', rule, shadow) : recordOf(call, 'refusal', hiddenBy)
  return { value: reserved, record }
}

/** A call that a person has to allow first. */
function askedRecord(call: AuditedCall, rule: string): RecordDraft {
  const record = recordOf(call, 'refusal', rule)
  return { ...record, detail: { ...record.detail, needs: 'approval' } }
}

function standingProblem(frozen: ReadonlySet<string>, call: AuditedCall): Settled<never> | null {
  const fault = frozenFault(frozen, call.caller)
  return fault && { fault, record: recordOf(call, 'refusal', 'frozen') }
}
