// Servers that take longer to start than a list waits for them.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ServerTarget } from '../../src/core/gateway-port.ts'
import { type LogFields, silentLog } from '../../src/core/log.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { readEvents } from '../support/event-reader.ts'
import { json, scripted } from '../support/http-upstream.ts'
import { ERAS, type Era, HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const SLOW_SERVER = fileURLToPath(new URL('../support/slow-server.mjs', import.meta.url))
const ALL = '/mcp/all'
const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))

/** How long a list waits for a server, and one that is asked for its era may say nothing; and how long that is here. */
const LONG_MS: ReadonlySet<unknown> = new Set([20_000, 30_000])
const SHORT_MS = 500
/** What servers take, where it is more than that. */
const START_MS = 1_000
const STARTING = 'The server is still starting.'

function shorten({ mock }: TestContext): void {
  const { timeout } = AbortSignal
  const short = (ms: number | undefined): number => (LONG_MS.has(ms) ? SHORT_MS : (ms ?? 0))
  mock.method(AbortSignal, 'timeout', (ms: number) => timeout.call(AbortSignal, short(ms)))
  const { setTimeout } = globalThis
  mock.method(globalThis, 'setTimeout', (work: () => void, ms?: number) =>
    setTimeout(work, short(ms)),
  )
}

interface Server {
  readonly name: string
  readonly ms?: number
  readonly tool?: string
}

let count = 0

/** New servers, and an agent that may use them. */
async function slow(...some: readonly Server[]) {
  count += 1
  const { agent, key } = await agents.create(PERSON, { name: `agent-${count}` })
  const log = join(vault.home, `slow-${count}.log`)
  writeFileSync(log, '')
  const add = async (name: string, target: ServerTarget): Promise<void> => {
    await servers.add(PERSON, name, target)
    await grants.create(PERSON, agent.id, { label: name, server: name, policies: ['open'] })
  }
  for (const { name, ms = START_MS, tool = 't' } of some)
    await add(name, nodeServer(SLOW_SERVER, log, String(ms), tool))
  const linesWith = (part: string): number => readFileSync(log, 'utf8').split(part).length - 1
  return { bearing: { Authorization: `Bearer ${key.reveal()}` }, linesWith, add, log }
}

interface Answer {
  readonly result?: { readonly [member: string]: unknown; readonly _meta?: object }
  readonly error?: { readonly message: string }
}
type Headers = Readonly<Record<string, string>>
type Ask = (method: string, params?: object) => Promise<Answer>

const VERSION = '2026-07-28'
const MODERN = {
  'io.modelcontextprotocol/protocolVersion': VERSION,
  'io.modelcontextprotocol/clientCapabilities': {},
}

