import type { Ledger, Settled } from '../audit/index.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort, WorkloadPort, WorkloadRule } from '../core/identity-port.ts'
import { newId } from '../core/ids.ts'
import { principalName } from '../core/principals.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { bumpRights } from '../keys/index.ts'
import {
  type Asked,
  administeredLane,
  administrationProblem,
  refusedRecord,
} from './administration.ts'
import type { IdentityTables, WorkloadRuleRow } from './identity-rows.ts'
import { issuerOf } from './issuer.ts'
import { ensureOrganisation } from './organisation.ts'
import type { RefusalLane } from './refusals.ts'
import { checkedSubject } from './subject-pattern.ts'

const MAX_CHARACTERS = 512

interface Addition extends Asked {
  readonly agentId: string
  readonly issuer: string
  readonly audience: string | null
  readonly subject: string
}
type Removal = Asked & { readonly id: string }

export function createWorkloadRules(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: StandingPort
  readonly refusal: RefusalLane
  readonly changed: () => void
}): WorkloadPort {
  const { db, ledger, tables, standing } = parts
  const add = administeredLane(standing, 'workload.add', (tx, member: Addition, at) =>
    addRule(tables, tx, member, at),
  )
  const remove = administeredLane(standing, 'workload.remove', (tx, member: Removal) =>
    removeRule(tables, tx, member),
  )
  return {
    async list(caller) {
      const found = await db.read(async (reader) => {
        const problem =
          caller.principal.kind === 'agent'
            ? null
            : await administrationProblem(standing, reader, caller, parts.clock())
        return problem ?? tables.workloadRules.select(reader, '1 = 1 order by created_at, id', [])
      })
      if (!(found instanceof Fault)) return found.map(infoOf)
      return parts.refusal(found, refusedRecord('workload.list', caller, found))
    },
    async add(caller, agentId, rule) {
      const { value } = await ledger.commit(add, {
        caller,
        agentId,
        issuer: checkedIssuer(rule.issuer),
        audience: rule.audience === undefined ? null : checkedAudience(rule.audience),
        subject: checkedSubject(rule.subject),
      })
      return infoOf(value)
    },
    async remove(caller, id) {
      try {
        await ledger.commit(remove, { caller, id })
      } finally {
        parts.changed()
      }
    },
  }
}

function bad(field: string, message: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${message}`, { details: { field } })
}

/** Kept as it is written: tokens name their issuer letter by letter. */
function checkedIssuer(issuer: string): string {
  const url = URL.parse(issuer)
  const isPlain =
    url !== null &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    url.username + url.password + url.search + url.hash === '' &&
    !/[?#\s]/.test(issuer)
  if (!isPlain || issuer.length > MAX_CHARACTERS)
    throw bad('issuer', 'must be the https URL of an issuer, without query or fragment.')
  return issuer
}

function checkedAudience(audience: string): string {
  if (audience === '' || audience.length > MAX_CHARACTERS || /[\p{C}\s]/u.test(audience))
    throw bad('audience', `must have 1 to ${MAX_CHARACTERS} printable characters and no space.`)
  return audience
}

function infoOf(row: WorkloadRuleRow): WorkloadRule {
  return {
    id: row.id,
    agentId: row.agent_id,
    issuer: row.issuer,
    audience: row.audience,
    subject: row.subject,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}

async function addRule(
  tables: IdentityTables,
  tx: Tx,
  { caller, agentId, issuer, audience, subject }: Addition,
  at: EpochMs,
): Promise<Settled<WorkloadRuleRow>> {
  const agent = await tables.agents.get(tx, 'id = ?', [agentId.slice(0, 64)])
  if (agent === null)
    return {
      fault: new Fault('NOT_FOUND', `There is no agent '${agentId.slice(0, 64)}'.`),
      record: null,
    }
  const { org } = await ensureOrganisation(tables, tx, at)
  const row: WorkloadRuleRow = {
    id: newId(),
    agent_id: agent.id,
    issuer,
    audience: audience ?? issuerOf(org.id),
    subject,
    created_at: at,
    created_by: principalName(caller.principal),
    revision: 1,
  }
  await tables.workloadRules.save(tx, [row])
  await bumpRights(tx)
  return {
    value: row,
    record: {
      kind: 'change',
      action: 'workload.add',
      caller,
      rows: [['workload_rules', row.id, 1]],
      detail: { agent: agent.id, issuer, audience: row.audience, subject },
    },
  }
}

async function removeRule(
  tables: IdentityTables,
  tx: Tx,
  { caller, id }: Removal,
): Promise<Settled<null>> {
  const row = await tables.workloadRules.get(tx, 'id = ?', [id.slice(0, 64)])
  if (row === null)
    return {
      fault: new Fault('NOT_FOUND', `There is no workload rule '${id.slice(0, 64)}'.`),
      record: null,
    }
  await tables.workloadRules.remove(tx, row)
  await bumpRights(tx)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'workload.remove',
      caller,
      rows: [['workload_rules', row.id, null]],
      detail: { agent: row.agent_id, issuer: row.issuer, subject: row.subject },
    },
  }
}
