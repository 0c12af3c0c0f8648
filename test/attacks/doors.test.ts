// What comes in from outside through the doors of a running server, sent as an attacker sends it.
import assert from 'node:assert/strict'
import { createHash, createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { newId } from '../../src/core/ids.ts'
import { createTokens } from '../../src/vault/index.ts'
import { exchangedToken, registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { type McpDoor, serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, type TestVault } from '../support/vault.ts'

type Json = Readonly<Record<string, unknown>>
interface Told {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** A proxy on this machine says from where a request came. */
const AFAR = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }
const HERE = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' }

let vault: TestVault & { dispose(): Promise<void> }
let door: McpDoor
let api: TestApi
let agent: { readonly id: string; readonly key: string }

before(async () => {
  vault = await openTestVault()
  agent = await registerAgent(vault, [['**', ['list', 'read']]])
  door = await serveMcpDoor(vault, {}, { behindProxy: ['127.0.0.1'] })
  api = await serveTestApi(vault)
})
after(async () => {
  await door?.stop()
  await api?.stop()
  assert.deepEqual((await vault.audit.verify()).findings, [])
  await vault?.dispose()
})

/** Sends exactly these headers; node's own client adds none but Host. */
function send(
  target: string,
  headers: Readonly<Record<string, string>>,
  { method = 'GET', body = '', at = door.baseUrl } = {},
): Promise<Told> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(at).origin, { method, path: target, headers }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        text += chunk
      })
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const CALL = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
}
const LIST = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'a', version: '1' },
  },
})
const mcp = (headers: Readonly<Record<string, string>>): Promise<Told> =>
  send('/mcp', { ...CALL, ...headers }, { method: 'POST', body: LIST })

/** What is the same for every bearer that does not count. */
function plain({ status, headers, body }: Told): string {
  const said = JSON.parse(body) as Json
  return JSON.stringify([
    status,
    headers['www-authenticate'],
    headers['content-type'],
    { ...said, request_id: null },
  ])
}

