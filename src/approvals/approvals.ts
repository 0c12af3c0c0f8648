import { changeLane, type Ledger, type RowRevision, type Settled } from '../audit/index.ts'
import type {
  ApprovalAct,
  ApprovalFilter,
  ApprovalInfo,
  ApprovalPort,
  ApprovalRequest,
  ConsumedApproval,
  Consumption,
  OwnRequest,
  Widening,
} from '../core/approval-port.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { isUuid, newId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import { type Clock, type EpochMs, epochMs } from '../core/time.ts'
import type { MacKey } from '../crypto/index.ts'
import {
  badField,
  conflict,
  expectationProblem,
  openProblem,
  refusalOf,
  refused,
  settledProblem,
  unknown,
} from './approval-faults.ts'
import { type ApprovalRow, approvalInfo, statusOf, votesOf } from './approval-rows.ts'
import { changedOr } from './changed-or.ts'
import {
  type Consumed,
  type ConsumptionParts,
  changeRecord,
  consumeWithin,
  givenBack,
  isApproved,
  isUpheld,
  openFor,
} from './consumption.ts'
import { decisionProblem, frozenProblem, personProblem, sightOf } from './deciders.ts'
import {
  checkedReason,
  type Filing,
  filedAct,
  filedGrant,
  filedOwn,
  type GrantRequest,
  newRow,
  widened,
} from './filing.ts'
import { Conditions, sees } from './listing.ts'

export interface ApprovalsParts extends ConsumptionParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  /** Page on which a person decides, where there is a server with one. */
  readonly urlOf: (id: string) => string | null
  /** @throws {Fault} `BAD_INPUT` when it is no glob over paths */
  readonly checkPattern: (pattern: string) => void
  /** Takes part in the transaction of what it tells of. */
  readonly announce: (
    tx: Tx,
    event: 'requested' | 'approved' | 'denied' | 'cancelled' | 'consumed',
    approval: ApprovalInfo,
    at: EpochMs,
  ) => Promise<void>
}

/** What may be waiting for people of one requester: they are not to be buried in questions. */
const MAX_PENDING = 50
const MAX_LIMIT = 500
/** A grant without an end in time ends all the same. */
const GRANT_SECONDS = 86_400

interface Deciding {
  readonly caller: Caller
  readonly id: string
  readonly decision: 'approve' | 'deny'
  readonly reason: string | null
  readonly expected: string | null
  readonly widen: Widening | null
}

interface OwnUse {
  readonly caller: Caller
  readonly id: string
  readonly expected: string | null
}

interface About {
  readonly caller: Caller
  readonly id: string
  readonly reason: string | null
}

