import type { Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { type Expectation, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { ServerPort, ServerTarget } from '../core/gateway-port.ts'
import { principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { type Asked, attendedLane } from '../identity/index.ts'
import { bumpRights } from '../keys/index.ts'
import type { LoginRow } from './oauth/login-rows.ts'
import { checkedName, lookedUp, noServer, type RegistryParts } from './registry-lookup.ts'
import { type ServerRow, serverInfo } from './registry-rows.ts'
import { checkedTarget } from './server-target.ts'

const MAX_SERVERS = 256

interface Addition extends Asked {
  readonly name: string
  readonly target: ServerTarget
}
interface Removal extends Asked {
  readonly name: string
  readonly expected: Expectation | undefined
}

export function createServers(parts: RegistryParts): ServerPort {
  const { ledger, standing, tables } = parts
  const add = attendedLane(standing, 'server.add', (tx, member: Addition, at) =>
    addServer(parts, tx, member, at),
  )
  const remove = attendedLane(standing, 'server.remove', (tx, member: Removal, at) =>
    removeServer(parts, tx, member, at),
  )
  return {
    async list(caller) {
      const rows = await lookedUp(parts, caller, 'server.list', (reader) =>
        tables.servers.select(reader, '1 = 1 order by name', []),
      )
      return rows.map(serverInfo)
    },
    async get(caller, name) {
      const row = await lookedUp(parts, caller, 'server.show', (reader) =>
        tables.servers.get(reader, 'name = ?', [name.slice(0, 64)]),
      )
      if (row === null) throw noServer(name)
      return serverInfo(row)
    },
    async add(caller, name, target) {
      const member = { caller, name: checkedName(name), target: checkedTarget(target) }
      return serverInfo((await ledger.commit(add, member)).value)
    },
    async remove(caller, name, expected) {
      const { row, login } = (await ledger.commit(remove, { caller, name, expected })).value
      if (login !== null) await parts.revoke(login, caller)
      return serverInfo(row)
    },
  }
}

async function addServer(
  { tables }: RegistryParts,
  tx: Tx,
  { caller, name, target }: Addition,
  at: EpochMs,
): Promise<Settled<ServerRow>> {
  const rows = await tables.servers.select(tx, '1 = 1 order by name', [])
  // Files and addresses on some systems do not tell such names apart, nor do people.
  const taken = rows.find((row) => row.name.toLowerCase() === name.toLowerCase())
  if (taken !== undefined)
    return {
      fault: new Fault('CONFLICT', `There is a server '${taken.name}' already.`, {
        details: { field: 'name', remedy: `remove it first: sallyport server rm ${taken.name}` },
      }),
      record: null,
    }
  if (rows.length >= MAX_SERVERS)
    return {
      fault: new Fault('CONFLICT', `There are ${MAX_SERVERS} servers already; remove one.`),
      record: null,
    }
  const row: ServerRow = {
    name,
    target: JSON.stringify(target),
    policies: '[]',
    created_at: at,
    created_by: principalName(caller.principal),
    changed_at: at,
    revision: 1,
  }
  await tables.servers.save(tx, [row])
  await bumpRights(tx)
  return {
    value: row,
    record: {
      kind: 'change',
      action: 'server.add',
      caller,
      rows: [['gateway_servers', name, 1]],
      detail: { server: name, ...shownTarget(target) },
    },
  }
}

async function removeServer(
  { tables, revokeGrants }: RegistryParts,
  tx: Tx,
  { caller, name, expected }: Removal,
  at: EpochMs,
): Promise<Settled<{ readonly row: ServerRow; readonly login: LoginRow | null }>> {
  const row = await tables.servers.get(tx, 'name = ? /*lock*/', [name.slice(0, 64)])
  if (row === null) return { fault: noServer(name), record: null }
  const conflict = unmet(expected, serverInfo(row).tag)
  if (conflict !== null) return { fault: conflict, record: null }
  const login = await tables.logins.get(tx, 'server = ? /*lock*/', [row.name])
  if (login !== null) await tables.logins.remove(tx, login)
  const grants = await revokeGrants(tx, row.name, at)
  await tables.servers.remove(tx, row)
  await bumpRights(tx)
  return {
    value: { row, login },
    record: {
      kind: 'change',
      action: 'server.remove',
      caller,
      rows: [
        ['gateway_servers', row.name, null],
        ...(login === null ? [] : [['gateway_logins', row.name, null] as const]),
        ...grants.map(({ id, revision }) => ['grants', id, revision] as const),
      ],
      detail: { server: row.name, grants: grants.map(({ id }) => id) },
    },
  }
}

/** Which program, and where: arguments and addresses may hold more than an audit needs. */
function shownTarget(target: ServerTarget): Record<string, string | readonly string[]> {
  return target.kind === 'stdio'
    ? { program: target.command[0] ?? '', env: target.variables }
    : {
        origin: new URL(target.url).origin,
        headers: target.headers.map(({ name }) => name),
      }
}
