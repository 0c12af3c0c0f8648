// A login in use: renewed ahead of its end and when the server wants it, once for all processes of the store.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { epochMs, systemClock } from '../../src/core/time.ts'
import type { LoginWish } from '../../src/core/upstream-login-port.ts'
import { NO_CREDENTIALS } from '../../src/gateway/index.ts'
import { loginCredentials } from '../../src/gateway/oauth/index.ts'
import { browse, type GuardOptions, guardedServer } from '../support/authorization-server.ts'
import { eventually, json, type Rpc, upstreamAt } from '../support/http-upstream.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'

const REDIRECT = 'http://127.0.0.1:1/back'
const HOUR_MS = 3_600_000
let aheadMs = 0
const clock = () => epochMs(systemClock() + aheadMs)
const vault = await openTestVault({ clock })
/** As another process has it: nothing is shared but the store. */
const beside = await Promise.all(
  [1, 2, 3, 4, 5, 6, 7].map(() => openTestVault({ home: vault.home, clock })),
)
after(async () => {
  await Promise.all(beside.map((one) => one.close()))
  await vault.dispose()
})
const { servers, logins: openLogins } = await vault.registry()
const logins = await openLogins()

let count = 0

async function guarded(options: Partial<GuardOptions> = {}) {
  count += 1
  const name = `r${count}`
  const guard = await guardedServer({
    answer(body, request, response) {
      const { id } = JSON.parse(body) as Rpc
      const text = request.headers.authorization
      json(response, { id, result: { content: [{ type: 'text', text }] } })
    },
    ...options,
  })
  await servers.add(PERSON, name, { kind: 'http', url: guard.url, headers: [] })
  return { name, guard, authorization: guard.authorization, login: () => loggedIn(name) }
}

async function loggedIn(name: string, wish: LoginWish = {}): Promise<void> {
  const { url } = await logins.begin(PERSON, name, REDIRECT, wish)
  await logins.finish(PERSON, await browse(url, REDIRECT))
}

async function upstreamOf(name: string, url: string, by: TestVault = vault) {
  const { keeper } = await (await by.registry()).logins()
  return upstreamAt(url, {
    credentials: loginCredentials(keeper, { server: name, url, channel: 'cli' }, NO_CREDENTIALS),
  })
}

const call = (end: Awaited<ReturnType<typeof upstreamOf>>, id = 1) =>
  end.ask(id, 'tools/call', { name: 'echo', arguments: {} })

const refreshes = (asked: readonly { readonly form: URLSearchParams }[]) =>
  asked.filter(({ form }) => form.get('grant_type') === 'refresh_token').length

test('the token is shown to the server, and what the server says of it to nobody', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  const end = await upstreamOf(name, guard.url)
  const [token = ''] = authorization.given
  assert.deepEqual((await call(end)).result, {
    content: [{ type: 'text', text: 'Bearer [secret]' }],
  })
  assert.deepEqual(guard.let, [token])
})

test('without a login nothing is shown, and the answer says how to log in', async () => {
  const { name, guard, login } = await guarded()
  const end = await upstreamOf(name, guard.url)
  end.send({ id: 1, method: 'tools/call', params: { name: 'echo' } })
  assert.match(
    await end.fails('1 '),
    new RegExp(
      `^1 refused-by-server .*wants somebody to log in: sallyport server login ${name}\\.`,
    ),
  )
  await login()
  // Within a second, without a new connection.
  await eventuallyLets(end)
})

