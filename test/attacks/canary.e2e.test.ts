// Marked values and tokens go through every tool, command and failure of the real program, and are then looked for in
// everything that it said, recorded, stored and holds in memory.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { SecretText } from '../../src/core/secret-text.ts'
import { sleep } from '../../src/core/time.ts'
import { createTokens, createTrust } from '../../src/vault/index.ts'
import { Canaries } from '../support/canary.ts'
import { lookInto } from '../support/live-memory.ts'
import { setPresence } from '../support/presence.ts'
import { onTerminal } from '../support/pty.ts'
import { programMissing } from '../support/require.ts'
import { submitPage } from '../support/secret-server.ts'
import { homeEnvironment, LAUNCHER } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const canaries = new Canaries()
const value = canaries.mark('value')
const member = canaries.mark('member')
const file = canaries.mark('file')
const given = canaries.mark('given')
const refused = canaries.mark('refused')
const typed = canaries.mark('typed')
const passphrase = canaries.mark('passphrase')
const wrong = canaries.mark('wrong')
let token = ''

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-canary-')))
const home = join(folder, 'home')
const project = join(folder, 'project')
/** What core dumps, reports and snapshots would be written into. */
const dumps = join(folder, 'dumps')

/** What a test that fails would leave behind. */
const clients: Client[] = []
const children: ChildProcess[] = []

const env = { ...homeEnvironment(home), SALLYPORT_LOG_LEVEL: 'debug', HOME: project }

