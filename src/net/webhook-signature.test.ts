import assert from 'node:assert/strict'
import { test } from 'node:test'
import { epochMs } from '../core/time.ts'
import { isSignedWebhook, signWebhook } from './webhook-signature.ts'

const key = 'k'.repeat(32)
const at = epochMs(1_700_000_000_999)
const body = Buffer.from('{"a":1}\n')

// printf '1700000000.{"a":1}\n' | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
const SIGNED = {
  'x-sallyport-timestamp': '1700000000',
  'x-sallyport-signature': 'v1=8797b7e2e591e3d22f66f7a76f25741f7a25882946d8d24f357171efb38130e2',
}

test('signWebhook: HMAC-SHA256 of the timestamp, a dot and the body', () =>
  assert.deepEqual(signWebhook(key, at, body), SIGNED))

const CHECKS: readonly [
  what: string,
  headers: object,
  body: string,
  laterMs: number,
  is: boolean,
][] = [
  ['as it is', SIGNED, '{"a":1}\n', 0, true],
  ['five minutes later', SIGNED, '{"a":1}\n', 299_000, true],
  ['later than that', SIGNED, '{"a":1}\n', 300_000, false],
  ['from a clock that is ahead', SIGNED, '{"a":1}\n', -310_000, false],
  ['another body', SIGNED, '{"a":2}\n', 0, false],
  ['another time', { ...SIGNED, 'x-sallyport-timestamp': '1700000001' }, '{"a":1}\n', 0, false],
  ['no time', { 'x-sallyport-signature': SIGNED['x-sallyport-signature'] }, '{"a":1}\n', 0, false],
  ['no signature', { 'x-sallyport-timestamp': '1700000000' }, '{"a":1}\n', 0, false],
  ['a short signature', { ...SIGNED, 'x-sallyport-signature': 'v1=ab' }, '{"a":1}\n', 0, false],
  ['a time that is text', { ...SIGNED, 'x-sallyport-timestamp': 'now' }, '{"a":1}\n', 0, false],
]
for (const [what, headers, text, laterMs, is] of CHECKS)
  test(`isSignedWebhook: ${what}`, () =>
    assert.equal(isSignedWebhook(key, headers, Buffer.from(text), epochMs(at + laterMs)), is))

test('isSignedWebhook: another key', () =>
  assert.equal(isSignedWebhook('x'.repeat(32), SIGNED, body, at), false))
