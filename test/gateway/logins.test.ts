// The gateway as a client of OAuth: how a login is found, made, checked and kept.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { isFault } from '../../src/core/faults.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import { epochMs, systemClock } from '../../src/core/time.ts'
import type { LoginInfo, LoginWish } from '../../src/core/upstream-login-port.ts'
import {
  type AuthorizationServer,
  browse,
  type GuardOptions,
  guardedServer,
} from '../support/authorization-server.ts'
import { events, json, scripted } from '../support/http-upstream.ts'
import { callerOf, firstOwner } from '../support/people.ts'
import { AGENT, openTestVault, PERSON } from '../support/vault.ts'

const DOCUMENT = 'https://sallyport.example/client.json'
let aheadMs = 0
const vault = await openTestVault({
  clock: () => epochMs(systemClock() + aheadMs),
  env: { SALLYPORT_CLIENT_METADATA_URL: DOCUMENT },
})
after(() => vault.dispose())
const { servers, logins: openLogins } = await vault.registry()
const logins = await openLogins()

const REDIRECT = 'http://127.0.0.1:1/back'
const guards: AuthorizationServer[] = []
let count = 0

async function guarded(options: Partial<GuardOptions> = {}) {
  count += 1
  const name = `s${count}`
  const guard = await guardedServer({
    answer: (_body, _request, response) => json(response, { id: 1, result: {} }),
    ...options,
  })
  guards.push(guard.authorization)
  await servers.add(PERSON, name, { kind: 'http', url: guard.url, headers: [] })
  return { name, guard, authorization: guard.authorization }
}

async function loggedIn(name: string, wish: LoginWish = {}): Promise<LoginInfo> {
  const { url } = await logins.begin(PERSON, name, REDIRECT, wish)
  return logins.finish(PERSON, await browse(url, REDIRECT))
}

test('a login is made with PKCE, for the one resource, and shows no token', async () => {
  const { name, guard, authorization } = await guarded()
  const info = await loggedIn(name)
  assert.equal(info.state, 'active')
  assert.equal(info.issuer, authorization.issuer)
  assert.deepEqual([info.scopes, info.missing, info.client], [['echo'], [], 'registered'])
  const [asked] = authorization.at('/authorize')
  const [changed] = authorization.at('/token')
  assert.equal(asked?.query.get('resource'), guard.url)
  assert.equal(changed?.form.get('resource'), guard.url)
  assert.equal(asked?.query.get('code_challenge_method'), 'S256')
  const [access = ''] = authorization.given
  assert.ok(access !== '')
  assert.doesNotMatch(JSON.stringify(await logins.get(AGENT, name)), new RegExp(access))
})

const metadataPlaces: readonly [what: string, options: Partial<GuardOptions>][] = [
  ['as RFC 8414 has it', {}],
  ['as OpenID Connect has it', { metadataAt: '/.well-known/openid-configuration' }],
  ['of an issuer with a path', { path: '/a/b' }],
  [
    'of an issuer with a path, as OpenID Connect',
    { path: '/a', metadataAt: '/.well-known/openid-configuration/a' },
  ],
  [
    'behind the path of an issuer',
    { path: '/a', metadataAt: '/a/.well-known/openid-configuration' },
  ],
  ['of a server that names no place', { named: null }],
  [
    'of a server that lets the first word pass, with a stream that goes on',
    {
      lets(body, response) {
        if (!body.includes('"initialize"')) return false
        events(response, '{"jsonrpc":"2.0","id":1,"result":{}}')
        return true
      },
    },
  ],
  [
    'of a server that breaks the first word off',
    {
      lets(body, response) {
        if (body.includes('"initialize"')) response.destroy()
        return response.destroyed
      },
    },
  ],
  [
    'of a server that refuses nobody so early, with streams that go on',
    {
      lets(_body, response) {
        events(response)
        return true
      },
    },
  ],
  ['of a server that stands in its resource', { resource: (url) => new URL('/', url).href }],
]
for (const [what, options] of metadataPlaces)
  test(`metadata is found: ${what}`, async () => {
    const { name, authorization } = await guarded(options)
    assert.equal((await loggedIn(name)).issuer, authorization.issuer)
  })

