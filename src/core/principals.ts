import { type AgentId, isUuid, type UserId, type VaultId } from './ids.ts'
import type { EpochMs } from './time.ts'

/**
 * Who is acting. On one machine: the person, who is only ever reached through the presence gate, and the local agent,
 * which is everything else there, the CLI included, in the project it was started in. On a server: people with an
 * account and agents with keys of their own.
 */
export type Principal =
  | { readonly kind: 'person'; readonly id: 'local' }
  | { readonly kind: 'agent'; readonly id: 'local'; readonly project: string | null }
  | RegisteredPrincipal
  | GuestPrincipal

/** Somebody whom identity knows by an id. */
export type RegisteredPrincipal =
  | { readonly kind: 'user'; readonly id: UserId }
  | { readonly kind: 'registered-agent'; readonly id: AgentId }

/**
 * Whoever opens the link of a share, or asks to be let in as an agent: nothing is known of him but the share, or the
 * agent that there would be, by its id.
 */
export interface GuestPrincipal {
  readonly kind: 'guest'
  readonly id: string
}

/** How a request came in. */
export type Channel = 'mcp-stdio' | 'mcp-http' | 'cli' | 'page' | 'http'

/**
 * With what a registered caller came, as it was verified when the request came in. Whether it still counts is read
 * again inside each transaction.
 */
export interface Access {
  /** What was shown: a token of an exchange, an agent's or person's key, a session of a browser, a grant's bearer. */
  readonly credential: {
    readonly kind: 'token' | 'agent-key' | 'user-key' | 'session' | 'grant'
    readonly id: string
    /** Of a token: the key that it was changed for, and with which it dies. */
    readonly keyId?: string
  }
  /** Path globs that the credential is narrowed to; null when it is not. */
  readonly scopes: readonly string[] | null
  /** Vaults that the credential is narrowed to; null when it is not. */
  readonly vaultIds: readonly VaultId[] | null
  /** When the credential ends, or null. */
  readonly expiresAt: EpochMs | null
  /** Address of the client, after trusted proxies, or null when there is none. */
  readonly address: string | null
  /** Of a session: when the person last proved to be there, or null. */
  readonly steppedUpAt?: EpochMs | null
}

/** How long a proof that the person is there counts. */
export const STEP_UP_MS = 300_000

/**
 * Whether a person decides here and now: the one at this machine, who is only reached through the presence gate, or a
 * session of somebody who proved within the last five minutes to be there. No key and no token is a person.
 */
export function isPersonPresent({ principal, access }: Caller, at: EpochMs): boolean {
  if (principal.kind === 'person') return true
  if (!isSession({ principal, access })) return false
  const age = at - (access?.steppedUpAt ?? Number.NEGATIVE_INFINITY)
  // Nodes' clocks are not quite the same; a proof from further ahead is none.
  return age <= STEP_UP_MS && age >= -CLOCK_SKEW_MS
}

/** Whether somebody who signed in is calling. */
export function isSession({
  principal,
  access,
}: {
  readonly principal: Principal
  readonly access?: Access | undefined
}): boolean {
  return principal.kind === 'user' && access?.credential.kind === 'session'
}

const CLOCK_SKEW_MS = 60_000

/** A principal at work: what policy judges and audit records. */
export interface Caller {
  readonly principal: Principal
  readonly channel: Channel
  /** Name the client gave of itself. Recorded, shown to the person, never trusted. */
  readonly client?: string
  /** Of registered principals, and of no others. */
  readonly access?: Access
  /** Of registered agents that call servers behind the gateway: what rules on tools know them by. */
  readonly labels?: readonly string[]
}

export const LOCAL_PERSON: Principal = { kind: 'person', id: 'local' }

/** @param project real path of the project's folder, or null when there is none */
export function localAgent(project: string | null): Principal {
  return { kind: 'agent', id: 'local', project }
}

/** Folder of the local agent's project; null for everybody else. */
export function projectOf(principal: Principal): string | null {
  return principal.kind === 'agent' ? principal.project : null
}

export function isRegistered(principal: Principal): principal is RegisteredPrincipal {
  return principal.kind === 'user' || principal.kind === 'registered-agent'
}

/** `person:local`, `agent:local`, `agent:<uuid>`, `user:<uuid>` or `guest:<uuid>`; what audit records and fingerprints are keyed by. */
export function principalName(principal: Principal): string {
  let name = names.get(principal)
  if (name === undefined) {
    const kind = principal.kind === 'registered-agent' ? 'agent' : principal.kind
    name = `${kind}:${principal.id}`
    names.set(principal, name)
  }
  return name
}

/** It is asked for several times in each call. */
const names = new WeakMap<Principal, string>()

/** The principal that `principalName` gave this name; of the local agent without its project. Null for guests. */
export function principalNamed(name: string): Principal | null {
  const [kind, id] = name.split(':')
  if (name === 'person:local') return LOCAL_PERSON
  if (name === 'agent:local') return localAgent(null)
  if (id === undefined || !isUuid(id)) return null
  if (kind === 'user') return { kind, id: id as UserId }
  return kind === 'agent' ? { kind: 'registered-agent', id: id as AgentId } : null
}
