import type { SecretText } from '../../core/secret-text.ts'
import type { LoginNet } from './login-net.ts'
import type { LoginSecrets } from './sealed-login.ts'
import type { TokenParts } from './token-endpoint.ts'

/**
 * What is sent to a token endpoint, with the client's secret in the clear.
 *
 * @param valueOf reads a `secret://` reference. @throws {Fault} `MISSING_SECRETS`
 */
export async function tokenParts(
  net: LoginNet,
  { server, client }: Pick<LoginSecrets, 'server' | 'client'>,
  valueOf: (reference: string) => Promise<SecretText>,
): Promise<TokenParts> {
  if (client.reference === null) return { net, server, client, secret: client.secret }
  const value = await valueOf(client.reference)
  try {
    return { net, server, client, secret: value.reveal() }
  } finally {
    value.wipe()
  }
}