const unfit: readonly [what: string, options: Partial<GuardOptions>, said: RegExp][] = [
  [
    'a resource that is another server',
    { resource: () => 'https://evil.example.com/mcp' },
    /says that it is 'https:\/\/evil\.example\.com\/mcp' and not/,
  ],
  ['a resource beside the server', { resource: (url) => `${url}/more` }, /says that it is/],
  ['a resource whose name only begins alike', { resource: (url) => url.slice(0, -1) }, /says that/],
  [
    'no authorization server',
    { document: { authorization_servers: [] } },
    /names no authorization/,
  ],
  [
    'an issuer that says it is another',
    { metadata: { issuer: 'https://as.example.com' } },
    /says that it is 'https:\/\/as\.example\.com'/,
  ],
  [
    'no PKCE',
    { metadata: { code_challenge_methods_supported: undefined } },
    /does not offer PKCE with S256/,
  ],
  [
    'PKCE in the clear alone',
    { metadata: { code_challenge_methods_supported: ['plain'] } },
    /does not offer PKCE with S256/,
  ],
  [
    'a page that is a script',
    { metadata: { authorization_endpoint: 'javascript:alert(1)' } },
    /authorization_endpoint that is no https address/,
  ],
  [
    'a token endpoint without TLS',
    { metadata: { token_endpoint: 'http://as.example.com/token' } },
    /token_endpoint that is no https address/,
  ],
  ['no token endpoint', { metadata: { token_endpoint: undefined } }, /names no token_endpoint/],
  [
    'no clients of our kind',
    { metadata: { token_endpoint_auth_methods_supported: ['private_key_jwt'] } },
    /takes no proof that can be given/,
  ],
  [
    'no registration',
    { metadata: { registration_endpoint: undefined } },
    /registers no clients by itself/,
  ],
  ['metadata in a place that is no address', { named: 'ftp://a/b' }, /is no https address/],
  ['metadata in this network', { named: 'https://10.0.0.1/x' }, /is at a private address/],
  ['metadata in the clear elsewhere', { named: 'http://as.example.com/x' }, /is no https address/],
]
for (const [what, options, said] of unfit)
  test(`nobody logs in, and nothing is sent, with ${what}`, async () => {
    const { name, authorization } = await guarded(options)
    await refused(logins.begin(PERSON, name, REDIRECT, {}), null, said)
    assert.deepEqual([...authorization.at('/authorize'), ...authorization.at('/token')], [])
    assert.equal(await logins.get(PERSON, name), null)
  })

async function refused(work: Promise<unknown>, code: string | null, said: RegExp): Promise<void> {
  const error: unknown = await work.then(
    () => assert.fail('it went through'),
    (thrown: unknown) => thrown,
  )
  assert.ok(isFault(error), String(error))
  assert.match(error.message, said)
  if (code !== null) assert.equal(error.code, code)
}

test('redirects are followed to no other place, and documents are not read without end', async () => {
  const elsewhere = await scripted((_got, response) => json(response, {}))
  const within = (location: string) =>
    scripted(({ method, url }, response) => {
      if (method !== 'GET') response.writeHead(401).end()
      else if (url === '/ends') response.writeHead(404).end()
      else response.writeHead(302, { location }).end()
    })
  const cases: readonly [location: string, said: RegExp][] = [
    [elsewhere.url, /redirects elsewhere/],
    ['/again', /redirects elsewhere/],
  ]
  for (const [location, said] of cases)
    await refused(begun((await within(location)).url), 'NET_REFUSED', said)
  assert.deepEqual(elsewhere.got, [])
  // What is nowhere is looked for at the server itself, which has nothing.
  await refused(begun((await within('/ends')).url), 'UNSUPPORTED', /has no metadata/)
  const endless = await scripted(({ method }, response) =>
    method === 'GET'
      ? json(response, `{"resource":"${'x'.repeat(300_000)}"}`)
      : response.writeHead(401).end(),
  )
  await refused(begun(endless.url), 'NET_TOO_LARGE', /bytes/)
  const open = await scripted((_got, response) => json(response, { id: 1, result: {} }))
  await refused(begun(open.url), 'UNSUPPORTED', /asks for no login/)
})

