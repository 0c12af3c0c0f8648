import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { Role } from '../../src/core/identity-port.ts'
import type { OpenedSession } from '../../src/core/people-port.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import { type Clock, epochMs, systemClock } from '../../src/core/time.ts'
import { registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { ApiBrowser, type Fields } from '../support/api-browser.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { BROWSER, callerOf, firstOwner, invited, PASSWORD } from '../support/people.ts'
import { SoftPasskey } from '../support/soft-passkey.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, type VaultStore } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

const open = new OpenVaults()
const serving: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(serving.splice(0).map((one) => one.stop()))
  await open.close(true)
})

interface Opened {
  readonly vault: TestVault
  readonly api: TestApi
  readonly owner: OpenedSession
  /** Lets time pass. */
  readonly later: (ms: number) => void
}

async function opened(store: VaultStore = SQLITE): Promise<Opened> {
  let ahead = 0
  const clock: Clock = () => epochMs(systemClock() + ahead)
  const vault = await open.fresh(store, clock)
  const owner = await firstOwner(vault)
  const api = await serveTestApi(vault, { clock })
  serving.push(api)
  const later = (ms: number): void => {
    ahead += ms
  }
  return { vault, api, owner, later }
}

const MINUTE_MS = 60_000
const FILES = { name: 'files', kind: 'stdio', command: ['server', '.'] }
const SERVERS = '/v1/gateway/servers'
const SECRET = '/v1/vaults/default/secrets/ci/token'

/** A server, a policy on it, a grant for an agent, and an approval that the agent asks for. */
async function administered({ vault, api }: Opened, browser: ApiBrowser): Promise<string> {
  const agent = await registerAgent(vault, [])
  const rows: readonly [status: number, method: string, target: string, body?: unknown][] = [
    [201, 'POST', SERVERS, FILES],
    [200, 'PUT', '/v1/gateway/policies/strict', { text: '{"version":"1","default":"deny"}' }],
    [200, 'PUT', `${SERVERS}/files/policies/strict`],
    [201, 'POST', `/v1/agents/${agent.id}/grants`, { label: 'a', server: 'files', policies: [] }],
  ]
  for (const [status, method, target, body] of rows) {
    const reply = await browser.call(method, target, body)
    assert.equal(reply.status, status, `${method} ${target} ${JSON.stringify(reply.body)}`)
  }
  const asked = await api.ask('/v1/approvals/request', {
    method: 'POST',
    bearer: agent.key,
    body: {
      action: 'service.deploy',
      target_type: 'service',
      target_id: 'web',
      summary: { title: 'Deploy' },
    },
  })
  assert.equal(asked.status, 202, JSON.stringify(asked.body))
  return (asked.body as { id: string }).id
}

for (const store of [SQLITE, POSTGRES])
  test(`API sessions on ${store.name}: a person who is there changes the gateway and decides approvals`, {
    skip: store.skip,
  }, async () => {
    const all = await opened(store)
    const browser = new ApiBrowser(all.api, all.owner)
    const who = (await browser.send('GET', '/v1/auth/session')).body as {
      user: Body
      session: Body
      stepped_up_until: string
    }
    assert.equal(who.user['email'], 'ada@example.org')
    assert.equal(who.user['role'], 'owner')
    assert.equal(who.session['signed_in_with'], 'link')
    const left = Date.parse(who.stepped_up_until) - systemClock()
    assert.ok(left > 4 * MINUTE_MS && left <= 5 * MINUTE_MS, String(left))

    const approval = await administered(all, browser)
    const decide = `/v1/approvals/${approval}/decide`
    const decided = await browser.call('POST', decide, { decision: 'approve' })
    assert.equal(decided.status, 200, JSON.stringify(decided.body))
    const entries = await all.vault.audit.query({ action: 'server.add' })
    const { id } = all.owner.person
    assert.deepEqual(
      entries.map(({ actor, channel }) => [actor, channel]),
      [[`user:${id}`, 'http']],
    )
  })

