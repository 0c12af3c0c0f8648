// Clients of one era and servers of the other one, on real SDKs and real processes, through `sallyport wrap`.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { META } from '../../src/mcp/wire/index.ts'
import { EVERYTHING, everythingOverHttp } from '../support/everything.ts'
import { eventually } from '../support/http-upstream.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { saidBy, startWrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)

const MODERN = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const INITIALIZE_FIRST = fileURLToPath(
  new URL('../support/initialize-first-server.mjs', import.meta.url),
)

function clientOf(era: 'legacy' | 'modern'): Client {
  const client = new Client(
    { name: era, version: '1' },
    {
      capabilities: { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} },
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  )
  client.setRequestHandler('sampling/createMessage', async () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
  }))
  client.setRequestHandler('elicitation/create', async ({ params }) =>
    params.mode === 'url' ? { action: 'accept' } : { action: 'accept', content: { name: 'me' } },
  )
  client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///tmp' }] }))
  return client
}

const through = (...target: readonly string[]): StdioClientTransport =>
  new StdioClientTransport({
    command: process.execPath,
    args: [LAUNCHER, 'wrap', ...target],
    env: homeEnvironment(home),
    cwd: home,
    stderr: 'ignore',
  })

async function modernOverHttp(): Promise<URL> {
  const child: ChildProcess = spawn(process.execPath, [MODERN, 'http'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  after(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said += String(chunk)
  })
  const port = await eventually(
    () => /^(\d+)\n/.exec(said)?.[1],
    () => said,
  )
  return new URL(`http://127.0.0.1:${port}/mcp`)
}

/** What a client sees of the modern server. */
async function ofModern(client: Client): Promise<object> {
  // What the SDK itself says of rounds has no total.
  const progress: { total?: number | undefined }[] = []
  const call = (name: string, args: Record<string, unknown> = {}) =>
    client.callTool({ name, arguments: args }, { onprogress: (one) => progress.push(one) })
  const tools = (await client.listTools()).tools
  return {
    tools: tools.map(({ name, description }) => `${name} ${description}`),
    instructions: client.getInstructions(),
    server: client.getServerVersion(),
    echo: await call('echo', { text: 'é 😀' }),
    ask: await call('ask'),
    visit: await call('visit'),
    many: await call('many'),
    work: await call('work'),
    prompt: await client.getPrompt({ name: 'hi' }),
    resource: (await client.readResource({ uri: 'test://one' })).contents,
    missing: await client
      .readResource({ uri: 'test://two' })
      .catch((error: unknown) => String(error)),
    unknown: await call('nothing').catch((error: unknown) => String(error)),
    // The SDK drops one that comes in the same piece as the answer.
    hasProgress: progress.some(({ total }) => total === 2),
  }
}

/** Neither era's own fields are of interest. */
function plain(value: object): object {
  return JSON.parse(
    JSON.stringify(value, (key, one: unknown) =>
      key === '_meta' || key === 'resultType' ? undefined : one,
    ),
  ) as object
}

for (const transport of ['stdio', 'HTTP'] as const)
  test(`a legacy client reaches a server of 2026-07-28 over ${transport}`, async () => {
    const url = transport === 'HTTP' ? await modernOverHttp() : null
    const direct = clientOf('modern')
    await direct.connect(
      url === null
        ? new StdioClientTransport({ command: process.execPath, args: [MODERN, 'stdio'] })
        : new StreamableHTTPClientTransport(url),
    )
    const expected = await ofModern(direct)
    await direct.close()

    const client = clientOf('legacy')
    const logs: unknown[] = []
    const heard: string[] = []
    client.setNotificationHandler(
      'notifications/message',
      ({ params }) => void logs.push(params.data),
    )
    client.setNotificationHandler(
      'notifications/tools/list_changed',
      () => void heard.push('tools'),
    )
    client.setNotificationHandler(
      'notifications/resources/updated',
      ({ params }) => void heard.push(params.uri),
    )
    await client.connect(
      url === null ? through('--', process.execPath, MODERN, 'stdio') : through('--url', url.href),
    )
    assert.equal(client.getNegotiatedProtocolVersion(), '2025-11-25')
    assert.deepEqual(plain(await ofModern(client)), plain(expected))
    const { structuredContent } = await client.callTool({ name: 'numbers' })
    assert.deepEqual(structuredContent, { result: [1, 2] })
    await client.ping()
    await client.setLoggingLevel('info')
    await client.callTool({ name: 'work' })
    assert.deepEqual(logs, ['half way'])
    await client.subscribeResource({ uri: 'test://one' })
    await client.callTool({ name: 'change' })
    const all = transport === 'HTTP' ? ['test://one', 'tools'] : ['tools']
    await eventually(
      () => (all.every((one) => heard.includes(one)) ? true : undefined),
      () => heard.join(' '),
    )
    await client.close()
  })

test('a legacy client that does not answer what it is asked in the middle of a call has made the call', async () => {
  const once = { limits: [{ counter: 'asks', window: 'hour', max: 1 }] }
  const file = join(home, 'once.json')
  const methods = { 'elicitation/create': {} }
  const policy = { version: '1', default: 'deny', tools: { ask: once }, methods }
  await writeFile(file, JSON.stringify(policy))
  const client = clientOf('legacy')
  client.setRequestHandler('elicitation/create', async () => {
    throw new Error('nobody is there')
  })
  await client.connect(through('--policy', file, '--', process.execPath, MODERN, 'stdio'))
  await assert.rejects(client.callTool({ name: 'ask' }), /nobody is there/)
  const again = await client.callTool({ name: 'ask' })
  assert.match(JSON.stringify(again.content), /POLICY DENIED/)
  await client.close()
})

/** What a client sees of the server of everything. */
async function ofEverything(client: Client): Promise<object> {
  // What the SDK itself says of rounds has no total.
  const progress: { total?: number | undefined }[] = []
  const call = (name: string, args: Record<string, unknown> = {}) =>
    client.callTool({ name, arguments: args }, { onprogress: (one) => progress.push(one) })
  return {
    tools: (await client.listTools()).tools.map(({ name }) => name),
    resources: (await client.listResources()).resources.length,
    prompts: (await client.listPrompts()).prompts,
    prompt: await client.getPrompt({ name: 'simple-prompt' }),
    echo: await call('echo', { message: 'é 😀' }),
    sum: await call('get-sum', { a: 1.5, b: 2 }),
    long: await call('trigger-long-running-operation', { duration: 0.2, steps: 2 }),
    sampling: await call('trigger-sampling-request', { prompt: 'hello' }),
    elicitation: await call('trigger-elicitation-request'),
    unknown: await call('nothing').catch((error: unknown) => String(error)),
    // The SDK drops one that comes in the same piece as the answer.
    hasProgress: progress.some(({ total }) => total === 2),
    server: client.getServerVersion()?.name,
  }
}

for (const transport of ['stdio', 'HTTP'] as const)
  test(`a client of 2026-07-28 reaches a legacy server over ${transport}`, async () => {
    const url = transport === 'HTTP' ? await everythingOverHttp('streamableHttp') : null
    const direct = clientOf('legacy')
    await direct.connect(
      url === null
        ? new StdioClientTransport({
            command: process.execPath,
            args: [EVERYTHING],
            stderr: 'ignore',
          })
        : new StreamableHTTPClientTransport(url),
    )
    const expected = await ofEverything(direct)
    await direct.close()

    const client = clientOf('modern')
    await client.connect(
      url === null ? through('--', process.execPath, EVERYTHING) : through('--url', url.href),
    )
    assert.equal(client.getNegotiatedProtocolVersion(), '2026-07-28')
    assert.deepEqual(plain(await ofEverything(client)), plain(expected))
    await client.close()
  })

/** A wrapped server that ends on any other first word, and where it writes down what it hears. */
function wrappedEnding(word: string) {
  const log = join(home, `${word}.log`)
  return {
    wrapped: startWrapped(home, { command: [process.execPath, INITIALIZE_FIRST, log, word] }),
    heard: async () => (await readFile(log, 'utf8')).trim().split('\n'),
  }
}

const _meta = { [META.version]: '2026-07-28', [META.capabilities]: {} }

test('a client of 2026-07-28 reaches a server that ends on a first word other than initialize', async () => {
  const { wrapped, heard } = wrappedEnding('initialize')
  const asked = (id: number, method: string, params = {}) =>
    wrapped.send(JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }))
  // As a script writes it: all at once, and its input ends.
  asked(1, 'server/discover')
  asked(2, 'tools/call', { name: 'echo', arguments: { text: 'é 😀' } })
  assert.equal(await wrapped.end(), 0)
  const answers = wrapped.lines.map((line) => JSON.parse(line))
  assert.deepEqual(
    answers.map(({ id }) => id),
    [1, 2],
  )
  assert.deepEqual(answers[0].result.supportedVersions, ['2026-07-28'])
  assert.equal(saidBy(answers[1]), 'é 😀')
  const again = ['started', 'initialize', 'notifications/initialized', 'tools/call']
  assert.deepEqual(await heard(), ['started', 'server/discover', ...again])
})

