import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { serveTestApi, type TestApi } from '../support/api.ts'
import { userWith } from '../support/registered.ts'
import { openTestVault, type TestVault } from '../support/vault.ts'

// Every call of the 1claw API's reference, line by line: whether it is answered here, and if not, how it is said.

const V = '/v1/vaults/default'
const ID = '00000000-0000-4000-8000-000000000000'
const A = `/v1/agents/${ID}`

/** `other`: the path is answered, with other methods. */
type Standing = 'offered' | 'not offered' | 'other'

const LINES: readonly [line: string, Standing, ...calls: readonly string[]][] = [
  ['agent tokens', 'offered', 'POST /v1/auth/agent-token'],
  ['tokens for personal keys', 'offered', 'POST /v1/auth/api-key-token'],
  ['sign-in by password, sign-out', 'offered', 'POST /v1/auth/token', 'DELETE /v1/auth/token'],
  ['refresh tokens', 'not offered', 'POST /v1/auth/refresh'],
  [
    'accounts made and changed by programs',
    'not offered',
    'POST /v1/auth/signup',
    'POST /v1/auth/verify-email',
    'POST /v1/auth/forgot-password',
    'POST /v1/auth/reset-password',
    'POST /v1/auth/change-password',
    'POST /v1/auth/google',
    'POST /v1/auth/social-login',
    'POST /v1/auth/email-otp/send',
    'POST /v1/auth/email-otp/verify',
    'POST /v1/auth/mfa/setup',
    'POST /v1/auth/mfa/verify',
    'POST /v1/auth/passkeys/register/begin',
    'POST /v1/auth/device/code',
    'POST /v1/auth/device/token',
  ],
  ['tokens of other issuers', 'offered', 'POST /v1/auth/federated-token'],
  ['the own account', 'offered', 'GET /v1/auth/me'],
  ['the own account, changed', 'other', 'PATCH /v1/auth/me', 'DELETE /v1/auth/me'],
  ['export of the own data', 'not offered', 'POST /v1/auth/export-data'],
  [
    'personal keys',
    'offered',
    'POST /v1/auth/api-keys',
    'GET /v1/auth/api-keys',
    `DELETE /v1/auth/api-keys/${ID}`,
  ],
  [
    'vaults',
    'offered',
    'POST /v1/vaults',
    'GET /v1/vaults',
    `GET ${V}`,
    // The last of them all: it is never the one that the others need.
    `DELETE /v1/vaults/${ID}`,
  ],
  ['secrets of a vault', 'offered', `GET ${V}/secrets`, `GET ${V}/secrets?prefix=a`],
  ['a secret stored', 'offered', `PUT ${V}/secrets/a/b`],
  ['a secret read', 'offered', `GET ${V}/secrets/a/b`],
  ['a secret deleted', 'offered', `DELETE ${V}/secrets/a/b`],
  [
    'versions and rotation',
    'offered',
    `GET ${V}/secret-versions/a/b`,
    `GET ${V}/secret-version/a/b/1`,
    `POST ${V}/secret-version-disable/a/b/1`,
    `POST ${V}/secret-rotate/a/b`,
  ],
  [
    'policies',
    'offered',
    `POST ${V}/policies`,
    `GET ${V}/policies`,
    `PUT ${V}/policies/${ID}`,
    `DELETE ${V}/policies/${ID}`,
  ],
  [
    'agents',
    'offered',
    'POST /v1/agents',
    'GET /v1/agents',
    `GET ${A}`,
    `PATCH ${A}`,
    `DELETE ${A}`,
    'GET /v1/agents/me',
    `POST ${A}/rotate-key`,
    'POST /v1/agents/enroll',
    'POST /v1/agents/batch-delete',
  ],
  ['a secret shared', 'offered', `POST /v1/secrets/${ID}/share`],
  [
    'shares',
    'offered',
    `GET /v1/share/${ID}`,
    `DELETE /v1/share/${ID}`,
    'GET /v1/shares/outbound',
    'GET /v1/shares/inbound',
    `POST /v1/shares/${ID}/accept`,
    `POST /v1/shares/${ID}/decline`,
  ],
  ['audit events', 'offered', 'GET /v1/audit/events'],
  ['audit verified', 'offered', 'GET /v1/audit/verify'],
  [
    'address rules of the organisation',
    'not offered',
    'GET /v1/security/ip-rules',
    'POST /v1/security/ip-rules',
    `DELETE /v1/security/ip-rules/${ID}`,
  ],
  ['approvals asked for', 'offered', 'POST /v1/approvals/request'],
  [
    'approvals',
    'offered',
    'GET /v1/approvals',
    `GET /v1/approvals/${ID}`,
    `GET /v1/approvals/${ID}/status`,
    `POST /v1/approvals/${ID}/decide`,
    `POST /v1/approvals/${ID}/approve`,
    `POST /v1/approvals/${ID}/deny`,
    `POST /v1/approvals/${ID}/cancel`,
  ],
  [
    'approvals decided by a link in an e-mail',
    'not offered',
    'GET /v1/approvals/quick-decide?token=x&decision=approve',
  ],
  [
    'pending approvals',
    'offered',
    'POST /v1/pending-approvals',
    'GET /v1/pending-approvals',
    `GET /v1/pending-approvals/${ID}`,
    `POST /v1/pending-approvals/${ID}/approve`,
    `POST /v1/pending-approvals/${ID}/execute`,
    `POST /v1/pending-approvals/${ID}/cancel`,
  ],
  [
    'bindings and execution',
    'not offered',
    `GET ${A}/bindings`,
    `POST ${A}/bindings`,
    `PUT ${A}/bindings/${ID}`,
    `DELETE ${A}/bindings/${ID}`,
    `POST ${A}/bindings/${ID}/test`,
    `POST ${A}/bindings/${ID}/rotate-credential`,
    `POST ${A}/execute`,
    `GET ${A}/executions`,
  ],
  [
    'variables',
    'offered',
    `GET ${V}/env-vars`,
    `POST ${V}/env-vars`,
    `GET ${V}/env-vars/KEY`,
    `PATCH ${V}/env-vars/KEY`,
    `DELETE ${V}/env-vars/KEY`,
    `GET ${V}/env-vars/resolve?environment=preview&git_branch=a/b`,
    `GET ${V}/environments`,
    `POST ${V}/environments`,
    `DELETE ${V}/environments/qa`,
    'GET /v1/org/env-vars',
    'POST /v1/org/env-vars',
    'PATCH /v1/org/env-vars/KEY',
    'DELETE /v1/org/env-vars/KEY',
    'POST /v1/org/env-vars/KEY/link',
    `DELETE /v1/org/env-vars/KEY/links/${ID}`,
  ],
  [
    'keys of the customer',
    'not offered',
    `POST ${V}/cmek`,
    `DELETE ${V}/cmek`,
    `POST ${V}/cmek-rotate`,
  ],
  [
    'webhooks',
    'offered',
    'GET /v1/webhooks',
    'POST /v1/webhooks',
    `PATCH /v1/webhooks/${ID}`,
    `DELETE /v1/webhooks/${ID}`,
  ],
  ['risk', 'not offered', 'GET /v1/risk/events', 'GET /v1/risk/verdicts'],
  [
    'honeytokens',
    'offered',
    'GET /v1/risk/honeytokens',
    'POST /v1/risk/honeytokens',
    `DELETE /v1/risk/honeytokens/${ID}`,
  ],
  ['health', 'offered', 'GET /v1/health', 'GET /v1/health/hsm'],
  ['the way tokens are signed', 'offered', 'GET /v1/auth/jwt-public-key'],
  [
    'discovery',
    'offered',
    'GET /.well-known/openid-configuration',
    'GET /.well-known/jwks.json',
    'GET /openapi.json',
  ],
  ['inspection', 'offered', 'POST /v1/inspect', 'POST /v1/shroud/inspect-content'],
  [
    'what else that API has',
    'not offered',
    `GET ${A}/children`,
    `GET ${A}/memory`,
    `PUT ${A}/memory/ns/key`,
    `POST ${A}/memory/search`,
    `GET ${A}/peer-context`,
    `GET ${A}/connectors`,
    'GET /v1/connectors/presets',
    `GET ${A}/event-subscriptions`,
    'GET /v1/oauth/providers',
    'POST /v1/oauth/revoke',
    'GET /v1/notification-targets',
    `POST ${A}/transactions`,
    `POST ${A}/transactions/simulate`,
    `POST ${A}/cards`,
    'GET /v1/treasury/wallets',
    'GET /v1/chains',
    'GET /v1/billing/usage',
    'POST /v1/org/freeze',
    'GET /v1/policy-presets',
    'GET /v1/',
    'GET /v1/nothing',
    'GET /v1/vaults/default/nothing/a',
  ],
]

