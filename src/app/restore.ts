import { existsSync } from 'node:fs'
import type { KeySourceKind, Settings } from '../core/config.ts'
import type { Db } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { type KeyId, newId } from '../core/ids.ts'
import { silentLog } from '../core/log.ts'
import { type Caller, LOCAL_PERSON } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import { systemClock } from '../core/time.ts'
import { derive, type KeySource, parseRecoveryKey } from '../crypto/index.ts'
import { readSeal, writeSeal } from '../keys/index.ts'
import {
  type DumpedRow,
  emptyTables,
  loadTables,
  MIGRATIONS,
  migrate,
  TABLES,
} from '../store/index.ts'
import {
  BACKED_UP_TABLES,
  type BackupHeader,
  type BackupReader,
  noteRestore,
  openBackup,
  openBackupRoot,
} from '../vault/index.ts'
import { firstSource, openStack, openStore, refuseLostStore, storeFile } from './open-stack.ts'

const CALLER: Caller = { principal: LOCAL_PERSON, channel: 'cli' }

export interface RestoreOptions {
  readonly settings: Settings
  readonly file: string
  readonly sourceOf: (kind: KeySourceKind) => KeySource
  readonly ask: (seal: BackupHeader['sealedTo']) => Promise<SecretText>
}

/**
 * Fills an absent or empty store from a backup. The keys are sealed to this machine's own key source; the audit head
 * of the restored store becomes the head, and a record names it beside the one that was found.
 */
export async function restoreBackup(
  options: RestoreOptions,
): Promise<{ readonly records: number; readonly note: string }> {
  const backup = await openBackup(options.file)
  try {
    const key = await backupKey(backup.header, await options.ask(backup.header.sealedTo))
    try {
      const note = await loadBackup(options, backup, key)
      const records = await adopt(options, backup.header)
      return { records, note }
    } finally {
      key.fill(0)
    }
  } finally {
    await backup.close()
  }
}

async function backupKey(header: BackupHeader, typed: SecretText): Promise<Buffer> {
  try {
    const key =
      header.sealedTo === 'recovery-key'
        ? parseRecoveryKey(typed)
        : await derive(typed, header.params)
    try {
      openBackupRoot(header, key)
    } catch (cause) {
      throw new Fault(
        'KEY_INVALID',
        `That is not the ${header.sealedTo.replace('-', ' ')} of this backup.`,
        {
          cause,
        },
      )
    }
    return key
  } finally {
    typed.wipe()
  }
}

async function loadBackup(
  { settings, sourceOf }: RestoreOptions,
  backup: BackupReader,
  key: Buffer,
): Promise<string> {
  const root = openBackupRoot(backup.header, key)
  const { db } = await openStore(settings, 'restore')
  try {
    await migrate(db, MIGRATIONS)
    await refuseUsed(db)
    let note = 'The key is kept where it was.'
    const kind = await firstSource(settings, (reason) => {
      note = reason
    })
    await db.write(
      async (tx) => {
        await emptyTables(tx, TABLES)
        await loadTables(tx, rowsOf(backup, key))
        const sealKeyId = newId<KeyId>()
        const sealKey = await sourceOf(kind).create(backup.header.storeId, sealKeyId)
        await writeSeal(tx, {
          storeId: backup.header.storeId,
          source: kind,
          sealKeyId,
          params: sealKey.params,
          rootKeyId: root.id,
          sealedRoot: root.sealUnder(sealKey.key, sealKeyId),
          createdAt: systemClock(),
          revision: 1,
        })
      },
      { deadlineMs: 60_000, mayPause: true },
    )
    return note
  } finally {
    await db.close()
  }
}

async function* rowsOf(backup: BackupReader, key: Buffer): AsyncIterable<DumpedRow> {
  for await (const line of backup.lines(key)) {
    const row = JSON.parse(line) as DumpedRow
    if (!BACKED_UP_TABLES.includes(row.table))
      throw new Fault('BAD_INPUT', 'The backup holds a table that this version does not know.')
    yield row
  }
}

/** Whether the configured store is there and holds a vault. Opens no keys. */
export async function storeState(settings: Settings): Promise<'absent' | 'empty' | 'in-use'> {
  if (settings.databaseUrl === null && !existsSync(storeFile(settings))) return 'absent'
  return (await isStoreInUse(settings)) ? 'in-use' : 'empty'
}

/**
 * For what only looks at a store: it makes none.
 *
 * @throws {Fault} `STORE_UNAVAILABLE` when there is none, `STORE_TAMPERED` when there was one and it is gone
 */
export async function needStore(settings: Settings): Promise<void> {
  // The store that is not to be opened refuses with words of its own.
  if (settings.localOnly || (await storeState(settings)) === 'in-use') return
  const file = settings.databaseUrl === null ? storeFile(settings) : null
  if (file !== null) await refuseLostStore(settings, file)
  const place = file === null ? 'in the configured database' : `at '${file}'`
  throw new Fault(
    'STORE_UNAVAILABLE',
    `There is no vault ${place}, so there is nothing to look at.`,
    {
      details: {
        remedy: 'set SALLYPORT_HOME, SALLYPORT_DATA_DIR or SALLYPORT_DATABASE_URL to where it is',
      },
    },
  )
}

async function isStoreInUse(settings: Settings): Promise<boolean> {
  const { db } = await openStore(settings, 'restore')
  try {
    await migrate(db, MIGRATIONS)
    return (await db.read((reader) => readSeal(reader))) !== null
  } finally {
    await db.close()
  }
}

async function refuseUsed(db: Db): Promise<void> {
  const seal = await db.read((reader) => readSeal(reader))
  if (seal !== null)
    throw new Fault(
      'CONFLICT',
      'The store is in use; restore into an empty one (set SALLYPORT_HOME to a new folder).',
    )
}

async function adopt(options: RestoreOptions, header: BackupHeader): Promise<number> {
  const stack = await openStack({
    settings: options.settings,
    log: silentLog,
    sourceOf: options.sourceOf,
  })
  try {
    const heads = await stack.heads.adopt()
    await noteRestore(stack.ledger, CALLER, header, heads)
    const { size } = await stack.audit.verify()
    return size
  } finally {
    await stack.close()
  }
}