async function sessionAt(path: string, bearing: Headers): Promise<Headers> {
  const hello = await door.post(HELLO, bearing, path)
  await hello.text()
  return { ...bearing, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
}

const posted = (headers: Headers, id: number, method: string, params: object, path = ALL) =>
  door.post({ jsonrpc: '2.0', id, method, params }, headers, path)

/** A client that hears of what changes. */
async function clientOf(era: Era, bearing: Headers) {
  if (era === 'legacy') {
    const headers = await sessionAt(ALL, bearing)
    const stream = await fetch(door.baseUrl + ALL, {
      headers: { ...headers, Accept: 'text/event-stream' },
    })
    const ask: Ask = async (method, params = {}) =>
      (await (await posted(headers, 2, method, params)).json()) as Answer
    return { ask, events: readEvents(stream) }
  }
  const post = (method: string, params: object): Promise<Response> => {
    const { name } = params as { readonly name?: string }
    const headers = {
      ...bearing,
      'MCP-Protocol-Version': VERSION,
      'Mcp-Method': method,
      ...(name !== undefined && { 'Mcp-Name': name }),
    }
    return posted(headers, 2, method, { ...params, _meta: MODERN })
  }
  const notifications = {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: true,
  }
  const events = readEvents(await post('subscriptions/listen', { notifications }))
  await events.next()
  const ask: Ask = async (method, params = {}) =>
    (await (await post(method, params)).json()) as Answer
  return { ask, events }
}

for (const era of ERAS)
  test(`${era}: a server is in the lists once it is there, and those who listed without it are told`, async (t) => {
    shorten(t)
    const name = `slow-${era}`
    const { bearing, linesWith } = await slow(
      { name, ms: 2 * START_MS },
      { name: `quick-${era}`, ms: 0 },
    )
    const { ask, events } = await clientOf(era, bearing)
    const passed = { 'sallyport/passed-over': [{ server: name, reason: STARTING }] }
    const from = monotonicMs()
    for (const { result } of await Promise.all([ask('tools/list'), ask('prompts/list')]))
      assert.deepEqual(result?._meta, passed)
    const listedAt = monotonicMs()
    assert.ok(listedAt - from >= SHORT_MS)
    // Whoever asks then does not wait once more.
    assert.deepEqual((await ask('tools/list')).result?._meta, passed)
    assert.ok(monotonicMs() - listedAt < SHORT_MS)
    const called = ask('tools/call', { name: `${name}.t` })
    const told = [await events.next(), await events.next()].map(({ method }) => method)
    assert.deepEqual(told, [
      'notifications/tools/list_changed',
      'notifications/prompts/list_changed',
    ])
    const [{ result: tools }, { result: prompts }] = await Promise.all([
      ask('tools/list'),
      ask('prompts/list'),
    ])
    assert.match(JSON.stringify(tools), new RegExp(`"${name}\\.t"`))
    assert.match(JSON.stringify(prompts), new RegExp(`"${name}\\.p"`))
    assert.deepEqual([tools?._meta, prompts?._meta], [undefined, undefined])
    assert.match(JSON.stringify(await called), /"text":"t"/)
    assert.equal(linesWith('started '), 2)
    await events.close()
  })

for (const era of ERAS)
  test(`${era}: a server that takes the place of one that failed is told of and there at once`, async () => {
    const { bearing, add, log } = await slow()
    const name = `replaced-${era}`
    await add(name, { kind: 'stdio', command: ['/no/program'], variables: [] })
    const { ask, events } = await clientOf(era, bearing)
    const list = async (): Promise<string> => JSON.stringify(await ask('tools/list'))
    const told = async (): Promise<void> => {
      for (const kind of ['tools', 'prompts', 'resources'])
        assert.equal((await events.next()).method, `notifications/${kind}/list_changed`)
    }
    assert.match(await list(), /cannot be started/)
    await servers.remove(PERSON, name)
    await told()
    await add(name, nodeServer(SLOW_SERVER, log, '0'))
    await told()
    assert.match(await list(), new RegExp(`"${name}\\.t"`))
    await events.close()
  })

for (const era of ERAS)
  test(`${era}: who waits for a server that dies is told how it did, before it was there and afterwards`, async () => {
    const name = `dying-${era}`
    const { bearing, add } = await slow({ name, ms: 0 })
    const early = `${name}-early`
    await add(early, nodeServer('-e', 'setTimeout(() => process.exit(7), 300)'))
    const { ask, events } = await clientOf(era, bearing)
    const called = async (server: string): Promise<string> => {
      const { error } = await ask('tools/call', { name: `${server}.t`, arguments: { die: true } })
      return error?.message ?? ''
    }
    const [listed, ...answers] = await Promise.all([
      ask('tools/list'),
      called(early),
      ask('tools/list').then(() => called(name)),
    ])
    for (const said of [JSON.stringify(listed.result?._meta), ...answers])
      assert.match(said, /The server ended before it answered \(exit code 7\)/)
    await events.close()
  })

for (const era of ERAS)
  test(`${era}: one that fails after lists were answered without it rests, and is named in the log once`, async (t) => {
    shorten(t)
    const name = `failing-${era}`
    const logged: unknown[] = []
    t.mock.method(silentLog, 'warn', (message: string, fields?: LogFields) => {
      if (message.includes('passed over')) logged.push([message, fields?.['server']])
    })
    const { bearing, add, linesWith, log } = await slow()
    const late = `require('node:fs').appendFileSync(${JSON.stringify(log)}, 'started '); setTimeout(() => process.exit(7), ${START_MS})`
    await add(name, nodeServer('-e', late))
    const { ask, events } = await clientOf(era, bearing)
    const list = async (): Promise<string> =>
      JSON.stringify((await ask('tools/list')).result?._meta)
    for (const listed of await Promise.all([list(), list()])) assert.match(listed, /still starting/)
    let listed = await list()
    for (const from = monotonicMs(); listed.includes(STARTING); listed = await list()) {
      assert.ok(monotonicMs() - from < 4 * START_MS, 'nobody hears why')
      await sleep(50)
    }
    assert.match(listed, /exit code 7/)
    assert.deepEqual(logged, [['a server that was passed over did not start', name]])
    // One that ends on the first word of the newer era is begun once more in the older way.
    assert.equal(linesWith('started '), era === 'modern' ? 2 : 1)
    await events.close()
  })

test('modern: no list waits longer for one that does not say once more what it can do', async (t) => {
  shorten(t)
  const results: Readonly<Record<string, object>> = {
    'server/discover': { supportedVersions: [VERSION], capabilities: { prompts: {} } },
    'tools/call': { content: [{ type: 'text', text: 'called' }] },
  }
  const asked: string[] = []
  const once = await scripted(({ rpc: { id, method = '' } }, response) => {
    const result = { resultType: 'complete', ...results[method] }
    // The first time it is asked for its era.
    if (method !== 'server/discover' || !asked.includes(method)) json(response, { id, result })
    asked.push(method)
  })
  const { bearing, add } = await slow({ name: 'beside', ms: 0 })
  const startMs = 10 * SHORT_MS
  await add('once', { kind: 'http', url: once.url, headers: [], limits: { startMs } })
  const { ask, events } = await clientOf('modern', bearing)
  assert.match(JSON.stringify(await ask('tools/call', { name: 'once.t' })), /called/)
  const from = monotonicMs()
  const { result } = await ask('prompts/list')
  assert.ok(monotonicMs() - from < startMs)
  assert.match(JSON.stringify(result), /"beside\.p"/)
  const reason = 'The server did not answer in time.'
  assert.deepEqual(result?._meta, { 'sallyport/passed-over': [{ server: 'once', reason }] })
  assert.ok(asked.indexOf('server/discover') < asked.lastIndexOf('server/discover'))
  await events.close()
})

test('legacy: a call that is cancelled while its server starts is over at once and never made', async () => {
  const { bearing, linesWith } = await slow({ name: 'cancelled' })
  const headers = await sessionAt(ALL, bearing)
  const call = posted(headers, 7, 'tools/call', { name: 'cancelled.t' })
  while (linesWith('"initialize"') === 0) await sleep(10)
  const cancel = { method: 'notifications/cancelled', params: { requestId: 7 } }
  await (await door.post({ jsonrpc: '2.0', ...cancel }, headers, ALL)).text()
  assert.equal((await call).status, 202)
  assert.equal(linesWith('"notifications/initialized"'), 0)
  const next = await posted(headers, 8, 'tools/call', { name: 'cancelled.t' })
  assert.match(await next.text(), /"text":"t"/)
  assert.equal(linesWith('"tools/call"'), 1)
  assert.equal(linesWith('"notifications/cancelled"'), 0)
})

test('legacy: what is listened to is listened to once its server is there, and when it was started anew', async (t) => {
  shorten(t)
  const { bearing, linesWith } = await slow({ name: 'listened' })
  const headers = await sessionAt(ALL, bearing)
  const ask = async (id: number, method: string, params: object): Promise<string> =>
    (await posted(headers, id, method, params)).text()
  const uri = 'mcp://listened/test://one'
  assert.match(await ask(2, 'resources/subscribe', { uri }), /"result":\{\}/)
  assert.match(
    await ask(3, 'tools/call', { name: 'listened.t', arguments: { die: true } }),
    /"error"/,
  )
  assert.match(await ask(4, 'tools/call', { name: 'listened.t' }), /"text":"t"/)
  for (let waited = 0; linesWith('"resources/subscribe"') < 2; waited += 20) {
    assert.ok(waited < 2_000, 'it is not listened to any more')
    await sleep(20)
  }
})

test('legacy: which server a name means shows when all that it could mean are there', async (t) => {
  shorten(t)
  const both = [
    { name: 'one', tool: 'two.t' },
    { name: 'one.two', ms: 0, tool: 'other' },
  ] as const
  const { bearing } = await slow(...both)
  const headers = await sessionAt(ALL, bearing)
  const called = await posted(headers, 2, 'tools/call', { name: 'one.two.t' })
  assert.match(await called.text(), /"text":"two\.t"/)
})

test('of a translated server that ends by itself nothing goes on running', async (t) => {
  const { bearing } = await slow({ name: 'translated', ms: 0 })
  const running = new Set<unknown>()
  const { setInterval, clearInterval } = globalThis
  t.mock.method(globalThis, 'setInterval', (work: () => void, ms?: number) => {
    const timer = setInterval(work, ms)
    running.add(timer)
    return timer
  })
  t.mock.method(globalThis, 'clearInterval', (timer: NodeJS.Timeout | undefined) => {
    running.delete(timer)
    clearInterval(timer)
  })
  const call = async (args: object): Promise<string> => {
    const params = { name: 't', arguments: args, _meta: MODERN }
    const headers = { 'MCP-Protocol-Version': VERSION, 'Mcp-Method': 'tools/call', 'Mcp-Name': 't' }
    const path = '/s/translated/mcp'
    return (await posted({ ...bearing, ...headers }, 2, 'tools/call', params, path)).text()
  }
  assert.match(await call({}), /"text":"t"/)
  const before = running.size
  for (let times = 0; times < 3; times += 1) {
    assert.match(await call({ die: true }), /"error"/)
    assert.match(await call({}), /"text":"t"/)
  }
  // The one that looks at all who wait comes and goes.
  assert.ok(running.size <= before + 1, `${running.size} instead of ${before}`)
})

test('a session outlives the end of its server, however long the next one takes within its time', async (t) => {
  shorten(t)
  const { bearing, linesWith } = await slow({ name: 'revived' })
  const path = '/s/revived/mcp'
  const headers = await sessionAt(path, bearing)
  const call = async (id: number, args: object): Promise<string> =>
    (await posted(headers, id, 'tools/call', { name: 't', arguments: args }, path)).text()
  assert.match(await call(2, { die: true }), /"error"/)
  assert.match(await call(3, {}), /"text":"t"/)
  assert.equal(linesWith('started '), 2)
})
