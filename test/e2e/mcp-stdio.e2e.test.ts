import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { SecretText } from '../../src/core/secret-text.ts'
import { approvedProject } from '../support/approved-project.ts'
import { submitPage } from '../support/secret-server.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const { home, remove } = await temporaryHome()
after(remove)

// The person stored a secret and approved what the project may read; the server below is another process.
const value = `v-${randomBytes(12).toString('hex')}`
const project = await approvedProject(home, { 'api/key': value, 'db/key': value })

/** Not to be guessed, so that no warning is added to what is answered. */
const STRONG = randomBytes(24).toString('base64url')

interface Opened {
  readonly client: Client
  readonly stderr: () => string
}

async function connect(
  era: 'legacy' | 'modern',
  onVisit?: (url: string) => Promise<void>,
): Promise<Opened> {
  const client = new Client(
    { name: `${era}-e2e`, version: '1' },
    {
      capabilities: onVisit === undefined ? {} : { elicitation: { url: {} } },
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  )
  if (onVisit !== undefined)
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      await onVisit('url' in params ? params.url : '')
      return { action: 'accept' }
    })
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [LAUNCHER, 'mcp'],
    cwd: project,
    env: homeEnvironment(home),
    stderr: 'pipe',
  })
  let stderr = ''
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
  })
  await client.connect(transport)
  return { client, stderr: () => stderr }
}

for (const era of ['legacy', 'modern'] as const)
  test(`${era}: an approved project lists, reads, stores, and is refused elsewhere`, async () => {
    const { client, stderr } = await connect(era)
    const { tools } = await client.listTools()
    assert.equal(tools.length, 19)
    const listed = await client.callTool({ name: 'list_secrets', arguments: {} })
    const { names } = listed.structuredContent as { names: string[] }
    assert.ok(names.includes('api/key'))

    const read = await client.callTool({ name: 'get_secret', arguments: { path: 'api/key' } })
    assert.equal((read.structuredContent as { value: string }).value, value)

    const denied = await client.callTool({ name: 'get_secret', arguments: { path: 'db/key' } })
    assert.equal(denied.isError, true)
    assert.match(
      (denied.content[0] as { text: string }).text,
      /^Access denied \(agent doesn't have a policy for this path\)/,
    )
    const stored = await client.callTool({
      name: 'put_secret',
      arguments: { path: `new/${era}`, value: 'x' },
    })
    assert.equal((stored.structuredContent as { version: number }).version, 1)
    await client.close()
    const lines = stderr()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { level: string; message: string })
    assert.deepEqual(
      lines.map(({ level, message }) => [level, message]),
      [['info', 'secret accessed: api/key']],
    )
  })

for (const era of ['legacy', 'modern'] as const)
  test(`${era}: input_secret opens a page that the person fills in`, async () => {
    let status = Promise.resolve(0)
    const { client } = await connect(era, async (url) => {
      status = submitPage(url, { value: STRONG }).then((page) => page.status)
    })
    const path = `asked/${era}`
    const answer = await client.callTool({ name: 'input_secret', arguments: { name: path } })
    assert.deepEqual(answer.content, [{ type: 'text', text: `OK: '${path}' stored (version 1).` }])
    assert.equal(await status, 200)
    await client.close()
    const vault = await openTestVault({ home })
    const { value: typed } = await vault.vault.get(PERSON, 'default', path)
    assert.equal(typed.reveal(), STRONG)
    await vault.close()
  })

test('a change made by another process is told to a subscriber who may see it, within a second or so', async () => {
  const { client } = await connect('legacy')
  await client.callTool({ name: 'list_secrets', arguments: {} })
  let told = Promise.withResolvers<string>()
  let count = 0
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    count += 1
    told.resolve(params.uri)
  })
  await client.subscribeResource({ uri: 'vault://secrets' })
  const vault = await openTestVault({ home })
  const put = (path: string) =>
    vault.vault.put(PERSON, 'default', { path, value: SecretText.fromText('x') })
  await put('api/told')
  assert.equal(await told.promise, 'vault://secrets')
  // The project lists nothing there.
  await put('elsewhere/untold')
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  assert.equal(count, 1)
  told = Promise.withResolvers()
  await put('api/told')
  assert.equal(await told.promise, 'vault://secrets')
  await vault.close()
  await client.close()
})