before(async () => {
  for (const one of [project, dumps]) mkdirSync(one)
  writeFileSync(join(project, '.sallyport.yml'), 'allow: ["api/**"]\nrun: ["api/**"]\n')
  writeFileSync(join(project, '.env'), 'KEY=secret://api/value\n')
  const stack = await openTestVault({ home })
  const put = (path: string, text: string, type: 'api_key' | 'env_bundle' | 'file') =>
    stack.vault.put(PERSON, 'default', { path, value: SecretText.fromText(text), type })
  await put('api/value', value, 'api_key')
  await put('api/bundle', `TOKEN=${member}\nOTHER="${member}"\n`, 'env_bundle')
  await stack.vault.put(PERSON, 'default', {
    path: 'api/file',
    value: new SecretText(Buffer.concat([Buffer.from([0, 255]), Buffer.from(file)])),
    type: 'file',
  })
  await put('other/value', value, 'api_key')
  const trust = createTrust(stack)
  await trust.allow(PERSON, await trust.standing(project))
  const made = await (await createTokens(stack)).create('canary', project)
  token = made.token.reveal()
  canaries.watch('token', token)
  await setPresence(stack, passphrase)
  await stack.close()
})
after(async () => {
  await Promise.all(clients.map((client) => client.close()))
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Nothing marked in it, but what is meant to be there. */
function assertClean(what: string, text: string | Uint8Array, except: readonly string[] = []) {
  const found = canaries.find(text, except)
  assert.deepEqual(found, [], `${what} holds ${found.join()}`)
}

interface Call {
  readonly name: string
  readonly arguments: Record<string, unknown>
  /** What the answer is meant to carry. */
  readonly carries?: readonly string[]
}

const long = (text: string): string => text.repeat(Math.ceil(90_000 / text.length))

/** An id that is nobody's. */
const NOBODY = '00000000-0000-4000-8000-000000000000'

const CALLS: readonly Call[] = [
  { name: 'get_secret', arguments: { path: 'api/value' }, carries: ['value'] },
  { name: 'get_secret', arguments: { name: 'api/file' }, carries: ['file'] },
  { name: 'get_env_bundle', arguments: { path: 'api/bundle' }, carries: ['member'] },
  { name: 'put_secret', arguments: { path: 'api/put', value: given } },
  { name: 'set_secret', arguments: { name: 'api/set', value: given } },
  { name: 'rotate_and_store', arguments: { path: 'api/put', value: given } },
  { name: 'rotate_generate', arguments: { path: 'api/put', length: 40 } },
  { name: 'list_secrets', arguments: {} },
  { name: 'search_secrets', arguments: { pattern: 'api' } },
  { name: 'describe_secret', arguments: { path: 'api/value' } },
  { name: 'list_versions', arguments: { path: 'api/put' } },
  { name: 'inspect_content', arguments: { content: 'plain' } },
  { name: 'list_vaults', arguments: {} },
  { name: 'create_vault', arguments: { name: 'second' } },
  { name: 'delete_secret', arguments: { path: 'api/set' } },
  {
    name: 'grant_access',
    arguments: { secret_path_pattern: 'api/**', principal_type: 'agent', principal_id: NOBODY },
  },
  {
    name: 'share_secret',
    arguments: {
      path: 'api/value',
      recipient_type: 'agent',
      recipient_id: NOBODY,
      expires_at: '2099-01-01T00:00:00Z',
    },
  },
  {
    name: 'request_approval',
    arguments: {
      action: 'deploy.web',
      target_type: 'service',
      target_id: 'web',
      summary: { title: 'Deploy', body: 'to production' },
    },
  },
  { name: 'get_approval_status', arguments: { approval_id: NOBODY } },
  // Refused, each in its own place.
  { name: 'get_secret', arguments: { path: 'other/value' } },
  { name: 'get_secret', arguments: { path: 'api/none' } },
  { name: 'get_secret', arguments: { path: 'api/value', value: refused } },
  { name: 'get_env_bundle', arguments: { path: 'api/value' } },
  { name: 'put_secret', arguments: { path: 'other/value', value: refused } },
  { name: 'put_secret', arguments: { path: '../x', value: refused } },
  { name: 'put_secret', arguments: { value: refused } },
  { name: 'put_secret', arguments: { path: 'api/a', value: { text: refused } } },
  { name: 'put_secret', arguments: { path: 'api/a', value: [refused] } },
  { name: 'put_secret', arguments: { path: 'api/a', value: long(refused) } },
  { name: 'put_secret', arguments: { path: 'api/a', value: `${refused}\ud800` } },
  { name: 'put_secret', arguments: { path: 'api/a', value: refused, type: 'nonsense' } },
  { name: 'put_secret', arguments: { path: 'api/a', value: refused, type: 'env_bundle' } },
  { name: 'put_secret', arguments: { path: 'api/a', value: `${refused}!`, encoding: 'base64' } },
  { name: 'put_secret', arguments: { path: 'api/value', value: refused, if_version: 7 } },
  {
    name: 'put_secret',
    arguments: { path: 'api/a', value: refused, expires_at: '1999-01-01T00:00:00Z' },
  },
  { name: 'put_secret', arguments: { path: 'api/a', value: refused, max_access_count: 0 } },
  { name: 'rotate_and_store', arguments: { path: 'api/none', value: refused } },
  { name: 'no_such_tool', arguments: { value: refused } },
]

/** Makes every call and looks at every answer. */
async function drive(client: Client, what: string): Promise<void> {
  const { tools } = await client.listTools()
  const called = new Set(CALLS.map(({ name }) => name))
  for (const { name } of tools)
    assert.ok(called.has(name) || name === 'input_secret', `${name} is not driven`)
  for (const { name, arguments: args, carries } of CALLS) {
    const answer = await client
      .callTool({ name, arguments: args })
      .catch((error: unknown) => ({ error: String(error) }))
    const text = JSON.stringify(answer)
    assertClean(`${what}: ${name} ${JSON.stringify(Object.keys(args))}`, text, carries)
    for (const one of carries ?? []) assert.notDeepEqual(canaries.find(text), [], `${name} ${one}`)
  }
  const { contents } = await client.readResource({ uri: 'vault://secrets' })
  assertClean(`${what}: resource`, JSON.stringify(contents))
}

type Era = 'legacy' | 'modern'

function newClient(era: Era, onVisit?: (url: string) => Promise<'accept' | 'cancel'>): Client {
  const client = new Client(
    { name: 'canary', version: '1' },
    {
      capabilities: onVisit === undefined ? {} : { elicitation: { url: {} } },
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  )
  if (onVisit !== undefined)
    client.setRequestHandler('elicitation/create', async ({ params }) => ({
      action: await onVisit('url' in params ? params.url : ''),
    }))
  clients.push(client)
  return client
}

/** Drives `input_secret`: once the person types a value, once too much, once nothing, once they cancel. */
async function askThroughPages(
  connect: (onVisit: (url: string) => Promise<'accept' | 'cancel'>) => Promise<Client>,
  what: string,
): Promise<void> {
  const answers: readonly (readonly [string, Parameters<typeof submitPage>[1]])[] = [
    ['stored', { value: typed }],
    ['too long', { value: long(typed) }],
    ['cancelled', { value: typed, button: 'cancel' }],
  ]
  for (const [outcome, fields] of answers) {
    let page = Promise.resolve({ text: '' })
    const client = await connect(async (url) => {
      page = submitPage(url, fields)
      return 'accept'
    })
    const args = { name: 'api/typed', prompt: 'a key' }
    const answer = client.callTool({ name: 'input_secret', arguments: args })
    if (outcome !== 'too long') assertClean(`${what}: ${outcome}`, JSON.stringify(await answer))
    else {
      while ((await page).text === '') await sleep(20)
      answer.catch(() => {})
    }
    assertClean(`${what}: page, ${outcome}`, (await page).text)
    await client.close()
  }
}

for (const era of ['legacy', 'modern'] as const)
  test(`stdio, ${era}: no tool, no failure and no log line holds what is marked`, async () => {
    let err = ''
    const connect = async (client: Client): Promise<Client> => {
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [LAUNCHER, 'mcp'],
        cwd: project,
        env,
        stderr: 'pipe',
      })
      transport.stderr?.on('data', (chunk: Buffer) => {
        err += chunk.toString('utf8')
      })
      await client.connect(transport)
      return client
    }
    const client = await connect(newClient(era))
    await drive(client, `stdio ${era}`)
    await client.close()
    await askThroughPages((onVisit) => connect(newClient(era, onVisit)), `stdio ${era}`)
    assert.match(err, /secret accessed: api\/value/)
    assertClean(`stdio ${era}: log`, err)
  })

interface Started {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  readonly exited: Promise<unknown>
}

function start(argv: readonly string[], nodeArgs: readonly string[] = [], more = {}): Started {
  const child = spawn(process.execPath, [...nodeArgs, LAUNCHER, ...argv], {
    cwd: project,
    env: { ...env, ...more },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  children.push(child)
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  child.stdin.on('error', () => {})
  return { child, out: () => out, err: () => err, exited: once(child, 'close') }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (holds()) return
    await sleep(20)
  }
  assert.fail(`${what} did not come`)
}

test('HTTP: no answer, no refusal and no log line holds what is marked', async () => {
  const up = start(['up', '--port', '0', '--json'])
  await until('the address', () => up.out().endsWith('}\n'))
  const url = new URL((JSON.parse(up.out()) as { url: string }).url)
  assertClean('up', up.out())
  const connect = async (client: Client): Promise<Client> => {
    const headers = { Authorization: `Bearer ${token}` }
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
    return client
  }
  for (const era of ['legacy', 'modern'] as const) {
    const client = await connect(newClient(era))
    await drive(client, `HTTP ${era}`)
    await client.close()
    await askThroughPages((onVisit) => connect(newClient(era, onVisit)), `HTTP ${era}`)
  }
  const request = (path: string, init: RequestInit): Promise<Response> =>
    fetch(new URL(path, url), { method: 'POST', ...init })
  const json = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }
  const mine = { ...json, Authorization: `Bearer ${token}` }
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call' }
  const bad: readonly (readonly [string, RequestInit])[] = [
    ['/mcp', { headers: { ...json, Authorization: `Bearer ${wrong}` }, body: '{}' }],
    ['/mcp', { headers: { ...json, Authorization: `Bearer ${token}${wrong}` }, body: '{}' }],
    ['/mcp', { headers: { ...json, Authorization: `Basic ${wrong}` }, body: '{}' }],
    [`/mcp?token=${wrong}`, { headers: json, body: '{}' }],
    [`/${wrong}`, { headers: json, body: '{}' }],
    [`/ask/${wrong}`, { headers: json, body: '{}' }],
    ['/mcp', { headers: mine, body: `{"value":"${refused}` }],
    ['/mcp', { headers: mine, body: `[${JSON.stringify({ ...call, params: refused })}]` }],
    ['/mcp', { headers: mine, body: JSON.stringify({ ...call, params: { name: refused } }) }],
    ['/mcp', { headers: mine, body: long(refused).repeat(40) }],
    ['/mcp', { headers: { ...mine, Origin: `http://${wrong}.example` }, body: '{}' }],
    ['/mcp', { headers: { ...mine, 'Content-Type': `text/${wrong}` }, body: '{}' }],
    ['/mcp', { headers: { ...mine, 'MCP-Protocol-Version': wrong }, body: '{}' }],
    ['/mcp', { headers: { ...mine, 'Mcp-Session-Id': wrong }, body: '{}' }],
    ['/mcp', { headers: { ...mine, 'X-Vault-ID': 'none' }, body: JSON.stringify(call) }],
  ]
  for (const [path, init] of bad) {
    const response = await request(path, init).catch(() => null)
    if (response === null) continue
    const said = `${JSON.stringify([...response.headers])}${await response.text()}`
    // A tool's name that does not exist is not a value; it may be repeated to who sent it.
    assertClean(`HTTP ${path} ${response.status}`, said, path === '/mcp' ? ['wrong'] : [])
  }
  process.kill(up.child.pid!, 'SIGTERM')
  await up.exited
  assert.match(up.err(), /secret accessed: api\/value/)
  assertClean('HTTP: log', up.err())
})

const COMMANDS: readonly (readonly [argv: readonly string[], stdin?: string])[] = [
  [['secret', 'put', 'api/cli'], given],
  [['secret', 'put', 'api/cli', '--json'], given],
  [['secret', 'put', 'other/value'], refused],
  [['secret', 'put', '../x'], refused],
  [['secret', 'put', 'api/x', '--type', 'env_bundle'], refused],
  [['secret', 'put', 'api/x', '--encoding', 'base64'], `${refused}!`],
  [['secret', 'put', 'api/x', '--if-version', '9'], refused],
  [['secret', 'put', 'api/x'], long(refused)],
  [['secret', 'put', 'api/x', refused]],
  [['secret', 'put', 'api/x', '--value', refused]],
  [['secret', 'put', 'api/x', `--value=${refused}`]],
  [['secret', 'put', 'api/x', '--file', '/nonexistent'], refused],
  [['secret', 'get', 'api/value']],
  [['secret', 'ls']],
  [['secret', 'ls', '--json']],
  [['secret', 'search', 'api']],
  [['secret', 'describe', 'api/value']],
  [['secret', 'history', 'api/cli']],
  [['secret', 'rotate', 'api/cli', '--length', '40']],
  [['secret', 'rotate', 'api/cli', '--store'], given],
  [['secret', 'rm', 'api/cli']],
  [['secret', 'undelete', 'api/cli']],
  [['secret', 'destroy', 'api/cli']],
  [['secret', 'disable', 'api/cli', '--version', '1']],
  [['secret', 'enable', 'api/cli', '--version', '1']],
  [['run', '--', 'true']],
  [['run', '--', 'no-such-program-here']],
  [['run', '-e', 'A=secret://other/value', '--', 'true']],
  [['env', 'export']],
  [['vault', 'ls']],
  [['presence', 'set'], wrong],
  [['presence', 'status']],
  [['setting', 'exempt', 'secret get', 'on'], wrong],
  [['unlock'], wrong],
  [['unlock', '--passphrase-fd', '0'], wrong],
  [['lock']],
  [['key', 'status']],
  [['key', 'rotate'], wrong],
  [['key', 'change-source', 'passphrase', '--passphrase-fd', '0'], wrong],
  [['token', 'ls']],
  [['token', 'create', 'x'], wrong],
  [['token', 'rotate', 'none'], wrong],
  [['token', 'revoke', 'none'], wrong],
  [['backup', 'file', '--passphrase-fd', '0'], wrong],
  [['restore', 'file', '--passphrase-fd', '0'], wrong],
  [['allow', '--revoke'], wrong],
  [['doctor']],
  [['audit', 'tail']],
  [['audit', 'query', '--limit', '1000', '--json']],
  [['audit', 'verify', '--json']],
  [['audit', 'export']],
  [['mcp'], `{"jsonrpc":"2.0","id":1,"method":"${refused}`],
  [['mcp'], `${refused}\n`],
]

test('no command says what is marked, whether it works or fails', async () => {
  const left = [...COMMANDS]
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [argv, stdin = ''] = next
      const ran = start(argv)
      ran.child.stdin?.end(stdin)
      await ran.exited
      assertClean(argv.join(' '), ran.out() + ran.err())
    }
  }
  await Promise.all([work(), work()])
})

