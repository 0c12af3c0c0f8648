import { randomBytes } from 'node:crypto'
import type { RowRevision } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import type { LinkInfo } from '../core/people-port.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { sameTokenHash } from '../crypto/index.ts'
import type { IdentityTables } from './identity-rows.ts'
import { keyedHash } from './keyed-name.ts'
import type { UserLinkRow } from './people-rows.ts'

const TOKEN = /^[A-Za-z0-9_-]{43}$/
/** Whoever sets up a server is at it; who is invited reads his mail at some time. */
const LIFE_MS = { setup: 30 * 60_000, invite: 72 * 3_600_000, reset: 24 * 3_600_000 } as const

export interface LinkChoice
  extends Pick<UserLinkRow, 'kind' | 'email' | 'role' | 'user_id' | 'created_by'> {
  readonly digest: Uint8Array
}

export function newLinkToken(key: Uint8Array): {
  readonly token: string
  readonly digest: Uint8Array
} {
  const token = randomBytes(32).toString('base64url')
  return { token, digest: keyedHash(key, 'link', token) }
}

/** Makes a link; what was open for the same purpose and account no longer counts. */
export async function insertLink(
  { userLinks }: IdentityTables,
  tx: Tx,
  choice: LinkChoice,
  at: EpochMs,
): Promise<{ readonly row: UserLinkRow; readonly rows: readonly RowRevision[] }> {
  const rows: RowRevision[] = []
  for (const old of await userLinks.select(tx, 'kind = ? or expires_at <= ?', [choice.kind, at])) {
    const isSame = old.email === choice.email && old.user_id === choice.user_id
    if (!isSame && !isOver(old, at)) continue
    await userLinks.remove(tx, old)
    rows.push(['user_links', old.id, null])
  }
  const row: UserLinkRow = {
    ...choice,
    id: newId(),
    created_at: at,
    expires_at: epochMs(at + LIFE_MS[choice.kind]),
    used_at: null,
    revision: 1,
  }
  await userLinks.save(tx, [row])
  return { row, rows: [...rows, ['user_links', row.id, 1]] }
}

/** @throws {Fault} `NOT_FOUND`, one text for every reason */
export async function openLink(
  { userLinks }: IdentityTables,
  reader: Reader,
  key: Uint8Array,
  token: string,
  at: EpochMs,
): Promise<UserLinkRow> {
  if (!TOKEN.test(token)) throw noLink()
  const digest = keyedHash(key, 'link', token)
  const row = await userLinks.get(reader, 'digest = ?', [digest])
  if (row === null || !sameTokenHash(row.digest, digest) || isOver(row, at)) throw noLink()
  return row
}

export function noLink(): Fault {
  return new Fault(
    'NOT_FOUND',
    'This link was used already, has ended, or never was. Ask for a new one.',
  )
}

function isOver(row: UserLinkRow, at: EpochMs): boolean {
  return row.used_at !== null || row.expires_at <= at
}

export function linkInfo(row: UserLinkRow): LinkInfo {
  return { kind: row.kind, email: row.email, role: row.role, expiresAt: row.expires_at }
}
