// What a server writes to its standard error goes on to ours, and from there into logs: without known values.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { createTokens } from '../../src/vault/index.ts'
import { approvedProject } from '../support/approved-project.ts'
import { projectAgent } from '../support/project-agent.ts'
import { startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { startWrapped, type Wrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
const held = `v-${randomBytes(24).toString('hex')}`
const fresh = `v-${randomBytes(24).toString('hex')}`
const project = await approvedProject(home, { 'api/held': held, 'api/fresh': fresh })
await fetched('api/held')
const vault = await openTestVault({ home })
after(async () => {
  await vault.close()
  await remove()
})

async function fetched(path: string): Promise<void> {
  const agent = await projectAgent(home, project)
  await agent.callTool({ name: 'get_secret', arguments: { path } })
  await agent.close()
}

/** Writes what it is given to its standard error, piece by piece, and answers then. */
const TELLS = `
  const { setTimeout: wait } = require('node:timers/promises')
  require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
    const { id, method, params = {} } = JSON.parse(line)
    for (const piece of params.arguments?.pieces ?? []) {
      process.stderr.write(Buffer.from(piece, params.arguments.encoding))
      await wait(60)
    }
    if (params.arguments?.exit !== undefined) process.exit(params.arguments.exit)
    const result = method === 'initialize'
      ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'e', version: '1' } }
      : { content: [] }
    if (id !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n')
  })`
const command = [process.execPath, '-e', TELLS]

/** Without what inspection tells of values that go to the server. */
const QUIET = { SALLYPORT_LOG_LEVEL: 'error' }
const MARKER = '[REDACTED:api/held]'
const PIECES = [
  'started, größer\n',
  `whole ${held} it is\n`,
  `encoded ${btoa(held)} it is\n`,
  `in two ${held.slice(0, 20)}`,
  `${held.slice(20)} it is\nand more\n`,
]
const SHOWN = `started, größer
whole ${MARKER} it is
encoded ${MARKER} it is
in two ${MARKER} it is
and more
`

const told = (id: number, args: object): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'tell', arguments: args },
  })

async function until(claim: () => boolean, what: () => string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (claim()) return
    await sleep(20)
  }
  assert.fail(what())
}

test('`wrap` passes on what a server writes to its standard error, without known values', async () => {
  const wrapped = startWrapped(home, {
    command,
    flags: ['--policy', await openPolicy()],
    env: QUIET,
  })
  const { stderr } = wrapped
  await wrapped.call(1, 'tell', { pieces: PIECES })
  await until(() => stderr().endsWith('and more\n'), stderr)
  assert.equal(stderr(), SHOWN)
  // What does not end a line waits for its end a moment, and no longer.
  await wrapped.call(2, 'tell', { pieces: ['Password: '] })
  await until(() => stderr().endsWith('Password: '), stderr)
  await wrapped.call(3, 'tell', { pieces: ['\n'] })
  wrapped.send(told(4, { pieces: [`last words ${held}`], exit: 7 }))
  assert.equal(await wrapped.exited, 7)
  assert.equal(stderr(), `${SHOWN}Password: \nlast words ${MARKER}`)
})

test('what is no UTF-8, or not whole, goes on as the same bytes', async () => {
  const wrapped = startWrapped(home, {
    command,
    flags: ['--policy', await openPolicy()],
    env: QUIET,
  })
  const hex = (text: string): string => Buffer.from(text).toString('hex')
  const marked = hex(`whole ${MARKER} it is\n`)
  const pieces: readonly (readonly [written: string, shown?: string])[] = [
    // A mark at the beginning, bytes that begin nothing, a lone half of a pair, more than a character needs.
    ['efbbbf41fffe8042c3280a'],
    ['eda0bdc0af f4908080 0a'.replaceAll(' ', '')],
    // Characters in two pieces, with and without their second half.
    ['67c3'],
    ['b6f09f'],
    ['98800ae2'],
    ['820a'],
    [`ff${hex(`whole ${held} it is\n`)}`, `ff${marked}`],
    [`${hex('größer')}80${hex(held.slice(0, 20))}`, `${hex('größer')}80`],
    [`${hex(`${held.slice(20)} it is`)}fe0a`, `${hex(`${MARKER} it is`)}fe0a`],
    // The end of it.
    ['41f09f98'],
  ]
  const shown = pieces.map(([written, as = written]) => as).join('')
  await wrapped.call(1, 'tell', { encoding: 'hex', pieces: pieces.map(([written]) => written) })
  await until(
    () => wrapped.stderrBytes().toString('hex') === shown,
    () => wrapped.stderrBytes().toString('hex'),
  )
  wrapped.send(told(2, { encoding: 'hex', pieces: ['41c3'], exit: 7 }))
  assert.equal(await wrapped.exited, 7)
  assert.equal(wrapped.stderrBytes().toString('hex'), `${shown}41c3`)
})

test('a value that becomes known while the server runs is not in what it writes from then on', async () => {
  const wrapped = startWrapped(home, {
    command,
    flags: ['--policy', await openPolicy()],
    env: QUIET,
  })
  await wrapped.call(1, 'tell', { pieces: ['one\n'] })
  await fetched('api/fresh')
  await sleep(1_000)
  await wrapped.call(2, 'tell', { pieces: [`two ${fresh}\n`] })
  await wrapped.end()
  assert.equal(wrapped.stderr(), 'one\ntwo [REDACTED:api/fresh]\n')
})