const FOREIGN: readonly [what: string, headers: Fields][] = [
  ['no token', { 'x-csrf-token': null }],
  ['an empty token', { 'x-csrf-token': '' }],
  ['a guessed token', { 'x-csrf-token': 'a'.repeat(43) }],
  ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['another site that says it is ours', { 'sec-fetch-site': 'cross-site' }],
  ['another port of this machine', { 'sec-fetch-site': 'same-site' }],
  ['an old browser on another site', { 'sec-fetch-site': null, origin: 'https://evil.example' }],
  ['a frame without an origin', { origin: 'null' }],
  ['an address that was typed', { 'sec-fetch-site': 'none' }],
  ['another name for this machine', { host: 'evil.example' }],
]

test('API sessions: what another site may have sent changes nothing and spends no read', async () => {
  const { vault, api, owner } = await opened()
  const value = SecretText.fromText('made for this test alone')
  await vault.vault.put(PERSON, 'default', { path: 'ci/token', value, maxAccessCount: 1 })
  const browser = new ApiBrowser(api, owner)
  const other = new ApiBrowser(api, await invited(vault, 'owner', 'grace@example.org'))
  const rows: readonly (readonly [string, Fields])[] = [
    ...FOREIGN,
    ['the token of another session', { 'x-csrf-token': await other.token() }],
  ]
  for (const [what, headers] of rows)
    for (const [method, target, body] of [
      ['POST', SERVERS, FILES],
      ['PUT', '/v1/gateway/policies/strict', { text: '{"version":"1","default":"allow"}' }],
      ['POST', '/v1/auth/step-up', { password: PASSWORD }],
      ['DELETE', '/v1/auth/session'],
      ['GET', SECRET],
    ] as const) {
      const { status, body: said } = await browser.call(method, target, body, headers)
      const where = `${what}: ${method} ${target} ${JSON.stringify(said)}`
      assert.equal(status, 403, where)
      assert.equal((said as Body)['code'], 'ACCESS_DENIED', where)
    }
  // A change names its origin; a form or a link of another site sends no token, and nobody else is told it.
  const nameless = await browser.call('POST', SERVERS, FILES, { origin: null })
  assert.equal(nameless.status, 403)
  const lured: Fields = {
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  }
  for (const target of ['/v1/auth/session', SECRET, SERVERS])
    assert.equal((await browser.send('GET', target, undefined, lured)).status, 403, target)
  assert.equal((await browser.call('GET', '/v1/auth/step-up')).status, 405)
  assert.equal((await browser.call('OPTIONS', SERVERS)).headers.get('allow'), 'GET, POST')

  assert.deepEqual((await browser.call('GET', SERVERS)).body, { servers: [] })
  const read = await browser.call('GET', SECRET)
  assert.equal((read.body as Body)['value'], 'made for this test alone')
  assert.equal((await browser.call('GET', SECRET)).status, 410)
})

test('API sessions: a bearer and a cookie together are refused, and so are two cookies', async () => {
  const { vault, api, owner } = await opened()
  const browser = new ApiBrowser(api, owner)
  const { key } = await registerAgent(vault, [])
  for (const authorization of [`Bearer ${key}`, 'Bearer', 'Basic eDp5']) {
    const { status, body } = await browser.call('GET', SERVERS, undefined, { authorization })
    assert.deepEqual([status, (body as Body)['field']], [400, 'Authorization'], authorization)
  }
  const ending = await browser.call('DELETE', '/v1/auth/token', undefined, {
    authorization: `Bearer ${key}`,
  })
  assert.equal(ending.status, 400)
  // Set from another port of this machine: nothing says which is the person's own.
  const planted = `sallyport-session=${'x'.repeat(43)}`
  for (const cookie of [`${planted}; ${browser.cookie}`, `${browser.cookie}; ${planted}`])
    assert.equal((await browser.call('GET', SERVERS, undefined, { cookie })).status, 401)
  assert.equal((await browser.call('GET', '/v1/health')).status, 200)
  assert.equal((await browser.call('DELETE', '/v1/auth/token')).status, 401)
  for (const target of ['/v1/auth/session', '/v1/auth/step-up/passkey/options']) {
    const method = target.endsWith('session') ? 'GET' : 'POST'
    const reply = await api.ask(target, { method, bearer: key })
    assert.equal(reply.status, 403, target)
    assert.equal((await api.ask(target, { method })).status, 401, target)
  }
})

