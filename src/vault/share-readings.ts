import { changeLane, type Ledger, type Settled } from '../audit/index.ts'
import { addressBlock } from '../core/address-block.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { isUuid } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import { demandRate, perMinute, type RatePort } from '../core/rate-port.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import type { SecretRead } from '../core/vault-port.ts'
import { parseToken, tokenHash, verify } from '../crypto/index.ts'
import type { StoreKeys } from '../keys/index.ts'
import type { LocalVault } from './local-vault.ts'
import type { VaultTables } from './rows-repository.ts'
import {
  MAX_WRONG_PASSPHRASES,
  type ShareClaim,
  shareLocked,
  shareNotFound,
  standingProblem,
} from './share-book.ts'
import type { ShareRow } from './sharing-rows.ts'

const PER_SHARE = perMinute(30)
const PER_ADDRESS = perMinute(30)

interface ReadingParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly tables: VaultTables
  readonly vault: LocalVault
  readonly rates: RatePort
  readonly clock: Clock
}

interface Attempt {
  readonly caller: Caller
  readonly id: string
  readonly claim: ShareClaim
  /** What becomes of the share: a passphrase is tried, or was wrong. */
  readonly step: 'look' | 'try' | 'wrong'
}

/** The way from a share to its value: who shows what, how often it may be wrong, and then a read as any other. */
export class ShareReadings {
  readonly #parts: ReadingParts
  readonly #attempts
  #key: Promise<Uint8Array> | null = null

  constructor(parts: ReadingParts) {
    this.#parts = parts
    this.#attempts = changeLane('share.attempt', (tx, attempt: Attempt, at) =>
      attemptShare(parts.tables, tx, attempt, at),
    )
  }

  /** The key under which secret parts of links are hashed. */
  linkKey(): Promise<Uint8Array> {
    this.#key ??= this.#parts.db
      .read((reader) => this.#parts.keys.active(reader, 'token-lookup'))
      .then(
        (held) => held.key,
        (error: unknown) => {
          this.#key = null
          throw error
        },
      )
    return this.#key
  }

  /** @param link null: the caller is the recipient by his own credential */
  async read(
    caller: Caller,
    id: string,
    link: SecretText | null,
    address: string | null,
    passphrase: SecretText | undefined,
  ): Promise<{ readonly row: ShareRow; readonly read: SecretRead }> {
    const { rates } = this.#parts
    const from = address === null ? principalName(caller.principal) : addressBlock(address)
    demandRate(await rates.take(`share address ${from}`, PER_ADDRESS), 'attempts')
    demandRate(await rates.take(`share ${id.slice(0, 64)}`, PER_SHARE), 'attempts')
    const digest = link === null ? null : await this.#digestOf(link)
    const bare: ShareClaim = { id, digest, passphrase: null, address }
    const row = await this.#attempt(caller, bare, 'look')
    const claim = await this.#withPassphrase(caller, row, bare, passphrase)
    const place = { vaultId: row.vault_id, path: row.path }
    const read = await this.#parts.vault.getShared(caller, place, claim)
    const { db, tables } = this.#parts
    const now = await db.read((reader) => tables.shares.get(reader, 'id = ?', [row.id]))
    return { row: now ?? row, read }
  }

  /** A text that is no token at all has the hash of none. */
  async #digestOf(link: SecretText): Promise<Uint8Array> {
    const parsed = parseToken(link.reveal())
    const key = await this.linkKey()
    return parsed === null ? Buffer.alloc(32) : tokenHash(key, parsed.token)
  }

  async #withPassphrase(
    caller: Caller,
    row: ShareRow,
    claim: ShareClaim,
    passphrase: SecretText | undefined,
  ): Promise<ShareClaim> {
    if (row.passphrase === null) return claim
    if (passphrase === undefined) throw passphraseFault('This share asks for a passphrase.')
    // Counted before it is looked at, so that many at once are not more than ten.
    const counted = await this.#attempt(caller, claim, 'try')
    const record = counted.passphrase ?? ''
    if (await verify(passphrase, record)) return { ...claim, passphrase: record }
    await this.#attempt(caller, claim, 'wrong')
    throw passphraseFault('The passphrase is wrong.')
  }

  async #attempt(caller: Caller, claim: ShareClaim, step: Attempt['step']): Promise<ShareRow> {
    const attempt = { caller, id: claim.id, claim, step }
    return (await this.#parts.ledger.commit(this.#attempts, attempt)).value
  }
}

async function attemptShare(
  tables: VaultTables,
  tx: Tx,
  { caller, id, claim, step }: Attempt,
  at: EpochMs,
): Promise<Settled<ShareRow>> {
  const row = isUuid(id) ? await tables.shares.get(tx, 'id = ?', [id]) : null
  const problem = standingProblem(row, principalName(caller.principal), claim, at)
  const isSpentTry = step === 'try' && (row?.failures ?? 0) >= MAX_WRONG_PASSPHRASES
  const fault = problem ?? (isSpentTry ? shareLocked() : null)
  if (row === null || (fault !== null && step !== 'wrong'))
    return {
      fault: fault ?? shareNotFound(),
      record: {
        kind: 'refusal',
        action: 'share.read',
        caller,
        ...(row === null ? {} : { vault: row.vault_id, path: row.path }),
        by: (fault ?? shareNotFound()).code,
        detail: { share: row?.id ?? 'unknown', address: claim.address, severity: 'medium' },
      },
    }
  if (step === 'look') return { value: row, record: null }
  const isLocked = step === 'wrong' && row.failures >= MAX_WRONG_PASSPHRASES
  if (step === 'wrong' && !isLocked) return { value: row, record: wrong(caller, row, claim) }
  const next: ShareRow = {
    ...row,
    failures: step === 'try' ? row.failures + 1 : row.failures,
    state: isLocked ? 'locked' : row.state,
    revision: row.revision + 1,
  }
  await tables.shares.save(tx, [next])
  return {
    value: next,
    record: {
      kind: 'change',
      action: isLocked ? 'share.lock' : 'share.try',
      caller,
      vault: row.vault_id,
      path: row.path,
      rows: [['shares', row.id, next.revision]],
      detail: {
        share: row.id,
        address: claim.address,
        ...(isLocked ? { severity: 'high' } : {}),
      },
    },
  }
}

function wrong(caller: Caller, row: ShareRow, { address }: ShareClaim) {
  return {
    kind: 'refusal',
    action: 'share.read',
    caller,
    vault: row.vault_id,
    path: row.path,
    by: 'passphrase',
    detail: { share: row.id, address, severity: 'medium' },
  } as const
}

function passphraseFault(message: string): Fault {
  return new Fault('ACCESS_DENIED', message, {
    details: { field: 'passphrase', remedy: 'send the passphrase that whoever shared it told you' },
  })
}
