import type { Committed, Ledger, RowRevision, Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { type Expectation, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { AgentPort, AgentRequest, StandingPort } from '../core/identity-port.ts'
import { type AgentId, newId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { newToken, tokenHash, tokenStart } from '../crypto/index.ts'
import { bumpRights } from '../keys/index.ts'
import { type Asked, administeredLane, lookProblem, refusedRecord } from './administration.ts'
import { type AgentChoice, checkedChoice, DEFAULT_TOKEN_SECONDS } from './agent-request.ts'
import { type AgentRow, agentInfo, type IdentityTables } from './identity-rows.ts'
import { ensureOrganisation } from './organisation.ts'
import type { RefusalLane } from './refusals.ts'

/** What clients of 1claw look for at the beginning of an agent's key. */
export const AGENT_KEY_PREFIX = 'ocv_'

export interface AgentParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: StandingPort
  /** The key under which tokens are looked up. */
  readonly lookupKey: () => Promise<Uint8Array>
  readonly refusal: RefusalLane
  /** Told after each change, so that what this process remembers of bearers is asked for anew. */
  readonly changed: () => void
}

/** A key as its row has it. */
export interface NewKey {
  readonly id: string
  readonly prefix: string
  readonly digest: Uint8Array
}

/** Of one that is there; only in the state that is expected. */
type OfOne = Asked & { readonly id: string; readonly expected: Expectation | undefined }
type Creation = Asked & { readonly request: AgentRequest; readonly key: NewKey }
type Rotation = OfOne & { readonly key: NewKey }
type Change = OfOne & {
  readonly change: Partial<AgentRequest> & { readonly isActive?: boolean }
}

export function createAgents(parts: AgentParts): AgentPort {
  const { db, ledger, tables, standing } = parts
  const create = administeredLane(standing, 'agent.create', (tx, member: Creation, at) =>
    createAgent(tables, tx, member, at),
  )
  const update = administeredLane(standing, 'agent.update', (tx, member: Change, at) =>
    updateAgent(tables, tx, member, at),
  )
  const rotate = administeredLane(standing, 'agent.rotate', (tx, member: Rotation) =>
    rotateAgent(tables, tx, member),
  )
  const remove = administeredLane(standing, 'agent.remove', (tx, member: OfOne) =>
    removeAgent(tables, tx, member),
  )

  async function changed<R>(work: Promise<Committed<R>>): Promise<R> {
    try {
      return (await work).value
    } finally {
      parts.changed()
    }
  }

  /** Reads what only those may see who administer, or the agent itself. */
  async function seen<R>(
    action: string,
    caller: Caller,
    own: string | null,
    read: (reader: Reader) => Promise<R>,
  ): Promise<R> {
    const found = await db.read(async (reader) => {
      const problem = await lookProblem(parts, reader, caller, own)
      return problem === null ? { rows: await read(reader) } : { problem }
    })
    if ('rows' in found) return found.rows
    const record = refusedRecord(action, caller, found.problem)
    return parts.refusal(found.problem, record)
  }

  return {
    async list(caller) {
      const rows = await seen('agent.list', caller, null, (reader) =>
        tables.agents.select(reader, '1 = 1 order by created_at, id', []),
      )
      return rows.map(agentInfo)
    },
    async get(caller, id) {
      const row = await seen('agent.get', caller, id, (reader) => findAgent(tables, reader, id))
      return agentInfo(row)
    },
    async create(caller, request) {
      const { token, key } = await newAgentKey(parts)
      const row = await changed(ledger.commit(create, { caller, request, key }))
      return { agent: agentInfo(row), key: token }
    },
    async update(caller, id, change, expected) {
      return agentInfo(await changed(ledger.commit(update, { caller, id, change, expected })))
    },
    async rotateKey(caller, id, expected) {
      const { token, key } = await newAgentKey(parts)
      const row = await changed(ledger.commit(rotate, { caller, id, key, expected }))
      return { agent: agentInfo(row), key: token }
    },
    async remove(caller, id, expected) {
      await changed(ledger.commit(remove, { caller, id, expected }))
    },
  }
}

export async function newAgentKey({
  lookupKey,
}: Pick<AgentParts, 'lookupKey'>): Promise<{ readonly token: SecretText; readonly key: NewKey }> {
  const token = newToken(AGENT_KEY_PREFIX)
  const digest = tokenHash(await lookupKey(), token)
  return { token, key: { id: newId(), prefix: tokenStart(token), digest } }
}

/** @throws {Fault} `NOT_FOUND` */
async function findAgent(tables: IdentityTables, reader: Reader, id: string): Promise<AgentRow> {
  const row = await tables.agents.get(reader, 'id = ?', [id.slice(0, 64)])
  if (row === null) throw new Fault('NOT_FOUND', `There is no agent '${id.slice(0, 64)}'.`)
  return row
}

/** @param given of an agent that asked to be one: the id that it was told, who let it in, and what that changed */
export async function createAgent(
  tables: IdentityTables,
  tx: Tx,
  { caller, request, key }: Creation,
  at: EpochMs,
  given: {
    readonly id?: AgentId
    readonly maker?: string
    readonly rows?: readonly RowRevision[]
  } = {},
): Promise<Settled<AgentRow>> {
  const { rows } = await ensureOrganisation(tables, tx, at)
  const chosen: AgentChoice = {
    name: request.name,
    description: null,
    scopes: null,
    vault_ids: null,
    token_ttl: DEFAULT_TOKEN_SECONDS,
    environment: null,
    labels: null,
    expires_at: null,
    key_expires_at: null,
    ...checkedChoice(request, at),
  }
  const row: AgentRow = {
    ...chosen,
    id: given.id ?? newId<AgentId>(),
    state: 'active',
    key_id: key.id,
    key_prefix: key.prefix,
    key_digest: key.digest,
    created_at: at,
    created_by: given.maker ?? principalName(caller.principal),
    revision: 1,
  }
  return saved(tables, tx, 'agent.create', caller, row, [...rows, ...(given.rows ?? [])])
}

async function updateAgent(
  tables: IdentityTables,
  tx: Tx,
  { caller, id, change, expected }: Change,
  at: EpochMs,
): Promise<Settled<AgentRow>> {
  const row = await findAgent(tables, tx, id)
  const problem = unmet(expected, agentInfo(row).tag)
  if (problem !== null) return { fault: problem, record: null }
  const { isActive = row.state === 'active' } = change
  return saved(tables, tx, 'agent.update', caller, {
    ...row,
    ...checkedChoice(change, at),
    state: isActive ? 'active' : 'disabled',
    revision: row.revision + 1,
  })
}

async function rotateAgent(
  tables: IdentityTables,
  tx: Tx,
  { caller, id, key, expected }: Rotation,
): Promise<Settled<AgentRow>> {
  const row = await findAgent(tables, tx, id)
  const problem = unmet(expected, agentInfo(row).tag)
  if (problem !== null) return { fault: problem, record: null }
  return saved(tables, tx, 'agent.rotate', caller, {
    ...row,
    key_id: key.id,
    key_prefix: key.prefix,
    key_digest: key.digest,
    revision: row.revision + 1,
  })
}

async function removeAgent(
  tables: IdentityTables,
  tx: Tx,
  { caller, id, expected }: OfOne,
): Promise<Settled<null>> {
  const row = await findAgent(tables, tx, id)
  const problem = unmet(expected, agentInfo(row).tag)
  if (problem !== null) return { fault: problem, record: null }
  const rows: RowRevision[] = [['agents', row.id, null]]
  for (const rule of await tables.workloadRules.select(tx, 'agent_id = ?', [row.id])) {
    await tables.workloadRules.remove(tx, rule)
    rows.push(['workload_rules', rule.id, null])
  }
  for (const grant of await tables.grants.select(tx, 'agent_id = ?', [row.id])) {
    await tables.grants.remove(tx, grant)
    rows.push(['grants', grant.id, null])
  }
  await tables.agents.remove(tx, row)
  await bumpRights(tx)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'agent.remove',
      caller,
      rows,
      detail: { agent: row.id, name: row.name },
    },
  }
}

async function saved(
  tables: IdentityTables,
  tx: Tx,
  action: string,
  caller: Caller,
  row: AgentRow,
  rows: readonly RowRevision[] = [],
): Promise<Settled<AgentRow>> {
  await tables.agents.save(tx, [row])
  await bumpRights(tx)
  const { name, isActive, scopes, vaultIds, tokenTtlSeconds, keyPrefix } = agentInfo(row)
  return {
    value: row,
    record: {
      kind: 'change',
      action,
      caller,
      rows: [...rows, ['agents', row.id, row.revision]],
      detail: {
        agent: row.id,
        name,
        active: isActive,
        scopes,
        vaults: vaultIds,
        tokenSeconds: tokenTtlSeconds,
        keyPrefix,
      },
    },
  }
}