const GONE: readonly [
  what: string,
  work: (opened: Opened, browser: ApiBrowser, member: OpenedSession) => Promise<unknown>,
][] = [
  [
    'was never one',
    async (_all, browser) => {
      browser.cookie = `sallyport-session=${'x'.repeat(43)}`
    },
  ],
  [
    'is no cookie of ours',
    async (_all, browser) => {
      browser.cookie = 'sallyport-session=../../x'
    },
  ],
  ['was signed out', (_all, browser) => browser.call('DELETE', '/v1/auth/session')],
  [
    'was signed out on the page',
    async ({ vault }, _browser, { cookie }) =>
      (await vault.identity.people()).signIn.signOut(cookie),
  ],
  [
    'was ended elsewhere',
    async ({ vault }, _browser, member) => {
      const { people } = await vault.identity.people()
      await people.endSession(await callerOf(vault, member), member.session.id)
    },
  ],
  [
    'went on under another cookie',
    async ({ vault }, _browser, { cookie }) =>
      (await vault.identity.people()).signIn.stepUp(cookie, PASSWORD, BROWSER),
  ],
  ['lay unused for eight hours', async ({ later }) => later(8 * 60 * MINUTE_MS + 1)],
  [
    'is of somebody who was frozen',
    ({ vault }, _browser, { person }) =>
      vault.identity.freezes.freeze(PERSON, { kind: 'user', id: person.id }, 'stolen laptop'),
  ],
  [
    'is of somebody who was disabled',
    async ({ vault }, _browser, { person }) =>
      (await vault.identity.people()).people.update(PERSON, person.id, { isActive: false }),
  ],
  [
    'is of somebody who was removed',
    async ({ vault }, _browser, { person }) =>
      (await vault.identity.people()).people.remove(PERSON, person.id),
  ],
  // Nobody comes in after it.
  [
    'is frozen with all',
    ({ vault }) => vault.identity.freezes.freeze(PERSON, { kind: 'all' }, 'stop'),
  ],
]
test('API sessions: one that does not count any more makes no call, and the answer does not say why', async () => {
  const all = await opened()
  for (const [index, [what, work]] of GONE.entries()) {
    const admin = await invited(all.vault, 'admin', `admin${index}@example.org`)
    const browser = new ApiBrowser(all.api, admin)
    const token = await browser.token()
    const { cookie } = browser
    assert.equal((await browser.call('GET', SERVERS)).status, 200, what)
    await work(all, browser, admin)
    if (browser.cookie === '') browser.cookie = cookie
    for (const [method, target, body] of [
      ['GET', '/v1/auth/session'],
      ['GET', SERVERS],
      ['POST', SERVERS, FILES],
      ['POST', '/v1/auth/step-up', { password: PASSWORD }],
    ] as const) {
      const reply = await browser.send(method, target, body, { 'x-csrf-token': token })
      assert.equal(reply.status, 401, `one that ${what}: ${method} ${target}`)
      const { detail, help } = reply.body as Body
      assert.equal(detail, 'The session has ended or never was one.', what)
      assert.equal(help, 'sign in at /sign-in in this browser, then make the same call again')
    }
  }
  // Beyond ten a minute of one address they are counted, not recorded one by one.
  const refused = await all.vault.audit.query({ action: 'auth.refused' })
  assert.ok(refused.filter(({ body }) => body.includes('"channel":"http"')).length >= 10)
})

