// What a call carries is in nothing that the gateway keeps or tells of it: no event, log, copy, notice, figure or file
// has the value, or a digest of it that whoever reads there could try guesses on.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, createHmac, randomBytes, randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { sleep } from '../../src/core/time.ts'
import { createTokens } from '../../src/vault/index.ts'
import { approvedProject } from '../support/approved-project.ts'
import { Canaries } from '../support/canary.ts'
import { projectAgent } from '../support/project-agent.ts'
import { startServing, temporaryHome } from '../support/serving.ts'
import { httpSink, seqsOf } from '../support/sink-servers.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER, saidBy, startWrapped, type Wrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
/** What reached a server, which has it all. */
const RECEIVED = /^(?:received-.*|lines)\.log$/
const canaries = new Canaries()
const held = canaries.mark('a known value')
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const detected = `AKIA${[...randomBytes(16)].map((byte) => LETTERS.charAt(byte % 32)).join('')}`
const FORM = 'a secret by its form'
canaries.watch(FORM, detected)
/** Few enough that all could be tried. */
const amount = randomInt(100_000_000, 1_000_000_000)
const args = { text: `a ${held} b ${detected}`, amount }

const project = await approvedProject(home, { 'api/held': held })
const vault = await openTestVault({ home })
const sink = await httpSink()
const copies = join(home, 'copies.jsonl')
after(async () => {
  await sink.close()
  await vault.close()
  await remove()
})
const mode = 'best-effort'
await vault.audit.setSinks(
  PERSON,
  JSON.stringify({
    sinks: [
      { name: 'file', kind: 'file', mode, path: copies },
      { name: 'http', kind: 'webhook', mode, url: sink.url, key: 'k'.repeat(32) },
    ],
  }),
)
await vault.approvals.webhooks.create(PERSON, { url: `${sink.url}/hook`, events: ['approval.*'] })
const { servers, policies } = await vault.registry()
await servers.add(PERSON, 'lines', {
  kind: 'stdio',
  command: [process.execPath, LINE_SERVER, join(home, 'lines.log')],
  variables: [],
})
const rules = {
  version: '1',
  default: 'deny',
  record: '7d',
  tools: {
    echo: { limits: [{ counter: 'echoes', window: 'day', max: 4 }] },
    fail: {},
    refuse: {},
    odd: { deny_if: [{ conditions: [{ path: 'args.amount', op: 'eq', value: amount }] }] },
    pay: { action: 'require_approval' },
    silent: { action: 'shadow' },
  },
}
await policies.set(PERSON, 'rules', Buffer.from(JSON.stringify(rules)))
await policies.attach(PERSON, 'rules', { kind: 'server', name: 'lines' })

/** Known to the inspection once an agent was given it. */
const reader = await projectAgent(home, project)
await reader.callTool({ name: 'get_secret', arguments: { path: 'api/held' } })
await reader.close()

const CALLS: readonly [name: string, said: RegExp][] = [
  ['echo', /\[REDACTED:api\/held\]/],
  ['fail', /^no$/],
  ['refuse', /^$/],
  ['odd', /^\[POLICY DENIED\]/],
  ['none', /^\[POLICY DENIED\]/],
  ['echo', /\[REDACTED:api\/held\]/],
]

/** Makes calls whose arguments carry it all, each with another end. */
async function drive(wrapped: Wrapped): Promise<void> {
  await wrapped.ask('hello', 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: `client ${held}`, version: '1' },
  })
  for (const [id, [name, said]] of CALLS.entries())
    assert.match(saidBy(await wrapped.call(id, name, args)), said, name)
  await wrapped.ask('read', 'resources/read', { uri: `file:///${held}/${detected}`, amount })
  wrapped.send(`{"jsonrpc":"2.0","id":"broken","method":"tools/call","params":{"x":"${held}"`)
  wrapped.send(`{"jsonrpc":"2.0","id":"twice","id":"${detected}","method":"tools/call"}`)
  await wrapped.ask('refused', 'tools/call', { name: 'echo', arguments: [held, amount] })
  for (const [id, name] of NAMES.entries()) {
    await wrapped.call(`argument ${id}`, 'echo', { [name]: 1, within: { [name]: [name] } })
    await wrapped.call(`tool ${id}`, name, {})
    await wrapped.ask(`method ${id}`, `vendor/${name}`, { [name]: 1 })
  }
  await wrapped.ask('end', 'ping')
}