describe('bearers that nobody gave out, through the doors', () => {
  const part = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString('base64url')
  const stranger = generateKeyPairSync('ed25519')

  async function forgeries(): Promise<readonly (readonly [what: string, bearer: string])[]> {
    const good = await exchangedToken(api, agent.key)
    const [, body = '', signature = ''] = good.split('.')
    const header: Json = { ...decodeProtectedHeader(good) }
    const payload: Json = { ...decodeJwt(good) }
    const { keys } = await vault.identity.authentication.keySet()
    const publicKey = createPublicKey({ key: { ...keys[0] }, format: 'jwk' })
    const jwk = publicKey.export({ format: 'jwk' })
    const raw = Buffer.from(String(jwk.x), 'base64url')
    const unsigned = (head: Json, claims: unknown = payload) => `${part(head)}.${part(claims)}`
    const hmac = (secret: string | Buffer, alg = 'HS256') => {
      const input = unsigned({ ...header, alg })
      return `${input}.${createHmac(`sha${alg.slice(2)}`, secret)
        .update(input)
        .digest('base64url')}`
    }
    const signed = (head: Json, claims: unknown = payload) => {
      const input = unsigned(head, claims)
      return `${input}.${sign(null, Buffer.from(input), stranger.privateKey).toString('base64url')}`
    }
    const strangersJwk = stranger.publicKey.export({ format: 'jwk' })
    const seconds = Math.floor(Date.now() / 1000)
    return [
      ...['none', 'None', 'nOnE', 'NONE', 'none ', ''].flatMap((alg): [string, string][] => [
        [`alg '${alg}', no signature`, `${unsigned({ ...header, alg })}.`],
        [`alg '${alg}', the signature of another`, `${unsigned({ ...header, alg })}.${signature}`],
      ]),
      ['no alg', `${unsigned({ typ: 'JWT', kid: header['kid'] })}.${signature}`],
      ['alg null', `${unsigned({ ...header, alg: null })}.`],
      ['alg a list', `${unsigned({ ...header, alg: ['EdDSA'] })}.${signature}`],
      ...['HS256', 'HS384', 'HS512'].flatMap((alg): [string, string][] => [
        [`${alg} under the raw key`, hmac(raw, alg)],
        [`${alg} under its text`, hmac(String(jwk.x), alg)],
        [`${alg} under the JWK`, hmac(JSON.stringify(keys[0]), alg)],
        [`${alg} under the PEM`, hmac(publicKey.export({ format: 'pem', type: 'spki' }), alg)],
        [`${alg} under the DER`, hmac(publicKey.export({ format: 'der', type: 'spki' }), alg)],
        [`${alg} under nothing`, hmac('', alg)],
      ]),
      ['another kid', signed({ ...header, kid: newId() })],
      ['a kid that is a path', signed({ ...header, kid: '../../../../dev/null' })],
      ['a kid that is an address', signed({ ...header, kid: 'https://evil.example/jwks.json' })],
      ['a kid with a NUL', signed({ ...header, kid: `${String(header['kid'])}\0` })],
      ['a very long kid', signed({ ...header, kid: 'k'.repeat(2_500) })],
      ['a kid longer than any bearer', signed({ ...header, kid: 'k'.repeat(6_000) })],
      ['a kid that is an object', signed({ ...header, kid: { $ne: null } })],
      ['__proto__ as kid', signed({ ...header, kid: '__proto__' })],
      ['our kid, another key', signed(header)],
      ['a key brought along', signed({ ...header, jwk: strangersJwk })],
      ['a key set to fetch', signed({ ...header, jku: 'https://evil.example/jwks.json' })],
      ['a certificate to fetch', signed({ ...header, x5u: 'https://evil.example/c.pem' })],
      ['a certificate brought along', signed({ ...header, x5c: ['MIIB'] })],
      ['crit', signed({ ...header, crit: ['exp'], exp: 1 })],
      ['an empty crit', signed({ ...header, crit: [] })],
      ['b64', signed({ ...header, crit: ['b64'], b64: false })],
      ['compressed', signed({ ...header, zip: 'DEF' })],
      ['a token in a token', signed({ ...header, cty: 'JWT' }, good)],
      ['expired by a second', signed(header, { ...payload, exp: seconds - 1 })],
      ['not yet', signed(header, { ...payload, nbf: seconds + 60 })],
      ['JWE', `${good}.x.y`],
      ['JSON serialisation', part({ payload: body, signatures: [{ signature }] })],
      ['detached', `${good.split('.')[0]}..${signature}`],
      ['an agent key of nobody', `ocv_${'A'.repeat(43)}aaaaaa`],
      ['a personal key of nobody', `1ck_${'A'.repeat(43)}aaaaaa`],
      ['a link of nobody', `spt_share_${'A'.repeat(43)}aaaaaa`],
      ['ten thousand characters', 'x'.repeat(10_000)],
      ['one character', 'x'],
      ['two words', 'a b'],
      ['control characters', 'a\tb'],
      ['Latin', 'é'],
    ]
  }

  test('are one 401 with one text, whatever is wrong with them, and so is what is no bearer', async () => {
    const said = new Map<string, string[]>()
    const saidByMcp = new Map<string, string[]>()
    const note = (to: Map<string, string[]>, what: string, told: Told): void => {
      const text = plain(told)
      to.set(text, [...(to.get(text) ?? []), what])
    }
    const rows = (await forgeries()).map(([what, bearer]) => [what, `Bearer ${bearer}`] as const)
    for (const [what, authorization] of [
      ...rows,
      ['DPoP without a proof', `DPoP ${await exchangedToken(api, agent.key)}`] as const,
      ['Basic', `Basic ${Buffer.from('a:b').toString('base64')}`] as const,
      ['no scheme', agent.key] as const,
      ['empty', ''] as const,
      ['two at once', `Bearer ${agent.key}, Bearer ${agent.key}`] as const,
    ]) {
      note(said, what, await send('/v1/vaults', { authorization, ...AFAR }))
      // An empty field is none: nothing was shown that could be invalid.
      if (authorization !== '') note(saidByMcp, what, await mcp({ authorization, ...AFAR }))
    }
    note(said, 'nothing', await send('/v1/vaults', AFAR))
    for (const texts of [said, saidByMcp])
      assert.deepEqual(
        [...texts.keys()].map((text) => JSON.parse(text)[0]),
        [401],
        JSON.stringify([...texts], null, 2),
      )
    assert.equal((await send('/v1/vaults', { authorization: `Bearer ${agent.key}` })).status, 200)
  })

  test('take the same time whether the key is ours or not', async () => {
    const good = await exchangedToken(api, agent.key)
    const [header = '', body = ''] = good.split('.')
    const forged = {
      known: `${header}.${body}.${Buffer.alloc(64, 1).toString('base64url')}`,
      unknown: `${part({ ...decodeProtectedHeader(good), kid: newId() })}.${body}.${Buffer.alloc(64, 1).toString('base64url')}`,
      none: `${part({ alg: 'none', typ: 'JWT' })}.${body}.`,
    }
    const times: Record<string, number[]> = { known: [], unknown: [], none: [] }
    for (let round = 0; round < 40; round += 1)
      for (const [what, bearer] of Object.entries(forged)) {
        const began = performance.now()
        await send('/v1/vaults', { authorization: `Bearer ${bearer}`, ...AFAR })
        times[what]?.push(performance.now() - began)
      }
    const medians = Object.values(times).map((all) => all.toSorted((a, b) => a - b)[20] ?? 0)
    // None of them waits for something that the others do not.
    assert.ok(Math.max(...medians) - Math.min(...medians) < 5, medians.join(' '))
  })
})

