import assert from 'node:assert/strict'
import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterEach, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { decodeJwt } from 'jose'
import { isFault } from '../../src/core/faults.ts'
import type { Origin } from '../../src/core/identity-port.ts'
import { newId } from '../../src/core/ids.ts'
import { epochMs } from '../../src/core/time.ts'
import { ORIGIN, originOf } from '../support/identity.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, race, SQLITE } from '../support/vault-stores.ts'

const T0 = 1_800_000_000_000
const URL = 'https://vault.example.org/v1/vaults/x/secrets/a'
const open = new OpenVaults()
afterEach(() => open.close(true))

type Json = Readonly<Record<string, unknown>>

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const mine = p256()
const other = p256()
const jwkOf = (key: KeyObject): Json => ({ ...key.export({ format: 'jwk' }) })
const part = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString('base64url')

const header = (key: KeyObject): Json => ({ alg: 'ES256', typ: 'dpop+jwt', jwk: jwkOf(key) })
const claims = (): Json => ({ jti: newId(), iat: T0 / 1000, htm: 'GET', htu: URL })

function signed(head: Json, payload: Json, key: KeyObject): string {
  const input = `${part(head)}.${part(payload)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

const athOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

function proofOf(changes: Json = {}, key = mine): string {
  return signed(header(key.publicKey), { ...claims(), ...changes }, key.privateKey)
}

function shown(jwt: string, scheme: 'Bearer' | 'DPoP' = 'Bearer', n = 0): Origin {
  return { ...originOf(n), proof: { jwt, method: 'GET', url: URL, scheme } }
}

async function bound(vault: TestVault) {
  const { agents, authentication } = vault.identity
  const { agent, key } = await agents.create(PERSON, { name: 'a' })
  const exchanged = await authentication.exchange(
    key.reveal(),
    agent.id,
    ORIGIN,
    jwkOf(mine.publicKey),
  )
  const free = await authentication.exchange(key.reveal(), agent.id, ORIGIN)
  assert.equal(free.boundTo, null)
  return {
    key: key.reveal(),
    token: exchanged.token.reveal(),
    free: free.token.reveal(),
    thumbprint: exchanged.boundTo,
  }
}

const REFUSED = fault(
  'UNAUTHENTICATED',
  /^The token or key is missing, wrong or no longer valid\.$/,
)

const wrong: readonly [what: string, make: (token: string) => Origin][] = [
  ['no proof', () => originOf(0)],
  ['an empty proof', () => shown('', 'DPoP')],
  ['a proof of another key', () => shown(proofOf({}, other))],
  [
    'our key in it, signed by another',
    () => shown(signed(header(mine.publicKey), claims(), other.privateKey)),
  ],
  ['another method', () => shown(proofOf({ htm: 'POST' }))],
  ['a method in small letters', () => shown(proofOf({ htm: 'get' }))],
  ['another path', () => shown(proofOf({ htu: `${URL}/b` }))],
  ['another host', () => shown(proofOf({ htu: URL.replace('example.org', 'example.net') }))],
  ['another scheme of address', () => shown(proofOf({ htu: URL.replace('https', 'http') }))],
  ['another port', () => shown(proofOf({ htu: URL.replace('.org', '.org:8443') }))],
  ['no address', () => shown(proofOf({ htu: undefined }))],
  ['an address that is none', () => shown(proofOf({ htu: '/v1/vaults' }))],
  ['made over a minute ago', () => shown(proofOf({ iat: T0 / 1000 - 61 }))],
  ['made in the future', () => shown(proofOf({ iat: T0 / 1000 + 6 }))],
  ['no time', () => shown(proofOf({ iat: undefined }))],
  ['no id', () => shown(proofOf({ jti: undefined }))],
  ['an empty id', () => shown(proofOf({ jti: '' }))],
  ['an endless id', () => shown(proofOf({ jti: 'x'.repeat(257) }))],
  ['the token of another', (token) => shown(proofOf({ ath: athOf(`${token}x`) }))],
  [
    'the token of another, by scheme DPoP',
    (token) => shown(proofOf({ ath: athOf(`${token}x`) }), 'DPoP'),
  ],
  ['no token by scheme DPoP', () => shown(proofOf(), 'DPoP')],
  [
    'another typ',
    () => shown(signed({ ...header(mine.publicKey), typ: 'JWT' }, claims(), mine.privateKey)),
  ],
  [
    'no key in it',
    () => shown(signed({ alg: 'ES256', typ: 'dpop+jwt' }, claims(), mine.privateKey)),
  ],
  [
    'a private key in it',
    () =>
      shown(
        signed(
          { ...header(mine.publicKey), jwk: jwkOf(mine.privateKey) },
          claims(),
          mine.privateKey,
        ),
      ),
  ],
  [
    'a key that is none',
    () =>
      shown(
        signed(
          { ...header(mine.publicKey), jwk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } },
          claims(),
          mine.privateKey,
        ),
      ),
  ],
  [
    'alg none',
    () => shown(`${part({ ...header(mine.publicKey), alg: 'none' })}.${part(claims())}.`),
  ],
  [
    'HS256 under the key in it',
    () => {
      const input = `${part({ ...header(mine.publicKey), alg: 'HS256' })}.${part(claims())}`
      const mac = createHmac('sha256', JSON.stringify(jwkOf(mine.publicKey))).update(input)
      return shown(`${input}.${mac.digest('base64url')}`)
    },
  ],
  ['no JWS', () => shown('proof')],
  ['a hundred thousand characters', () => shown(proofOf({ more: 'x'.repeat(100_000) }))],
]

for (const store of [SQLITE, POSTGRES])
  test(`proofs on ${store.name}: a bound token counts with a fresh proof of its key alone`, {
    skip: store.skip,
  }, async () => {
    const vault = await open.fresh(store, () => epochMs(T0))
    const elsewhere = await open.twin(vault, () => epochMs(T0))
    const { authentication } = vault.identity
    const { token, free, thumbprint } = await bound(vault)
    assert.deepEqual(decodeJwt(token)['cnf'], { jkt: thumbprint })

    const once = proofOf({ ath: athOf(token) })
    const caller = await authentication.authenticate(token, shown(once, 'DPoP'))
    assert.equal(caller.principal.kind, 'registered-agent')
    await authentication.authenticate(token, shown(proofOf()))
    await authentication.authenticate(token, shown(proofOf({ htu: `${URL}?x=1#y` })))
    await authentication.authenticate(token, shown(proofOf({ iat: T0 / 1000 - 60 })))

    const counted: unknown[] = []
    for (const [index, [what, make]] of wrong.entries()) {
      const origin = { ...make(token), address: `192.0.2.${index}` }
      const told = await toldOf(authentication.authenticate(token, origin))
      if (!isDeepStrictEqual(told, ['UNAUTHENTICATED', 401])) counted.push([what, told])
    }
    assert.deepEqual(counted, [])

    await assert.rejects(authentication.authenticate(token, shown(once, 'DPoP', 1)), REFUSED)
    await assert.rejects(
      elsewhere.identity.authentication.authenticate(token, shown(once, 'DPoP', 2)),
      REFUSED,
    )
    // A token that is bound to nothing is no DPoP token, whatever comes with it.
    await authentication.authenticate(free, shown(proofOf()))
    await assert.rejects(
      authentication.authenticate(free, shown(proofOf({ ath: athOf(free) }), 'DPoP', 3)),
      REFUSED,
    )

    const same = proofOf()
    const { values, faults } = await race(
      Array.from({ length: 32 }, (_, i) =>
        [vault, elsewhere][i % 2]!.identity.authentication.authenticate(
          token,
          shown(same, 'Bearer', i),
        ),
      ),
    )
    assert.deepEqual([values.length, new Set(faults)], [1, new Set(['UNAUTHENTICATED'])])
  })

