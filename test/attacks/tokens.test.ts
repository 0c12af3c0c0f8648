import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterEach, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { isFault } from '../../src/core/faults.ts'
import { newId } from '../../src/core/ids.ts'
import { epochMs } from '../../src/core/time.ts'
import { SigningKeys } from '../../src/identity/signing-keys.ts'
import { ORIGIN, originOf, userWithKey } from '../support/identity.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const T0 = 1_800_000_000_000
const open = new OpenVaults()
afterEach(() => open.close(true))

type Json = Readonly<Record<string, unknown>>

const part = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString('base64url')

/** A compact JWS with whatever header and payload, signed as Ed25519 does. */
function signed(header: Json, payload: unknown, key: KeyObject): string {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
}

function hmacSigned(header: Json, payload: unknown, key: string | Buffer): string {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
}

/** A token that counts, and all that a thief of everything but the private key has; and that key, for forged claims. */
async function counting(vault: TestVault) {
  const { agents, authentication } = vault.identity
  const { agent, key } = await agents.create(PERSON, { name: 'a', scopes: ['a/**'] })
  const { token } = await authentication.exchange(key.reveal(), null, ORIGIN)
  const text = token.reveal()
  const header: Json = { ...decodeProtectedHeader(text) }
  const payload: Json = { ...decodeJwt(text) }
  const { privateKey, publicKey } = await vault.db.write(async (tx) => {
    const keys = new SigningKeys(vault.keys)
    const { key } = await keys.signing(tx, epochMs(T0))
    const valid = (await keys.valid(tx, epochMs(T0))).get(key.id)
    assert.ok(valid !== undefined)
    return { privateKey: key.privateKey, publicKey: valid.publicKey }
  })
  return { agent, key: key.reveal(), text, header, payload, privateKey, publicKey }
}

type Counting = Awaited<ReturnType<typeof counting>>

const stranger = generateKeyPairSync('ed25519')
const x = (key: KeyObject): string => String(key.export({ format: 'jwk' }).x)

