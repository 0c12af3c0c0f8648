import type { Ledger, RecordDraft, Settled } from '../audit/index.ts'
import type { ExemptableAct, PresenceGate, PresenceStatus } from '../core/admin-port.ts'
import type { AskPassphrase, PresenceRequest } from '../core/ask-port.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { type Caller, LOCAL_PERSON, localAgent } from '../core/principals.ts'
import { type Clock, type EpochMs, epochMs } from '../core/time.ts'
import { verifierFor, verify } from '../crypto/index.ts'
import { changeLane } from './change-lane.ts'
import type { PresenceRow, VaultTables } from './rows-repository.ts'

/** The operating system's own authentication of the person. */
export interface SystemPresence {
  readonly kind: NonNullable<PresenceStatus['system']>
  /** @returns false when the person was not recognised or declined */
  prove(request: PresenceRequest, signal: AbortSignal): Promise<boolean>
}

export interface PresenceParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly tables: VaultTables
  readonly clock: Clock
  readonly ask: AskPassphrase
  readonly system: SystemPresence | null
}

/** Wrong answers that cost nothing but the hashing. */
const FREE_FAILURES = 3
const FIRST_BLOCK_MS = 30_000
const MAX_BLOCK_MS = 3_600_000

/** Whoever stands at the gate counts as an agent until it has opened. */
const UNPROVED: Caller = { principal: localAgent(null), channel: 'cli' }
const PROVED: Caller = { principal: LOCAL_PERSON, channel: 'cli' }
const BEFORE_PROOF: readonly string[] = [
  'presence.attempt',
  'presence.refused',
  'presence.throttled',
  'presence.set',
]

/**
 * The gate before what is the person's alone. It asks for something an agent that drives the terminal or the screen
 * does not know; every attempt is counted before it is checked, so guesses made at the same time all count.
 */