/** Requests to people and their answers, as rows that the transactions of what they are about read and use up. */
export class Approvals implements ApprovalPort {
  readonly #parts: ApprovalsParts
  readonly #listeners = new Set<(approval: ApprovalInfo) => void>()
  readonly #returned = new WeakSet<ConsumedApproval>()
  readonly #request = changeLane('approval.request', (tx, filing: Filing, at) =>
    this.#file(tx, filing, at),
  )
  readonly #decide = changeLane('approval.decide', (tx, member: Deciding, at) =>
    this.#settle(tx, member, at),
  )
  readonly #cancel = changeLane('approval.cancel', (tx, member: About, at) =>
    this.#withdraw(tx, member, at),
  )
  readonly #consume = changeLane(
    'approval.consume',
    (tx, { caller, act }: { caller: Caller; act: ApprovalAct }, at) =>
      this.#takeOne(tx, caller, act, at),
  )
  readonly #useOwn = changeLane('approval.use', (tx, member: OwnUse, at) =>
    this.#takeOwn(tx, member, at),
  )
  readonly #giveBack = changeLane(
    'approval.give-back',
    (tx, { caller, taken }: { caller: Caller; taken: ConsumedApproval }, at) =>
      this.#putBack(tx, caller, taken, at),
  )

  constructor(parts: ApprovalsParts) {
    this.#parts = parts
  }

  async request(caller: Caller, request: ApprovalRequest): Promise<ApprovalInfo> {
    return this.#filed(filedAct(caller, request, await this.#digestKey()))
  }

  async ask(caller: Caller, request: OwnRequest): Promise<ApprovalInfo> {
    return this.#filed(filedOwn(caller, request, await this.#digestKey()))
  }

  async askGrant(caller: Caller, request: GrantRequest): Promise<ApprovalInfo> {
    return this.#filed(filedGrant(caller, request, this.#parts.checkPattern))
  }

  async consume(caller: Caller, act: ApprovalAct): Promise<Consumption> {
    return (await this.#parts.ledger.commit(this.#consume, { caller, act })).value
  }

  async consumeWithin(tx: Tx, caller: Caller, act: ApprovalAct, at: EpochMs): Promise<Consumed> {
    const consumed = await consumeWithin(this.#parts, tx, caller, act, at)
    if (consumed.consumption.outcome === 'granted')
      await this.#parts.announce(tx, 'consumed', consumed.consumption.taken.approval, at)
    return consumed
  }

  async isApproved(
    reader: Reader,
    caller: Caller,
    act: ApprovalAct,
    at: EpochMs,
  ): Promise<boolean> {
    return isApproved(this.#parts, reader, caller, act, at)
  }

  async giveBack(caller: Caller, taken: ConsumedApproval): Promise<void> {
    if (this.#returned.has(taken)) return
    this.#returned.add(taken)
    await this.#parts.ledger.commit(this.#giveBack, { caller, taken })
  }

  async pass(caller: Caller, request: ApprovalRequest): Promise<ConsumedApproval> {
    const consumption = await this.consume(caller, request)
    if (consumption.outcome === 'granted') return consumption.taken
    if (consumption.outcome === 'none') return this.demand(caller, request)
    throw this.#refusalOf(consumption.approval)
  }

  async demand(caller: Caller, request: ApprovalRequest): Promise<never> {
    throw this.#refusalOf(await this.request(caller, request))
  }

  async useOwn(caller: Caller, id: string, expected?: string): Promise<ApprovalInfo> {
    const member = { caller, id, expected: expected ?? null }
    return (await this.#parts.ledger.commit(this.#useOwn, member)).value
  }

  #refusalOf(approval: ApprovalInfo): Fault {
    return refusalOf(approval, this.#parts.urlOf(approval.id))
  }

  async status(caller: Caller, id: string): Promise<ApprovalInfo> {
    const at = this.#parts.clock()
    return this.#parts.db.read(async (reader) => {
      const row = await this.#row(reader, id)
      const sight = await sightOf(this.#parts, reader, caller, at)
      if (row === null || !sees(sight, row)) throw unknown(id)
      return approvalInfo(row, at)
    })
  }

  async list(caller: Caller, filter: ApprovalFilter = {}): Promise<readonly ApprovalInfo[]> {
    const limit = filter.limit ?? 50
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIMIT)
      throw badField('limit', `must be a whole number from 1 to ${MAX_LIMIT}`)
    const at = this.#parts.clock()
    return this.#parts.db.read(async (reader) => {
      const sight = await sightOf(this.#parts, reader, caller, at)
      const conditions = new Conditions()
      if (sight.kind === 'of') conditions.oneOf('requester', sight.requesters)
      if (filter.requester !== undefined) conditions.oneOf('requester', [filter.requester])
      if (filter.kinds !== undefined) conditions.oneOf('kind', filter.kinds)
      if (filter.status !== undefined) conditions.status(filter.status, at)
      if (filter.before !== undefined) {
        const before = await this.#row(reader, filter.before)
        if (before === null || !sees(sight, before)) throw unknown(filter.before)
        conditions.before(before)
      }
      const rows = await this.#parts.approvals.select(
        reader,
        `${conditions.text} order by created_at desc, id desc limit ${limit}`,
        conditions.params,
      )
      return rows.map((row) => approvalInfo(row, at))
    })
  }

  async cancel(caller: Caller, id: string, reason?: string): Promise<ApprovalInfo> {
    const member = { caller, id, reason: checkedReason(reason) }
    return (await this.#parts.ledger.commit(this.#cancel, member)).value
  }

  async decide(
    caller: Caller,
    id: string,
    decision: 'approve' | 'deny',
    options: {
      readonly reason?: string
      readonly expected?: string
      readonly widen?: Widening
    } = {},
  ): Promise<ApprovalInfo> {
    if (options.widen !== undefined) this.#parts.checkPattern(options.widen.pattern)
    const { value } = await this.#parts.ledger.commit(this.#decide, {
      caller,
      id,
      decision,
      reason: checkedReason(options.reason),
      expected: options.expected ?? null,
      widen: options.widen ?? null,
    })
    return value
  }

  async decided(caller: Caller, id: string, signal: AbortSignal): Promise<ApprovalInfo> {
    const { db, clock } = this.#parts
    for (;;) {
      const change = changedOr(db, signal)
      try {
        const approval = await this.status(caller, id)
        if (approval.status !== 'pending') return approval
        await change.wait(Math.max(1, approval.expiresAt - clock()))
      } finally {
        change.end()
      }
    }
  }

  onPending(listener: (approval: ApprovalInfo) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async #filed(filing: Filing): Promise<ApprovalInfo> {
    const { approval, isNew } = (await this.#parts.ledger.commit(this.#request, filing)).value
    if (isNew) for (const listener of this.#listeners) listener(approval)
    return approval
  }

  async #file(
    tx: Tx,
    filing: Filing,
    at: EpochMs,
  ): Promise<Settled<{ readonly approval: ApprovalInfo; readonly isNew: boolean }>> {
    const { approvals } = this.#parts
    const { caller, row } = filing
    const problem = await frozenProblem(this.#parts, tx, caller, at)
    if (problem !== null) return refused('approval.request', caller, problem)
    const open = await openFor(approvals, tx, caller, row.act_digest, at)
    const isStale = open?.status === 'approved' && !(await isUpheld(this.#parts, tx, open, at))
    if (open !== null && !isStale)
      return { value: { approval: approvalInfo(open, at), isNew: false }, record: null }
    const pending = await approvals.select(
      tx,
      `requester = ? and status = 'pending' and expires_at > ? limit ${MAX_PENDING}`,
      [row.requester, at],
    )
    if (pending.length >= MAX_PENDING)
      return refused(
        'approval.request',
        caller,
        new Fault('THROTTLED', `${MAX_PENDING} requests of this caller wait for a person already.`),
      )
    const next = newRow(filing, at)
    await approvals.save(tx, [next])
    const approval = approvalInfo(next, at)
    await this.#parts.announce(tx, 'requested', approval, at)
    return {
      value: { approval, isNew: true },
      record: changeRecord('approval.request', caller, next, at),
    }
  }

  async #settle(tx: Tx, member: Deciding, at: EpochMs): Promise<Settled<ApprovalInfo>> {
    const { caller, id, decision, reason, expected } = member
    const action = `approval.${decision}`
    const notPerson = personProblem(caller, at)
    if (notPerson !== null) return refused(action, caller, notPerson, id)
    const row = await this.#row(tx, id, ' /*lock*/')
    const sight = await sightOf(this.#parts, tx, caller, at)
    if (row === null || !sees(sight, row)) return refused(action, caller, unknown(id), id)
    const problem =
      (await decisionProblem(this.#parts, tx, caller, row, at)) ??
      settledProblem(row, caller, expected, at)
    if (problem !== null) return refused(action, caller, problem, id)
    const vote = { by: principalName(caller.principal), decision, reason, at }
    const voted: ApprovalRow = {
      ...row,
      votes: JSON.stringify([...votesOf(row), vote]),
      revision: row.revision + 1,
    }
    const next = await this.#counted(tx, voted, decision, at)
    const grant = member.widen === null ? null : this.#widened(next, member.widen, at)
    await this.#parts.approvals.save(tx, grant === null ? [next] : [next, grant])
    const approval = approvalInfo(next, at)
    if (next.status === 'approved' || next.status === 'denied')
      await this.#parts.announce(tx, next.status, approval, at)
    const record = changeRecord(action, caller, next, at)
    if (grant === null) return { value: approval, record }
    const rows: RowRevision[] = [...(record.rows ?? []), ['approvals', grant.id, grant.revision]]
    const { place, pattern, grant_seconds: seconds, grant_uses: uses } = grant
    const scope = { grant: grant.id, place, pattern, seconds, uses }
    return { value: approval, record: { ...record, rows, detail: { ...record.detail, ...scope } } }
  }

  /** The scope that a person says yes to together with an act. */
  #widened(row: ApprovalRow, scope: Widening, at: EpochMs): ApprovalRow {
    if (row.status !== 'approved') throw badField('widen', 'goes with a yes')
    return {
      ...widened(row, scope, this.#parts.covers),
      id: newId<string>(),
      created_at: at,
      expires_at: epochMs(at + (scope.seconds ?? GRANT_SECONDS) * 1000),
      revision: 1,
    }
  }

  async #counted(
    tx: Tx,
    voted: ApprovalRow,
    decision: 'approve' | 'deny',
    at: EpochMs,
  ): Promise<ApprovalRow> {
    if (decision === 'deny') return { ...voted, status: 'denied', decided_at: at }
    if (!(await isUpheld(this.#parts, tx, voted, at))) return voted
    const next = { ...voted, status: 'approved' as const, decided_at: at }
    return voted.kind === 'grant'
      ? { ...next, expires_at: epochMs(at + (voted.grant_seconds ?? GRANT_SECONDS) * 1000) }
      : next
  }

  async #withdraw(
    tx: Tx,
    { caller, id, reason }: About,
    at: EpochMs,
  ): Promise<Settled<ApprovalInfo>> {
    const row = await this.#row(tx, id, ' /*lock*/')
    const sight = await sightOf(this.#parts, tx, caller, at)
    if (row === null || !sees(sight, row))
      return refused('approval.cancel', caller, unknown(id), id)
    const isHis = row.requester === principalName(caller.principal)
    const problem =
      (isHis
        ? null
        : (personProblem(caller, at) ??
          (await decisionProblem(this.#parts, tx, caller, row, at)))) ?? openProblem(row, at)
    if (problem !== null) return refused('approval.cancel', caller, problem, id)
    const next: ApprovalRow = {
      ...row,
      status: 'cancelled',
      decided_at: at,
      revision: row.revision + 1,
    }
    await this.#parts.approvals.save(tx, [next])
    const approval = approvalInfo(next, at)
    await this.#parts.announce(tx, 'cancelled', approval, at)
    const record = changeRecord('approval.cancel', caller, next, at)
    return { value: approval, record: { ...record, detail: { ...record.detail, reason } } }
  }

  async #takeOne(
    tx: Tx,
    caller: Caller,
    act: ApprovalAct,
    at: EpochMs,
  ): Promise<Settled<Consumption>> {
    const { consumption, rows } = await this.consumeWithin(tx, caller, act, at)
    if (consumption.outcome !== 'granted') return { value: consumption, record: null }
    const { approval } = consumption.taken
    return {
      value: consumption,
      record: {
        kind: 'change',
        action: 'approval.consume',
        caller,
        by: approval.id,
        rows,
        detail: {
          approval: approval.id,
          what: act.action,
          target: `${act.target.type}:${act.target.id}`,
          arguments: approval.argumentsDigest,
        },
      },
    }
  }

  async #takeOwn(
    tx: Tx,
    { caller, id, expected }: OwnUse,
    at: EpochMs,
  ): Promise<Settled<ApprovalInfo>> {
    const stopped = await frozenProblem(this.#parts, tx, caller, at)
    if (stopped !== null) return refused('approval.use', caller, stopped, id)
    const row = await this.#row(tx, id, ' /*lock*/')
    if (row === null || row.kind !== 'own' || row.requester !== principalName(caller.principal))
      return refused('approval.use', caller, unknown(id), id)
    const status = statusOf(row, at)
    const problem =
      status !== 'approved' || !(await isUpheld(this.#parts, tx, row, at))
        ? conflict(row, `is ${status}; only what is approved is used`)
        : expectationProblem(row, expected)
    if (problem !== null) return refused('approval.use', caller, problem, id)
    const next: ApprovalRow = {
      ...row,
      status: 'consumed',
      consumed_at: at,
      used: 1,
      revision: row.revision + 1,
    }
    await this.#parts.approvals.save(tx, [next])
    const approval = approvalInfo(next, at)
    await this.#parts.announce(tx, 'consumed', approval, at)
    return { value: approval, record: changeRecord('approval.use', caller, next, at) }
  }

  async #putBack(
    tx: Tx,
    caller: Caller,
    { approval, revision }: ConsumedApproval,
    at: EpochMs,
  ): Promise<Settled<null>> {
    const row = await this.#row(tx, approval.id, ' /*lock*/')
    const isHis = row?.requester === principalName(caller.principal)
    const next = row === null || !isHis ? null : givenBack(row, revision, at)
    if (next === null) return { value: null, record: null }
    await this.#parts.approvals.save(tx, [next])
    return { value: null, record: changeRecord('approval.give-back', caller, next, at) }
  }

  #digestKey(): Promise<MacKey> {
    const { db, digestKey } = this.#parts
    return db.read((reader) => digestKey(reader))
  }

  #row(reader: Reader, id: string, lock = ''): Promise<ApprovalRow | null> {
    if (!isUuid(id)) return Promise.resolve(null)
    return this.#parts.approvals.get(reader, `id = ?${lock}`, [id])
  }
}