test('on a terminal the passphrase is not shown, and only what is asked for is', {
  skip: programMissing('script', 'apt-get install bsdutils'),
}, async () => {
  const onScript = (argv: readonly string[], answer: string) =>
    onTerminal([process.execPath, LAUNCHER, ...argv], {
      cwd: project,
      env,
      typed: [[/passphrase[^:]*: /, answer]],
    })
  const got = await onScript(['secret', 'get', 'api/value'], passphrase)
  assert.equal(got.exit, 0, got.output)
  assertClean('secret get', got.output, ['value'])
  assertClean('env export', (await onScript(['env', 'export'], passphrase)).output, ['value'])
  const backup = join(project, 'backup')
  assertClean('backup', (await onScript(['backup', backup, '--recovery-key'], passphrase)).output)
  assertClean('wrong', (await onScript(['secret', 'get', 'api/value'], wrong)).output)
})

const REQUESTS = [
  {
    id: 0,
    method: 'initialize',
    params: {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    },
  },
  { method: 'notifications/initialized' },
  { id: 1, method: 'tools/call', params: { name: 'get_secret', arguments: { path: 'api/value' } } },
  {
    id: 2,
    method: 'tools/call',
    params: { name: 'get_env_bundle', arguments: { path: 'api/bundle' } },
  },
  {
    id: 3,
    method: 'tools/call',
    params: { name: 'put_secret', arguments: { path: 'api/m', value: given } },
  },
  { id: 4, method: 'tools/call', params: { name: 'list_secrets', arguments: {} } },
].map((request) => `${JSON.stringify({ jsonrpc: '2.0', ...request })}\n`)

