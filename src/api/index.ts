import { packageVersion } from '../core/config.ts'
import type { AuthenticationPort } from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import type { VaultPort } from '../core/vault-port.ts'
import { type JsonObject, openApiDocument } from './openapi.ts'
import type { Operation } from './operation.ts'
import { documentOperation } from './routes/document.ts'
import { secretOperations } from './routes/secrets.ts'
import { tokenOperations } from './routes/tokens.ts'
import { vaultOperations } from './routes/vaults.ts'
import { ApiServer } from './server.ts'

export { isApiTarget, serveApi } from './node.ts'
export type { ApiAnswer, ApiRequest } from './server.ts'
export { ApiServer } from './server.ts'

export interface ApiParts {
  readonly vault: VaultPort
  readonly authentication: AuthenticationPort
  readonly log: Log
}

/** The HTTP API over the ports, for any server that can hand it requests. */
export function createApi(parts: ApiParts): ApiServer {
  let made: JsonObject | null = null
  // Most processes are never asked for it.
  const document = (): JsonObject => {
    made ??= openApiDocument(operations, packageVersion())
    return made
  }
  const operations: readonly Operation[] = [
    documentOperation(document),
    ...tokenOperations(parts.authentication),
    ...vaultOperations(parts.vault),
    ...secretOperations(parts.vault),
  ]
  const { authentication, log } = parts
  return new ApiServer({ operations, authentication, log })
}