test('API sessions: five minutes later what is dangerous takes the password once more', async () => {
  const all = await opened()
  const { vault, api, owner, later } = all
  const browser = new ApiBrowser(api, owner)
  const approval = await administered(all, browser)
  const agent = await registerAgent(vault, [])
  const value = SecretText.fromText('made for this test alone')
  await vault.vault.put(PERSON, 'default', { path: 'ci/token', value })
  const dangerous: readonly [status: number, method: string, target: string, body?: unknown][] = [
    [201, 'POST', SERVERS, { ...FILES, name: 'more' }],
    [200, 'PUT', '/v1/gateway/policies/more', { text: '{"version":"1","default":"deny"}' }],
    [200, 'PUT', `${SERVERS}/more/policies/more`],
    [201, 'POST', `/v1/agents/${agent.id}/grants`, { label: 'a', server: 'files', policies: [] }],
    [200, 'POST', `/v1/approvals/${approval}/decide`, { decision: 'approve' }],
    [200, 'GET', SECRET],
  ]
  later(5 * MINUTE_MS + 1_000)
  for (const [, method, target, body] of dangerous) {
    const reply = await browser.call(method, target, body)
    const { code, help } = reply.body as Body
    assert.deepEqual([reply.status, code], [403, 'STEP_UP_REQUIRED'], `${method} ${target}`)
    assert.match(String(help), /POST \/v1\/auth\/step-up/)
  }
  const before = (await browser.send('GET', '/v1/auth/session')).body as Body
  assert.equal(before['stepped_up_until'], null)
  assert.equal((await browser.call('GET', SERVERS)).status, 200)

  const wrong = await browser.call('POST', '/v1/auth/step-up', { password: 'not the password' })
  assert.equal(wrong.status, 401)
  const old = browser.cookie
  const right = await browser.call('POST', '/v1/auth/step-up', { password: PASSWORD })
  assert.equal(right.status, 200)
  const after = right.body as Body
  assert.equal(typeof after['stepped_up_until'], 'string')
  assert.notEqual(after['csrf_token'], before['csrf_token'])
  assert.equal(after['csrf_token'], await browser.token())
  assert.match(
    right.headers.get('set-cookie') ?? '',
    /^sallyport-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800$/,
  )
  assert.notEqual(browser.cookie, old)
  assert.equal((await browser.call('GET', SERVERS, undefined, { cookie: old })).status, 401)
  for (const [status, method, target, body] of dangerous) {
    const reply = await browser.call(method, target, body)
    assert.equal(reply.status, status, `${method} ${target} ${JSON.stringify(reply.body)}`)
  }
  const out = await browser.call('DELETE', '/v1/auth/session')
  assert.equal(out.status, 204)
  assert.match(out.headers.get('set-cookie') ?? '', /^sallyport-session=; .*Max-Age=0$/)
})

test('API sessions: guesses at the password are counted with those of the pages', async () => {
  const { vault, api, owner } = await opened()
  const browser = new ApiBrowser(api, owner)
  const statuses: number[] = []
  for (let guess = 0; guess < 7; guess += 1) {
    const reply = await browser.call('POST', '/v1/auth/step-up', { password: `guess ${guess}` })
    statuses.push(reply.status)
    if (reply.status === 429) assert.ok(Number(reply.headers.get('retry-after')) > 0)
  }
  assert.deepEqual(statuses.slice(0, 5), [401, 401, 401, 401, 401])
  assert.equal(statuses.at(-1), 429)
  const { signIn } = await vault.identity.people()
  await assert.rejects(signIn.withPassword('ada@example.org', PASSWORD, BROWSER), {
    code: 'THROTTLED',
  })
})

