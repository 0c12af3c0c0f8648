import type { SinkStanding } from '../../core/admin-port.ts'
import type { Db, Reader, Tx } from '../../core/db-port.ts'
import type { Caller } from '../../core/principals.ts'
import type { EpochMs } from '../../core/time.ts'
import { bumpRights, type StoreKeys } from '../../keys/index.ts'
import { readTree } from '../audit-repository.ts'
import { changeLane } from '../change-lane.ts'
import type { CheckpointKeys } from '../checkpoint-keys.ts'
import type { Settled } from '../lane.ts'
import type { Ledger } from '../ledger.ts'
import { prunedSize } from '../retention/retention-repository.ts'
import { sinkPlace } from './open-sink.ts'
import { openConfigs, SINK_KEY_PURPOSE, sealedRow } from './sealed-configs.ts'
import { parseSinkConfigs, type SinkConfig } from './sink-config.ts'
import {
  addCursor,
  type CheckpointMark,
  readCheckpointMarks,
  readCursors,
  readSinks,
  removeCursor,
  type SinksTable,
} from './sink-repository.ts'
import type { Sinks } from './sinks.ts'

export interface SinkSettingOptions {
  readonly db: Db
  readonly keys: StoreKeys
  readonly ledger: Ledger
  readonly sinks: Sinks
  readonly sinksTable: SinksTable
  readonly checkpointKeys: CheckpointKeys
}

interface Change {
  readonly caller: Caller
  readonly configs: readonly SinkConfig[]
}

/** What the person sets and sees of sinks. */
export class SinkSetting {
  readonly #options: SinkSettingOptions

  constructor(options: SinkSettingOptions) {
    this.#options = options
  }

  /** @throws {Fault} `BAD_INPUT` naming the field */
  async set(caller: Caller, text: string): Promise<void> {
    const { db, ledger, sinks } = this.#options
    const before = await db.read((reader) => this.#configs(reader))
    const configs = parseSinkConfigs(text, before)
    const lane = changeLane<Change, null>('audit.sinks', (tx, change, at) =>
      this.#change(tx, change, at),
    )
    await ledger.commit(lane, { caller, configs })
    await sinks.reload()
    // Made now, so that the person can take the public half along; if it fails, it is made with the first checkpoint.
    if (configs.some(({ checkpointMinutes }) => checkpointMinutes > 0))
      await this.#options.checkpointKeys.signing().catch(() => undefined)
  }

  async standing(): Promise<readonly SinkStanding[]> {
    const { db, sinks } = this.#options
    const { size, cursors, marks } = await db.read(async (reader) => ({
      size: (await readTree(reader))?.size ?? 0,
      cursors: await readCursors(reader),
      marks: await readCheckpointMarks(reader),
    }))
    return sinks.deliveries.map(({ config, delivered, state, fault }) => {
      const cursor = Math.max(delivered.cursor, cursors.get(config.name) ?? 0)
      return {
        name: config.name,
        kind: config.kind,
        mode: config.mode,
        place: sinkPlace(config),
        delivered: cursor,
        lacking: Math.max(0, size - cursor),
        signed: signedTo(marks.get(config.name)),
        state,
        problem: fault?.message ?? null,
      }
    })
  }

  async #configs(reader: Reader): Promise<readonly SinkConfig[]> {
    const row = await readSinks(this.#options.sinksTable, reader)
    return row === null ? [] : openConfigs(reader, this.#options.keys, row)
  }

  async #change(tx: Tx, { caller, configs }: Change, at: EpochMs): Promise<Settled<null>> {
    const { keys, sinksTable } = this.#options
    const row = await readSinks(sinksTable, tx)
    const key = await keys.activeOrNew(tx, SINK_KEY_PURPOSE)
    const revision = (row?.revision ?? 0) + 1
    await sinksTable.save(tx, [sealedRow(keys.storeId, key, configs, at, revision)])
    await this.#setCursors(tx, configs)
    await bumpRights(tx)
    return {
      value: null,
      record: {
        kind: 'change',
        action: 'audit.sinks',
        caller,
        rows: [
          ...(key.changed === null ? [] : [key.changed]),
          ['audit_sinks', 'all', revision] as const,
        ],
        detail: {
          sinks: configs.map(({ name, kind, mode }) => `${name} ${kind} ${mode}`),
        },
      },
    }
  }

  async #setCursors(tx: Tx, configs: readonly SinkConfig[]): Promise<void> {
    const size = (await readTree(tx))?.size ?? 0
    const pruned = await prunedSize(tx)
    const cursors = await readCursors(tx)
    for (const { name, from } of configs)
      if (!cursors.has(name)) await addCursor(tx, name, from === 'now' ? size : pruned)
    for (const name of cursors.keys())
      if (!configs.some((one) => one.name === name)) await removeCursor(tx, name)
  }
}

function signedTo(mark: CheckpointMark | undefined): number {
  return mark === undefined || mark.at === 0 ? 0 : mark.size
}
