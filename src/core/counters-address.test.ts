import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CountersAddress, parseCountersAddress } from './counters-address.ts'

const PLAIN = { isTls: false, username: null, password: null, database: 0 }

const cases: readonly [text: string, address: CountersAddress][] = [
  [
    'redis://localhost',
    { ...PLAIN, at: { host: 'localhost', port: 6379 }, shown: 'redis://localhost:6379/0' },
  ],
  [
    'redis://cache.lan:7000/3',
    {
      ...PLAIN,
      at: { host: 'cache.lan', port: 7000 },
      database: 3,
      shown: 'redis://cache.lan:7000/3',
    },
  ],
  [
    'rediss://gate:p%40ss@[::1]:6380',
    {
      at: { host: '::1', port: 6380 },
      isTls: true,
      username: 'gate',
      password: 'p@ss',
      database: 0,
      shown: 'rediss://[::1]:6380/0',
    },
  ],
  [
    'redis://:only@localhost/',
    {
      ...PLAIN,
      at: { host: 'localhost', port: 6379 },
      password: 'only',
      shown: 'redis://localhost:6379/0',
    },
  ],
  [
    'unix:///run/redis/redis.sock',
    { ...PLAIN, at: { path: '/run/redis/redis.sock' }, shown: 'unix:///run/redis/redis.sock?db=0' },
  ],
  [
    'unix:///run/a%20b.sock?db=2&username=gate&password=p%40ss',
    {
      at: { path: '/run/a b.sock' },
      isTls: false,
      username: 'gate',
      password: 'p@ss',
      database: 2,
      shown: 'unix:///run/a b.sock?db=2',
    },
  ],
]
for (const [text, address] of cases)
  test(`where counters stand: ${text}`, () => assert.deepEqual(parseCountersAddress(text), address))

const refused: readonly [text: string, why: RegExp][] = [
  ['', /^must be an address/],
  ['localhost:6379', /^must begin with redis:\/\//],
  ['http://localhost', /^must begin with/],
  ['redis://', /^names no host|^must be an address/],
  ['redis://localhost/three', /number of a database/],
  ['redis://localhost/-1', /number of a database/],
  ['redis://localhost/1/2', /number of a database/],
  ['redis://localhost/99999999', /number of a database/],
  ['redis://localhost?db=1', /number of a database/],
  ['redis://localhost:66000', /^must be an address/],
  ['redis://canary%zz@localhost', /not percent-encoded/],
  ['unix://run/redis.sock', /by its whole path/],
  ['unix:///', /by its whole path/],
  ['unix:///run/r.sock?database=1', /nothing else/],
  ['unix:///run/r.sock?db=1&db=2', /nothing else/],
  ['unix:///run/r.sock?db=x', /number of a database/],
]
for (const [text, why] of refused)
  test(`where counters cannot stand: '${text}'`, () => {
    const problem = parseCountersAddress(text)
    assert.ok(typeof problem === 'string')
    assert.match(problem, why)
    assert.doesNotMatch(problem, /canary/)
  })