/** Agents choose names, too. */
const NAMES = [held, Buffer.from(held).toString('base64'), `${'x'.repeat(90)}${held}`]

const TEXTS: readonly string[] = [
  held,
  detected,
  String(amount),
  args.text,
  JSON.stringify(args),
  JSON.stringify({ amount, text: args.text }),
  JSON.stringify(Object.values(args)),
  JSON.stringify({ name: 'pay', arguments: args }),
]
const ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512', 'sha3-256', 'blake2b512']

/** The first characters of a digest, however it is written: many are cut. */
function shortForms(digest: Buffer): readonly Buffer[] {
  const hex = digest.subarray(0, 6).toString('hex')
  const base64 = digest.toString('base64').slice(0, 10)
  const texts = [hex, hex.toUpperCase(), base64, base64.replaceAll('+', '-').replaceAll('/', '_')]
  return [digest.subarray(0, 8), ...texts.map((text) => Buffer.from(text))]
}

const PLAIN = ALGORITHMS.flatMap((algorithm) =>
  TEXTS.flatMap((text) => shortForms(createHash(algorithm).update(text).digest())),
)

function assertSilent(what: string, said: string | Uint8Array): void {
  assert.deepEqual(canaries.find(said), [], what)
  const bytes = Buffer.from(said)
  assert.ok(!PLAIN.some((form) => bytes.includes(form)), `${what} has a digest`)
}

function leavesOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [String(value)]
  return Object.entries(value).flatMap(([name, one]) => [name, ...leavesOf(one)])
}

/** Nor one with a salt, if that stands beside it. */
function assertUnsalted(record: string): void {
  for (const salt of new Set(leavesOf(JSON.parse(record))))
    for (const text of TEXTS.slice(0, 5))
      for (const digest of [
        createHash('sha256').update(salt).update(text).digest(),
        createHash('sha256').update(text).update(salt).digest(),
        createHash('sha256').update(`${salt}:${text}`).digest(),
        createHmac('sha256', salt).update(text).digest(),
        createHmac('sha256', text).update(salt).digest(),
      ])
        assert.ok(!record.includes(digest.toString('hex').slice(0, 12)), record)
}

/**
 * What the gateway keeps: the vault, its journal, recordings, copies. They are copied by another process: one that closes
 * a file that it has open as a database loses its locks there.
 */
function files(): readonly (readonly [name: string, bytes: Buffer])[] {
  const copy = mkdtempSync(join(tmpdir(), 'sallyport-secrecy-'))
  try {
    assert.equal(spawnSync('cp', ['-R', home, copy]).status, 0)
    return readdirSync(copy, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !RECEIVED.test(entry.name))
      .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name))])
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (await holds()) return
    await sleep(20)
  }
  assert.fail(`${what} did not come`)
}