/** A stdio server that has just answered values, and then a list. */
async function served(nodeArgs: readonly string[], more = {}): Promise<Started> {
  const server = start(['mcp'], nodeArgs, more)
  for (const [at, request] of REQUESTS.entries()) {
    server.child.stdin?.write(request)
    const id = at === 1 ? 0 : Math.max(0, at - 1)
    await until(`answer ${id}`, () => server.out().includes(`"id":${id}`))
  }
  assert.notDeepEqual(canaries.find(server.out()), [])
  return server
}

const THROW_LATER = `data:text/javascript,${encodeURIComponent(
  "process.on('SIGUSR2', () => { throw new Error('thrown by the test') })",
)}`

const crashes: readonly (readonly [string, NodeJS.Signals, readonly string[]])[] = [
  ['kill -9', 'SIGKILL', []],
  ['abort', 'SIGABRT', []],
  ['an exception that nobody catches', 'SIGUSR2', ['--import', THROW_LATER]],
  ['a report of node', 'SIGUSR2', ['--report-on-signal', `--report-directory=${dumps}`]],
]
for (const [what, signal, nodeArgs] of crashes)
  test(`crash output: ${what}`, async () => {
    const server = await served(nodeArgs)
    process.kill(server.child.pid!, signal)
    if (what.includes('report')) {
      await until('the report', () => /Node\.js report completed/.test(server.err()))
      process.kill(server.child.pid!, 'SIGKILL')
    }
    await server.exited
    if (what.includes('exception')) assert.match(server.err(), /thrown by the test/)
    assertClean(what, server.err())
    assert.deepEqual(canaries.findInFiles(dumps), [])
  })

