import type { RowRevision } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { newId, type OrgId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import { bumpRights } from '../keys/index.ts'
import type { IdentityTables, OrganisationRow } from './identity-rows.ts'

const FIRST_NAME = 'default'

/** A store has one organisation: two are two stores. */
export function organisationOf(
  tables: IdentityTables,
  reader: Reader,
): Promise<OrganisationRow | null> {
  return tables.organisation.get(reader, '1 = 1 order by created_at, id limit 1', [])
}

/** The organisation, made when there is none yet. The ledger lets one transaction at a time do this. */
export async function ensureOrganisation(
  tables: IdentityTables,
  tx: Tx,
  at: EpochMs,
): Promise<{ readonly org: OrganisationRow; readonly rows: readonly RowRevision[] }> {
  const known = await organisationOf(tables, tx)
  if (known !== null) return { org: known, rows: [] }
  const org: OrganisationRow = {
    id: newId<OrgId>(),
    name: FIRST_NAME,
    created_at: at,
    revision: 1,
  }
  await tables.organisation.save(tx, [org])
  await bumpRights(tx)
  return { org, rows: [['organisation', org.id, 1]] }
}
