import type { Reader } from '../../core/db-port.ts'
import type { KeyId, StoreId } from '../../core/ids.ts'
import type { EpochMs } from '../../core/time.ts'
import { open, type SealContext, seal } from '../../crypto/index.ts'
import type { StoreKeys } from '../../keys/index.ts'
import { CHECKPOINT_MINUTES, type SinkConfig } from './sink-config.ts'
import { readSinks, type SinksRow, type SinksTable } from './sink-repository.ts'

/** The key that seals configurations: they hold keys of other systems. */
export const SINK_KEY_PURPOSE = 'sink-config'

function context(storeId: StoreId, keyId: KeyId, revision: number): SealContext {
  return {
    purpose: 'sink-config',
    tenant: storeId,
    vault: null,
    subject: 'audit_sinks',
    version: revision,
    keyId,
  }
}

/** @throws {Fault} `STORE_TAMPERED` */
export async function openConfigs(
  reader: Reader,
  keys: StoreKeys,
  row: SinksRow,
): Promise<readonly SinkConfig[]> {
  const key = await keys.byId(reader, row.key_id)
  const plain = open(key, context(keys.storeId, row.key_id, row.revision), row.sealed)
  // Checked when it was set, and sealed since; before there were checkpoints in sinks, it said nothing of them.
  const configs = JSON.parse(plain.toString('utf8')) as readonly SinkConfig[]
  return configs.map((config) => Object.assign({ checkpointMinutes: CHECKPOINT_MINUTES }, config))
}

/** The names of the sinks without which nothing may be released. @throws {Fault} `STORE_TAMPERED` */
export async function requiredSinks(
  table: SinksTable,
  reader: Reader,
  keys: StoreKeys,
): Promise<readonly string[]> {
  const row = await readSinks(table, reader)
  const configs = row === null ? [] : await openConfigs(reader, keys, row)
  return configs.filter(({ mode }) => mode === 'required').map(({ name }) => name)
}

export function sealedRow(
  storeId: StoreId,
  key: { readonly id: KeyId; readonly key: Uint8Array },
  configs: readonly SinkConfig[],
  at: EpochMs,
  revision: number,
): SinksRow {
  const plain = Buffer.from(JSON.stringify(configs), 'utf8')
  const sealed = seal(key.key, context(storeId, key.id, revision), plain)
  return { id: 'all', key_id: key.id, sealed, set_at: at, revision }
}
