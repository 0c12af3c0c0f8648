import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '../core/faults.ts'
import { arrivalOf, checkFields } from './arrival.ts'

type Headers = Readonly<Record<string, string>>

const PROXIES = ['10.0.0.0/8', '2001:db8:1::/48']
const arrive = (peer: string, headers: Headers, trusted: readonly string[] = PROXIES) =>
  arrivalOf({ headers, socket: { remoteAddress: peer } }, trusted)
const seen = (peer: string, headers: Headers, trusted?: readonly string[]) => {
  const { address, scheme, isPrivate } = arrive(peer, headers, trusted)
  return [address, scheme, isPrivate]
}

const HTTPS = { 'x-forwarded-proto': 'https' }

test('what clients say of themselves does not count', () => {
  const rows: readonly [headers: Headers, what: string][] = [
    [{ 'x-forwarded-for': '198.51.100.1' }, 'an address'],
    [{ 'x-forwarded-for': '127.0.0.1', ...HTTPS }, 'this machine, over TLS'],
    [{ forwarded: 'for=127.0.0.1;proto=https' }, 'the same in the standard header'],
    [{ 'x-real-ip': '127.0.0.1', 'true-client-ip': '127.0.0.1', ...HTTPS }, 'other headers'],
  ]
  for (const [headers, what] of rows) {
    assert.deepEqual(seen('203.0.113.9', headers), ['203.0.113.9', 'http', false], what)
    assert.deepEqual(seen('203.0.113.9', headers, []), ['203.0.113.9', 'http', false], what)
  }
})

test('a proxy is believed hop by hop, from the last one', () => {
  const rows: readonly [headers: Headers, address: string | null, what: string][] = [
    [{ 'x-forwarded-for': '198.51.100.1' }, '198.51.100.1', 'one hop'],
    [{ 'x-forwarded-for': '127.0.0.1, 198.51.100.1' }, '198.51.100.1', 'the client put one before'],
    [{ 'x-forwarded-for': '10.9.9.9, 198.51.100.1' }, '198.51.100.1', 'one of ours, it says'],
    [{ 'x-forwarded-for': '198.51.100.1, 10.1.1.1' }, '198.51.100.1', 'two proxies of ours'],
    [{ 'x-forwarded-for': '10.2.2.2, 10.1.1.1' }, '10.2.2.2', 'a client of our own network'],
    [{ 'x-forwarded-for': '198.51.100.1, unknown' }, null, 'a hop that is hidden'],
    [{ 'x-forwarded-for': '198.51.100.1:4711' }, '198.51.100.1', 'with a port'],
    [{ 'x-forwarded-for': '[2001:db8::7]:4711' }, '2001:db8::7', 'IPv6 with a port'],
    [{ 'x-forwarded-for': '0x7f.1' }, null, 'another way to write this machine'],
    [{ 'x-forwarded-for': '' }, null, 'an empty list, which names nobody'],
    [{}, null, 'a scheme alone'],
    [{ forwarded: 'for=198.51.100.1;proto=https' }, '198.51.100.1', 'the standard header'],
    [{ forwarded: 'for="[2001:db8::7]:1";proto=https' }, '2001:db8::7', 'with quotes'],
    [{ forwarded: 'for=_hidden;proto=https' }, null, 'a name that hides the address'],
    [{ forwarded: 'proto=https' }, null, 'no address at all'],
  ]
  for (const [headers, address, what] of rows)
    assert.deepEqual(seen('10.1.2.3', { ...HTTPS, ...headers }), [address, 'https', true], what)
})

test('only a proxy of ours that says https makes a request private', () => {
  const client = { 'x-forwarded-for': '198.51.100.1' }
  assert.deepEqual(seen('10.1.2.3', client), ['198.51.100.1', 'http', false])
  assert.deepEqual(seen('10.1.2.3', { ...client, 'x-forwarded-proto': 'http' }).slice(1), [
    'http',
    false,
  ])
  assert.deepEqual(seen('10.1.2.3', { ...client, 'x-forwarded-proto': 'https, http' }).slice(1), [
    'http',
    false,
  ])
  assert.deepEqual(seen('10.1.2.3', {}), ['10.1.2.3', 'http', false])
  // The proxy may run here: what it forwards is as far away as its client.
  const here = ['127.0.0.1']
  assert.deepEqual(seen('127.0.0.1', client, here), ['198.51.100.1', 'http', false])
  assert.deepEqual(seen('127.0.0.1', {}, here), ['127.0.0.1', 'http', true])
  assert.deepEqual(seen('::ffff:127.0.0.1', {}, []), ['127.0.0.1', 'http', true])
})

test("two headers that say different things are refused: one of them may be the client's", () => {
  const rows: readonly Headers[] = [
    { forwarded: 'for=127.0.0.1', 'x-forwarded-for': '198.51.100.1' },
    { forwarded: 'for=198.51.100.1;proto=https', 'x-forwarded-proto': 'http' },
    { forwarded: 'for=1.1.1.1, for=198.51.100.1', 'x-forwarded-for': '198.51.100.1' },
  ]
  for (const headers of rows)
    assert.throws(
      () => arrive('10.1.2.3', headers),
      (error) => isFault(error, 'BAD_INPUT') && error.details['field'] === 'Forwarded',
      JSON.stringify(headers),
    )
  const same = { forwarded: 'for=198.51.100.1;proto=https', 'x-forwarded-for': '198.51.100.1' }
  assert.deepEqual(seen('10.1.2.3', { ...same, ...HTTPS }), ['198.51.100.1', 'https', true])
})

test('a field that a proxy may have read otherwise is refused', () => {
  const check = (rawHeaders: string[], minor = 1) =>
    checkFields({ rawHeaders, httpVersionMajor: 1, httpVersionMinor: minor })
  const host = ['Host', 'vault.example.org']
  const rows: readonly [what: string, rawHeaders: string[], field: string][] = [
    ['two hosts', [...host, 'host', 'other.example.org'], 'host'],
    ['the same host twice', [...host, ...host], 'Host'],
    [
      'two bearers',
      [...host, 'Authorization', 'Bearer a', 'AUTHORIZATION', 'Bearer b'],
      'AUTHORIZATION',
    ],
    ['two types', [...host, 'Content-Type', 'a/b', 'Content-Type', 'c/d'], 'Content-Type'],
    ['no host', ['Authorization', 'Bearer a'], 'Host'],
    ['nothing', [], 'Host'],
  ]
  for (const [what, rawHeaders, field] of rows)
    assert.throws(
      () => check(rawHeaders),
      (error) => isFault(error, 'BAD_INPUT') && error.details['field'] === field,
      what,
    )
  check([...host, 'Authorization', 'Bearer a', 'Content-Type', 'a/b', 'Accept', 'x', 'Accept', 'y'])
  check([...host, 'Date', 'Host', 'From', 'host'])
  check([], 0)
})