export class LocalPresence implements PresenceGate {
  readonly #parts: PresenceParts
  readonly #attempt = changeLane('presence.attempt', (tx, request: PresenceRequest, at) =>
    this.#countAttempt(tx, request, at),
  )
  readonly #settle = changeLane('presence.settle', (tx, ended: Ended) =>
    this.#settleAttempt(tx, ended),
  )
  readonly #store = changeLane('presence.set', (tx, change: NewRecord, at) =>
    this.#storeRecord(tx, change, at),
  )
  readonly #exempt = changeLane(
    'presence.exempt',
    (tx, request: { act: ExemptableAct; on: boolean }) => this.#storeExemption(tx, request),
  )

  constructor(parts: PresenceParts) {
    this.#parts = parts
  }

  async prove(request: PresenceRequest, signal?: AbortSignal): Promise<'passphrase' | 'system'> {
    const live = signal ?? new AbortController().signal
    const row = await this.#parts.db.read((reader) => this.#row(reader))
    if (this.#parts.system !== null && (await this.#bySystem(this.#parts.system, request, live)))
      return 'system'
    if (row.record === null) throw notSet()
    this.#refuseBlocked(row)
    const answer = await this.#parts.ask({ ...request, purpose: 'presence' }, live)
    try {
      const counted = await this.#parts.ledger.commit(this.#attempt, request)
      const isRight = await verify(answer, counted.value)
      await this.#parts.ledger.commit(this.#settle, { request, isRight })
      if (!isRight) throw new Fault('PRESENCE_REFUSED', 'That is not the presence passphrase.')
      return 'passphrase'
    } finally {
      answer.wipe()
    }
  }

  async status(): Promise<PresenceStatus> {
    const row = await this.#parts.db.read((reader) => this.#row(reader))
    return {
      isSet: row.record !== null,
      setAt: row.set_at,
      changedAt: row.changed_at,
      system: this.#parts.system?.kind ?? null,
      failures: row.failures,
      blockedUntil: this.#blockedUntil(row),
      exempt: exemptOf(row),
    }
  }

  async set(signal?: AbortSignal): Promise<{ readonly changed: boolean }> {
    const live = signal ?? new AbortController().signal
    const { isSet } = await this.status()
    if (isSet) await this.#proveOld(live)
    const answer = await this.#parts.ask(
      { action: 'set the presence passphrase', detail: null, purpose: 'new-presence' },
      live,
    )
    try {
      const record = await verifierFor(answer)
      await this.#parts.ledger.commit(this.#store, { record, replaces: isSet })
      return { changed: isSet }
    } finally {
      answer.wipe()
    }
  }

  /** Behind the gate: the caller has proved presence. */
  async exempt(act: ExemptableAct, on: boolean): Promise<void> {
    await this.#parts.ledger.commit(this.#exempt, { act, on })
  }

  /** Changing takes the old passphrase itself, whatever else the machine could recognise the person by. */
  async #proveOld(signal: AbortSignal): Promise<void> {
    const own = new LocalPresence({ ...this.#parts, system: null })
    await own.prove({ action: 'change the presence passphrase', detail: null }, signal)
  }

  async #bySystem(
    system: SystemPresence,
    request: PresenceRequest,
    signal: AbortSignal,
  ): Promise<boolean> {
    const isRight = await system.prove(request, signal)
    const record = this.#event(isRight ? 'presence.proved' : 'presence.refused', request, [])
    await this.#parts.ledger.commit(NOTE, record)
    if (!isRight)
      throw new Fault('PRESENCE_REFUSED', `The ${system.kind} prompt was refused or dismissed.`, {
        details: { remedy: 'run the command again, and answer the prompt of the system' },
      })
    return true
  }

  #blockedUntil(row: PresenceRow): EpochMs | null {
    if (row.blocked_until === null) return null
    const now = this.#parts.clock()
    const left = row.blocked_until - now
    // No pause is that long: the clock was stepped back since, and must not lock the person out until it has caught up.
    // Whoever can step it back could step it forward as well.
    if (left > MAX_BLOCK_MS) return null
    return left > 0 ? row.blocked_until : null
  }

  #refuseBlocked(row: PresenceRow): void {
    const until = this.#blockedUntil(row)
    if (until === null) return
    const seconds = Math.ceil((until - this.#parts.clock()) / 1000)
    throw new Fault('PRESENCE_THROTTLED', `Too many wrong answers; try again in ${seconds} s.`, {
      details: { seconds },
    })
  }

  /** @throws {Fault} `STORE_TAMPERED` when the row is gone: then nobody must be able to set a first passphrase */
  async #row(reader: Reader): Promise<PresenceRow> {
    const row = await this.#parts.tables.presence.get(reader, 'id = ?', [1])
    if (row === null)
      throw new Fault('STORE_TAMPERED', 'The row of the presence gate was removed from the store.')
    return row
  }

  async #countAttempt(tx: Tx, request: PresenceRequest, at: EpochMs): Promise<Settled<string>> {
    const row = await this.#row(tx)
    if (row.record === null) return { fault: notSet(), record: null }
    try {
      this.#refuseBlocked(row)
    } catch (error) {
      if (error instanceof Fault)
        return { fault: error, record: this.#event('presence.throttled', request, []) }
      throw error
    }
    const failures = row.failures + 1
    const pause = Math.min(FIRST_BLOCK_MS * 2 ** (failures - FREE_FAILURES), MAX_BLOCK_MS)
    const next: PresenceRow = {
      ...row,
      failures,
      blocked_until: failures < FREE_FAILURES ? null : epochMs(at + pause),
      revision: row.revision + 1,
    }
    await this.#parts.tables.presence.save(tx, [next])
    return { value: row.record, record: this.#event('presence.attempt', request, [next]) }
  }

  async #settleAttempt(tx: Tx, { request, isRight }: Ended): Promise<Settled<null>> {
    if (!isRight) return { value: null, record: this.#event('presence.refused', request, []) }
    const row = await this.#row(tx)
    const next: PresenceRow = {
      ...row,
      failures: 0,
      blocked_until: null,
      revision: row.revision + 1,
    }
    await this.#parts.tables.presence.save(tx, [next])
    return { value: null, record: this.#event('presence.proved', request, [next]) }
  }

  async #storeRecord(tx: Tx, { record, replaces }: NewRecord, at: EpochMs): Promise<Settled<null>> {
    const row = await this.#row(tx)
    // Two who set the first one at once: the second has not shown that it knows the first.
    if ((row.record !== null) !== replaces)
      return {
        fault: new Fault('CONFLICT', 'A presence passphrase was set meanwhile by someone else.'),
        record: null,
      }
    const next: PresenceRow = {
      ...row,
      record,
      set_at: row.set_at ?? at,
      changed_at: at,
      failures: 0,
      blocked_until: null,
      revision: row.revision + 1,
    }
    await this.#parts.tables.presence.save(tx, [next])
    return {
      value: null,
      record: this.#event(row.record === null ? 'presence.set' : 'presence.change', null, [next]),
    }
  }

  async #storeExemption(
    tx: Tx,
    { act, on }: { readonly act: ExemptableAct; readonly on: boolean },
  ): Promise<Settled<null>> {
    const row = await this.#row(tx)
    const acts = new Set(exemptOf(row))
    if (on) acts.add(act)
    else acts.delete(act)
    const next: PresenceRow = {
      ...row,
      exempt: JSON.stringify([...acts].toSorted()),
      revision: row.revision + 1,
    }
    await this.#parts.tables.presence.save(tx, [next])
    return {
      value: null,
      record: this.#event('presence.exempt', { action: act, detail: String(on) }, [next]),
    }
  }

  #event(
    action: string,
    request: PresenceRequest | null,
    rows: readonly PresenceRow[],
  ): RecordDraft {
    return {
      kind: 'event',
      action,
      caller: BEFORE_PROOF.includes(action) ? UNPROVED : PROVED,
      rows: rows.map((row) => ['presence', '1', row.revision]),
      ...(request === null ? {} : { detail: { for: request.action, what: request.detail } }),
    }
  }
}

function notSet(): Fault {
  return new Fault(
    'PRESENCE_UNAVAILABLE',
    'This is for the person alone, and no presence passphrase is set yet: run sallyport presence set in a terminal.',
  )
}

interface NewRecord {
  /** Argon2id record. */
  readonly record: string
  /** Whether there was one before, which was proved. */
  readonly replaces: boolean
}

interface Ended {
  readonly request: PresenceRequest
  readonly isRight: boolean
}

const NOTE = changeLane<RecordDraft, null>('presence.note', async (_tx, record) => ({
  value: null,
  record,
}))

function exemptOf(row: PresenceRow): readonly ExemptableAct[] {
  return JSON.parse(row.exempt) as readonly ExemptableAct[]
}
