import { Fault, isFault } from '../core/faults.ts'
import type { AttachmentTarget } from '../core/gateway-port.ts'
import type { GrantInfo } from '../core/grant-port.ts'
import { type Caller, localAgent } from '../core/principals.ts'
import { agentNamed } from './agent-view.ts'
import type { CliDeps } from './deps.ts'

/** Looked at before the person is asked for anything, as by whoever is at this machine: a mistyped name is told at once. */
const LOOKER: Caller = { principal: localAgent(null), channel: 'cli' }

/** @throws {Fault} `NOT_FOUND` */
export async function checkServer(deps: Pick<CliDeps, 'registry'>, name: string): Promise<void> {
  await (await deps.registry()).servers.get(LOOKER, name)
}

/** @throws {Fault} `NOT_FOUND` */
export async function checkPolicy(deps: Pick<CliDeps, 'registry'>, name: string): Promise<void> {
  await (await deps.registry()).policies.get(LOOKER, name)
}

/** @throws {Fault} `NOT_FOUND` for one that is not there, and for one that was revoked */
export async function checkGrant(deps: Pick<CliDeps, 'identity'>, id: string): Promise<void> {
  await policiesOfGrant(deps, id)
}

/** @throws {Fault} `NOT_FOUND`, and `BAD_INPUT` for what else it names that is not there */
export async function checkNewGrant(
  deps: Pick<CliDeps, 'registry' | 'identity'>,
  names: {
    readonly agent: string
    readonly server: string
    readonly policies: readonly string[]
  },
): Promise<void> {
  await (await deps.registry()).checkGrant(LOOKER, names)
  await agentNamed((await deps.identity()).agents, LOOKER, names.agent)
}

/** @returns the names of the policies that are attached there @throws {Fault} `NOT_FOUND` */
export async function attachedTo(
  deps: Pick<CliDeps, 'registry' | 'identity'>,
  target: AttachmentTarget,
): Promise<readonly string[]> {
  if (target.kind === 'grant') return policiesOfGrant(deps, target.id)
  return (await (await deps.registry()).servers.get(LOOKER, target.name)).policies
}

async function policiesOfGrant(
  deps: Pick<CliDeps, 'identity'>,
  id: string,
): Promise<readonly string[]> {
  let grants: readonly GrantInfo[]
  try {
    grants = await (await deps.identity()).grants.list(LOOKER, null)
  } catch (error) {
    // Of another one, perhaps: it must not keep the others from being revoked. What is done reads the row that it changes.
    if (isFault(error, 'STORE_TAMPERED')) return []
    throw error
  }
  const found = grants.find((one) => one.id === id && one.revokedAt === null)
  if (found === undefined)
    throw new Fault('NOT_FOUND', `There is no grant '${id.slice(0, 64)}' that counts.`)
  return found.policies
}
