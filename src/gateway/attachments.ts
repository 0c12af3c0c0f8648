import type { Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { ToolPolicyPort } from '../core/gateway-port.ts'
import type { EpochMs } from '../core/time.ts'
import { type Asked, attendedLane } from '../identity/index.ts'
import { bumpRights } from '../keys/index.ts'
import { noPolicy, noServer, type RegistryParts } from './registry-lookup.ts'
import { serverInfo } from './registry-rows.ts'

const MAX_POLICIES = 32

interface Naming extends Asked {
  readonly policy: string
  readonly server: string
}

/** For whose calls a policy holds. That of a grant stands in the grant, that of a server in the server. */
export function createAttachments(parts: RegistryParts): Pick<ToolPolicyPort, 'attach' | 'detach'> {
  const { ledger, standing, grants } = parts
  const attach = attendedLane(standing, 'policy.attach', (tx, member: Naming, at) =>
    attachTo(parts, tx, member, at),
  )
  const detach = attendedLane(standing, 'policy.detach', (tx, member: Naming, at) =>
    detachFrom(parts, tx, member, at),
  )

  return {
    async attach(caller, policy, to) {
      if (to.kind === 'grant')
        return (await grants.attach(caller, to.id, policy, (tx) => missing(parts, tx, policy)))
          .policies
      return (await ledger.commit(attach, { caller, policy, server: to.name })).value
    },
    async detach(caller, policy, from) {
      if (from.kind === 'grant') return (await grants.detach(caller, from.id, policy)).policies
      return (await ledger.commit(detach, { caller, policy, server: from.name })).value
    },
  }
}

async function attachTo(
  parts: RegistryParts,
  tx: Tx,
  member: Naming,
  at: EpochMs,
): Promise<Settled<readonly string[]>> {
  const { policy } = member
  const fault = await missing(parts, tx, policy)
  if (fault !== null) return { fault, record: null }
  return changed(parts, tx, member, at, 'policy.attach', (names) => {
    if (names.includes(policy))
      return new Fault('CONFLICT', `The server is judged by the policy '${policy}' already.`)
    return names.length < MAX_POLICIES
      ? [...names, policy]
      : new Fault('CONFLICT', `A server is judged by at most ${MAX_POLICIES} policies.`)
  })
}

async function missing({ tables }: RegistryParts, tx: Tx, policy: string): Promise<Fault | null> {
  const row = await tables.policies.get(tx, 'name = ? /*lock*/', [policy.slice(0, 64)])
  return row === null ? noPolicy(policy) : null
}

function detachFrom(
  parts: RegistryParts,
  tx: Tx,
  member: Naming,
  at: EpochMs,
): Promise<Settled<readonly string[]>> {
  const { policy } = member
  return changed(parts, tx, member, at, 'policy.detach', (names) =>
    names.includes(policy)
      ? names.filter((name) => name !== policy)
      : new Fault('NOT_FOUND', `The server is not judged by a policy '${policy.slice(0, 64)}'.`),
  )
}

async function changed(
  { tables }: RegistryParts,
  tx: Tx,
  { caller, policy, server }: Naming,
  at: EpochMs,
  action: string,
  next: (names: readonly string[]) => readonly string[] | Fault,
): Promise<Settled<readonly string[]>> {
  const row = await tables.servers.get(tx, 'name = ? /*lock*/', [server.slice(0, 64)])
  if (row === null) return { fault: noServer(server), record: null }
  const names = next(serverInfo(row).policies)
  if (names instanceof Fault) return { fault: names, record: null }
  const revision = row.revision + 1
  await tables.servers.save(tx, [
    { ...row, policies: JSON.stringify(names), changed_at: at, revision },
  ])
  await bumpRights(tx)
  return {
    value: names,
    record: {
      kind: 'change',
      action,
      caller,
      rows: [['gateway_servers', row.name, revision]],
      detail: { policy, server: row.name },
    },
  }
}