async function begun(url: string) {
  count += 1
  await servers.add(PERSON, `s${count}`, { kind: 'http', url, headers: [] })
  return logins.begin(PERSON, `s${count}`, REDIRECT, {})
}

test('nobody logs in at a program, or where another header says who we are', async () => {
  await servers.add(PERSON, 'program', { kind: 'stdio', command: ['x'], variables: [] })
  await refused(logins.begin(PERSON, 'program', REDIRECT, {}), 'UNSUPPORTED', /is a program/)
  const headers = [{ name: 'authorization', value: 'Bearer secret://a/b' }]
  await servers.add(PERSON, 'keyed', { kind: 'http', url: 'https://a.example/', headers })
  await refused(logins.begin(PERSON, 'keyed', REDIRECT, {}), 'CONFLICT', /header Authorization/)
  await refused(logins.begin(PERSON, 'nowhere', REDIRECT, {}), 'NOT_FOUND', /no server/)
  await refused(logins.get(AGENT, 'nowhere'), 'NOT_FOUND', /no server/)
})

const EVIL = 'https://evil.example.com'
const silent = { authorization_response_iss_parameter_supported: undefined }
const answers: readonly [what: string, options: Partial<GuardOptions>, said: RegExp][] = [
  ['names another server', { comesBack: { iss: EVIL } }, /not one of/],
  ['names no server although it should', { comesBack: { iss: undefined } }, /not one of/],
  [
    'names another server although it need name none',
    { comesBack: { iss: EVIL }, metadata: silent },
    /not one of/,
  ],
  ['is a refusal', { comesBack: { code: undefined, error: 'access_denied' } }, /: access_denied\./],
  [
    'is a refusal of another server',
    { comesBack: { code: undefined, error: 'send_it_all', iss: EVIL } },
    /not one of/,
  ],
]
for (const [what, options, said] of answers)
  test(`a code is changed for nothing when the answer ${what}`, async () => {
    const { name, authorization } = await guarded(options)
    await refused(loggedIn(name), 'ACCESS_DENIED', said)
    assert.deepEqual(authorization.at('/token'), [])
  })

test('an answer without iss counts where the server never said that it names itself', async () => {
  const { name } = await guarded({ comesBack: { iss: undefined }, metadata: silent })
  assert.equal((await loggedIn(name)).state, 'active')
})

test('an answer counts once, in time, and for whoever began', async () => {
  const { name, authorization } = await guarded()
  const { url } = await logins.begin(PERSON, name, REDIRECT, {})
  const answer = await browse(url, REDIRECT)
  const owner = await callerOf(vault, await firstOwner(vault))
  await refused(logins.finish(owner, answer), 'UNAUTHENTICATED', /not begun here/)
  // Whoever answers for somebody else has spoilt it.
  await refused(logins.finish(PERSON, answer), 'UNAUTHENTICATED', /not begun here/)
  const again = await browse((await logins.begin(PERSON, name, REDIRECT, {})).url, REDIRECT)
  for (const bent of [
    again.replace(/state=[^&]+/, 'state=x'),
    `${again}&state=x`,
    `${again}&state=${'x'.repeat(43)}`,
    again.replace(/state=[^&]+&/, ''),
    'not an address',
  ])
    await refused(logins.finish(PERSON, bent), 'UNAUTHENTICATED', /not begun here/)
  aheadMs += 600_001
  await refused(logins.finish(PERSON, again), 'UNAUTHENTICATED', /not begun here/)
  assert.deepEqual(authorization.at('/token'), [])
  const good = await browse((await logins.begin(PERSON, name, REDIRECT, {})).url, REDIRECT)
  await logins.finish(PERSON, good)
  await refused(logins.finish(PERSON, good), 'UNAUTHENTICATED', /not begun here/)
  await refused(logins.begin(AGENT, name, REDIRECT, {}), 'ACCESS_DENIED', /Only owners/)
  await refused(logins.end(AGENT, name), 'ACCESS_DENIED', /Only owners/)
})