const forged: readonly [what: string, forge: (c: Counting) => string][] = [
  ['alg none', (c) => `${part({ ...c.header, alg: 'none' })}.${part(c.payload)}.`],
  [
    'alg NONE, and a signature',
    (c) => signed({ ...c.header, alg: 'NONE' }, c.payload, c.privateKey),
  ],
  [
    'HS256 under the bytes of the public key',
    (c) =>
      hmacSigned(
        { ...c.header, alg: 'HS256' },
        c.payload,
        Buffer.from(x(c.publicKey), 'base64url'),
      ),
  ],
  [
    'HS256 under its text in the key set',
    (c) => hmacSigned({ ...c.header, alg: 'HS256' }, c.payload, x(c.publicKey)),
  ],
  [
    'HS256 under its PEM',
    (c) =>
      hmacSigned(
        { ...c.header, alg: 'HS256' },
        c.payload,
        String(c.publicKey.export({ format: 'pem', type: 'spki' })),
      ),
  ],
  [
    'Ed25519 as the name of the algorithm',
    (c) => signed({ ...c.header, alg: 'Ed25519' }, c.payload, c.privateKey),
  ],
  ['no algorithm', (c) => signed({ typ: 'JWT', kid: c.header['kid'] }, c.payload, c.privateKey)],
  ['another key under our kid', (c) => signed(c.header, c.payload, stranger.privateKey)],
  [
    'another key, brought along',
    (c) =>
      signed(
        { ...c.header, jwk: { kty: 'OKP', crv: 'Ed25519', x: x(stranger.publicKey) } },
        c.payload,
        stranger.privateKey,
      ),
  ],
  ['an unknown kid', (c) => signed({ ...c.header, kid: newId() }, c.payload, c.privateKey)],
  ['a kid with SQL', (c) => signed({ ...c.header, kid: "' or 1=1 --" }, c.payload, c.privateKey)],
  ['a kid that is no text', (c) => signed({ ...c.header, kid: 7 }, c.payload, c.privateKey)],
  ['no kid', (c) => signed({ alg: 'EdDSA', typ: 'JWT' }, c.payload, c.privateKey)],
  ['another typ', (c) => signed({ ...c.header, typ: 'at+jwt' }, c.payload, c.privateKey)],
  ['no typ', (c) => signed({ alg: 'EdDSA', kid: c.header['kid'] }, c.payload, c.privateKey)],
  [
    'an unknown critical header',
    (c) => signed({ ...c.header, crit: ['x'], x: 1 }, c.payload, c.privateKey),
  ],
  [
    'an unencoded payload',
    (c) => signed({ ...c.header, crit: ['b64'], b64: false }, c.payload, c.privateKey),
  ],
  ['expired', (c) => with_(c, { exp: T0 / 1000 })],
  ['expired by a second', (c) => with_(c, { exp: T0 / 1000 - 1 })],
  ['no end', (c) => with_(c, { exp: undefined })],
  ['an end that is text', (c) => with_(c, { exp: String(T0 / 1000 + 60) })],
  ['not yet valid', (c) => with_(c, { nbf: T0 / 1000 + 6 })],
  ['no beginning', (c) => with_(c, { nbf: undefined })],
  ['no time of issue', (c) => with_(c, { iat: undefined })],
  ['another audience', (c) => with_(c, { aud: 'elsewhere' })],
  ['no audience', (c) => with_(c, { aud: undefined })],
  ['another issuer', (c) => with_(c, { iss: `urn:sallyport:org:${newId()}` })],
  ['no issuer', (c) => with_(c, { iss: undefined })],
  ['another organisation', (c) => with_(c, { org: newId() })],
  ['no organisation', (c) => with_(c, { org: undefined })],
  ['another agent', (c) => with_(c, { sub: `agent:${newId()}` })],
  ['a user as subject', (c) => with_(c, { sub: `user:${c.agent.id}` })],
  ['the local agent as subject', (c) => with_(c, { sub: 'agent:local' })],
  ['no subject', (c) => with_(c, { sub: undefined })],
  ['no id', (c) => with_(c, { jti: undefined })],
  ['an id with SQL', (c) => with_(c, { jti: "' or 1=1 --" })],
  ['another key of the agent', (c) => with_(c, { kver: newId() })],
  ['no key of the agent', (c) => with_(c, { kver: undefined })],
  ['scopes that are no list', (c) => with_(c, { scopes: '**' })],
  ['scopes that are no texts', (c) => with_(c, { scopes: [null] })],
  ['no scopes', (c) => with_(c, { scopes: undefined })],
  ['vaults that are no list', (c) => with_(c, { vault_ids: {} })],
  ['a payload that is a list', (c) => signed(c.header, [c.payload], c.privateKey)],
  ['a payload that is null', (c) => signed(c.header, null, c.privateKey)],
  ['wider scopes, same signature', (c) => swapped(c, { ...c.payload, scopes: [] })],
  ['no signature', (c) => `${c.text.split('.').slice(0, 2).join('.')}.`],
  ['two parts', (c) => c.text.split('.').slice(0, 2).join('.')],
  ['four parts', (c) => `${c.text}.`],
  ['five parts', (c) => `${c.text}.x.y`],
  ['a space before', (c) => ` ${c.text}`],
  ['a line end after', (c) => `${c.text}\n`],
  ['padding', (c) => `${c.text}==`],
  ['Bearer before', (c) => `Bearer ${c.text}`],
  ['a million characters', (c) => c.text + 'A'.repeat(1_000_000)],
  ['nothing', () => ''],
  ['dots', () => '..'],
  ['a made-up key', () => `ocv_${'A'.repeat(43)}000000`],
  [
    'a key with its last character changed',
    (c) => c.key.slice(0, -1) + (c.key.endsWith('0') ? '1' : '0'),
  ],
  ['a key with another prefix', (c) => c.key.replace('ocv_', '1ck_')],
]

function with_(c: Counting, claims: Json): string {
  return signed(c.header, { ...c.payload, ...claims }, c.privateKey)
}

function swapped(c: Counting, payload: Json): string {
  const [header, , signature] = c.text.split('.')
  return `${header}.${part(payload)}.${signature}`
}

