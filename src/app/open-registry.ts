import type { Ledger } from '../audit/index.ts'
import type { Db, Reader } from '../core/db-port.ts'
import type { Clock } from '../core/time.ts'
import type { Registry } from '../gateway/index.ts'
import type { Identity } from '../identity/index.ts'
import type { CheckedRow, StoreKeys } from '../keys/index.ts'
import { lazily } from './lazily.ts'

const gateway = () => import('../gateway/index.ts')

/** The servers behind the gateway, over one open store; loaded by whoever asks for them first. */
export function openRegistry(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly keys: StoreKeys
  readonly identity: Identity
}): () => Promise<Registry> {
  const { db, ledger, clock, keys, identity } = parts
  const { standing, grants } = identity
  return lazily(async () => {
    const { createRegistry } = await gateway()
    return createRegistry({ db, ledger, clock, standing, grants, rowMac: keys.rowMac })
  })
}

/** Its tables, for whoever verifies every row of the store. */
export function registryChecks(registry: () => Promise<Registry>): readonly {
  readonly table: string
  readonly rows: (reader: Reader) => Promise<readonly CheckedRow[]>
}[] {
  return (['servers', 'policies'] as const).map((which) => ({
    table: `gateway_${which}`,
    rows: async (reader) => (await registry()).tables[which].checkedRows(reader),
  }))
}
