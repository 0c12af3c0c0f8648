import { type ApiServer, createApi } from '../api/index.ts'
import type { Log } from '../core/log.ts'
import { rightsRevision } from '../keys/index.ts'
import { type CallInspection, createContentInspection } from '../secret-tools/index.ts'
import { withKnownValues } from './known-values.ts'
import type { Stack } from './open-stack.ts'

export interface OpenApiOptions {
  readonly log: Log
  readonly inspection: CallInspection
}

/** The HTTP API over an open store. */
export function openApi(stack: Stack, { log, inspection }: OpenApiOptions): ApiServer {
  const { db, keys, identity } = stack
  return createApi({
    vault: stack.vault,
    audit: stack.audit,
    policies: stack.policies,
    authentication: identity.authentication,
    agents: identity.agents,
    freezes: identity.freezes,
    approvals: stack.approvals.approvals,
    webhooks: stack.approvals.webhooks,
    callers: identity.callers,
    inspectContent: createContentInspection({
      log,
      inspection: withKnownValues(inspection, async () => stack.knownTo),
    }),
    isHealthy: () => storeAnswers(stack),
    cursorKey: async () => (await db.read((reader) => keys.active(reader, 'cursor'))).key,
    log,
  })
}

/** Whether the store can be read now. */
export async function storeAnswers({ db }: Pick<Stack, 'db'>): Promise<boolean> {
  try {
    await db.read((reader) => rightsRevision(reader))
    return true
  } catch {
    return false
  }
}
