import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { CliDeps } from '../../src/cli/deps.ts'
import { runProgram } from '../../src/cli/program.ts'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { memoryStreams } from '../support/streams.ts'
import { PERSON } from '../support/vault.ts'

const place = gatedHome('registry')
const { piped, proven, provenJson } = place
after(() => place.remove())

const json = async (argv: readonly string[]): Promise<unknown> => {
  const { exit, stdout, stderr } = await piped([...argv, '--json'])
  assert.equal(exit, 0, stderr)
  return JSON.parse(stdout)
}

for (const wrong of [
  ['server', 'add', 'files'],
  ['server', 'add', 'files', '--url', 'https://example.org/', '--', 'node'],
  ['server', 'add', 'files', '--header', 'K=secret://a', '--', 'node'],
  ['server', 'add', 'files', '--url', 'https://example.org/', '--env', 'K'],
  ['server', 'add', 'files', '--call-timeout', '90', '--', 'node'],
  ['server', 'add', 'files', '--max-open', '0', '--', 'node'],
  ['policy', 'attach', 'strict'],
  ['policy', 'attach', 'strict', '--server', 'a', '--grant', 'b'],
])
  test(`${wrong.join(' ')} is told before anybody is asked`, async () => {
    const deps: unknown = new Proxy(
      { close: async () => {} },
      { get: (target, key) => Reflect.get(target, key) ?? (() => assert.fail(String(key))) },
    )
    const streams = memoryStreams()
    assert.equal(await runProgram(wrong, deps as CliDeps, streams), 2)
    assert.match(streams.written.stderr(), /^sallyport: \S+ .*\.\n/)
  })

test('servers and policies are changed behind the gate and read before it', {
  skip: noGatedHome,
}, async () => {
  await place.setPresence()
  const policy = join(place.project, 'policy.json')
  const text = '{"version": "1",\n "default": "deny"}\n'
  writeFileSync(policy, text)
  const changes = [
    [
      'server',
      'add',
      'files',
      '--env',
      'HOME',
      '--call-timeout',
      '90s',
      '--',
      'node',
      '--version',
      'a b',
    ],
    ['policy', 'set', 'strict', policy],
    ['policy', 'attach', 'strict', '--server', 'files'],
    ['policy', 'detach', 'strict', '--server', 'files'],
    ['policy', 'rm', 'strict'],
    ['server', 'rm', 'files'],
  ]
  // What is not there is told before the gate; what could be changed waits behind it.
  for (const [at, change] of changes.entries())
    assert.equal((await piped(change)).exit, at < 2 ? 5 : 4, change.join(' '))
  assert.deepEqual(await json(['server', 'ls']), { servers: [] })

  const [add = [], set = [], attach = [], detach = [], drop = [], remove = []] = changes
  assert.equal(await proven(add), 'The server files is there.\n')
  const { revision } = await provenJson<{ revision: string }>(set)
  assert.match(revision, /^[0-9a-f]{16}$/)
  assert.equal(await proven(attach), 'The calls of the server files are judged by: strict.\n')
  for (const change of changes.slice(3))
    assert.equal((await piped(change)).exit, 5, change.join(' '))
  const hub = ['server', 'add', 'hub', '--url', 'https://mcp.example.org/mcp']
  await proven([...hub, '--header', 'Authorization=Bearer secret://hub/token'])

  assert.match(
    (await piped(['server', 'ls'])).stdout,
    /^NAME +KIND +POLICIES +TARGET\nfiles +stdio +strict +node --version 'a b'\nhub +http +- +https:\/\/mcp\.example\.org\/mcp\n$/,
  )
  const shown = (await json(['server', 'show', 'files'])) as Record<string, unknown>
  assert.deepEqual(
    [shown['command'], shown['env'], shown['policies'], shown['created_by'], shown['limits']],
    [['node', '--version', 'a b'], ['HOME'], ['strict'], 'person:local', { call: '90s' }],
  )
  assert.match((await piped(['server', 'show', 'hub'])).stdout, /Bearer secret:\/\/hub\/token/)
  assert.match((await piped(['server', 'show', 'files'])).stdout, /^limits +call=90s$/m)
  assert.equal((await piped(['policy', 'show', 'strict'])).stdout, text)
  assert.match(
    (await piped(['policy', 'ls'])).stdout,
    new RegExp(`strict +${revision} .* files\n$`),
  )

  writeFileSync(policy, '{"version": "1"}')
  const wrong = await piped(set)
  assert.equal(wrong.exit, 2)
  assert.ok(wrong.stderr.includes(`${policy}:1:1: `), wrong.stderr)
  const limits = [{ counter: 'c', window: 60, max: 5, scope: 'session' }]
  writeFileSync(policy, JSON.stringify({ version: '1', default: 'deny', all_tools: { limits } }))
  const warned = ['policy', 'set', 'warned', policy]
  const { terminal } = await place.provenAndSeen(warned)
  assert.match(terminal, /warning: .*policy\.json:1:\d+: .*session/)
  const { warnings } = await provenJson<{ warnings: { problem: string }[] }>(warned)
  assert.match(warnings[0]?.problem ?? '', /session/)
  await proven(['policy', 'rm', 'warned'])
  assert.match(
    await place.beside(async (vault) => {
      const { policies } = await vault.registry()
      return (await policies.get(PERSON, 'strict')).text
    }),
    /default/,
  )
  await proven(detach)
  await proven(drop)
  await proven(remove)
  assert.equal((await piped(['server', 'show', 'files'])).exit, 4)
  assert.deepEqual(await json(['policy', 'ls']), { policies: [] })
})

const missing: readonly [argv: readonly string[], exit: number, said: RegExp][] = [
  [['policy', 'attach', 'nope', '--server', 'files'], 4, /no policy 'nope'/],
  [['policy', 'attach', 'kept', '--server', 'nope'], 4, /no server 'nope'/],
  [['policy', 'attach', 'kept', '--grant', 'nope'], 4, /no grant 'nope' that counts/],
  [['policy', 'detach', 'nope', '--server', 'files'], 4, /no policy 'nope'/],
  [['policy', 'detach', 'kept', '--server', 'nope'], 4, /no server 'nope'/],
  [['policy', 'rm', 'nope'], 4, /no policy 'nope'/],
  [['grant', 'create', 'nope', '--server', 'files', '--label', 'l'], 4, /no agent 'nope'/],
  [['grant', 'create', 'deploy', '--server', 'nope', '--label', 'l'], 2, /server names 'nope'/],
  [['grant', 'rotate', 'nope'], 4, /no grant 'nope' that counts/],
  [['grant', 'revoke', 'nope'], 4, /no grant 'nope' that counts/],
  [['server', 'rm', 'nope'], 4, /no server 'nope'/],
  [['server', 'login', 'nope'], 4, /no server 'nope'/],
  [['server', 'logout', 'nope'], 4, /no server 'nope'/],
]
test('names of what is not there are told before anybody is asked for the passphrase', async (t) => {
  await place.beside(async ({ identity, registry }) => {
    const { servers, policies } = await registry()
    await servers.add(PERSON, 'files', { kind: 'stdio', command: ['server'], variables: [] })
    await policies.set(PERSON, 'kept', Buffer.from('{"version":"1","default":"deny"}'))
    await identity.agents.create(PERSON, { name: 'deploy' })
  })
  for (const [argv, exit, said] of missing)
    await t.test(argv.join(' '), async () => {
      const ran = await piped(argv)
      assert.equal(ran.exit, exit, ran.stderr)
      assert.match(ran.stderr, said)
    })
})
