import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import {
  type ApiReply,
  exchangedToken,
  registerAgent,
  serveTestApi,
  type TestApi,
} from '../support/api.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

const member = (reply: ApiReply, name: string): unknown =>
  (reply.body as Readonly<Record<string, unknown>>)[name]

describe('API: tokens', () => {
  let vault: TestVault & { dispose(): Promise<void> }
  let api: TestApi
  let agent: { readonly id: string; readonly key: string }
  const target = '/v1/vaults/default/secrets/k'
  before(async () => {
    vault = await openTestVault()
    api = await serveTestApi(vault)
    await vault.vault.put(PERSON, 'default', { path: 'k', value: secret('v') })
    agent = await registerAgent(vault, [['**', ['read']]])
  })
  after(async () => {
    await api.stop()
    await vault.dispose()
  })

  test('are verified with the keys that are published, and those that are ended are nobody', async () => {
    const bearer = await exchangedToken(api, agent.key)
    const [head = '', body = '', signature = ''] = bearer.split('.')
    const { kid, alg } = JSON.parse(Buffer.from(head, 'base64url').toString()) as {
      kid: string
      alg: string
    }
    assert.equal(alg, 'EdDSA')
    const { keys } = (await api.ask('/.well-known/jwks.json')).body as {
      keys: Readonly<Record<string, string>>[]
    }
    const jwk = keys.find((one) => one['kid'] === kid) ?? {}
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const signed = Buffer.from(`${head}.${body}`)
    assert.ok(verify(null, signed, key, Buffer.from(signature, 'base64url')))
    const raw = await api.ask('/v1/auth/jwt-public-key')
    assert.equal(
      Buffer.from(String(member(raw, 'public_key_base64')), 'base64').toString('base64url'),
      jwk['x'],
    )
    const found = await api.ask('/.well-known/openid-configuration')
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { iss: string }
    assert.equal(member(found, 'issuer'), claims.iss)
    assert.equal(member(found, 'jwks_uri'), `${api.baseUrl}/.well-known/jwks.json`)

    assert.equal((await api.ask(target, { bearer })).status, 200)
    assert.equal((await api.ask('/v1/auth/token', { method: 'DELETE', bearer })).status, 204)
    assert.equal((await api.ask(target, { bearer })).status, 401)
    assert.equal((await api.ask('/v1/auth/token', { method: 'DELETE', bearer })).status, 401)
    assert.equal((await api.ask('/v1/auth/token', { method: 'DELETE' })).status, 401)
  })

  test('that are bound to a key count with a fresh proof for this very request', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const jwk = await exportJWK(publicKey)
    const prove = (method: string, path: string, jti: string): Promise<string> =>
      new SignJWT({ htm: method, htu: `${api.baseUrl}${path}`, jti })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(privateKey)
    const exchange = await api.ask('/v1/auth/agent-token', {
      method: 'POST',
      body: { api_key: agent.key, dpop_jwk: jwk },
    })
    const bearer = String(member(exchange, 'access_token'))
    const claims = JSON.parse(
      Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString(),
    ) as Readonly<Record<string, unknown>>
    assert.deepEqual(claims['cnf'], { jkt: await calculateJwkThumbprint(jwk) })
    const ask = async (dpop?: string) =>
      (await api.ask(target, { bearer, headers: dpop === undefined ? {} : { dpop } })).status
    assert.equal(await ask(), 401)
    const good = await prove('GET', target, 'a')
    assert.equal(await ask(good), 200)
    assert.equal(await ask(good), 401)
    assert.equal(await ask(await prove('PUT', target, 'b')), 401)
    assert.equal(await ask(await prove('GET', '/v1/vaults', 'c')), 401)
    const ended = await api.ask('/v1/auth/token', {
      method: 'DELETE',
      bearer,
      headers: { dpop: await prove('DELETE', '/v1/auth/token', 'd') },
    })
    assert.equal(ended.status, 204)
  })

  test('of workloads may be asked for in a form, as OAuth has it; nothing else may', async () => {
    const form = (fields: string, target = '/v1/auth/federated-token') =>
      fetch(api.baseUrl + target, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded;charset=utf-8' },
        body: fields,
      })
    const grant = 'grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange'
    const type = 'subject_token_type=urn:ietf:params:oauth:token-type:jwt'
    assert.equal((await form(`${grant}&${type}&subject_token=a.b.c`)).status, 401)
    assert.equal((await form(`${grant}&${type}`)).status, 400)
    const twice = await form(`${grant}&${type}&subject_token=a&subject_token=b`)
    assert.deepEqual(
      [twice.status, ((await twice.json()) as { field: string }).field],
      [400, 'subject_token'],
    )
    assert.equal((await form('api_key=x', '/v1/auth/agent-token')).status, 415)
  })

  test('come from a server that says where it gives them out, under its own address', async () => {
    const { status, body } = await api.ask('/.well-known/oauth-authorization-server')
    assert.deepEqual(
      [status, body],
      [
        200,
        {
          issuer: api.baseUrl,
          token_endpoint: `${api.baseUrl}/v1/auth/federated-token`,
          jwks_uri: `${api.baseUrl}/.well-known/jwks.json`,
          response_types_supported: [],
          grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
          token_endpoint_auth_methods_supported: ['none'],
          scopes_supported: [],
          dpop_signing_alg_values_supported: ['ES256', 'ES384', 'EdDSA'],
        },
      ],
    )
  })

  test('of workloads that nobody knows are refused as everything else is', async () => {
    const wrong = await api.ask('/v1/auth/federated-token', {
      method: 'POST',
      body: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: 'a.b.c',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      },
    })
    const key = await api.ask('/v1/auth/agent-token', { method: 'POST', body: { api_key: 'x' } })
    assert.deepEqual([wrong.status, key.status], [401, 401])
    assert.equal(member(wrong, 'detail'), member(key, 'detail'))
  })
})
