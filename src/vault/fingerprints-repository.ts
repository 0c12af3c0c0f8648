import { randomInt } from 'node:crypto'
import type { Reader, SqlValue, Tx } from '../core/db-port.ts'
import type { SecretId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import { type Fingerprint, isVariant } from '../inspect/index.ts'

/** A version of a secret, of which fingerprints are kept. */
export interface VersionName {
  readonly secretId: SecretId
  readonly version: number
}

/** A version that a principal was given or gave, and the path it lies at. */
export interface KnownVersion extends VersionName {
  readonly path: string
  /** Its lines are remembered, too. */
  readonly isByLine: boolean
}

/** Columns of `fingerprints`, in the order in which they are inserted. */
const COLUMNS =
  'secret_id, version, part, variant, length, window_at, window_hash, proof, spans_lines'
const COLUMN_COUNT = 9
const ROWS_AT_ONCE = 64

/** @param parts one list for each part of the value: an environment bundle is remembered whole and by entry */
export async function insertFingerprints(
  tx: Tx,
  { secretId, version }: VersionName,
  parts: readonly (readonly Fingerprint[])[],
): Promise<void> {
  const rows = parts.flatMap((prints, part) =>
    prints.map((one): readonly SqlValue[] => [
      secretId,
      version,
      part,
      one.variant,
      one.length,
      one.windowAt,
      one.window,
      one.proof,
      one.spansLines ? 1 : 0,
    ]),
  )
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const some = rows.slice(at, at + ROWS_AT_ONCE)
    const places = some.map(() => `(${Array(COLUMN_COUNT).fill('?').join(', ')})`).join(', ')
    await tx.run(
      `insert into fingerprints (${COLUMNS}) values ${places} on conflict do nothing`,
      some.flat(),
    )
  }
}

/**
 * Says how much of a version is remembered, its lines included. What was said before of the whole stays.
 *
 * @param strength guesses that its value takes, as a power of two
 */
export async function saveRemembered(
  tx: Tx,
  { secretId, version }: VersionName,
  isRedactable: boolean,
  strength: number,
): Promise<void> {
  await tx.run(
    `insert into remembered_versions (secret_id, version, redactable, guess_bits, ended_at, by_line)
     values (?, ?, ?, ?, null, 1) on conflict (secret_id, version) do update set by_line = 1`,
    [secretId, version, isRedactable ? 1 : 0, Math.floor(strength)],
  )
}

/** Whether redaction recognises a version's value; null when it, or each of its lines, was never looked at. */
export async function isRedactable(
  reader: Reader,
  { secretId, version }: VersionName,
): Promise<boolean | null> {
  const row = await reader.get<{ redactable: number }>(
    'select redactable from remembered_versions where secret_id = ? and version = ? and by_line = 1',
    [secretId, version],
  )
  return row === undefined ? null : row.redactable === 1
}

export async function saveKnown(
  tx: Tx,
  principal: string,
  { secretId, version }: VersionName,
  at: EpochMs,
): Promise<void> {
  await tx.run(
    `insert into known_versions (principal, secret_id, version, last_at) values (?, ?, ?, ?)
     on conflict (principal, secret_id, version) do update set last_at = excluded.last_at`,
    [principal, secretId, version, at],
  )
}

/** The version is no longer what its path answers; what is known of it is kept for some time yet. Null: it is again. */
export async function endVersion(
  tx: Tx,
  { secretId, version }: VersionName,
  at: EpochMs | null,
): Promise<void> {
  await tx.run('update remembered_versions set ended_at = ? where secret_id = ? and version = ?', [
    at,
    secretId,
    version,
  ])
}

const ENDED = `select r.secret_id, r.version from remembered_versions r
  where r.ended_at < ? and not exists (select 1 from known_versions k
    where k.secret_id = r.secret_id and k.version = r.version and k.last_at >= ?)`