test('API sessions: a passkey proves that the person is there', async () => {
  const { vault, api, owner, later } = await opened()
  const origin = api.baseUrl.replace('127.0.0.1', 'localhost')
  const here: Fields = { host: new URL(origin).host }
  const there: Fields = { ...here, origin }
  const { signIn } = await vault.identity.people()
  const passkey = new SoftPasskey(origin)
  const asked = { kind: 'register', cookie: owner.cookie } as const
  const made = await signIn.passkeyQuestion(asked, { origin }, BROWSER)
  await signIn.addPasskey(owner.cookie, made.handle, passkey.register(made), 'soft', BROWSER)
  later(5 * MINUTE_MS + 1_000)
  const browser = new ApiBrowser(api, owner)
  const options = '/v1/auth/step-up/passkey/options'
  const question = async () => {
    const reply = await browser.call('POST', options, undefined, there)
    assert.equal(reply.status, 200, JSON.stringify(reply.body))
    return reply.body as { handle: string; options: Body }
  }
  assert.equal((await browser.call('POST', SERVERS, FILES, there)).status, 403)
  // Of a key of somebody else, for another question, and for another site.
  const first = await question()
  const second = await question()
  for (const [handle, response] of [
    [first.handle, new SoftPasskey(origin).answer(first)],
    [second.handle, passkey.answer(first)],
    [(await question()).handle, {}],
  ] as const) {
    const body = { handle, response }
    const reply = await browser.call('POST', '/v1/auth/step-up/passkey', body, there)
    assert.equal(reply.status, 401, JSON.stringify(reply.body))
  }
  const third = await question()
  const body = { handle: third.handle, response: passkey.answer(third) }
  const proved = await browser.call('POST', '/v1/auth/step-up/passkey', body, there)
  assert.equal(proved.status, 200, JSON.stringify(proved.body))
  assert.equal((await browser.call('POST', SERVERS, FILES, there)).status, 201)
  // A question is answered once, and an address has so many of them.
  assert.equal((await browser.call('POST', '/v1/auth/step-up/passkey', body, there)).status, 401)
  const statuses = new Set<number>()
  for (let count = 0; count < 31; count += 1)
    statuses.add((await browser.call('POST', options, undefined, there)).status)
  assert.deepEqual([...statuses], [200, 429])
})

for (const role of ['member', 'auditor'] satisfies Role[])
  test(`API sessions: ${role}s who are there administer nothing and decide nothing of others`, async () => {
    const all = await opened()
    const approval = await administered(all, new ApiBrowser(all.api, all.owner))
    const agent = await registerAgent(all.vault, [])
    const browser = new ApiBrowser(all.api, await invited(all.vault, role))
    const seen = (await browser.send('GET', '/v1/auth/session')).body as { user: Body }
    assert.equal(seen.user['role'], role)
    for (const [method, target, body] of [
      ['POST', SERVERS, { ...FILES, name: 'more' }],
      ['DELETE', `${SERVERS}/files`],
      ['PUT', '/v1/gateway/policies/strict', { text: '{"version":"1","default":"allow"}' }],
      ['DELETE', `${SERVERS}/files/policies/strict`],
      ['POST', `/v1/agents/${agent.id}/grants`, { label: 'b', server: 'files', policies: [] }],
      [
        'POST',
        `/v1/vaults/default/policies`,
        {
          principal_type: 'agent',
          principal_id: agent.id,
          secret_path_pattern: '**',
          permissions: ['read'],
        },
      ],
      ['GET', SECRET],
    ] as const) {
      const reply = await browser.call(method, target, body)
      assert.deepEqual(
        [reply.status, (reply.body as Body)['code']],
        [403, 'ACCESS_DENIED'],
        `${method} ${target}`,
      )
    }
    const decide = `/v1/approvals/${approval}/decide`
    const decided = await browser.call('POST', decide, { decision: 'approve' })
    assert.ok([403, 404].includes(decided.status), String(decided.status))
  })

test('API sessions: what was done in person is not answered again to a key of the person', async () => {
  const { vault, api, owner } = await opened()
  const browser = new ApiBrowser(api, owner)
  const once = { 'idempotency-key': 'add-files' }
  assert.equal((await browser.call('POST', SERVERS, FILES, once)).status, 201)
  const again = await browser.call('POST', SERVERS, FILES, once)
  assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [201, 'true'])
  const { people } = await vault.identity.people()
  const { key } = await people.createKey(await callerOf(vault, owner), { name: 'laptop' })
  const bearer = key.reveal()
  const reply = await api.ask(SERVERS, { method: 'POST', bearer, body: FILES, headers: once })
  assert.equal(reply.status, 403)
})

