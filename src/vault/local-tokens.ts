import type { Ledger, RowRevision, Settled } from '../audit/index.ts'
import type { LocalToken, TokenPort } from '../core/admin-port.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import { type Caller, LOCAL_PERSON } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { EpochMs } from '../core/time.ts'
import { newToken, parseToken, sameTokenHash, tokenHash } from '../crypto/index.ts'
import { bumpRights, type StoreKeys } from '../keys/index.ts'
import { changeLane } from './change-lane.ts'
import { type TokenRow, type VaultTables } from './rows-repository.ts'

const PREFIX = 'spt_local_'
const MAX_LABEL = 100

interface Issue {
  readonly label: string
  readonly project: string | null
  readonly digest: Uint8Array
  /** The token that this one replaces. */
  readonly replaces: string | null
}

/** Bearers of the local HTTP endpoint: shown once, stored as a keyed hash, dead at once when rotated or revoked. */
export async function createTokens(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly tables: VaultTables
}): Promise<TokenPort> {
  const { db, ledger, tables } = parts
  const { key } = await db.read((reader) => parts.keys.active(reader, 'token-lookup'))
  const issue = changeLane('token.issue', (tx, request: Issue, at) =>
    issueToken(tables, tx, request, at),
  )
  const revoke = changeLane('token.revoke', (tx, id: string, at) => revokeToken(tables, tx, id, at))

  async function issued(
    label: string,
    project: string | null,
    replaces: string | null,
  ): Promise<{ token: SecretText; info: LocalToken }> {
    const token = newToken(PREFIX)
    const digest = tokenHash(key, token)
    const { value } = await ledger.commit(issue, { label, project, digest, replaces })
    return { token, info: infoOf(value) }
  }

  return {
    async list() {
      const rows = await db.read((reader) =>
        tables.tokens.select(reader, 'revoked_at is null order by created_at, id', []),
      )
      return rows.map(infoOf)
    },
    async create(label, project) {
      return issued(checkedLabel(label), project, null)
    },
    async rotate(id) {
      const row = await db.read((reader) => tables.tokens.get(reader, 'id = ?', [id]))
      if (row === null || row.revoked_at !== null) throw unknownToken(id)
      return issued(row.label, row.project, id)
    },
    async revoke(id) {
      await ledger.commit(revoke, id)
    },
    async verify(text) {
      // Most bearers at the gateway are others, and reading one costs more than looking at how it begins.
      if (!text.startsWith(PREFIX)) return null
      const parsed = parseToken(text)
      if (parsed === null || parsed.prefix !== PREFIX) return null
      const digest = tokenHash(key, parsed.token)
      parsed.token.wipe()
      const row = await db.read((reader) => tables.tokens.get(reader, 'digest = ?', [digest]))
      if (row === null || row.revoked_at !== null || !sameTokenHash(digest, row.digest)) return null
      return infoOf(row)
    },
  }
}

function checkedLabel(label: string): string {
  if (label === '' || label.length > MAX_LABEL || /\p{Cc}/u.test(label))
    throw new Fault('BAD_INPUT', `label must have 1 to ${MAX_LABEL} printable characters.`, {
      details: { field: 'label' },
    })
  return label
}

function unknownToken(id: string): Fault {
  return new Fault(
    'NOT_FOUND',
    `There is no token '${id.slice(0, 64)}'; list them with sallyport token ls.`,
  )
}

function infoOf(row: TokenRow): LocalToken {
  return { id: row.id, label: row.label, project: row.project, createdAt: row.created_at }
}

const CALLER: Caller = { principal: LOCAL_PERSON, channel: 'cli' }

async function issueToken(
  tables: VaultTables,
  tx: Tx,
  request: Issue,
  at: EpochMs,
): Promise<Settled<TokenRow>> {
  const rows: RowRevision[] = []
  if (request.replaces !== null) {
    const old = await tables.tokens.get(tx, 'id = ?', [request.replaces])
    if (old === null || old.revoked_at !== null)
      return { fault: unknownToken(request.replaces), record: null }
    rows.push(await markRevoked(tables, tx, old, at))
  }
  const row: TokenRow = {
    id: newId(),
    label: request.label,
    project: request.project,
    digest: request.digest,
    created_at: at,
    revoked_at: null,
    revision: 1,
  }
  await tables.tokens.save(tx, [row])
  await bumpRights(tx)
  return {
    value: row,
    record: {
      kind: 'change',
      action: request.replaces === null ? 'token.create' : 'token.rotate',
      caller: CALLER,
      rows: [...rows, ['tokens', row.id, 1]],
      detail: { token: row.id, label: row.label, project: row.project },
    },
  }
}

async function revokeToken(
  tables: VaultTables,
  tx: Tx,
  id: string,
  at: EpochMs,
): Promise<Settled<null>> {
  const row = await tables.tokens.get(tx, 'id = ?', [id])
  if (row === null || row.revoked_at !== null) return { fault: unknownToken(id), record: null }
  const revoked = await markRevoked(tables, tx, row, at)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'token.revoke',
      caller: CALLER,
      rows: [revoked],
      detail: { token: id },
    },
  }
}

async function markRevoked(
  tables: VaultTables,
  tx: Tx,
  row: TokenRow,
  at: EpochMs,
): Promise<RowRevision> {
  const next: TokenRow = { ...row, revoked_at: at, revision: row.revision + 1 }
  await tables.tokens.save(tx, [next])
  await bumpRights(tx)
  return ['tokens', next.id, next.revision]
}
