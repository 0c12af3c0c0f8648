import type { AgentRequest, Origin } from '../../src/core/identity-port.ts'
import type { AccessPermission, PathPolicyRequest } from '../../src/core/policy-port.ts'
import type { Caller } from '../../src/core/principals.ts'
import { userWithKey } from './identity.ts'
import { PERSON, type TestVault } from './vault.ts'

export const FROM: Origin = { address: '10.1.2.3', channel: 'http' }

/** Somebody with an account, by a token or key of his own. */
export interface Registered {
  readonly id: string
  readonly key: string
  readonly caller: Caller
}

type Granted = readonly (readonly [
  pattern: string,
  permissions: readonly AccessPermission[],
  rest?: Partial<PathPolicyRequest>,
])[]

/** An agent with policies on the default vault. */
export async function agentWith(
  vault: TestVault,
  granted: Granted,
  rest: Partial<AgentRequest> = {},
): Promise<Registered> {
  const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'ci', ...rest })
  const text = key.reveal()
  await grant(vault, 'agent', agent.id, granted)
  return { id: agent.id, key: text, caller: await callerBy(vault, text) }
}

/** A member with policies on the default vault. */
export async function userWith(
  vault: TestVault,
  role: 'owner' | 'admin' | 'member' | 'auditor',
  granted: Granted = [],
): Promise<Registered> {
  // The organisation is made when it is first asked for.
  await vault.identity.authentication.org()
  const { id, key } = await userWithKey(vault, role)
  await grant(vault, 'user', id, granted)
  return { id, key, caller: await callerBy(vault, key) }
}

export function callerBy(vault: TestVault, key: string, origin: Origin = FROM): Promise<Caller> {
  return vault.identity.authentication.authenticate(key, origin)
}

async function grant(
  vault: TestVault,
  principalType: 'user' | 'agent',
  principalId: string,
  granted: Granted,
): Promise<void> {
  for (const [pattern, permissions, rest] of granted)
    await vault.policies.create(PERSON, 'default', {
      pattern,
      permissions,
      principalType,
      principalId,
      ...rest,
    })
}