async function eventuallyLets(end: Awaited<ReturnType<typeof upstreamOf>>): Promise<void> {
  for (let round = 10; round < 200; round += 1) {
    end.send({ id: round, method: 'tools/call', params: { name: 'echo' } })
    const answered = await eventually(
      () =>
        end.heard.find((one) => one.includes(`"id":${round}`)) ??
        end.failed.find((one) => one.startsWith(`${round} `)),
      () => end.failed.join('\n'),
    )
    if (answered.includes('"result"')) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  assert.fail('it was never let in')
}

for (const isOpaque of [true, false])
  test(`it is renewed ahead of its end, and calls wait for nothing (${isOpaque ? 'opaque' : 'JWT'})`, async () => {
    const { name, guard, authorization, login } = await guarded({ isOpaque })
    await login()
    const end = await upstreamOf(name, guard.url)
    await call(end)
    try {
      aheadMs += HOUR_MS - 30_000
      await call(end, 2)
      await eventually(
        () => (authorization.given.length === 2 ? true : undefined),
        () => 'no second token',
      )
      await eventuallyLets(end)
      assert.equal(refreshes(authorization.at('/token')), 1)
      const [asked] = authorization.at('/token').slice(-1)
      assert.equal(asked?.form.get('resource'), guard.url)
    } finally {
      aheadMs = 0
    }
  })

test('a token that the server takes no more is renewed, and the call is made again', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  const end = await upstreamOf(name, guard.url)
  await call(end)
  authorization.endTokens()
  assert.ok((await call(end, 2)).result)
  assert.deepEqual(guard.let, authorization.given)
  assert.equal(refreshes(authorization.at('/token')), 1)
})

test('eight processes whose callers see a dead token renew it once', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  const ends = await Promise.all([vault, ...beside].map((one) => upstreamOf(name, guard.url, one)))
  await Promise.all(ends.map((end) => call(end)))
  for (let round = 1; round <= 3; round += 1) {
    authorization.endTokens()
    const answers = await Promise.all(
      ends.flatMap((end) => [1, 2, 3, 4].map((id) => call(end, 100 * round + id))),
    )
    assert.ok(answers.every(({ result }) => result !== undefined))
    assert.equal(refreshes(authorization.at('/token')), round)
  }
})

test('a renewal that is refused ends the login, and calls say so until somebody logs in again', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  const end = await upstreamOf(name, guard.url)
  await call(end)
  authorization.endTokens()
  authorization.endRefreshes()
  end.send({ id: 'a', method: 'tools/call', params: { name: 'echo' } })
  const cure = `a person has to log in again: sallyport server login ${name}\\.`
  assert.match(await end.fails('"a"'), new RegExp(cure))
  assert.equal((await logins.get(PERSON, name))?.state, 'needed')
  end.send({ id: 'b', method: 'tools/call', params: { name: 'echo' } })
  assert.match(await end.fails('"b"'), new RegExp(`^"b" never-sent .*${cure}`))
  assert.equal(refreshes(authorization.at('/token')), 1)
  await login()
  await eventuallyLets(end)
  assert.equal((await logins.get(PERSON, name))?.state, 'active')
})

const clientRefusals: readonly [error: string, wish: LoginWish, next: string][] = [
  ['invalid_client', {}, 'client-2'],
  ['unauthorized_client', {}, 'client-2'],
  ['invalid_grant', {}, 'client-1'],
  ['invalid_client', { clientId: 'by-hand' }, 'by-hand'],
]
for (const [error, wish, next] of clientRefusals)
  test(`after a renewal that is refused with ${error}, ${wish.clientId ?? 'client-1'} is followed by ${next}`, async () => {
    const { name, guard, authorization } = await guarded({
      clients: { 'by-hand': { secret: null } },
    })
    await loggedIn(name, wish)
    const end = await upstreamOf(name, guard.url)
    authorization.endTokens()
    authorization.trouble = { status: 400, body: { error } }
    end.send({ id: 'a', method: 'tools/call', params: { name: 'echo' } })
    await end.fails('"a"')
    authorization.trouble = null
    await loggedIn(name)
    const login = await logins.get(PERSON, name)
    assert.deepEqual([login?.clientId, login?.state], [next, 'active'])
    await eventuallyLets(end)
  })

test('without a refresh token the login ends with its token', async () => {
  const { name, guard, authorization, login } = await guarded({ givesRefresh: false })
  await login()
  const end = await upstreamOf(name, guard.url)
  await call(end)
  authorization.endTokens()
  end.send({ id: 'a', method: 'tools/call', params: { name: 'echo' } })
  await end.fails('"a"')
  assert.equal((await logins.get(PERSON, name))?.state, 'needed')
  assert.equal(refreshes(authorization.at('/token')), 0)
})

