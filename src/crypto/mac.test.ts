import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field } from '../core/fields.ts'
import { MacKey, RowMac } from './mac.ts'

/** HMAC pads a short key with zeros and hashes a long one, so each key of the RFC has one of 32 bytes that equals it. */
function keyOf(bytes: Buffer): Buffer {
  if (bytes.byteLength > 64) return createHash('sha256').update(bytes).digest()
  return Buffer.concat([bytes, Buffer.alloc(32 - bytes.byteLength)])
}

// RFC 4231, section 4; case 5 only shows truncation.
const vectors: readonly [what: string, key: Buffer, data: Buffer, mac: string][] = [
  [
    'case 1',
    Buffer.alloc(20, 0x0b),
    Buffer.from('Hi There'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  ],
  [
    'case 2',
    Buffer.from('Jefe'),
    Buffer.from('what do ya want for nothing?'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  ],
  [
    'case 3',
    Buffer.alloc(20, 0xaa),
    Buffer.alloc(50, 0xdd),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
  ],
  [
    'case 4',
    Buffer.from('0102030405060708090a0b0c0d0e0f10111213141516171819', 'hex'),
    Buffer.alloc(50, 0xcd),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  ],
  [
    'case 6',
    Buffer.alloc(131, 0xaa),
    Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  ],
  [
    'case 7',
    Buffer.alloc(131, 0xaa),
    Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. ' +
        'The key needs to be hashed before being used by the HMAC algorithm.',
    ),
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
  ],
]
for (const [what, key, data, mac] of vectors)
  test(`MacKey: RFC 4231 ${what}`, () =>
    assert.equal(new MacKey(keyOf(key)).sign(data).toString('hex'), mac))

test('MacKey: every message and key gives what node:crypto gives', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 6 }),
      (key, messages) => {
        const mac = new MacKey(key)
        // One object signs all of them: what a long message leaves behind must not reach a short one.
        for (const message of messages) {
          const expected = createHmac('sha256', key).update(message).digest()
          assert.deepEqual(mac.sign(message), expected)
          const inner = Buffer.alloc(64, 0x36)
          for (const [at, byte] of key.entries()) inner[at] = byte ^ 0x36
          const chopped = createHash('sha256').update(inner).update(message).digest('base64url')
          assert.equal(mac.tag(message), chopped.slice(0, 20))
        }
      },
    ),
  )
})

test('MacKey: what was signed first does not change when more is signed', () => {
  const mac = new MacKey(Buffer.alloc(32, 1))
  const first = mac.sign(Buffer.from('one'))
  const copy = Buffer.from(first)
  for (let i = 0; i < 300; i++) mac.sign(Buffer.from(`message ${i}`))
  assert.deepEqual(first, copy)
})

test('MacKey: verify takes only the whole MAC of the same message', () => {
  const mac = new MacKey(Buffer.alloc(32, 7))
  const message = Buffer.from('reads = 1')
  const good = mac.sign(message)
  assert.equal(mac.verify(message, good), true)
  assert.equal(mac.verify(Buffer.from('reads = 0'), good), false)
  assert.equal(mac.verify(message, good.subarray(0, 31)), false)
  assert.equal(mac.verify(message, Buffer.concat([good, Buffer.alloc(1)])), false)
  assert.equal(mac.verify(message, new Uint8Array()), false)
  assert.equal(new MacKey(Buffer.alloc(32, 8)).verify(message, good), false)
  for (let bit = 0; bit < 256; bit++) {
    const bad = Buffer.from(good)
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.equal(mac.verify(message, bad), false, `bit ${bit}`)
  }
})

for (const size of [0, 31, 33, 64])
  test(`MacKey: a key of ${size} bytes is refused`, () =>
    assert.throws(() => new MacKey(Buffer.alloc(size)), RangeError))

const FIELDS: readonly Field[] = ['api/stripe', 3, null, new Uint8Array([1, 2])]

test('RowMac: a row verifies here and where it was never seen', () => {
  const key = randomBytes(32)
  const signer = new RowMac(key)
  const mac = signer.sign('secrets', 'a', FIELDS)
  assert.equal(signer.verify('secrets', 'a', FIELDS, mac), true)
  assert.equal(new RowMac(key).verify('secrets', 'a', FIELDS, mac), true)
  assert.equal(new RowMac(randomBytes(32)).verify('secrets', 'a', FIELDS, mac), false)
})

