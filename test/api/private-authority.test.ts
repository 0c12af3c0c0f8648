import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SignJWT } from 'jose'
import { sleep, systemClock } from '../../src/core/time.ts'
import { authoritiesIn } from '../../src/net/index.ts'
import { serveTestApi } from '../support/api.ts'
import { authority as authorityOf, certificateFor } from '../support/certificates.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { fault } from '../support/vault-stores.ts'

// What stands inside a network has certificates of its own authority: an issuer of workloads, a webhook, a sink.

const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
const authority = authorityOf()
const file = join(folder, 'authorities.pem')
const SUBJECT = 'repo:acme/app:ref:refs/heads/main'
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const heard: string[] = []
const server = createServer(certificateFor(authority, ['127.0.0.1']), (request, response) => {
  heard.push(`${request.method ?? ''} ${request.url ?? ''}`)
  request.resume()
  const keys = [
    { ...pair.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' },
  ]
  const body =
    request.url === '/.well-known/openid-configuration'
      ? { issuer: url, jwks_uri: `${url}/keys` }
      : { keys }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
after(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

async function exchanged(env: Readonly<Record<string, string>>) {
  const vault = await openTestVault({ env: { SALLYPORT_NET_ALLOW: url, ...env } })
  const api = await serveTestApi(vault)
  try {
    const { agent } = await vault.identity.agents.create(PERSON, { name: 'ci' })
    await vault.identity.workloads.add(PERSON, agent.id, {
      issuer: url,
      audience: 'ours',
      subject: SUBJECT,
    })
    await vault.approvals.webhooks.create(PERSON, { url: `${url}/hook`, events: ['*'] })
    vault.approvals.deliveries.start()
    const seconds = Math.floor(systemClock() / 1000)
    const subject_token = await new SignJWT({
      iss: url,
      aud: 'ours',
      sub: SUBJECT,
      iat: seconds,
      exp: seconds + 300,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .sign(pair.privateKey)
    const reply = await api.ask('/v1/auth/federated-token', {
      method: 'POST',
      body: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      },
    })
    if (reply.status === 200) {
      const bearer = String((reply.body as Readonly<Record<string, unknown>>)['access_token'])
      const asked = await api.ask('/v1/approvals/request', {
        method: 'POST',
        bearer,
        body: { action: 'a.b', target_type: 't', target_id: 'i', summary: { title: 'T' } },
      })
      assert.equal(asked.status, 202)
      for (let n = 0; n < 100 && !heard.includes('POST /hook'); n += 1) await sleep(50)
    }
    return reply
  } finally {
    await api.stop()
    await vault.dispose()
  }
}

test('without its authority nothing is believed', async () => {
  const { status } = await exchanged({})
  assert.notEqual(status, 200)
  assert.deepEqual(heard, [], 'no request came past the certificate')
})

test('a file that names no authority trusts nobody, and says what is wrong with it', async () => {
  const bad: readonly [what: string, text: string, said: RegExp][] = [
    ['nothing', '', /holds no certificate/],
    ['no certificate', 'hello', /holds no certificate/],
    [
      'a certificate of a server',
      certificateFor(authority, ['127.0.0.1']).cert,
      /no authority's: number 1/,
    ],
    [
      'a broken one behind a good one',
      `${authority.cert}\n-----BEGIN CERTIFICATE-----\n!!`,
      /cannot be read/,
    ],
  ]
  for (const [what, text, said] of bad) {
    writeFileSync(file, text)
    const { status, body } = await exchanged({ SALLYPORT_NET_CA: file })
    const { code, detail } = body as Readonly<Record<string, unknown>>
    assert.deepEqual(
      [status, code, detail],
      [502, 'NET_FAILED', 'The authorities that are set to be trusted cannot be read.'],
      what,
    )
    await assert.rejects(authoritiesIn(file), fault('BAD_INPUT', said))
  }
  const { status } = await exchanged({ SALLYPORT_NET_CA: join(folder, 'not-there.pem') })
  assert.equal(status, 502)
  assert.deepEqual(heard, [])
})

test('with it an issuer is asked for its keys, and webhooks are told', async () => {
  writeFileSync(file, `# of the network\n${authorityOf('Another').cert}\n${authority.cert}`)
  const { status, body } = await exchanged({ SALLYPORT_NET_CA: file })
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual(
    heard.toSorted().filter((one, at, all) => all.indexOf(one) === at),
    ['GET /.well-known/openid-configuration', 'GET /keys', 'POST /hook'],
  )
})