/** What is told of a bearer that does not count. */
async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    if (!isFault(error)) throw error
    return { code: error.code, message: error.message, details: error.details, http: error.http }
  }
  return 'counts'
}

const ONE_TEXT = {
  code: 'UNAUTHENTICATED',
  message: 'The token or key is missing, wrong or no longer valid.',
  details: {},
  http: 401,
}

for (const store of [SQLITE, POSTGRES])
  test(`tokens on ${store.name}: whatever is forged is refused with one text`, {
    skip: store.skip,
  }, async () => {
    const vault = await open.fresh(store, () => epochMs(T0))
    const { authentication } = vault.identity
    const c = await counting(vault)
    await authentication.authenticate(c.text, ORIGIN)
    await authentication.authenticate(with_(c, { nbf: T0 / 1000 + 5, exp: T0 / 1000 + 1 }), ORIGIN)
    const counted: unknown[] = []
    for (const [index, [what, forge]] of forged.entries()) {
      const told = await refusalOf(authentication.authenticate(forge(c), originOf(index)))
      if (!isDeepStrictEqual(told, ONE_TEXT)) counted.push([what, told])
    }
    assert.deepEqual(counted, [])
    await authentication.authenticate(c.text, ORIGIN)
  })

test('tokens: what ended is refused with the same text', async () => {
  const vault = await open.fresh(SQLITE, () => epochMs(T0))
  const other = await open.fresh(SQLITE, () => epochMs(T0))
  const { agents, authentication, freezes } = vault.identity
  const ends: readonly [what: string, end: (c: Counting) => Promise<unknown>][] = [
    ['revoked', (c) => authentication.revoke(c.text, ORIGIN)],
    ['rotated', (c) => agents.rotateKey(PERSON, c.agent.id)],
    ['deleted', (c) => agents.remove(PERSON, c.agent.id)],
    ['disabled', (c) => agents.update(PERSON, c.agent.id, { isActive: false })],
    ['frozen', (c) => freezes.freeze(PERSON, { kind: 'agent', id: c.agent.id }, null)],
    ['all frozen', () => freezes.freeze(PERSON, { kind: 'all' }, null)],
  ]
  for (const [index, [what, end]] of ends.entries()) {
    const c = await counting(vault)
    await authentication.authenticate(c.text, ORIGIN)
    await end(c)
    const told = await refusalOf(authentication.authenticate(c.text, originOf(index)))
    assert.deepEqual(told, ONE_TEXT, what)
  }
  await freezes.lift(PERSON, { kind: 'all' })
  const { key } = await userWithKey(vault, 'owner')
  const asOwner = await authentication.authenticate(key, ORIGIN)
  assert.equal(asOwner.principal.kind, 'user')
  await freezes.freeze(PERSON, { kind: 'user', id: asOwner.principal.id }, null)
  assert.deepEqual(await refusalOf(authentication.authenticate(key, originOf(20))), ONE_TEXT)

  const elsewhere = await counting(other)
  for (const bearer of [elsewhere.text, elsewhere.key])
    assert.deepEqual(await refusalOf(authentication.authenticate(bearer, originOf(21))), ONE_TEXT)
  assert.deepEqual(
    await refusalOf(authentication.exchange(elsewhere.key, null, originOf(21))),
    ONE_TEXT,
  )
})

test('tokens: no change to a token or key leaves one that counts', async () => {
  const vault = await open.fresh(SQLITE, () => epochMs(T0))
  const { authentication } = vault.identity
  const { text, key } = await counting(vault)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(text, key),
      fc.nat(),
      fc.string({ unit: 'binary', maxLength: 3 }),
      fc.nat({ max: 3 }),
      async (bearer, where, put, taken) => {
        const at = where % bearer.length
        const changed = bearer.slice(0, at) + put + bearer.slice(at + taken)
        if (changed === bearer) return
        assert.deepEqual(await refusalOf(authentication.authenticate(changed, ORIGIN)), ONE_TEXT)
      },
    ),
    { numRuns: 300 },
  )
})