test('API sessions: over TLS at the address of the pages under the name that browsers protect', async () => {
  const vault = await open.fresh(SQLITE)
  const owner = await firstOwner(vault)
  const site = 'https://vault.example.org'
  const api = await serveTestApi(vault, { pagesAt: () => `${site}/` }, ['127.0.0.1'])
  serving.push(api)
  const browser = new ApiBrowser(api, owner)
  const plain = browser.cookie
  const cookie = `__Host-${plain}`
  const away: Fields = {
    cookie,
    host: 'vault.example.org',
    'x-forwarded-proto': 'https',
    'x-forwarded-for': '203.0.113.9',
  }
  const first = await browser.send('GET', '/v1/auth/session', undefined, away)
  assert.equal(first.status, 200)
  const token = (first.body as { csrf_token: string }).csrf_token
  const ours: Fields = { ...away, origin: site, 'x-csrf-token': token }
  assert.equal((await browser.send('POST', SERVERS, FILES, ours)).status, 201)
  for (const [what, headers, status] of [
    ['the name of plain HTTP', { cookie: plain }, 401],
    ['plain HTTP', { 'x-forwarded-proto': 'http', cookie: plain }, 403],
    ['another host', { host: 'other.example.org', origin: 'https://other.example.org' }, 403],
    ['loopback by name from elsewhere', { host: 'localhost', origin: 'https://localhost' }, 403],
    ['the origin without TLS', { origin: 'http://vault.example.org' }, 403],
    ['a subdomain', { origin: 'https://a.vault.example.org', 'sec-fetch-site': null }, 403],
  ] as const) {
    const reply = await browser.send('DELETE', `${SERVERS}/files`, undefined, {
      ...ours,
      ...headers,
    })
    assert.equal(reply.status, status, what)
  }
  const proved = await browser.send('POST', '/v1/auth/step-up', { password: PASSWORD }, ours)
  assert.match(
    proved.headers.get('set-cookie') ?? '',
    /^__Host-sallyport-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure$/,
  )
})

test('API sessions: a cookie counts neither at /mcp nor at servers of the gateway', async () => {
  const vault = await open.fresh(SQLITE)
  const owner = await firstOwner(vault)
  const door = await serveMcpDoor(vault)
  serving.push(door)
  const cookie = `sallyport-session=${owner.cookie}`
  const ours = { cookie, origin: door.baseUrl, 'sec-fetch-site': 'same-origin' }
  const session = await fetch(`${door.baseUrl}/v1/auth/session`, { headers: ours })
  assert.equal(session.status, 200)
  const { csrf_token: token } = (await session.json()) as { csrf_token: string }
  const headers = { ...ours, 'x-csrf-token': token }
  const added = await door.post(FILES, headers, SERVERS)
  assert.equal(added.status, 201)
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }
  for (const path of ['/mcp', '/mcp/all', '/s/files/mcp']) {
    const reply = await door.post(message, headers, path)
    await reply.body?.cancel()
    assert.equal(reply.status, 401, path)
  }
})

test('API sessions: the document says how a browser calls, and which calls are for browsers alone', async () => {
  const { api } = await opened()
  const { paths, components, security } = api.document as unknown as {
    paths: Record<string, Record<string, { operationId: string; security?: readonly object[] }>>
    components: { securitySchemes: Record<string, object> }
    security: readonly object[]
  }
  const { cookieAuth, csrfToken } = components.securitySchemes
  assert.partialDeepStrictEqual(cookieAuth, {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-sallyport-session',
  })
  assert.partialDeepStrictEqual(csrfToken, {
    type: 'apiKey',
    in: 'header',
    name: 'X-CSRF-Token',
  })
  const inSession = { cookieAuth: [], csrfToken: [] }
  assert.deepEqual(security, [{ bearer: [] }, { dpop: [] }, inSession])
  const own = Object.values(paths).flatMap((methods) =>
    Object.values(methods).flatMap(({ operationId, security: of }) =>
      of?.some((one) => 'cookieAuth' in one) === true ? [[operationId, of]] : [],
    ),
  )
  assert.deepEqual(own, [
    ['getSession', [{ cookieAuth: [] }]],
    ['endSession', [inSession]],
    ['stepUp', [inSession]],
    ['askStepUpPasskey', [inSession]],
    ['stepUpWithPasskey', [inSession]],
  ])
})
