import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '../../core/faults.ts'
import { parseSinkConfigs } from './sink-config.ts'

const key = 'k'.repeat(32)
const file = { name: 'f', kind: 'file', mode: 'required', path: '/var/log/audit.jsonl' }
const hook = { name: 'h', kind: 'webhook', mode: 'best-effort', url: 'https://h.example/in', key }
const syslog = { name: 's', kind: 'syslog', mode: 'required', transport: 'tcp', host: 'log.lan' }
const s3 = {
  name: 'b',
  kind: 's3',
  mode: 'best-effort',
  endpoint: 'https://s3.eu-central-1.amazonaws.com',
  region: 'eu-central-1',
  bucket: 'audit-of-us',
  accessKeyId: 'id',
  secretAccessKey: 'word',
}

const text = (...sinks: object[]): string => JSON.stringify({ sinks })

test('parseSinkConfigs: what is not said has a value', () => {
  assert.deepEqual(parseSinkConfigs('{"sinks":[]}'), [])
  assert.deepEqual(parseSinkConfigs(text(file, hook, syslog, s3)), [
    { ...file, deadlineMs: 2000, from: 'beginning', checkpointMinutes: 5, maxBytes: 104857600 },
    { ...hook, deadlineMs: 2000, from: 'beginning', checkpointMinutes: 5 },
    {
      ...syslog,
      deadlineMs: 2000,
      from: 'beginning',
      checkpointMinutes: 5,
      port: 514,
      path: '',
      facility: 13,
    },
    {
      ...s3,
      deadlineMs: 2000,
      from: 'beginning',
      checkpointMinutes: 5,
      prefix: '',
      lockMode: 'COMPLIANCE',
      retainDays: 365,
    },
  ])
})

test('parseSinkConfigs: what is said holds', () => {
  const said = {
    ...s3,
    prefix: 'a/b',
    lockMode: 'none',
    retainDays: 30,
    from: 'now',
    checkpointMinutes: 0,
    deadlineMs: 60000,
  }
  const [config] = parseSinkConfigs(text(said))
  assert.deepEqual(config, { ...said, prefix: 'a/b/', lockMode: null })
  const unix = { name: 'u', kind: 'syslog', mode: 'best-effort', transport: 'unix', path: '/run/x' }
  assert.deepEqual(parseSinkConfigs(text(unix)), [
    {
      ...unix,
      deadlineMs: 2000,
      from: 'beginning',
      checkpointMinutes: 5,
      host: '',
      port: 0,
      facility: 13,
    },
  ])
  const tls = { ...syslog, transport: 'tls' }
  assert.deepEqual(
    parseSinkConfigs(text(tls)).map((one) => 'port' in one && one.port),
    [6514],
  )
})

test('parseSinkConfigs: a sink keeps the secrets that are left out, another does not get them', () => {
  const before = parseSinkConfigs(text(hook, s3))
  const { key: _key, ...bare } = hook
  const { secretAccessKey: _secret, ...bareS3 } = s3
  assert.deepEqual(parseSinkConfigs(text(bare, bareS3), before), before)
  const refused = (sink: object) => () => parseSinkConfigs(text(sink), before)
  assert.throws(refused({ ...bare, name: 'other' }), /sinks\[0\]\.key must be a text/)
})

const REFUSED: readonly [what: string, given: string, message: string][] = [
  ['no JSON', '{', 'the file must be JSON.'],
  ['a list', '[]', 'the file must be an object.'],
  ['no list', '{}', 'sinks must be a list of at most 8.'],
  [
    'too many',
    text(...Array.from({ length: 9 }, () => file)),
    'sinks must be a list of at most 8.',
  ],
  ['a text', '{"sinks":["x"]}', 'sinks[0] must be an object.'],
  [
    'something else',
    '{"sinks":[],"more":1}',
    "the file has the member 'more', which means nothing there.",
  ],
  [
    'an unknown kind',
    text({ ...file, kind: 'kafka' }),
    'sinks[0].kind must be one of file, syslog, webhook, s3.',
  ],
  [
    'no mode',
    text({ ...file, mode: undefined }),
    'sinks[0].mode must be one of required, best-effort.',
  ],
  [
    'a mistyped member',
    text({ ...file, deadline: 5 }),
    "sinks[0] has the member 'deadline', which means nothing there.",
  ],
  [
    'a name with a slash',
    text({ ...file, name: 'a/b' }),
    'sinks[0].name must be lower case letters, digits and dashes.',
  ],
  ['one name twice', text(hook, { ...hook }), "sinks[1].name names 'h' twice."],
  [
    'a relative path',
    text({ ...file, path: 'audit.jsonl' }),
    'sinks[0].path must be an absolute path.',
  ],
  [
    'a deadline beyond that of callers',
    text({ ...file, deadlineMs: 4501 }),
    'sinks[0].deadlineMs must be a whole number between 100 and 4500.',
  ],
  [
    'a deadline of nothing',
    text({ ...file, deadlineMs: 0 }),
    'sinks[0].deadlineMs must be a whole number between 100 and 4500.',
  ],
  [
    'checkpoints more rarely than once a day',
    text({ ...file, checkpointMinutes: 1441 }),
    'sinks[0].checkpointMinutes must be a whole number between 0 and 1440.',
  ],
  [
    'a required sink over UDP',
    text({ ...syslog, transport: 'udp' }),
    'sinks[0].transport cannot be udp and required: nobody says that it arrived.',
  ],
  ['a short key', text({ ...hook, key: 'k' }), 'sinks[0].key must have 32 characters or more.'],
  [
    'a URL with a user',
    text({ ...hook, url: 'https://u:p@h.example' }),
    'sinks[0].url must be an https URL without a user.',
  ],
  [
    'no URL',
    text({ ...hook, url: 'h.example' }),
    'sinks[0].url must be an https URL without a user.',
  ],
  [
    'a bucket with a path',
    text({ ...s3, bucket: 'a/b' }),
    'sinks[0].bucket must be the name of a bucket.',
  ],
  [
    'the prototype',
    '{"sinks":[{"__proto__":{"name":"x"},"kind":"file"}]}',
    'sinks[0].name must be a text.',
  ],
]
for (const [what, given, message] of REFUSED)
  test(`parseSinkConfigs: ${what}`, () =>
    assert.throws(
      () => parseSinkConfigs(given),
      (error) => isFault(error, 'BAD_INPUT') && (assert.equal(error.message, message), true),
    ))
