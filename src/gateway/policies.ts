import { createHash } from 'node:crypto'
import type { Settled } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { type Expectation, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { ToolPolicyInfo, ToolPolicyPort } from '../core/gateway-port.ts'
import { principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { type Asked, attendedLane } from '../identity/index.ts'
import { bumpRights } from '../keys/index.ts'
import { warnedPolicyOf } from '../policy/tool-policy/index.ts'
import { createAttachments } from './attachments.ts'
import { checkedName, lookedUp, noPolicy, type RegistryParts } from './registry-lookup.ts'
import { rowTag, type ServerRow, serverInfo, type ToolPolicyRow } from './registry-rows.ts'

const MAX_POLICIES = 512

interface OfOne extends Asked {
  readonly name: string
  readonly expected: Expectation | undefined
}
type Setting = OfOne & { readonly text: string }

/** What records of calls name a policy's text by. */
export function revisionOfText(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

export function createToolPolicies(parts: RegistryParts): ToolPolicyPort {
  const { ledger, standing, tables } = parts
  const set = attendedLane(standing, 'policy.set', (tx, member: Setting, at) =>
    setPolicy(parts, tx, member, at),
  )
  const remove = attendedLane(standing, 'policy.remove', (tx, member: OfOne) =>
    removePolicy(parts, tx, member),
  )
  const servers = (reader: Reader): Promise<readonly ServerRow[]> =>
    tables.servers.select(reader, '1 = 1 order by name', [])
  return {
    async list(caller) {
      return lookedUp(parts, caller, 'policy.list', async (reader) => {
        const [rows, all] = [
          await tables.policies.select(reader, '1 = 1 order by name', []),
          await servers(reader),
        ]
        return rows.map((row) => policyInfo(row, all))
      })
    },
    async get(caller, name) {
      const found = await lookedUp(parts, caller, 'policy.show', async (reader) => {
        const row = await tables.policies.get(reader, 'name = ?', [name.slice(0, 64)])
        return row && { ...policyInfo(row, await servers(reader)), text: row.document }
      })
      if (found === null) throw noPolicy(name)
      return found
    },
    async set(caller, name, bytes, expected) {
      checkedName(name)
      const { warnings } = await warnedPolicyOf(name, bytes)
      // It was read as UTF-8 just now.
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
      return { ...(await ledger.commit(set, { caller, name, text, expected })).value, warnings }
    },
    async remove(caller, name, expected) {
      return (await ledger.commit(remove, { caller, name, expected })).value
    },
    ...createAttachments(parts),
  }
}

function policyInfo(row: ToolPolicyRow, servers: readonly ServerRow[]): ToolPolicyInfo {
  return {
    name: row.name,
    tag: rowTag(row),
    revision: revisionOfText(row.document),
    createdAt: row.created_at,
    createdBy: row.created_by,
    changedAt: row.changed_at,
    changedBy: row.changed_by,
    servers: servers
      .map(serverInfo)
      .filter(({ policies }) => policies.includes(row.name))
      .map(({ name }) => name),
  }
}

async function setPolicy(
  { tables }: RegistryParts,
  tx: Tx,
  { caller, name, text, expected }: Setting,
  at: EpochMs,
): Promise<Settled<ToolPolicyInfo>> {
  const rows = await tables.policies.select(tx, '1 = 1 order by name /*lock*/', [])
  const before = rows.find((row) => row.name === name)
  const conflict = unmet(expected, before === undefined ? null : rowTag(before))
  if (conflict !== null) return { fault: conflict, record: null }
  const alike = rows.find((row) => row.name.toLowerCase() === name.toLowerCase())
  if (before === undefined && alike !== undefined)
    return {
      fault: new Fault('CONFLICT', `There is a policy '${alike.name}' already.`, {
        details: { field: 'name' },
      }),
      record: null,
    }
  if (before === undefined && rows.length >= MAX_POLICIES)
    return {
      fault: new Fault('CONFLICT', `There are ${MAX_POLICIES} policies already; remove one.`),
      record: null,
    }
  const by = principalName(caller.principal)
  const row: ToolPolicyRow = {
    name,
    document: text,
    created_at: before?.created_at ?? at,
    created_by: before?.created_by ?? by,
    changed_at: at,
    changed_by: by,
    revision: (before?.revision ?? 0) + 1,
  }
  await tables.policies.save(tx, [row])
  await bumpRights(tx)
  const servers = await tables.servers.select(tx, '1 = 1 order by name', [])
  return {
    value: policyInfo(row, servers),
    record: {
      kind: 'change',
      action: 'policy.set',
      caller,
      rows: [['gateway_policies', name, row.revision]],
      detail: { policy: name, revision: revisionOfText(text) },
    },
  }
}

async function removePolicy(
  { tables, grantsNaming }: RegistryParts,
  tx: Tx,
  { caller, name, expected }: OfOne,
): Promise<Settled<ToolPolicyInfo>> {
  const row = await tables.policies.get(tx, 'name = ? /*lock*/', [name.slice(0, 64)])
  if (row === null) return { fault: noPolicy(name), record: null }
  const conflict = unmet(expected, rowTag(row))
  if (conflict !== null) return { fault: conflict, record: null }
  const naming = await grantsNaming(tx, row.name)
  if (naming.length > 0) return { fault: namedByGrants(row.name, naming), record: null }
  const info = policyInfo(row, await tables.servers.select(tx, '1 = 1 order by name', []))
  if (info.servers.length > 0)
    return {
      fault: new Fault(
        'CONFLICT',
        `The policy '${row.name}' judges the calls of ${info.servers.join(', ')}; detach it first.`,
      ),
      record: null,
    }
  await tables.policies.remove(tx, row)
  await bumpRights(tx)
  return {
    value: info,
    record: {
      kind: 'change',
      action: 'policy.remove',
      caller,
      rows: [['gateway_policies', row.name, null]],
      detail: { policy: row.name },
    },
  }
}

/** A grant that named it all the same would be denied every call. */
function namedByGrants(name: string, naming: readonly { readonly id: string }[]): Fault {
  return new Fault(
    'CONFLICT',
    `The policy '${name}' judges the calls of ${naming.length === 1 ? 'a grant' : `${naming.length} grants`}; detach it first.`,
    { details: { grants: naming.map(({ id }) => id) } },
  )
}
