import {
  type AdoptedHead,
  type HeadKeeper,
  headDetail,
  type Ledger,
  type RecordDraft,
} from '../audit/index.ts'
import type { BackupPort } from '../core/admin-port.ts'
import { type Caller, LOCAL_PERSON } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import { assertNewPassphrase, derive, newParams, newRecoveryKey, RootKey } from '../crypto/index.ts'
import type { StoreKeys } from '../keys/index.ts'
import { type DumpedRow, dumpTables, TABLES } from '../store/index.ts'
import { type BackupHeader, newBackupId, writeBackup } from './backup-file.ts'
import { changeLane } from './change-lane.ts'

/**
 * The seal is made anew where the backup is restored. Recorded calls end on a day and their keys with them, which a copy
 * of the keys would undo.
 */
const LEFT_OUT: readonly string[] = ['seal', 'recorded_calls', 'recorded_days']
export const BACKED_UP_TABLES: readonly string[] = TABLES.filter(
  (table) => !LEFT_OUT.includes(table),
)

const CALLER: Caller = { principal: LOCAL_PERSON, channel: 'cli' }
const NOTE = changeLane<RecordDraft, null>('backup', async (_tx, record) => ({
  value: null,
  record,
}))

/** Whole-store backups: every row as it is stored, once more sealed, with the root key sealed to the person's key. */
export function createBackups(parts: {
  readonly ledger: Ledger
  readonly heads: HeadKeeper
  readonly keys: StoreKeys
}): BackupPort {
  const { ledger, heads, keys } = parts
  return {
    async backup(file, to) {
      const backupId = newBackupId()
      await ledger.commit(NOTE, {
        kind: 'event',
        action: 'backup',
        caller: CALLER,
        detail: { backup: backupId, sealedTo: to === 'recovery-key' ? to : 'passphrase' },
      })
      await ledger.flush()
      await heads.flush()
      const made = await sealKeyFor(to)
      try {
        // Root and rows from one snapshot: another process may rekey meanwhile.
        const records = await keys.readWithRoot(async (reader, root) => {
          const header: BackupHeader = {
            'sallyport-backup': 1,
            sealedTo: to === 'recovery-key' ? 'recovery-key' : 'passphrase',
            params: made.params,
            backupId,
            storeId: keys.storeId,
            rootKeyId: root.id,
            sealedRoot: root.sealUnder(made.key, backupId).toString('base64url'),
          }
          const lines = linesOf(dumpTables(reader, BACKED_UP_TABLES))
          return writeBackup(file, header, made.key, lines)
        })
        return { records, recoveryKey: made.recoveryKey }
      } finally {
        made.key.fill(0)
      }
    },
  }
}

async function* linesOf(rows: AsyncIterable<DumpedRow>): AsyncIterable<string> {
  for await (const row of rows) yield JSON.stringify(row)
}

async function sealKeyFor(
  to: { readonly passphrase: SecretText } | 'recovery-key',
): Promise<{ key: Buffer; params: string; recoveryKey: SecretText | null }> {
  if (to === 'recovery-key') {
    const { key, text } = newRecoveryKey()
    return { key, params: '{}', recoveryKey: text }
  }
  assertNewPassphrase(to.passphrase)
  const params = newParams()
  return { key: await derive(to.passphrase, params), params, recoveryKey: null }
}

/** The root key inside a backup. @throws {Fault} `STORE_TAMPERED` when the key is not the one it was sealed to */
export function openBackupRoot(header: BackupHeader, key: Uint8Array): RootKey {
  return RootKey.openSealed(
    header.rootKeyId,
    header.storeId,
    key,
    header.backupId,
    Buffer.from(header.sealedRoot, 'base64url'),
  )
}

/** Records a restore with both heads: that of the restored records, and what was found in its place. */
export async function noteRestore(
  ledger: Ledger,
  caller: Caller,
  header: BackupHeader,
  heads: AdoptedHead,
): Promise<void> {
  await ledger.commit(NOTE, {
    kind: 'event',
    action: 'store.restore',
    caller,
    detail: { backup: header.backupId, ...headDetail(heads) },
  })
}
