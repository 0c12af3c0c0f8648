import { approvalTables, createApprovals } from '../approvals/index.ts'
import type { Ledger } from '../audit/index.ts'
import type { Db } from '../core/db-port.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { Identity } from '../identity/index.ts'
import type { StoreKeys } from '../keys/index.ts'
import type { Outgoing } from '../net/index.ts'
import { compileGlob } from '../policy/index.ts'

export interface OpenApprovals extends ReturnType<typeof createApprovals> {
  readonly tables: ReturnType<typeof approvalTables>
}

/** Approvals and webhooks over one open store. */
export function openApprovals(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly clock: Clock
  readonly log: Log
  readonly identity: Identity
  readonly net: () => Promise<Outgoing>
}): OpenApprovals {
  const { identity, ...rest } = parts
  const tables = approvalTables(parts.keys.rowMac)
  const desk = createApprovals({
    ...rest,
    tables,
    standing: identity.standing,
    agentsOf: async (reader, maker) => {
      const agents = await identity.tables.agents.select(reader, 'created_by = ?', [maker])
      return agents.map(({ id }) => `agent:${id}`)
    },
    checkPattern: (pattern) => void compileGlob(pattern),
    covers: (pattern, path) => compileGlob(pattern)(path),
  })
  return { ...desk, tables }
}
