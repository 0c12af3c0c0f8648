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
  /** Page on which a person decides, where there is a server with one. */
  readonly urlOf: (id: string) => string | null
  /** From now on those who ask this process are told of pages there, if nobody has said where browsers find it. */
  pagesAt(site: string): void
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
  /** Where browsers find the server, or null when nobody has said. */
  readonly site: string | null
}): OpenApprovals {
  const { identity, site, ...rest } = parts
  let served = site
  const pageAt = (at: string | null, id: string) => (at === null ? null : `${at}/approvals/${id}`)
  const urlOf = (id: string) => pageAt(served, id)
  const tables = approvalTables(parts.keys.rowMac)
  const desk = createApprovals({
    ...rest,
    tables,
    standing: identity.standing,
    agentsOf: async (reader, maker) => {
      const agents = await identity.tables.agents.select(reader, 'created_by = ?', [maker])
      return agents.map(({ id }) => `agent:${id}`)
    },
    urlOf,
    publicUrlOf: (id) => pageAt(site, id),
    checkPattern: (pattern) => void compileGlob(pattern),
    covers: (pattern, path) => compileGlob(pattern)(path),
  })
  return {
    ...desk,
    tables,
    urlOf,
    pagesAt(address) {
      served ??= address
    },
  }
}
