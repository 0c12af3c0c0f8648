import { Fault } from '../core/faults.ts'
import type { AgentInfo, AgentPort, AgentRequest } from '../core/identity-port.ts'
import { isUuid, type VaultId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import { systemClock, toIso } from '../core/time.ts'
import type { VaultPort } from '../core/vault-port.ts'
import type { Json } from './command.ts'
import { momentOption, wholeNumber } from './options.ts'
import { fields, instant, visible } from './text.ts'

/** The argument of every command about one agent. */
export const AGENT_ARGUMENT = { name: 'agent', summary: 'its name or id' } as const

/** What can be chosen of an agent when it is made, and later. */
export const AGENT_OPTIONS = {
  description: { summary: 'what it is for', value: 'TEXT' },
  scope: {
    summary: 'narrow its tokens to paths like this',
    value: 'GLOB',
    repeats: true,
  },
  vault: {
    summary: 'bind it to this vault, by name or id',
    value: 'NAME',
    repeats: true,
  },
  tokenSeconds: { summary: 'life of a token, 60 to 86400', value: 'N' },
  environment: { summary: 'environment that conditions of policies see', value: 'NAME' },
  label: {
    summary: 'label that rules on tools know it by',
    value: 'NAME',
    repeats: true,
  },
  expires: { summary: 'when it ends: 90d, or a date and time with a zone', value: 'TIME' },
  keyExpires: { summary: 'when its key ends', value: 'TIME' },
} as const

export interface AgentOptions {
  readonly description: string | undefined
  readonly scope: readonly string[]
  readonly tokenSeconds: string | undefined
  readonly environment: string | undefined
  readonly label: readonly string[]
  readonly expires: string | undefined
  readonly keyExpires: string | undefined
}

/** What was chosen; what was not is not in it. @throws {Fault} `BAD_INPUT` naming the option */
export function chosenOf(args: AgentOptions): Omit<AgentRequest, 'name' | 'vaultIds'> {
  const { description, scope, tokenSeconds, environment, label, expires, keyExpires } = args
  const ahead = (option: string, text: string) => momentOption(option, text, 'ahead', systemClock())
  return {
    ...(description !== undefined && { description }),
    ...(scope.length > 0 && { scopes: scope }),
    ...(tokenSeconds !== undefined && {
      tokenTtlSeconds: wholeNumber('--token-seconds', tokenSeconds, { min: 60, max: 86_400 }),
    }),
    ...(environment !== undefined && { environment }),
    ...(label.length > 0 && { labels: label }),
    ...(expires !== undefined && { expiresAt: ahead('--expires', expires) }),
    ...(keyExpires !== undefined && { keyExpiresAt: ahead('--key-expires', keyExpires) }),
  }
}

/** Ids of vaults that were named by name or id. @throws {Fault} `VAULT_NOT_FOUND` */
export async function vaultIdsOf(
  port: VaultPort,
  caller: Caller,
  names: readonly string[],
): Promise<readonly VaultId[]> {
  const vaults = await port.listVaults(caller)
  return names.map((name) => {
    const found = vaults.find((one) => one.name === name || one.id === name)
    if (found === undefined)
      throw new Fault('VAULT_NOT_FOUND', `There is no vault '${visible(name)}'.`)
    return found.id
  })
}

/** The agent that a name or id stands for. @throws {Fault} `NOT_FOUND`; `BAD_USAGE` when several have the name */
export async function agentNamed(
  agents: AgentPort,
  caller: Caller,
  text: string,
): Promise<AgentInfo> {
  if (isUuid(text)) return agents.get(caller, text)
  const [first, ...others] = (await agents.list(caller)).filter((one) => one.name === text)
  if (first === undefined)
    throw new Fault('NOT_FOUND', `There is no agent '${visible(text)}'.`, {
      details: { remedy: 'sallyport agent ls' },
    })
  if (others.length > 0)
    throw new Fault('BAD_USAGE', `Several agents are called '${visible(text)}'; give an id.`, {
      details: { remedy: 'sallyport agent ls' },
    })
  return first
}

export function agentJson(agent: AgentInfo): { readonly [name: string]: Json } {
  return {
    id: agent.id,
    name: agent.name,
    description: agent.description,
    is_active: agent.isActive,
    scopes: agent.scopes,
    vault_ids: agent.vaultIds,
    token_ttl_seconds: agent.tokenTtlSeconds,
    environment: agent.environment,
    labels: agent.labels,
    expires_at: agent.expiresAt === null ? null : toIso(agent.expiresAt),
    key_prefix: agent.keyPrefix,
    key_expires_at: agent.keyExpiresAt === null ? null : toIso(agent.keyExpiresAt),
    created_at: toIso(agent.createdAt),
    created_by: agent.createdBy,
  }
}

export function agentText(agent: AgentInfo): string {
  return fields([
    ['id', agent.id],
    ['name', visible(agent.name)],
    ...(agent.description === null ? [] : [['for', visible(agent.description)] as const]),
    ['state', agent.isActive ? 'active' : 'disabled'],
    ['scopes', agent.scopes?.join(' ') ?? 'what its policies say'],
    ['vaults', agent.vaultIds?.join(' ') ?? 'any that a policy names'],
    ['tokens', `${agent.tokenTtlSeconds} s`],
    ...(agent.environment === null ? [] : [['environment', agent.environment] as const]),
    ...(agent.labels.length === 0 ? [] : [['labels', agent.labels.join(' ')] as const]),
    ...(agent.expiresAt === null ? [] : [['ends', instant(agent.expiresAt)] as const]),
    ['key', agent.keyPrefix === null ? 'none' : `${agent.keyPrefix}…`],
    ...(agent.keyExpiresAt === null ? [] : [['key ends', instant(agent.keyExpiresAt)] as const]),
    ['made', `${instant(agent.createdAt)} by ${agent.createdBy}`],
  ])
}
