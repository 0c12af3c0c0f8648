import type { TokenPort } from '../core/admin-port.ts'
import type { Settings } from '../core/config.ts'
import { Fault, isFault } from '../core/faults.ts'
import type { AuthenticationPort, RequestProof } from '../core/identity-port.ts'
import { type Caller, localAgent, principalName } from '../core/principals.ts'
import type { AuthenticatedPeer, ShownBearer } from '../mcp/index.ts'
import type { SecretSession } from '../secret-tools/index.ts'
import type { ReachedVault } from '../vault/index.ts'
import { isLoopback } from './arrival.ts'

export interface McpPeerParts {
  readonly settings: Pick<Settings, 'vault'>
  readonly tokens: Pick<TokenPort, 'verify'>
  readonly authentication: Pick<AuthenticationPort, 'authenticate'>
  readonly vaultOf: ReachedVault
}

/** Who is at the other end of `/mcp`; null when the bearer is nobody's. */
export async function mcpPeer(
  parts: McpPeerParts,
  shown: ShownBearer,
): Promise<AuthenticatedPeer<SecretSession> | null> {
  return (await localPeer(parts, shown)) ?? registeredPeer(parts, shown)
}

/** The bearer of a person on this machine, shown on it: the local agent, on the default vault. */
async function localPeer(
  { tokens, settings }: McpPeerParts,
  { bearer, scheme, vault, address }: ShownBearer,
): Promise<AuthenticatedPeer<SecretSession> | null> {
  const isHere = address !== null && isLoopback(address)
  const token = isHere && scheme === 'Bearer' ? await tokens.verify(bearer) : null
  if (token === null) return null
  const caller: Caller = { principal: localAgent(token.project), channel: 'mcp-http' }
  return { owner: token.id, session: { caller, vault: vault ?? settings.vault } }
}

/** An agent or a person of the organisation, who says with every connection which vault is meant. */
async function registeredPeer(
  { authentication, vaultOf }: McpPeerParts,
  shown: ShownBearer,
): Promise<AuthenticatedPeer<SecretSession> | null> {
  const proof = proofOf(shown)
  let caller: Caller
  try {
    caller = await authentication.authenticate(shown.bearer, {
      address: shown.address,
      channel: 'mcp-http',
      ...(proof !== null && { proof }),
    })
  } catch (error) {
    if (isFault(error, 'UNAUTHENTICATED')) return null
    throw error
  }
  const vault = await vaultOf(caller, shown.vault)
  if (vault === null)
    throw new Fault('BAD_INPUT', 'X-Vault-ID must name the vault that paths refer to.', {
      details: { field: 'X-Vault-ID' },
    })
  // A token that is exchanged anew goes on with the sessions of its agent.
  return { owner: principalName(caller.principal), session: { caller, vault } }
}

/** What came beside the bearer to prove that its sender holds the key it is bound to. */
export function proofOf({
  proof,
  scheme,
  method,
  url,
}: Omit<ShownBearer, 'bearer' | 'vault' | 'address'>): RequestProof | null {
  if (proof === null && scheme === 'Bearer') return null
  return { jwt: proof ?? '', method, url, scheme }
}