test('where known values stay in answers, they stay there, too', async () => {
  const wrapped = startWrapped(home, {
    command,
    flags: ['--policy', await openPolicy()],
    env: { ...QUIET, SALLYPORT_MCP_REDACT_SECRETS: 'false' },
  })
  await wrapped.call(1, 'tell', { pieces: PIECES })
  await wrapped.end()
  assert.equal(wrapped.stderr(), PIECES.join(''))
})

test('where it cannot be told what is known, nothing is passed on, and that is said once', async () => {
  const file = join(home, 'no-directory')
  await writeFile(file, '')
  const twice = `process.stderr.write('early\\n'); setTimeout(() => process.stderr.write('late\\n'), 300); ${TELLS}`
  const wrapped = startWrapped(home, {
    command: [process.execPath, '-e', twice],
    env: { SALLYPORT_DATA_DIR: join(file, 'data') },
  })
  const withheld = 'withheld","server":"lines","reason":"STORE_UNAVAILABLE"'
  await until(() => wrapped.stderr().includes(withheld), wrapped.stderr)
  await sleep(500)
  await wrapped.end()
  assert.equal(wrapped.stderr().split(withheld).length, 2)
  assert.doesNotMatch(wrapped.stderr(), /early|late/)
})

test('a server is not kept alive by what it left behind on its standard error', async () => {
  const helper = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: ['ignore', 'ignore', 'inherit'] }); process.stderr.write('going\\n', () => process.exit(3))`
  const wrapped = startWrapped(home, {
    command: [process.execPath, '-e', helper],
    flags: ['--policy', await openPolicy()],
  })
  assert.equal(await wrapped.exited, 3)
  assert.equal(wrapped.stderr(), 'going\n')
})

test('a client that does not read what a server writes can still end both', async () => {
  const wrapped = startWrapped(home, { command, flags: ['--policy', await openPolicy()] })
  await wrapped.call(1, 'tell')
  wrapped.child.stderr?.pause()
  const pieces = ['x\n'.repeat(500_000)]
  await wrapped.call(2, 'tell', { pieces })
  await wrapped.ask(3, 'ping')
  const ended = once(wrapped.child, 'exit')
  wrapped.send(told(4, { pieces, exit: 5 }))
  assert.deepEqual(await ended, [5, null])
  wrapped.child.stderr?.resume()
})

/** Writes without end, and does not end by itself. */
const NOISE = `setInterval(() => process.stderr.write('x'.repeat(65_536)), 5); ${TELLS}`
const unread: readonly [what: string, end: (wrapped: Wrapped) => unknown, withinMs: number][] = [
  ['one that exits', ({ send }) => send(told(2, { exit: 143 })), 3_000],
  ['one that is asked to end when its input ended', ({ child }) => child.stdin?.end(), 6_000],
  ['one whose `wrap` is asked to end', ({ child }) => child.kill('SIGTERM'), 3_000],
]
for (const [what, end, withinMs] of unread)
  test(`a client that does not read what a server writes waits no longer for the end of ${what}`, async () => {
    const wrapped = startWrapped(home, {
      command: [process.execPath, '-e', NOISE],
      flags: ['--policy', await openPolicy()],
    })
    wrapped.child.stderr?.pause()
    await wrapped.call(1, 'tell')
    await sleep(500)
    const from = monotonicMs()
    const ended = once(wrapped.child, 'exit')
    end(wrapped)
    assert.deepEqual(await ended, [143, null])
    const tookMs = monotonicMs() - from
    assert.ok(tookMs < withinMs, `${tookMs} ms`)
    wrapped.child.stderr?.resume()
  })

test('`up` passes it on without the values that the caller knows', async () => {
  const { servers, policies } = await vault.registry()
  await servers.add(PERSON, 'tells', { kind: 'stdio', command, variables: [] })
  await policies.set(PERSON, 'open', Buffer.from(OPEN))
  await policies.attach(PERSON, 'open', { kind: 'server', name: 'tells' })
  const { token } = await (await createTokens(vault)).create('local', null)
  const serving = await startServing(home, QUIET)
  try {
    for (const [address, mode, name] of [
      ['/s/tells/mcp', 'legacy', 'tell'],
      ['/s/tells/mcp', 'auto', 'tell'],
      ['/mcp/all', 'auto', 'tells.tell'],
    ] as const) {
      const before = serving.log().length
      const client = new Client({ name: mode, version: '1' }, { versionNegotiation: { mode } })
      await client.connect(
        new StreamableHTTPClientTransport(new URL(address, serving.url), {
          requestInit: { headers: { Authorization: `Bearer ${token.reveal()}` } },
        }),
      )
      await client.callTool({ name, arguments: { pieces: PIECES } })
      await until(() => serving.log().slice(before).includes(SHOWN), serving.log)
      await client.close()
    }
    assert.ok(!serving.log().includes(held.slice(20)))
  } finally {
    await serving.stop()
  }
})

const OPEN = '{"version":"1","default":"allow"}'

async function openPolicy(): Promise<string> {
  const file = join(home, 'open.json')
  await writeFile(file, OPEN)
  return file
}
