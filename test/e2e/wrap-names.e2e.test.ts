// What a server behind `sallyport wrap` is called, in what the person is told and in the audit.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { startWrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)
const value = `tk_${randomBytes(24).toString('base64url')}`
const policy = join(home, 'policy.json')
await writeFile(policy, '{"version":"1","default":"deny"}')

const unnamed: readonly [command: readonly string[], name: string][] = [
  [['docker', 'run', '--env', `KEY=${value}`, 'acme/files'], 'acme-files'],
  [['docker', 'run', '-e', `KEY=${value}`, 'registry.example.org/acme/files:1'], 'acme-files'],
  [[process.execPath, join(home, 'a', 'dist', 'index.mjs')], 'a'],
  [[process.execPath, join(home, 'b', 'dist', 'index.mjs')], 'b'],
  [['--url', `http://127.0.0.1:9/${value}/mcp`], '127.0.0.1-9-[0-9a-f]{8}-mcp'],
]
for (const [server, name] of unnamed)
  test(`without a name a server is told from others, by no value of it: ${name}`, () => {
    const command = server[0] === '--url' ? server : ['--', ...server]
    const { stderr } = spawnSync(process.execPath, [LAUNCHER, 'wrap', ...command], {
      env: { ...homeEnvironment(home), PATH: home },
      input: '',
      encoding: 'utf8',
    })
    assert.match(stderr, new RegExp(`^sallyport: No policy for ${name}: `))
    assert.equal(stderr.includes(value), false)
  })

test('the audit shows which tool of which server was called, and finds calls by both', async () => {
  const wrapped = startWrapped(home, { flags: ['--policy', policy] })
  await wrapped.call(1, 'read_it')
  await wrapped.call(2, 'write_it')
  await wrapped.end()
  const shown = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, 'audit', ...args], {
      env: homeEnvironment(home),
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
    return stdout
  }
  assert.match(shown('tail'), / {2}tool\.call \(refusal\) {2}lines: write_it {2}refused: /)
  const found = shown('query', '--server', 'lines', '--tool', 'read_it')
  assert.match(
    found,
    /^SEQ +TIME +ACTOR +VIA +ACTION +WHAT +DECISION\n.* lines: read_it +refused: /,
  )
  assert.equal(found.trimEnd().split('\n').length, 2)
  const { entries } = JSON.parse(shown('query', '--tool', 'read_it', '--json')) as {
    readonly entries: readonly Readonly<Record<string, unknown>>[]
  }
  assert.deepEqual(
    entries.map(({ server, tool, method }) => [server, tool, method]),
    [['lines', 'read_it', null]],
  )
  assert.equal(shown('query', '--server', 'others', '--tool', 'read_it'), '')
})
