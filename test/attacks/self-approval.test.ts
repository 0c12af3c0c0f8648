// An agent that wants a yes: with everything it can hold or find, and for something else than what was approved.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { epochMs } from '../../src/core/time.ts'
import { createTokens } from '../../src/vault/index.ts'
import { exchangedToken, registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { userWithKey } from '../support/identity.ts'
import { type McpDoor, serveMcpDoor } from '../support/mcp-door.ts'
import { callerOf, firstOwner, PASSWORD } from '../support/people.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

let vault: TestVault & { dispose(): Promise<void> }
let api: TestApi
let door: McpDoor
let bearer: string

const desk = () => vault.approvals.approvals

before(async () => {
  vault = await openTestVault()
  await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
  api = await serveTestApi(vault)
  door = await serveMcpDoor(vault, { openPeople: async () => vault.approvals.people })
})
after(async () => {
  await door?.stop()
  await api?.stop()
  assert.deepEqual((await vault.audit.verify()).findings, [])
  await vault?.dispose()
})

const WANTED = {
  action: 'deploy.production',
  target_type: 'service',
  target_id: 'shop',
  summary: { title: 'Deploy the shop' },
}

/** The body as it is: a client library would have tidied it. */
async function raw(text: string): Promise<{ readonly status: number; readonly body: Body }> {
  const response = await fetch(`${api.baseUrl}/v1/approvals/request`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: text,
  })
  return { status: response.status, body: (await response.json()) as Body }
}

test('no bearer of any kind decides, at any of the calls that do, and no cookie is one', async () => {
  const session = await firstOwner(vault)
  const owner = await callerOf(vault, session)
  // The owner's own agent: he may say yes, and nothing that it holds.
  const { agent, key } = await vault.identity.agents.create(owner, { name: 'ci' })
  await vault.policies.create(PERSON, 'default', {
    pattern: '**',
    permissions: ['list', 'read', 'share'],
    principalType: 'agent',
    principalId: agent.id,
  })
  const text = key.reveal()
  bearer = await exchangedToken(api, text)
  const personal = await userWithKey(vault, 'owner')
  const tokenOf = async (target: string, body: object): Promise<string> => {
    const reply = await api.ask(target, { method: 'POST', body })
    assert.equal(reply.status, 200, target)
    return String((reply.body as Body)['access_token'])
  }
  const { bearer: ofGrant } = await vault.identity.grants.create(PERSON, agent.id, {
    label: 'laptop',
    server: 'files',
    policies: [],
  })
  const local = await (await createTokens(vault)).create('editor', null)
  const { link } = await vault.sharing.shares.create(
    PERSON,
    { vault: 'default', path: 'config/db' },
    { recipientType: 'anyone_with_link', expiresAt: epochMs(Date.now() + 3_600_000) },
  )
  const { people } = await vault.identity.people()
  const invitation = await people.invite(PERSON, { email: 'x@example.org', role: 'owner' })
  const second = await registerAgent(vault, [])
  const held: readonly [what: string, bearer: string][] = [
    ['its key', text],
    ['its token', bearer],
    ['the key of another agent', second.key],
    ['the token of another agent', await exchangedToken(api, second.key)],
    ['a grant', ofGrant.reveal()],
    ['the bearer of this machine', local.token.reveal()],
    ["an owner's key that it found", personal.key],
    [
      "a token of an owner's key",
      await tokenOf('/v1/auth/api-key-token', { api_key: personal.key }),
    ],
    [
      "a token of the owner's password",
      await tokenOf('/v1/auth/token', { email: 'ada@example.org', password: PASSWORD }),
    ],
    ["the owner's cookie", session.cookie],
    ['the secret of a link', link?.reveal() ?? ''],
    ['an invitation', invitation.token],
  ]
  const asked = await api.ask('/v1/approvals/request', { method: 'POST', bearer, body: WANTED })
  const { id, payload_hash } = asked.body as { readonly id: string; readonly payload_hash: string }
  const decisions: readonly [target: string, body: Body][] = [
    [`/v1/approvals/${id}/decide`, { decision: 'approve' }],
    [`/v1/approvals/${id}/decide`, { decision: 'approved', payload_hash }],
    [`/v1/approvals/${id}/approve`, {}],
    [`/v1/approvals/${id}/deny`, {}],
    [`/v1/pending-approvals/${id}/approve`, { decision: 'approve', payload_hash }],
    [
      `/v1/pending-approvals/${id}/approve`,
      { decision: 'approve', payload_hash, credential_type: 'biometric' },
    ],
  ]
  const cookie = `sallyport-session=${session.cookie}; __Host-sallyport-session=${session.cookie}`
  const confirmed = { 'x-auth-confirm': PASSWORD, 'x-passkey-token': 'yes', 'x-mfa-token': '1' }
  for (const [what, shown] of held)
    for (const [target, body] of decisions) {
      const decide = (headers: Readonly<Record<string, string>>) =>
        api.ask(target, { method: 'POST', bearer: shown, body, headers })
      const { status } = await decide(confirmed)
      assert.ok(status === 401 || status === 403, `${what} at ${target}: ${status}`)
      // A cookie beside it makes it no better: nobody says two things about who he is.
      assert.equal((await decide({ ...confirmed, cookie })).status, 400, `${what} at ${target}`)
    }
  // Alone it is what a form of another site would send: without the session's token it decides nothing.
  for (const [target, body] of decisions)
    assert.equal((await api.ask(target, { method: 'POST', body, headers: { cookie } })).status, 403)
  for (const [what, shown] of held) {
    const response = await fetch(`${door.baseUrl}/approvals/${id}`, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        authorization: `Bearer ${shown}`,
        origin: door.baseUrl,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ decision: 'approve', digest: payload_hash }),
    })
    assert.notEqual(response.status, 200, what)
  }
  assert.equal((await desk().status(PERSON, id)).status, 'pending')
  assert.deepEqual((await desk().status(PERSON, id)).votes, [])
})