test('an authorization server in trouble ends no login', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  const end = await upstreamOf(name, guard.url)
  await call(end)
  authorization.endTokens()
  authorization.trouble = { status: 503, body: { error: 'temporarily_unavailable' } }
  end.send({ id: 'a', method: 'tools/call', params: { name: 'echo' } })
  assert.match(await end.fails('"a"'), /^"a" refused-by-server .*answered with HTTP 503/)
  end.send({ id: 'b', method: 'tools/call', params: { name: 'echo' } })
  await end.fails('"b"')
  // It is not asked again at once.
  assert.equal(refreshes(authorization.at('/token')), 1)
  assert.equal((await logins.get(PERSON, name))?.state, 'active')
  authorization.trouble = null
  const other = await upstreamOf(name, guard.url, beside[0])
  assert.ok((await call(other)).result)
})

test('a server that takes no token is asked again at each call, its authorization server less and less often', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  const end = await upstreamOf(name, guard.url)
  const other = await upstreamOf(name, guard.url, beside[2])
  await call(end)
  guard.takesNone = true
  guard.refused = 0
  let id = 10
  const failsBy = async (by: typeof end) => {
    id += 1
    by.send({ id, method: 'tools/call', params: { name: 'echo' } })
    assert.match(await by.fails(`${id} `), /does not take its login; a person has to log in again/)
  }
  const renewed = () => refreshes(authorization.at('/token'))
  try {
    for (const one of [end, end, end, other]) await failsBy(one)
    assert.deepEqual([renewed(), guard.refused], [1, 5])
    assert.equal((await logins.get(PERSON, name))?.state, 'refused')
    for (const [laterMs, count] of [
      [4_000, 1],
      [1_000, 2],
      [9_000, 2],
      [1_000, 3],
      [19_000, 3],
    ] as const) {
      aheadMs += laterMs
      await failsBy(end)
      await failsBy(other)
      assert.equal(renewed(), count)
    }
    // What was refused is taken at once when the server takes it, and is called refused until the next.
    guard.takesNone = false
    await eventuallyLets(end)
    assert.equal(renewed(), 3)
    aheadMs += 1_000
    await eventuallyLets(end)
    await eventually(
      () => (renewed() === 4 ? true : undefined),
      () => 'not renewed',
    )
    await eventuallyLets(other)
    assert.equal((await logins.get(PERSON, name))?.state, 'active')
    // After one that was taken for a while it begins anew.
    aheadMs += 31_000
    guard.takesNone = true
    await failsBy(end)
    assert.equal(renewed(), 5)
    aheadMs += 5_000
    await failsBy(end)
    assert.equal(renewed(), 6)
  } finally {
    aheadMs = 0
  }
})

test('a server that wants more scopes is told of, and they are asked for the next time', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  guard.callScopes = ['echo', 'write']
  const end = await upstreamOf(name, guard.url)
  end.send({ id: 'a', method: 'tools/call', params: { name: 'echo' } })
  assert.match(
    await end.fails('"a"'),
    new RegExp(
      `^"a" refused-by-server .*\\(scope echo write\\).*sallyport server login ${name}\\.`,
    ),
  )
  assert.deepEqual((await logins.get(PERSON, name))?.missing, ['echo', 'write'])
  await login()
  assert.equal(authorization.at('/authorize').at(-1)?.query.get('scope'), 'echo write')
  assert.deepEqual((await logins.get(PERSON, name))?.missing, [])
  await eventuallyLets(end)
})

test('who logs out is logged out in every process within a second', async () => {
  const { name, guard, authorization, login } = await guarded()
  await login()
  const end = await upstreamOf(name, guard.url, beside[1])
  await call(end)
  await logins.end(PERSON, name)
  end.send({ id: 'a', method: 'tools/call', params: { name: 'echo' } })
  await end.fails('"a"')
  assert.equal(refreshes(authorization.at('/token')), 0)
  assert.deepEqual((await vault.audit.verify()).findings, [])
})