test('who we are, in the order of MCP: by hand, by a document, by registering', async () => {
  const path = 'login/secret'
  const secret = randomBytes(16).toString('hex')
  const put = { path, value: SecretText.fromText(secret) }
  await vault.vault.put(PERSON, 'default', put)
  const clients = { 'by-hand': { secret }, 'without-proof': { secret: null } }
  const { name, authorization } = await guarded({ clients })
  const given = { clientId: 'by-hand', clientSecret: `secret://${path}` }
  assert.equal((await loggedIn(name, given)).client, 'given')
  // What a person said once, he need not say again.
  assert.equal((await loggedIn(name)).clientId, 'by-hand')
  assert.equal((await loggedIn(name, { clientId: 'without-proof' })).clientId, 'without-proof')
  assert.deepEqual(authorization.at('/register'), [])
  const [read] = await vault.audit.query({ path, action: 'secret.use' })
  assert.deepEqual([read?.actor, read?.channel], ['person:local', 'cli'])
  const basic = Buffer.from(`by-hand:${secret}`).toString('base64')
  assert.deepEqual(
    authorization.at('/token').map((one) => [one.authorization, one.form.get('client_id')]),
    [
      [`Basic ${basic}`, null],
      [`Basic ${basic}`, null],
      [undefined, 'without-proof'],
    ],
  )
  const documented = await guarded({
    metadata: { client_id_metadata_document_supported: true },
  })
  assert.equal((await loggedIn(documented.name)).clientId, DOCUMENT)
  assert.deepEqual(documented.authorization.at('/register'), [])
  const posted = await guarded({
    metadata: { token_endpoint_auth_methods_supported: ['client_secret_post'] },
  })
  const first = await loggedIn(posted.name)
  assert.equal((await loggedIn(posted.name)).clientId, first.clientId)
  assert.equal(posted.authorization.at('/register').length, 1)
  assert.match(
    posted.authorization.at('/token')[0]?.form.get('client_secret') ?? '',
    /^[0-9a-f]{32}$/,
  )
})

test('a client that registered itself is used while it is known, and not when it may be known no more', async () => {
  const { name, authorization } = await guarded()
  const ids: string[] = []
  const again = async () => ids.push((await loggedIn(name)).clientId)
  await again()
  await again()
  // The authorization server says to the person alone that it does not know it.
  authorization.forgetClients()
  const { url } = await logins.begin(PERSON, name, REDIRECT, {})
  assert.equal((await fetch(url, { redirect: 'manual' })).status, 400)
  await again()
  // Or it forgets while the person is there.
  const back = await browse((await logins.begin(PERSON, name, REDIRECT, {})).url, REDIRECT)
  authorization.forgetClients()
  await refused(logins.finish(PERSON, back), 'ACCESS_DENIED', /refused: invalid_client/)
  await again()
  await again()
  assert.deepEqual(ids, ['client-1', 'client-1', 'client-2', 'client-3', 'client-3'])
  const endsAt = Math.floor((systemClock() + aheadMs) / 1_000) + 3_600
  const ending = await guarded({
    metadata: { token_endpoint_auth_methods_supported: ['client_secret_basic'] },
    registration: { client_secret_expires_at: endsAt },
  })
  await loggedIn(ending.name)
  assert.equal((await loggedIn(ending.name)).clientId, 'client-1')
  aheadMs += 3_600_000
  assert.equal((await loggedIn(ending.name)).clientId, 'client-2')
})

