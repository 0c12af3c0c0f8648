import type { Reader } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { GrantPort, GrantRequest } from '../core/grant-port.ts'
import { nearest } from '../core/nearest.ts'
import type { Caller } from '../core/principals.ts'
import { lookedUp, type RegistryParts } from './registry-lookup.ts'

/** What a grant names, of what is registered. */
export type GrantNames = Pick<GrantRequest, 'server' | 'policies'>

/** Makes grants for what there is: the bearer of a mistyped name would open nothing, and nobody would know why. */
export function createsRegistered(parts: RegistryParts): GrantPort['create'] {
  return (caller, agentId, request) =>
    parts.grants.create(caller, agentId, request, (tx) => missing(parts, tx, request))
}

/**
 * Asks ahead, before a person is asked for anything: what is written is checked where it is written.
 *
 * @returns what throws `BAD_INPUT` naming the field, with the nearest name, where a grant names what is not there
 */
export function checksNames(
  parts: RegistryParts,
): (caller: Caller, names: GrantNames) => Promise<void> {
  return async (caller, names) => {
    const problem = await parts.db.read((reader) => missing(parts, reader, names))
    // Whoever may not even look learns no names.
    if (problem !== null) throw await lookedUp(parts, caller, 'grant.create', async () => problem)
  }
}

async function missing(
  { tables }: RegistryParts,
  reader: Reader,
  { server, policies }: GrantNames,
): Promise<Fault | null> {
  const servers = (await tables.servers.select(reader, '1 = 1 order by name', [])).map(nameOf)
  if (!servers.includes(server))
    return unknown('server', server, servers, 'sallyport server ls shows those that there are')
  if (policies.length === 0) return null
  const kept = (await tables.policies.select(reader, '1 = 1 order by name', [])).map(nameOf)
  const other = policies.find((name) => !kept.includes(name))
  return other === undefined
    ? null
    : unknown('policies', other, kept, 'keep one with sallyport policy set NAME FILE')
}

function nameOf({ name }: { readonly name: string }): string {
  return name
}

function unknown(field: string, name: string, known: readonly string[], remedy: string): Fault {
  const typed = name.slice(0, 64)
  const near = nearest(typed, known)
  const hint = near === null ? '.' : `; did you mean '${near}'?`
  return new Fault('BAD_INPUT', `${field} names '${typed}', which is not there${hint}`, {
    details: { field, remedy },
  })
}