test('a client that goes away while it is answered leaves nothing in the log', async () => {
  const server = start(['mcp'])
  for (const request of REQUESTS.slice(0, 2)) server.child.stdin?.write(request)
  await until('the first answer', () => server.out() !== '')
  server.child.stdout?.destroy()
  for (const request of REQUESTS.slice(2)) server.child.stdin?.write(request)
  server.child.stdin?.end()
  await server.exited
  assertClean('EPIPE', server.err())
})

/** What the search has to find, so that what it does not find is not there. */
const FOUND = 'this one is held in a buffer'
const HOLD = `data:text/javascript,${encodeURIComponent(
  `globalThis.held = Buffer.from(${JSON.stringify(FOUND)})`,
)}`

test('between calls no reachable string or buffer holds a value', async () => {
  const server = await served(['--inspect=127.0.0.1:0', '--import', HOLD])
  const url = /ws:\/\/\S+/.exec(server.err())?.[0]
  assert.ok(url !== undefined, server.err())
  const memory = await lookInto(url)
  try {
    // What is remembered of values is there, too: the value is recognised.
    for (const [id, name, args] of [
      [5, 'inspect_content', { content: `see ${btoa(value)} and ${value}`, context: 'output' }],
      [6, 'list_secrets', {}],
    ] as const) {
      const request = {
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: { name, arguments: args },
      }
      server.child.stdin?.write(`${JSON.stringify(request)}\n`)
      await until(`answer ${id}`, () => server.out().includes(`"id":${id}`))
    }
    assert.ok(server.out().includes('see [REDACTED:api/value] and [REDACTED:api/value]'))
    // What is there is found: the path, which the list has just named.
    const snapshot = await memory.snapshot()
    assert.ok(snapshot.includes('tools/call'))
    assert.deepEqual(canaries.find(snapshot), [])
    const markers = { value, member, given, passphrase, token }
    const searched = Object.entries(markers).flatMap(([name, marker]) =>
      [marker, btoa(marker)].flatMap((text) => [
        [name, Buffer.from(text)] as const,
        [name, Buffer.from(text, 'utf16le')] as const,
      ]),
    )
    const [held, ...found] = await memory.buffersWith([
      Buffer.from(FOUND),
      ...searched.map(([, bytes]) => bytes),
    ])
    assert.notDeepEqual(held, [])
    for (const [index, [name]] of searched.entries())
      assert.deepEqual(found[index], [], `${name} is in a buffer`)
  } finally {
    memory.close()
    process.kill(server.child.pid!, 'SIGKILL')
    await server.exited
  }
})

test('no file of the vault, no audit record and no file of the project holds what is marked', async () => {
  const server = await served([])
  // Killed: the log of the database is there as it was.
  process.kill(server.child.pid!, 'SIGKILL')
  await server.exited
  assert.deepEqual(canaries.findInFiles(home), [])
  assert.deepEqual(canaries.findInFiles(project), [])
  const stack = await openTestVault({ home })
  const entries = await stack.audit.query({ limit: 1000 })
  assert.ok(entries.length > 50)
  assertClean('audit query', JSON.stringify(entries))
  for await (const line of stack.audit.export()) assertClean('audit export', line)
  await stack.close()
})