test('proofs: an exchange binds to the key that was proved or named, and to no two', async () => {
  let now = T0
  const vault = await open.fresh(SQLITE, () => epochMs(now))
  const { authentication } = vault.identity
  const { key, thumbprint } = await bound(vault)
  const proved = await authentication.exchange(key, null, shown(proofOf()))
  assert.equal(proved.boundTo, thumbprint)
  const both = await authentication.exchange(key, null, shown(proofOf()), jwkOf(mine.publicKey))
  assert.equal(both.boundTo, thumbprint)
  await assert.rejects(
    authentication.exchange(key, null, shown(proofOf()), jwkOf(other.publicKey)),
    REFUSED,
  )
  await assert.rejects(authentication.exchange(key, null, shown(proofOf({ htm: 'PUT' }))), REFUSED)
  const once = proofOf()
  await authentication.exchange(key, null, shown(once))
  await assert.rejects(authentication.exchange(key, null, shown(once)), REFUSED)
  for (const jwk of [
    null,
    'key',
    [],
    {},
    { kty: 'oct', k: 'AA' },
    { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' },
    { kty: 'EC', crv: 'P-521' },
    jwkOf(mine.privateKey),
  ])
    await assert.rejects(
      authentication.exchange(key, null, ORIGIN, jwk),
      fault('BAD_INPUT', /dpop_jwk/),
    )
  const edwards = generateKeyPairSync('ed25519').publicKey
  assert.ok((await authentication.exchange(key, null, ORIGIN, jwkOf(edwards))).boundTo !== null)

  // What is too old to count is forgotten.
  now += 70_000
  await authentication.exchange(key, null, shown(proofOf({ iat: now / 1000 })))
  const left = await vault.db.read((reader) => reader.all('select id from shown_proofs'))
  assert.equal(left.length, 1)
})

async function toldOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return 'counts'
  } catch (error) {
    if (!isFault(error)) throw error
    return [error.code, error.http]
  }
}