/** Forgets the versions that ended before an instant and were not given out since. @returns how many */
export async function forgetEnded(tx: Tx, before: EpochMs): Promise<number> {
  const ended = await tx.all<{ secret_id: SecretId; version: number }>(ENDED, [before, before])
  for (const { secret_id, version } of ended)
    for (const table of ['fingerprints', 'known_versions', 'remembered_versions'])
      await tx.run(`delete from ${table} where secret_id = ? and version = ?`, [secret_id, version])
  return ended.length
}

/** Changes whenever somebody knows another value, or something is forgotten. */
export async function knownRevision(reader: Reader): Promise<number> {
  const row = await reader.get<{ revision: number }>(
    'select revision from known_revision where id = 1',
  )
  return row?.revision ?? 0
}

/** A number never seen before, so that one written in a transaction that was undone cannot come again. */
export async function bumpKnown(tx: Tx): Promise<void> {
  await tx.run('update known_revision set revision = ? where id = 1', [randomInt(2, 2 ** 47)])
}

/** The versions that a principal knows and that are still remembered. @param since those that ended before are not */
export async function knownVersions(
  reader: Reader,
  principal: string,
  since: EpochMs,
): Promise<readonly KnownVersion[]> {
  const rows = await reader.all<{
    secret_id: SecretId
    version: number
    path: string
    by_line: number
  }>(
    `select k.secret_id, k.version, s.path, r.by_line from known_versions k
     join secrets s on s.id = k.secret_id
     join remembered_versions r on r.secret_id = k.secret_id and r.version = k.version
     where k.principal = ? and (r.ended_at is null or r.ended_at >= ? or k.last_at >= ?)
     order by k.secret_id, k.version`,
    [principal, since, since],
  )
  return rows.map((row) => ({
    secretId: row.secret_id,
    version: row.version,
    path: row.path,
    isByLine: row.by_line === 1,
  }))
}

interface FingerprintRow {
  readonly secret_id: SecretId
  readonly version: number
  readonly variant: string
  readonly length: number
  readonly window_at: number
  readonly window_hash: number
  readonly proof: Uint8Array
  readonly spans_lines: number
}

function fingerprintOf(row: FingerprintRow): Fingerprint | null {
  if (!isVariant(row.variant)) return null
  return {
    variant: row.variant,
    length: row.length,
    windowAt: row.window_at,
    window: row.window_hash,
    proof: row.proof,
    spansLines: row.spans_lines === 1,
  }
}

/** Above this many versions it is cheaper to read all that the principal knows. */
const ONE_BY_ONE = 64

/** The fingerprints of versions of a principal, each beside the name of its version. */
export async function* fingerprintsOfVersions(
  reader: Reader,
  principal: string,
  versions: readonly KnownVersion[],
): AsyncGenerator<readonly [version: KnownVersion, fingerprint: Fingerprint]> {
  const wanted = new Map(versions.map((one) => [`${one.secretId}/${one.version}`, one]))
  const columns =
    'f.secret_id, f.version, f.variant, f.length, f.window_at, f.window_hash, f.proof, f.spans_lines'
  const take = function* (rows: readonly FingerprintRow[]) {
    for (const row of rows) {
      const version = wanted.get(`${row.secret_id}/${row.version}`)
      const fingerprint = fingerprintOf(row)
      if (version !== undefined && fingerprint !== null) yield [version, fingerprint] as const
    }
  }
  if (versions.length > ONE_BY_ONE) {
    yield* take(
      await reader.all<FingerprintRow>(
        `select ${columns} from fingerprints f join known_versions k
           on k.secret_id = f.secret_id and k.version = f.version where k.principal = ?`,
        [principal],
      ),
    )
    return
  }
  for (const { secretId, version } of versions)
    yield* take(
      await reader.all<FingerprintRow>(
        `select ${columns} from fingerprints f where f.secret_id = ? and f.version = ?`,
        [secretId, version],
      ),
    )
}