test('the same arguments are one request, however they are written, and others another', async () => {
  const base = `"action":"a.b","target_type":"t","target_id":"i","summary":{"title":"T"}`
  const payload = (text: string) => raw(`{${base},"payload":${text}}`)
  const first = await payload('{"a":1,"b":{"c":"\u00e9","d":[1,2]}}')
  assert.equal(first.status, 202)
  const { id } = first.body
  const same: readonly string[] = [
    '{"b":{"d":[1,2],"c":"\u00e9"},"a":1}',
    ' { "a" : 1.0 , "b" : { "c" : "\\u00e9" , "d" : [ 1e0, 20E-1 ] } } ',
  ]
  for (const text of same) assert.equal((await payload(text)).body['id'], id, text)
  // What two readers would read in two ways is no request.
  const twice = '{"a":1,"b":{"c":"\u00e9","d":[1,2]},"a":1}'
  assert.equal((await payload(twice)).status, 400)
  const others: readonly string[] = [
    '{"a":1,"b":{"c":"e\u0301","d":[1,2]}}',
    '{"a":"1","b":{"c":"\u00e9","d":[1,2]}}',
    '{"a":1,"b":{"c":"\u00e9","d":[2,1]}}',
    '{"a":1,"b":{"c":"\u00e9","d":[1,2]},"x":null}',
    '{"A":1,"b":{"c":"\u00e9","d":[1,2]}}',
    '{"a":1.0000000000000002,"b":{"c":"\u00e9","d":[1,2]}}',
    '{"a":true,"b":{"c":"\u00e9","d":[1,2]}}',
    '{"a":1,"b":{"c":"\u00e9\u200b","d":[1,2]}}',
    '{"a":1,"b":{"c":"\u00e9","d":[1,2],"__proto__":{"e":1}}}',
    '{"a":1,"b":{"c":"\u00e9","d":{"0":1,"1":2}}}',
  ]
  const ids = new Set([id])
  for (const text of others) {
    const { status, body } = await payload(text)
    assert.equal(status, 202, text)
    ids.add(body['id'])
  }
  assert.equal(ids.size, others.length + 1)
  // Two numbers that are read as one would make two acts one.
  for (const text of ['9007199254740993', '[{"amount":-9007199254740992}]', '1e300']) {
    const { status, body } = await payload(`{"n":${text}}`)
    assert.deepEqual([status, body['field']], [400, 'payload'], text)
  }
  // Nothing around the payload is left out either.
  for (const [from, to] of [
    ['"a.b"', '"a.c"'],
    ['"t"', '"u"'],
    ['"i"', '"i "'],
    ['"T"', '"\u0422"'],
  ] as const) {
    const { body } = await raw(
      `{${base.replace(from, to)},"payload":{"a":1,"b":{"c":"\u00e9","d":[1,2]}}}`,
    )
    assert.ok(!ids.has(body['id']), to)
  }
})

test('a yes is for one link with these terms: other terms, another path and a second time wait anew', async () => {
  for (const path of ['config/other', 'Config/db', 'config/db2'])
    await vault.vault.put(PERSON, 'default', { path, value: secret('v') })
  const at = (path: string) => `/v1/vaults/default/secret-share/${path}`
  const expires = new Date(Date.now() + 3_600_000).toISOString()
  const terms = { recipient_type: 'anyone_with_link', expires_at: expires, max_access_count: 1 }
  const share = async (path: string, body: object) => {
    const reply = await api.ask(at(path), { method: 'POST', bearer, body })
    return { status: reply.status, body: reply.body as Body }
  }
  const asked = await share('config/db', terms)
  assert.equal(asked.status, 403)
  const id = String(asked.body['approval_request_id'])
  await desk().decide(PERSON, id, 'approve')
  const others: readonly [path: string, change: Body][] = [
    ['config/other', {}],
    ['Config/db', {}],
    ['config/db2', {}],
    ['config/db', { max_access_count: 2 }],
    ['config/db', { max_access_count: undefined }],
    ['config/db', { expires_at: new Date(Date.parse(expires) + 1000).toISOString() }],
    ['config/db', { passphrase: 'correct horse battery' }],
    ['config/db', { recipient_type: 'external_email', email: 'x@example.org' }],
    ['config/db', { ip_allowlist: ['0.0.0.0/0'] }],
  ]
  for (const [path, change] of others) {
    const other = await share(path, { ...terms, ...change })
    assert.equal(other.status, 403, JSON.stringify([path, change, other.body]))
    assert.notEqual(other.body['approval_request_id'], id, JSON.stringify([path, change]))
  }
  // The same terms in another spelling of the path and the instant are the same act.
  const spelled = await share('config/%64b', {
    max_access_count: 1,
    expires_at: expires.replace('Z', '+00:00'),
    recipient_type: 'anyone_with_link',
  })
  assert.equal(spelled.status, 201)
  const again = await share('config/db', terms)
  assert.equal(again.status, 403)
  assert.notEqual(again.body['approval_request_id'], id)
})
