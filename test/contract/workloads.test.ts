import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, test } from 'node:test'
import { decodeJwt, SignJWT } from 'jose'
import { isFault } from '../../src/core/faults.ts'
import { newId } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/time.ts'
import { ORIGIN, originOf, standingOf } from '../support/identity.ts'
import { freshDatabase } from '../support/postgres.ts'
import { AGENT, openTestVault, PERSON } from '../support/vault.ts'
import { fault, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const SUBJECT = 'repo:acme/app:ref:refs/heads/main'
const REFUSED = fault(
  'UNAUTHENTICATED',
  /^The token or key is missing, wrong or no longer valid\.$/,
)

/** Another issuer: discovery and keys over HTTP, which the allow list names. */
async function openIssuer() {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const served = { kid: 'one', asked: 0, status: 200, issuer: null as string | null }
  const key = pair.publicKey.export({ format: 'jwk' })
  const server: Server = createServer((request, response) => {
    served.asked += 1
    response.statusCode = served.status
    const body =
      request.url === '/.well-known/openid-configuration'
        ? { issuer: served.issuer ?? url, jwks_uri: `${url}/keys` }
        : { keys: [{ ...key, kid: served.kid, use: 'sig', alg: 'RS256' }] }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  after(() => server.close())
  const sign = (
    claims: object = {},
    header: object = {},
    privateKey: KeyObject = pair.privateKey,
  ) => {
    const now = Math.floor(systemClock() / 1000)
    return new SignJWT({ iss: url, aud: 'ours', sub: SUBJECT, iat: now, exp: now + 300, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: served.kid, ...header })
      .sign(privateKey)
  }
  return { url, served, sign, publicKey: pair.publicKey }
}

const issuer = await openIssuer()
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function freshVault(env: Readonly<Record<string, string>> = {}) {
  const vault = await openTestVault({ env: { SALLYPORT_NET_ALLOW: issuer.url, ...env } })
  closing.push(async () => {
    assert.deepEqual((await vault.audit.verify()).findings, [])
    await vault.dispose()
  })
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'ci', scopes: ['ci/**'] })
  const rule = await vault.identity.workloads.add(PERSON, agent.id, {
    issuer: issuer.url,
    audience: 'ours',
    subject: 'repo:acme/*:ref:refs/heads/main',
  })
  return { vault, agent, rule }
}

for (const store of [SQLITE, POSTGRES])
  test(`workloads on ${store.name}: what an issuer signed is changed for a token, until the rule goes`, {
    skip: store.skip,
  }, async () => {
    const { vault, agent, rule } = await freshVault(
      store === POSTGRES ? { SALLYPORT_DATABASE_URL: await freshDatabase() } : {},
    )
    const { authentication, workloads, agents } = vault.identity
    assert.deepEqual(await workloads.list(AGENT), [rule])
    const given = await authentication.exchangeWorkload(await issuer.sign(), null, ORIGIN)
    assert.equal(given.agent.id, agent.id)
    assert.equal(given.expiresInSeconds, 3600)
    const token = given.token.reveal()
    const claims = decodeJwt(token)
    assert.deepEqual([claims.sub, claims['kver']], [`agent:${agent.id}`, rule.id])
    const caller = await authentication.authenticate(token, ORIGIN)
    assert.deepEqual((await standingOf(vault, caller)).scopes, [['ci/**']])

    // The agent's own key is another way in: it may go without this one.
    await agents.rotateKey(PERSON, agent.id)
    await authentication.authenticate(token, ORIGIN)
    await workloads.remove(PERSON, rule.id)
    await assert.rejects(standingOf(vault, caller), REFUSED)
    await assert.rejects(authentication.authenticate(token, originOf(1)), REFUSED)
    await assert.rejects(
      authentication.exchangeWorkload(await issuer.sign(), null, originOf(1)),
      REFUSED,
    )
    const [last] = await vault.audit.query({ action: 'auth.exchange', limit: 1 })
    assert.match(last?.body ?? '', /"subject":"repo:acme\/app:ref:refs\/heads\/main"/)
  })

test('workloads: nothing else that an issuer or anybody signs is changed for one', async () => {
  const { vault, agent } = await freshVault()
  const { authentication, agents, workloads } = vault.identity
  const prod = 'repo:acme/app:environment:prod'
  const { url } = issuer
  await workloads.add(PERSON, agent.id, { issuer: url, audience: 'theirs', subject: prod })
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const now = Math.floor(systemClock() / 1000)
  const refused: readonly [what: string, token: string][] = [
    ['another key', await issuer.sign({}, {}, stranger)],
    ['another key, unknown kid', await issuer.sign({}, { kid: 'two' }, stranger)],
    ['another audience', await issuer.sign({ aud: 'theirs' })],
    ['a subject of another audience', await issuer.sign({ sub: prod })],
    ['no audience', await issuer.sign({ aud: undefined })],
    ['another subject', await issuer.sign({ sub: 'repo:evil/app:ref:refs/heads/main' })],
    ['a branch', await issuer.sign({ sub: 'repo:acme/app:ref:refs/heads/other' })],
    ['no subject', await issuer.sign({ sub: undefined })],
    ['an issuer without a rule', await issuer.sign({ iss: 'https://idp.example.org' })],
    ['the issuer with a slash', await issuer.sign({ iss: `${issuer.url}/` })],
    ['expired', await issuer.sign({ exp: now - 10 })],
    ['no end', await issuer.sign({ exp: undefined })],
    ['not yet', await issuer.sign({ nbf: now + 60 })],
    ['no JWT', 'token'],
    ['nothing', ''],
    ['too long', 'x'.repeat(9000)],
    ['a key of ours', (await agents.create(PERSON, { name: 'b' })).key.reveal()],
  ]
  const counted: string[] = []
  for (const [index, [what, token]] of refused.entries())
    try {
      await authentication.exchangeWorkload(token, null, originOf(index))
      counted.push(what)
    } catch (error) {
      if (!isFault(error, 'UNAUTHENTICATED')) counted.push(`${what}: ${String(error)}`)
    }
  assert.deepEqual(counted, [])
  assert.ok(issuer.served.asked < 8, 'an unknown kid does not make us ask each time')

  const other = await agents.create(PERSON, { name: 'c' })
  await assert.rejects(
    authentication.exchangeWorkload(await issuer.sign(), other.agent.id, originOf(40)),
    REFUSED,
  )
  await workloads.add(PERSON, other.agent.id, {
    issuer: issuer.url,
    audience: 'ours',
    subject: SUBJECT,
  })
  await assert.rejects(
    authentication.exchangeWorkload(await issuer.sign(), null, originOf(41)),
    fault('BAD_INPUT', /agent_id/),
  )
  const chosen = await authentication.exchangeWorkload(await issuer.sign(), other.agent.id, ORIGIN)
  assert.equal(chosen.agent.id, other.agent.id)
  await agents.remove(PERSON, other.agent.id)
  const left = await authentication.exchangeWorkload(await issuer.sign(), null, ORIGIN)
  assert.equal(left.agent.id, agent.id)
  await agents.update(PERSON, agent.id, { isActive: false })
  await assert.rejects(
    authentication.exchangeWorkload(await issuer.sign(), null, originOf(42)),
    REFUSED,
  )
})

test('workloads: an issuer that cannot be asked, or is not who it says, lets nobody in', async () => {
  const { served } = issuer
  for (const [change, message] of [
    [{ status: 500 }, /answered 500/],
    [{ issuer: 'https://elsewhere.example.org' }, /calls itself otherwise/],
  ] as const) {
    Object.assign(served, change)
    const { vault } = await freshVault()
    await assert.rejects(
      vault.identity.authentication.exchangeWorkload(await issuer.sign(), null, ORIGIN),
      fault('NET_FAILED', message),
    )
    Object.assign(served, { status: 200, issuer: null })
    await vault.identity.authentication.exchangeWorkload(await issuer.sign(), null, ORIGIN)
  }
  const { vault } = await freshVault({ SALLYPORT_NET_ALLOW: '' })
  await assert.rejects(
    vault.identity.authentication.exchangeWorkload(await issuer.sign(), null, ORIGIN),
    fault('NET_REFUSED'),
  )
})

test('workloads: rules are added by those who administer, and only such as name somebody', async () => {
  const { vault, agent, rule } = await freshVault()
  const { workloads, authentication } = vault.identity
  const fine = { issuer: 'https://idp.example.org', subject: SUBJECT }
  const added = await workloads.add(PERSON, agent.id, fine)
  assert.equal(added.audience, `urn:sallyport:org:${(await authentication.org()).id}`)
  await assert.rejects(workloads.add(AGENT, agent.id, fine), fault('ACCESS_DENIED'))
  await assert.rejects(workloads.remove(AGENT, rule.id), fault('ACCESS_DENIED'))
  await assert.rejects(workloads.add(PERSON, newId(), fine), fault('NOT_FOUND'))
  await assert.rejects(workloads.remove(PERSON, newId()), fault('NOT_FOUND'))
  for (const change of [
    { issuer: 'idp.example.org' },
    { issuer: 'ftp://idp.example.org' },
    { issuer: 'https://u:p@idp.example.org' },
    { issuer: 'https://idp.example.org?x' },
    { issuer: 'https://idp.example.org#' },
    { audience: '' },
    { audience: 'a b' },
    { subject: 'repo:*' },
  ])
    await assert.rejects(
      workloads.add(PERSON, agent.id, { ...fine, ...change }),
      fault('BAD_INPUT'),
    )
  assert.equal((await workloads.list(PERSON)).length, 2)
})
