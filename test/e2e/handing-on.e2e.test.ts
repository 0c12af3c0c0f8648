import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { AGENT, PERSON } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

const place = gatedHome('handing-on')
const { piped, proven, provenJson, beside } = place
const skip = noGatedHome
after(() => place.remove())

before(async () => {
  if (skip !== false) return
  await place.setPresence()
  await beside(async ({ vault, identity }) => {
    for (const path of ['db/url', 'aws/root'])
      await vault.put(PERSON, 'default', { path, value: secret(`value of ${path}`) })
    await identity.agents.create(PERSON, { name: 'deploy' })
  })
})

interface Share {
  readonly id: string
  readonly path: string
  readonly state: string
  readonly recipient_type: string
  readonly access_count: number
  readonly max_access_count: number | null
  readonly link?: string
}

test('share: made for an agent and for a link behind the gate, listed, opened, revoked', {
  skip,
}, async () => {
  const refused = await piped(['share', 'create', 'db/url', '--link', '--expires', '1h'])
  assert.deepEqual([refused.exit, refused.stdout], [5, ''])
  const forAgent = await provenJson<Share>([
    'share',
    'create',
    'db/url',
    '--agent',
    'deploy',
    '--expires',
    '1d',
    '--reads',
    '1',
  ])
  assert.deepEqual([forAgent.recipient_type, forAgent.max_access_count], ['agent', 1])
  const { link = '', id } = await provenJson<Share>([
    'share',
    'create',
    'db/url',
    '--link',
    '--expires',
    '8h',
  ])
  const [, shared, token = ''] = /^\/share\/([\w-]+)#(\S+)$/.exec(link) ?? []
  assert.equal(shared, id)
  // What is behind the # stands nowhere in the store's records.
  await beside(async ({ audit, sharing }) => {
    for (const { body } of await audit.query({ limit: 1000 })) assert.ok(!body.includes(token))
    const opener = { address: '203.0.113.9', channel: 'http' } as const
    const opened = await sharing.shares.open(id, secret(token), opener)
    assert.equal(opened.value.reveal(), 'value of db/url')
  })
  const { shares } = await provenJson<{ shares: Share[] }>(['share', 'ls'])
  assert.deepEqual(
    new Set(shares.map((one) => `${one.recipient_type} ${one.state} ${one.access_count}`)),
    new Set(['agent open 0', 'anyone_with_link open 1']),
  )
  await proven(['share', 'revoke', id])
  const after = await provenJson<{ shares: Share[] }>(['share', 'ls'])
  assert.equal(after.shares.find((one) => one.id === id)?.state, 'revoked')
})

test('quota: set behind the gate, seen by everybody, and what is beyond it is refused', {
  skip,
}, async () => {
  assert.equal((await piped(['quota', 'show'])).stdout, 'Nothing is limited.\n')
  const refused = await piped(['quota', 'set', 'local', '--writes', '1'])
  assert.equal(refused.exit, 5)
  const set = await provenJson<object>(['quota', 'set', 'local', '--writes', '1'])
  const month = new Date().toISOString().slice(0, 7)
  assert.deepEqual(set, {
    subject: 'agent:local',
    month,
    reads: null,
    writes: 1,
    used: { reads: 0, writes: 0 },
  })
  const rotate = (path: string) =>
    beside(({ vault }) => vault.put(AGENT, 'default', { path, value: secret('a new value') }))
  await rotate('made/one')
  const { stdout } = await piped(['quota', 'show', '--json'])
  const { quotas } = JSON.parse(stdout) as { quotas: { used: object }[] }
  assert.deepEqual(quotas[0]?.used, { reads: 0, writes: 1 })
  await assert.rejects(rotate('made/two'), /Free tier quota exhausted\./)
  assert.match(await proven(['quota', 'set', 'local', '--writes', 'none']), /any number/)
})

test('secret canary: what an agent tries by the command line rings, and the list counts it', {
  skip,
}, async () => {
  const refused = await piped(['secret', 'canary', 'aws/root', '--on'])
  assert.equal(refused.exit, 5)
  const made = await provenJson<{ freezes: boolean }>([
    'secret',
    'canary',
    'aws/root',
    '--on',
    '--notes',
    'opens nothing',
  ])
  assert.equal(made.freezes, false)
  const tries: readonly [exit: number, argv: readonly string[]][] = [
    [5, ['secret', 'rotate', 'aws/root']],
    [5, ['secret', 'rm', 'aws/root']],
    // Whoever has no approved list sees all names, and that he looked.
    [0, ['secret', 'describe', 'aws/root']],
    [1, ['run', '--env', 'KEY=secret://aws/root', '--', 'true']],
  ]
  for (const [exit, argv] of tries) assert.equal((await piped(argv)).exit, exit, argv.join(' '))
  const { canaries } = await provenJson<{ canaries: { path: string; triggered: number }[] }>([
    'secret',
    'canary',
  ])
  const rang = JSON.parse(
    (await piped(['audit', 'query', '--action', 'canary.triggered', '--json'])).stdout,
  ) as { entries: { actor: string; body: string }[] }
  const asked = rang.entries
    .map(({ body }) => (JSON.parse(body) as { detail: { asked: string } }).detail.asked)
    .toReversed()
  assert.deepEqual(asked, ['secret.rotate', 'secret.delete', 'secret.describe', 'secret.use'])
  assert.deepEqual(
    canaries.map(({ path, triggered }) => [path, triggered]),
    [['aws/root', 4]],
  )
  await proven(['secret', 'canary', 'aws/root', '--off'])
  assert.equal((await piped(['secret', 'rm', 'aws/root'])).exit, 5)
  assert.match(await proven(['secret', 'canary']), /^There is none\.$/m)
})
