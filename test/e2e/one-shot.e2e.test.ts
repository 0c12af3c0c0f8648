// `sallyport wrap` in a pipe: a client that writes all it has and ends, as scripts do.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EVERYTHING } from '../support/everything.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'

const { home, remove } = await temporaryHome()
after(remove)

const place = (name: string): string =>
  fileURLToPath(new URL(`../support/${name}`, import.meta.url))
const LINES = place('line-server.mjs')
const BOTH_ERAS = place('echo-server.mjs')
const MODERN = place('modern-server.mjs')

const HELLO = [
  {
    id: 0,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'script', version: '1' },
    },
  },
  { method: 'notifications/initialized' },
]
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'script', version: '1' },
}
const called = (id: number, text: string, more: object = {}): object => ({
  id,
  method: 'tools/call',
  params: { name: 'echo', arguments: { text, message: text }, ...more },
})

interface Answer {
  readonly id: number
  readonly result?: { readonly content?: readonly { readonly text: string }[] }
  readonly error?: { readonly message: string }
}

function piped(
  server: readonly string[],
  messages: readonly object[],
  { flags = [], asFile = false }: { flags?: readonly string[]; asFile?: boolean } = {},
): ReadonlyMap<number, Answer> {
  const input = messages.map((one) => `${JSON.stringify({ jsonrpc: '2.0', ...one })}\n`).join('')
  const file = join(home, 'input')
  writeFileSync(file, input)
  const { stdout } = spawnSync(process.execPath, [LAUNCHER, 'wrap', ...flags, '--', ...server], {
    cwd: home,
    env: homeEnvironment(home),
    encoding: 'utf8',
    timeout: 60_000,
    ...(asFile ? { stdio: [openSync(file, 'r'), 'pipe', 'pipe'] } : { input }),
  })
  const answers = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Answer)
  return new Map(answers.map((answer) => [answer.id, answer]))
}

const node = process.execPath
const log = join(home, 'server.log')

for (const [what, server, asFile] of [
  ['a server of its own era', [node, LINES, log], false],
  ['a server of its own era, from a file', [node, LINES, log], true],
  ['a server of both eras', [node, BOTH_ERAS], false],
  ['a server of the newer era', [node, MODERN, 'stdio'], false],
] as const)
  test(`a script that writes all and ends is answered: ${what}`, () => {
    const calls = Array.from({ length: 20 }, (_, at) => called(at + 2, `text ${at}`))
    const answers = piped(
      server,
      [...HELLO, { id: 1, method: 'tools/list' }, ...calls, { id: 30, method: 'ping' }],
      { asFile },
    )
    for (const id of [0, 1, 30]) assert.ok(answers.get(id)?.result, `${id}`)
    for (let at = 0; at < 20; at += 1)
      assert.match(answers.get(at + 2)?.result?.content?.[0]?.text ?? '', new RegExp(`text ${at}$`))
  })

for (const [what, server] of [
  ['a server of both eras', [node, BOTH_ERAS]],
  ['a server of the newer era', [node, MODERN, 'stdio']],
  ['a server of the older era', [node, EVERYTHING, 'stdio']],
] as const)
  test(`a single call without a session is answered: ${what}`, () => {
    const answers = piped(server, [called(1, 'alone', { _meta: META })])
    assert.match(answers.get(1)?.result?.content?.[0]?.text ?? '', /alone$/)
  })

test('what counts against a limit is what reached the server', () => {
  const policy = join(home, 'policy.json')
  const limits = [{ counter: 'calls', window: 'day', max: 2 }]
  const document = { version: '1', default: 'deny', tools: { echo: { limits } } }
  writeFileSync(policy, JSON.stringify(document))
  const own = join(home, 'limited.log')
  const run = (server: readonly string[]): string => {
    const answer = piped(server, [...HELLO, called(1, 'once')], { flags: ['--policy', policy] })
    const { result, error } = answer.get(1) ?? {}
    return result?.content?.[0]?.text ?? error?.message ?? ''
  }
  // One that ends before it said anything was never sent the call.
  for (let time = 0; time < 3; time += 1) assert.match(run(['/bin/true']), /The server ended/)
  const lines = [node, LINES, own]
  assert.deepEqual([run(lines), run(lines)], ['once', 'once'])
  assert.match(run(lines), /^\[POLICY DENIED\] The limit 'calls'/)
  assert.equal(readFileSync(own, 'utf8').match(/"tools\/call"/g)?.length, 2)
})
