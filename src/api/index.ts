import type { ApprovalPort, WebhookPort } from '../core/approval-port.ts'
import type { CanaryPort } from '../core/canary-port.ts'
import { packageVersion } from '../core/config.ts'
import type { Db } from '../core/db-port.ts'
import type { EnvVarPort, SharedEnvVarPort } from '../core/env-var-port.ts'
import type { GrantPort } from '../core/grant-port.ts'
import type {
  AgentPort,
  AuthenticationPort,
  CallerPort,
  FreezePort,
} from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import type { PolicyPort } from '../core/policy-port.ts'
import type { QuotaPort } from '../core/quota-port.ts'
import type { ReplayPort } from '../core/replay-port.ts'
import type { SharePort } from '../core/share-port.ts'
import type { VaultPort } from '../core/vault-port.ts'
import { BrowserSessions } from './browser-session.ts'
import { Cursors } from './cursor.ts'
import { Idempotency } from './idempotency.ts'
import { type JsonObject, openApiDocument } from './openapi.ts'
import type { Operation } from './operation.ts'
import type { RateLimits } from './rate-limits.ts'
import { agentOperations } from './routes/agents.ts'
import { approvalOperations } from './routes/approvals.ts'
import { type AuditRouteParts, auditOperations } from './routes/audit.ts'
import { documentOperation } from './routes/document.ts'
import { type EnrolmentRouteParts, enrolmentOperations } from './routes/enrolments.ts'
import { envVarOperations } from './routes/env-vars.ts'
import { freezeOperations } from './routes/freezes.ts'
import { type GatewayRouteParts, gatewayOperations } from './routes/gateway.ts'
import { grantOperations } from './routes/grants.ts'
import { healthOperations } from './routes/health.ts'
import { honeytokenOperations } from './routes/honeytokens.ts'
import { type InspectContent, inspectionOperations } from './routes/inspection.ts'
import { pendingApprovalOperations } from './routes/pending-approvals.ts'
import { type PeopleDoors, peopleOperations } from './routes/people.ts'
import { policyOperations } from './routes/policies.ts'
import { quotaOperations } from './routes/quotas.ts'
import { replayOperations } from './routes/replays.ts'
import { secretOperations } from './routes/secrets.ts'
import { sessionOperations } from './routes/session.ts'
import { sharedEnvVarOperations } from './routes/shared-env-vars.ts'
import { type ShareRouteParts, shareOperations } from './routes/shares.ts'
import { tokenOperations } from './routes/tokens.ts'
import { vaultOperations } from './routes/vaults.ts'
import { webhookOperations } from './routes/webhooks.ts'
import { ApiServer } from './server.ts'

export { refuseBroken, refuseExpectation } from './broken.ts'
export { isApiTarget, type RequestFrom, refuseRequest, serveApi } from './node.ts'
export { RateLimits } from './rate-limits.ts'
export type { ApiAnswer, ApiRequest } from './server.ts'
export { ApiServer } from './server.ts'

export interface Sharing {
  readonly shares: SharePort
  readonly quotas: QuotaPort
  readonly canaries: CanaryPort
  readonly envVars: EnvVarPort
  readonly sharedEnvVars: SharedEnvVarPort
}

export interface ApiParts {
  readonly vault: VaultPort
  readonly audit: AuditRouteParts['audit']
  readonly policies: PolicyPort
  readonly authentication: AuthenticationPort
  readonly agents: AgentPort
  readonly enrolments: EnrolmentRouteParts['enrolments']
  readonly freezes: FreezePort
  readonly grants: GrantPort
  /** Loaded by the first call that asks for it. */
  readonly gateway: () => Promise<GatewayRouteParts>
  readonly replays: () => Promise<ReplayPort>
  readonly approvals: ApprovalPort
  /** Page on which a person decides, where there is one. */
  readonly approvalUrl: (id: string) => string | null
  readonly webhooks: WebhookPort
  readonly callers: CallerPort
  readonly people: () => Promise<PeopleDoors>
  readonly sharing: Sharing
  readonly limits: RateLimits | null
  /** Where browsers find this server, or null: as each request names it. */
  readonly site: string | null
  /** Where the pages are on which people sign in, or null: on this machine alone. */
  readonly pagesAt: () => string | null
  readonly now: ShareRouteParts['now']
  readonly inspectContent: InspectContent
  /** Whether the store answers. */
  readonly isHealthy: () => Promise<boolean>
  /** Where answers to requests with an `Idempotency-Key` are kept. */
  readonly db: Db
  /** The key of the purpose `cursor`. */
  readonly cursorKey: () => Promise<Uint8Array>
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
  const cursors = new Cursors(parts.cursorKey)
  const operations: readonly Operation[] = [
    documentOperation(document),
    ...healthOperations(parts.isHealthy, packageVersion()),
    ...tokenOperations(parts.authentication),
    ...vaultOperations(parts.vault),
    ...secretOperations(parts.vault, cursors),
    ...policyOperations(parts.policies),
    ...agentOperations(parts),
    ...enrolmentOperations(parts),
    ...peopleOperations(parts.people),
    ...sessionOperations(parts.people),
    ...freezeOperations(parts.freezes),
    ...grantOperations(parts.grants),
    ...gatewayOperations(parts.gateway),
    ...replayOperations(parts.replays),
    ...auditOperations({ ...parts, cursors }),
    ...approvalOperations({ ...parts, cursors }),
    ...pendingApprovalOperations({ ...parts, cursors }),
    ...webhookOperations(parts.webhooks),
    ...shareOperations({ ...parts.sharing, site: parts.site, now: parts.now }),
    ...envVarOperations(parts.sharing.envVars),
    ...sharedEnvVarOperations(parts.sharing.sharedEnvVars),
    ...quotaOperations(parts.sharing.quotas),
    ...honeytokenOperations({ ...parts, ...parts.sharing }),
    ...inspectionOperations(parts),
  ]
  const { authentication, log, limits, sharing } = parts
  return new ApiServer({
    operations,
    authentication,
    sessions: new BrowserSessions({
      signIn: async () => (await parts.people()).signIn,
      site: parts.pagesAt,
    }),
    idempotency: new Idempotency({ db: parts.db, key: parts.cursorKey, clock: parts.now }),
    log,
    meters: { limits, quotas: sharing.quotas },
    site: parts.site,
  })
}