test('one that ends on whatever it is asked has ended, with its exit code', async () => {
  const { wrapped, heard } = wrappedEnding('nothing')
  const { error } = await wrapped.ask(1, 'server/discover', { _meta })
  assert.match(error?.message ?? '', /The server ended before it answered \(exit code 3\)/)
  assert.equal(await wrapped.exited, 3)
  assert.deepEqual(await heard(), ['started', 'server/discover', 'started', 'initialize'])
})

const OTHER_ERA = fileURLToPath(new URL('../support/other-era-server.mjs', import.meta.url))
const ofOtherEra = (era: string) =>
  startWrapped(home, { command: [process.execPath, OTHER_ERA, era] })

test('a client of 2026-07-28 that takes nobody to an address is not asked to by a legacy server', async () => {
  const wrapped = ofOtherEra('legacy')
  const { error } = await wrapped.ask(1, 'tools/call', { name: 'x', _meta })
  assert.deepEqual(error, {
    code: -32021,
    message: 'The person has to go to an address.',
    data: { requiredCapabilities: { elicitation: { url: {} } } },
  })
  const takesThere = { ..._meta, [META.capabilities]: { elicitation: { url: {} } } }
  const { result } = await wrapped.ask(2, 'tools/call', { name: 'x', _meta: takesThere })
  assert.equal(result?.['resultType'], 'input_required')
  await wrapped.end()
})

test('a legacy client waits where a server of 2026-07-28 says to come back, and hears what it does not tell', async () => {
  const wrapped = ofOtherEra('modern')
  await wrapped.ask('i', 'initialize', { protocolVersion: '2025-11-25', capabilities: {} })
  const begun = performance.now()
  assert.equal(saidBy(await wrapped.call(1, 'x')), 'try 2 3')
  assert.ok(performance.now() - begun >= 900)
  // What it does not say that it tells is not subscribed to.
  const { error } = await wrapped.ask(2, 'resources/subscribe', { uri: 'a://1' })
  assert.equal(error?.message, 'The server does not tell when this resource changes.')
  await wrapped.end()
})
