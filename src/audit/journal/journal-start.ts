import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Db, type Glance, type Tx, takeSteps } from '../../core/db-port.ts'
import { isFault } from '../../core/faults.ts'
import type { Log } from '../../core/log.ts'
import type { Clock } from '../../core/time.ts'
import { MacKey } from '../../crypto/index.ts'
import type { StoreKeys } from '../../keys/index.ts'
import { changeLane } from '../change-lane.ts'
import type { Settled } from '../lane.ts'
import type { Ledger } from '../ledger.ts'
import type { RecordDraft } from '../record.ts'
import { decodeEntry } from './entries.ts'
import { JournalFile } from './journal-file.ts'
import {
  glanceAtJournal,
  journalPath,
  lastGeneration,
  namedJournal,
  readJournal,
  saveJournal,
} from './journal-repository.ts'
import { keyOfFile, newFileId, Replay, type ReplayParts } from './replay.ts'

const PURPOSE = 'call-journal'

export interface CallJournalParts {
  readonly db: Db
  readonly keys: StoreKeys
  readonly ledger: Ledger
  readonly clock: Clock
  readonly log: Log
  /** What the names of the files begin with: that of the store. */
  readonly base: string
}

/** The journal that the store names; another where that one is lost. */
export async function openReplay(
  parts: CallJournalParts,
  key: MacKey,
  replayed: ReplayParts,
): Promise<Replay> {
  try {
    return new Replay(replayed)
  } catch (error) {
    if (!isFault(error, 'STORE_TAMPERED')) throw error
    parts.log.error('the call journal is not what the store names; another is begun', {
      reason: error.message,
    })
    const { journal, isShort } = error.details
    const id = typeof journal === 'string' ? journal : ''
    await beginFile(parts, key, { id, why: error.message, isShort: isShort === true })
    return new Replay(replayed)
  }
}

/** Files whose seal was taken in, left by a process that ended before it removed them. */
export function sealedBefore(base: string, key: MacKey, glance: Glance): string[] {
  const stored = glanceAtJournal(key, glance)
  if (stored === null) return []
  const folder = dirname(base)
  const begin = `${basename(base)}.calls-`
  return readdirSync(folder).flatMap((name) => {
    if (!name.startsWith(begin)) return []
    const [, generation = '', id = ''] =
      /^(\d+)-([0-9a-f]{16})$/.exec(name.slice(begin.length)) ?? []
    if (id === '' || Number(generation) >= stored.generation) return []
    const path = join(folder, name)
    return isSealed(path, keyOfFile(key, Number(generation), id)) ? [path] : []
  })
}

function isSealed(path: string, key: MacKey): boolean {
  const file = JournalFile.open(path, key)
  try {
    const pieces = file.read(0, file.look().size)
    return pieces.some((piece) => {
      const read = 'text' in piece ? decodeEntry(piece.text) : null
      return read !== null && 'entry' in read && read.entry.kind === 'seal'
    })
  } finally {
    file.close()
  }
}

interface Lost {
  readonly id: string
  readonly why: string
  /** Whether nothing is missing that is not in the store. */
  readonly isShort: boolean
}

/** The row of the store names a file from then on: the first, or one in place of one that is lost. */
export async function beginFile(
  parts: CallJournalParts,
  key: MacKey,
  lost: Lost | null,
): Promise<void> {
  const { db, base, ledger } = parts
  if (lost === null && (await db.read((reader) => namedJournal(reader, base))) !== null) return
  const lane = changeLane('audit.journal', async (tx: Tx, _none: null, at) => {
    const row = await takeSteps(tx, readJournal(key)).catch((error: unknown) => {
      if (isFault(error, 'STORE_TAMPERED')) return 'changed' as const
      throw error
    })
    // Of several processes that found none, or found it lost, the first has begun another.
    if (row !== null && row !== 'changed' && row.id !== lost?.id)
      return { value: null, record: null }
    const known = row === null || row === 'changed' ? null : row
    const generation = (known?.generation ?? (await takeSteps(tx, lastGeneration()))) + 1
    const id = newFileId()
    const path = journalPath(base, generation, id)
    JournalFile.create(path, keyOfFile(key, generation, id)).close()
    await takeSteps(
      tx,
      saveJournal(key, { generation, id, offset: 0, lastAt: known?.lastAt ?? at }),
    )
    const why = lost?.why ?? (row === 'changed' ? 'The row of the store was changed.' : null)
    const record: RecordDraft = {
      kind: 'event',
      action: why === null || lost?.isShort === true ? 'audit.journal' : 'audit.journal-lost',
      caller: null,
      detail: { file: path, ...(why !== null && { why }) },
    }
    return { value: null, record }
  })
  await ledger.commit(lane, null)
}

export async function journalKey({ db, keys, ledger }: CallJournalParts): Promise<MacKey> {
  const stored = await db.read((reader) => keys.rows.active(reader, PURPOSE, null))
  if (stored !== null) return new MacKey(await db.read((reader) => keys.unwrap(reader, stored)))
  const lane = changeLane('audit.journal-key', async (tx: Tx): Promise<Settled<MacKey>> => {
    // Of two processes that found none, the second finds the first one's.
    const other = await keys.rows.active(tx, PURPOSE, null)
    if (other !== null) return { value: new MacKey(await keys.unwrap(tx, other)), record: null }
    const { key, changed } = await keys.add(tx, PURPOSE, null)
    return {
      value: new MacKey(key),
      record: { kind: 'event', action: 'audit.journal-key', caller: null, rows: [changed] },
    }
  })
  return (await ledger.commit(lane, null)).value
}