const changes: readonly [what: string, table: string, fields: readonly Field[]][] = [
  ['another table', 'versions', FIELDS],
  ['another text', 'secrets', ['api/stripf', 3, null, new Uint8Array([1, 2])]],
  ['another number', 'secrets', ['api/stripe', 2, null, new Uint8Array([1, 2])]],
  ['null filled', 'secrets', ['api/stripe', 3, 0, new Uint8Array([1, 2])]],
  ['another byte', 'secrets', ['api/stripe', 3, null, new Uint8Array([1, 3])]],
  ['a field more', 'secrets', [...FIELDS, null]],
  ['a field less', 'secrets', FIELDS.slice(0, 3)],
  ['number as text', 'secrets', ['api/stripe', '3', null, new Uint8Array([1, 2])]],
  ['fields swapped', 'secrets', [3, 'api/stripe', null, new Uint8Array([1, 2])]],
  ['table and field joined', 'secretsapi', ['/stripe', 3, null, new Uint8Array([1, 2])]],
]
for (const remember of [4096, 0])
  for (const [what, table, fields] of changes)
    test(`RowMac remembering ${remember}: ${what} does not verify`, () => {
      const rows = new RowMac(Buffer.alloc(32, 3), remember)
      const mac = rows.sign('secrets', 'a', FIELDS)
      assert.equal(rows.verify(table, 'a', fields, mac), false)
      assert.equal(rows.verify('secrets', 'a', FIELDS, mac), true)
    })

test('RowMac: a remembered row with another MAC, or none, does not verify', () => {
  const rows = new RowMac(Buffer.alloc(32, 3))
  const mac = rows.sign('secrets', 'a', FIELDS)
  const bad = Buffer.from(mac)
  bad[31] = (bad[31] ?? 0) ^ 1
  assert.equal(rows.verify('secrets', 'a', FIELDS, bad), false)
  assert.equal(rows.verify('secrets', 'a', FIELDS, mac.subarray(0, 16)), false)
  assert.equal(rows.verify('secrets', 'a', FIELDS, new Uint8Array()), false)
  assert.equal(rows.verify('secrets', 'a', FIELDS, null), false)
})

test('RowMac: a row verifies wherever it stands, remembered or forgotten', () => {
  const rows = new RowMac(Buffer.alloc(32, 3), 2)
  const macs = Array.from({ length: 5 }, (_, i) => rows.sign('secrets', `row ${i}`, [i]))
  macs.forEach((mac, i) => {
    assert.equal(rows.verify('secrets', `row ${i}`, [i], mac), true)
    assert.equal(rows.verify('secrets', `row ${(i + 1) % 5}`, [i], mac), true)
    assert.equal(rows.verify('secrets', `row ${i}`, [i + 1], mac), false)
  })
})

test('RowMac: an older state of a row still carries its own MAC', () => {
  // It is not the MAC but the revision in the audit that finds a row put back.
  const rows = new RowMac(Buffer.alloc(32, 3))
  const old = rows.sign('secrets', 'a', ['reads', 1])
  rows.sign('secrets', 'a', ['reads', 2])
  assert.equal(rows.verify('secrets', 'a', ['reads', 1], old), true)
  assert.equal(rows.verify('secrets', 'a', ['reads', 2], old), false)
})

test('RowMac: fields that the caller changes later do not change what is remembered', () => {
  const rows = new RowMac(Buffer.alloc(32, 3))
  const fields: Field[] = ['reads', 1]
  const bytes: Field[] = [new Uint8Array([1])]
  const mac = rows.sign('secrets', 'a', fields)
  const macOfBytes = rows.sign('secrets', 'b', bytes)
  fields[1] = 0
  ;(bytes[0] as Uint8Array)[0] = 2
  assert.equal(rows.verify('secrets', 'a', fields, mac), false)
  assert.equal(rows.verify('secrets', 'b', bytes, macOfBytes), false)
})

test('RowMac: bytes that the caller changes later do not change what is remembered', () => {
  const rows = new RowMac(Buffer.alloc(32, 3))
  const mac = Buffer.from(rows.sign('secrets', 'a', FIELDS))
  const lent = Buffer.from(mac)
  assert.equal(new RowMac(Buffer.alloc(32, 3)).verify('secrets', 'a', FIELDS, lent), true)
  assert.equal(rows.verify('secrets', 'a', FIELDS, lent), true)
  lent.fill(0)
  assert.equal(rows.verify('secrets', 'a', FIELDS, lent), false)
  assert.equal(rows.verify('secrets', 'a', FIELDS, mac), true)
})