interface Raw {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  answers(): object[]
}

function startRaw(): Raw {
  const child = spawn(process.execPath, [LAUNCHER, 'mcp'], {
    cwd: project,
    env: homeEnvironment(home),
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8')
  })
  return {
    child,
    exited: new Promise((resolve) => {
      child.on('close', resolve)
    }),
    answers: () =>
      out
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as object),
  }
}

const INITIALIZE = (version: string): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 'i',
    method: 'initialize',
    params: {
      protocolVersion: version,
      capabilities: {},
      clientInfo: { name: 'raw', version: '1' },
    },
  })

const versions: readonly [asked: string, answered: string][] = [
  ['2024-11-05', '2024-11-05'],
  ['2025-03-26', '2025-03-26'],
  ['2025-06-18', '2025-06-18'],
  ['2025-11-25', '2025-11-25'],
  ['1999-01-01', '2025-11-25'],
]
for (const [asked, answered] of versions)
  test(`initialize with ${asked} is answered with ${answered}, and the end of input with exit 0`, async () => {
    const raw = startRaw()
    raw.child.stdin?.end(`${INITIALIZE(asked)}\n`)
    assert.equal(await raw.exited, 0)
    const [answer] = raw.answers() as { result: { protocolVersion: string } }[]
    assert.equal(answer?.result.protocolVersion, answered)
  })

test('a batch is answered in one, in the revision that has batches', async () => {
  const raw = startRaw()
  const batch =
    '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/list"}]'
  raw.child.stdin?.write(`${INITIALIZE('2025-03-26')}\n`)
  await new Promise((resolve) => {
    raw.child.stdout?.once('data', resolve)
  })
  raw.child.stdin?.end(`${batch}\n`)
  assert.equal(await raw.exited, 0)
  const answered = raw.answers().find((answer) => Array.isArray(answer)) as { id: number }[]
  assert.deepEqual(
    answered.map(({ id }) => id).toSorted((a, b) => a - b),
    [1, 2],
  )
})

test('hostile frames are answered and the server lives on', async () => {
  const raw = startRaw()
  const { stdin } = raw.child
  assert.ok(stdin)
  const frames = [
    INITIALIZE('2025-06-18'),
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":',
    '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    '{"jsonrpc":"2.0","id":2,"method":"no/such"}',
    `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_secret","arguments":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
    '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"get_secret","arguments":{"path":"__proto__/constructor"}}}',
  ]
  stdin.write(`${frames.join('\n')}\n`)
  // A hundred megabytes in one line.
  const chunk = Buffer.alloc(1_000_000, 0x61)
  for (let i = 0; i < 100; i += 1)
    if (!stdin.write(chunk))
      await new Promise((resolve) => {
        stdin.once('drain', resolve)
      })
  stdin.end('\n{"jsonrpc":"2.0","id":5,"method":"ping"}\n')
  assert.equal(await raw.exited, 0)
  const answers = (raw.answers() as Record<string, unknown>[]).filter(
    (answer) => !('method' in answer),
  )
  const codes = answers
    .filter((answer) => 'error' in answer)
    .map((answer) => [answer['id'], (answer['error'] as { code: number }).code])
  for (const expected of [
    [null, -32700],
    [null, -32600],
    [2, -32601],
  ])
    assert.ok(
      codes.some(([id, code]) => id === expected[0] && code === expected[1]),
      JSON.stringify(expected),
    )
  assert.equal(codes.filter(([id, code]) => id === null && code === -32600).length, 2)
  for (const id of [3, 4])
    assert.ok(
      answers.some((answer) => answer['id'] === id),
      `request ${id} was answered`,
    )
  assert.deepEqual(
    answers.find((answer) => answer['id'] === 5),
    { jsonrpc: '2.0', id: 5, result: {} },
  )
})