describe('API: every call of the 1claw reference', () => {
  let vault: TestVault & { dispose(): Promise<void> }
  let api: TestApi
  let bearer: string
  before(async () => {
    vault = await openTestVault()
    api = await serveTestApi(vault)
    bearer = (await userWith(vault, 'owner')).key
  })
  after(async () => {
    await api.stop()
    await vault.dispose()
  })

  for (const [line, standing, ...calls] of LINES)
    test(`${line}: ${standing}`, async () => {
      for (const call of calls) {
        const [method = '', target = ''] = call.split(' ')
        const takesBody = method !== 'GET' && method !== 'DELETE'
        const { status, body } = await api.ask(target, {
          method,
          bearer,
          ...(takesBody ? { body: {} } : {}),
        })
        const { code, detail, type, title } = (body ?? {}) as Readonly<Record<string, unknown>>
        const seen = `${call} -> ${status} ${String(code)}`
        if (standing === 'not offered')
          assert.deepEqual(
            [status, type, title, detail],
            [404, 'about:blank', 'Not Found', 'Not offered by this server.'],
            seen,
          )
        else if (standing === 'other') assert.equal(status, 405, seen)
        else {
          assert.ok(status < 500, seen)
          assert.ok(code !== 'NOT_OFFERED' && status !== 405, seen)
        }
      }
    })
})