test('the bearer of this machine counts on this machine alone', async () => {
  const tokens = await createTokens(vault)
  const made = await tokens.create('editor', null)
  const authorization = `Bearer ${made.token.reveal()}`
  assert.equal((await mcp({ authorization })).status, 200)
  assert.equal((await mcp({ authorization, ...HERE })).status, 200)
  for (const from of [
    AFAR,
    { ...AFAR, 'x-forwarded-for': '127.0.0.1, 203.0.113.9' },
    { ...AFAR, 'x-forwarded-for': '127.0.0.1.example.org' },
    { ...AFAR, 'x-forwarded-for': '' },
    { forwarded: 'for=_hidden;proto=https' },
  ])
    assert.equal((await mcp({ authorization, ...from })).status, 401, JSON.stringify(from))
  // It is no bearer of the API, from wherever.
  assert.equal((await send('/v1/vaults', { authorization })).status, 401)
})

describe('a proof that was made for another server', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const part = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString('base64url')
  const proofFor = (htu: string, token: string): string => {
    const jwk = key.publicKey.export({ format: 'jwk' })
    const ath = createHash('sha256').update(token).digest('base64url')
    const claims = { jti: newId(), iat: Math.floor(Date.now() / 1000), htm: 'GET', htu, ath }
    const input = `${part({ alg: 'ES256', typ: 'dpop+jwt', jwk })}.${part(claims)}`
    const made = sign('sha256', Buffer.from(input), {
      key: key.privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    return `${input}.${made.toString('base64url')}`
  }

  test('does not become one for this by the name that its thief gives it', async () => {
    const named = await serveTestApi(vault, { site: 'https://vault.example.org' }, ['127.0.0.1'])
    try {
      const { token } = await vault.identity.authentication.exchange(
        agent.key,
        null,
        { address: '203.0.113.9', channel: 'http' },
        key.publicKey.export({ format: 'jwk' }),
      )
      const bearer = token.reveal()
      const ask = (htu: string, host: string, from: Readonly<Record<string, string>> = AFAR) =>
        send(
          '/v1/vaults',
          { host, authorization: `DPoP ${bearer}`, dpop: proofFor(htu, bearer), ...from },
          { at: named.baseUrl },
        )
      const own = 'https://vault.example.org/v1/vaults'
      const evil = 'https://evil.example/v1/vaults'
      const local = new URL(named.baseUrl)
      assert.equal((await ask(own, 'vault.example.org')).status, 200)
      // Behind a proxy that says its own name.
      assert.equal((await ask(own, 'backend:8080')).status, 200)
      assert.equal((await ask(evil, 'evil.example')).status, 401)
      assert.equal((await ask(evil, 'vault.example.org')).status, 401)
      assert.equal((await ask('https://localhost/v1/vaults', 'localhost')).status, 401)
      assert.equal((await ask(`${local.origin}/v1/vaults`, local.host, {})).status, 200)
    } finally {
      await named.stop()
    }
  })
})

test('a target in absolute form is the path that it names, and no other host', async () => {
  for (const path of ['/health', '/v1/vaults', '/s/none/mcp', '/mcp']) {
    const plain = await send(path, HERE)
    const absolute = await send(`${door.baseUrl}${path}`, HERE)
    assert.deepEqual([absolute.status, path], [plain.status, path])
  }
  for (const host of ['http://other.example', 'http://', 'http://127.0.0.1:1@other.example']) {
    const { status, body } = await send(`${host}/v1/vaults`, HERE)
    assert.equal(status, 400, host)
    assert.match(body, /BAD_INPUT/)
  }
})