test('no event, log, copy, notice, figure or file has what a call carried, or a digest of it', async () => {
  // What is found goes on, so that it is where the call goes.
  const env = { SALLYPORT_LOG_LEVEL: 'debug', SALLYPORT_MCP_SANITIZATION_MODE: 'log_only' }
  const wrapped = startWrapped(home, { env, server: 'lines', ownCommand: true })
  await drive(wrapped)
  // While the journal of calls is there.
  const now = files()
  assert.ok(now.some(([name]) => name.includes('.calls-')))
  for (const [name, bytes] of now) assertSilent(name, bytes)
  assert.equal(await wrapped.end(), 0)
  const strict = startWrapped(home, { env: { SALLYPORT_LOG_LEVEL: 'debug' } })
  assert.match(saidBy(await strict.call(1, 'echo', args)), /^Inspection refused this call/)
  assert.equal(await strict.end(), 0)

  const { token } = await (await createTokens(vault)).create('local', null)
  const serving = await startServing(home, env)
  const client = new Client({ name: 'secrecy', version: '1' })
  const transport = new StreamableHTTPClientTransport(new URL('/s/lines/mcp', serving.url), {
    requestInit: { headers: { Authorization: `Bearer ${token.reveal()}` } },
  })
  await client.connect(transport)
  for (const name of ['echo', 'fail', 'odd']) await client.callTool({ name, arguments: args })
  await client.close()
  const figures = await (await fetch(new URL('/metrics', serving.url))).text()
  assert.match(figures, /sallyport_gateway_calls_total\{server="lines"/)
  assert.equal(await serving.stop(), 0)
  for (const [name, bytes] of files()) assertSilent(name, bytes)

  // What waits for a person is kept as it is put before them: without what is known, and bound to all of it.
  const asking = startWrapped(home, { env, server: 'lines', ownCommand: true })
  assert.match(saidBy(await asking.call(1, 'pay', args)), /^\[APPROVAL REQUIRED\]/)
  const { approvals } = vault.approvals
  const [pending] = await approvals.list(PERSON, { status: 'pending' })
  assert.deepEqual(canaries.find(JSON.stringify(pending?.preview), [FORM]), [])
  await approvals.decide(PERSON, pending?.id ?? '', 'approve')
  assert.equal(saidBy(await asking.call(2, 'pay', args)), 'done')
  assert.equal(await asking.end(), 0)
  await vault.approvals.deliveries.deliver()

  const records: string[] = []
  for await (const line of vault.audit.export()) records.push(line)
  await until('all copies', () => {
    const arrived = [...seqsOf(readFileSync(copies, 'utf8'))]
    return arrived.length >= records.length - 1
  })
  for (const [what, said] of [
    ['wrap', wrapped.stderr()],
    ['a strict wrap', strict.stderr()],
    ['what a person allows', asking.stderr()],
    ['the server', serving.log()],
    ['figures', figures],
    ...records.map((record) => ['audit', record] as const),
    ...sink.received.map(({ path, body }) => [`sent to ${path}`, body] as const),
  ] as const)
    assertSilent(what, said)
  for (const [name, bytes] of files()) assert.deepEqual(canaries.find(bytes, [FORM]), [], name)
  const bodies = (await vault.audit.query({ limit: 1_000 })).map(({ body }) => body)
  for (const body of bodies) assertUnsalted(body)
  // What is looked through is there.
  const actions = new Set(bodies.map((body) => (JSON.parse(body) as { action: string }).action))
  for (const action of ['tool.call', 'inspection.changed', 'approval.request'])
    assert.ok(actions.has(action), `${action} is not among ${[...actions].join()}`)
  assert.ok(sink.received.some(({ path }) => path === '/hook'))
  assert.ok(sink.received.some(({ path }) => path !== '/hook'))
})

test('the password of the counters’ address is in no log and no event', async () => {
  const password = canaries.mark('the password of an address')
  const env = {
    SALLYPORT_LOG_LEVEL: 'debug',
    SALLYPORT_COUNTERS_URL: `redis://limits:${password}@127.0.0.1:1/0`,
  }
  const wrapped = startWrapped(home, { env, server: 'lines', ownCommand: true })
  const { result } = await wrapped.call(1, 'echo', { text: 'a' })
  assert.equal(result?.isError, true, 'what cannot be counted does not go on')
  assertSilent('wrap', wrapped.lines.join('\n'))
  await wrapped.end()
  assertSilent('its log', wrapped.stderr())
  for (const [name, bytes] of files()) assert.deepEqual(canaries.find(bytes, [FORM]), [], name)
})