const wrongWishes: readonly [what: string, wish: LoginWish, said: RegExp][] = [
  ['a secret without a client', { clientSecret: 'secret://a/b' }, /client_secret goes with/],
  ['a secret in the clear', { clientId: 'a', clientSecret: 'hunter2' }, /must be secret:\/\/PATH/],
  ['a client of nothing', { clientId: '' }, /client_id must be/],
  ['a scope of two', { scopes: ['a b'] }, /scope must be/],
]
for (const [what, wish, said] of wrongWishes)
  test(`refused before anybody is asked: ${what}`, async () => {
    await refused(logins.begin(PERSON, 'nowhere', REDIRECT, wish), 'BAD_INPUT', said)
  })

const scopeCases: readonly [
  what: string,
  options: Partial<GuardOptions>,
  wish: LoginWish,
  scope: string | null,
  prompt?: string,
][] = [
  ['those of the refusal', {}, {}, 'echo'],
  ['those that the server has', { challengeScope: null }, {}, 'echo more'],
  ['none', { challengeScope: null, document: { scopes_supported: undefined } }, {}, null],
  ['those that the person says', {}, { scopes: ['more', 'most'] }, 'more most'],
  [
    'what outlives the session, where it is offered',
    { metadata: { scopes_supported: ['echo', 'offline_access'] } },
    {},
    'echo offline_access',
    'consent',
  ],
]
for (const [what, options, wish, scope, prompt = null] of scopeCases)
  test(`scopes that are asked for: ${what}`, async () => {
    const { name } = await guarded(options)
    const { url, scopes } = await logins.begin(PERSON, name, REDIRECT, wish)
    const { searchParams: asked } = new URL(url)
    assert.deepEqual([asked.get('scope'), asked.get('prompt')], [scope, prompt])
    assert.equal(scopes.join(' '), scope ?? '')
  })

test('a login ends with the server or by itself, and its tokens are taken back', async () => {
  const { name, guard, authorization } = await guarded()
  await loggedIn(name)
  const [access = ''] = authorization.given
  assert.deepEqual(await logins.end(PERSON, name), {
    issuer: authorization.issuer,
    isRevoked: true,
  })
  assert.equal(await authorization.scopesOf(access, guard.url), null)
  assert.equal(await logins.get(AGENT, name), null)
  await refused(logins.end(PERSON, name), 'NOT_FOUND', /not logged in/)
  await loggedIn(name)
  await servers.remove(PERSON, name)
  assert.deepEqual(
    authorization.at('/revoke').map(({ form }) => [form.get('token_type_hint'), form.get('token')]),
    [0, 1].flatMap((at) => [
      ['refresh_token', authorization.refreshes[at]],
      ['access_token', authorization.given[at]],
    ]),
  )
  // Another server of that name begins anew.
  await servers.add(PERSON, name, { kind: 'http', url: guard.url, headers: [] })
  assert.equal(await logins.get(AGENT, name), null)
})

test('a login counts for the address at which it was made, and for nobody else', async () => {
  const { name, authorization } = await guarded()
  const { url } = await logins.begin(PERSON, name, REDIRECT, {})
  const answer = await browse(url, REDIRECT)
  await servers.remove(PERSON, name)
  await servers.add(PERSON, name, { kind: 'http', url: 'https://a.example/mcp', headers: [] })
  await refused(logins.finish(PERSON, answer), 'NOT_FOUND', /no server/)
  // Nobody keeps what was given, so it was taken back.
  assert.equal(authorization.at('/revoke').length, 2)
  assert.equal(
    await logins.keeper.current({ server: name, url: 'https://a.example/mcp', channel: 'cli' }),
    null,
  )
})

test('no record, no column and no error holds a token, and the audit vouches for every login', async () => {
  const { rows, dump } = await vault.db.read(async (reader) => ({
    rows: await reader.all<{ body: string }>('select * from audit_records', []),
    dump: await reader.all('select * from gateway_logins', []),
  }))
  const text = JSON.stringify([rows, dump], (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  )
  assert.ok(dump.length > 3)
  assert.match(text, /server\.login/)
  const tokens = guards.flatMap(({ given, refreshes }) => [...given, ...refreshes])
  assert.ok(tokens.length > 20)
  for (const token of tokens) assert.ok(!text.includes(token))
  assert.deepEqual((await vault.audit.verify()).findings, [])
})
