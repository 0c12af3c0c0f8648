// `sallyport wrap --server`: what was added, what is attached to it, and what changes while it runs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { temporaryHome } from '../support/serving.ts'
import { AGENT, openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER, saidBy, startWrapped, type Wrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
const vault = await openTestVault({ home })
const { servers, policies } = await vault.registry()
after(async () => {
  await vault.close()
  await remove()
})

const text = (policy: object): Buffer =>
  Buffer.from(JSON.stringify({ version: '1', default: 'deny', ...policy }))
const LINES = { kind: 'server', name: 'lines' } as const
await servers.add(PERSON, 'lines', {
  kind: 'stdio',
  command: [process.execPath, LINE_SERVER, join(home, 'own.log')],
  variables: [],
})

/** Calls until the answer is the wanted one. @returns how long that took, in milliseconds */
async function until(wrapped: Wrapped, said: RegExp): Promise<number> {
  const from = monotonicMs()
  for (let round = 0; round < 200; round += 1) {
    const answer = saidBy(await wrapped.call(`${said.source} ${round}`, 'echo', { text: 'hello' }))
    if (said.test(answer)) return monotonicMs() - from
    await sleep(10)
  }
  return assert.fail(`it never said ${said.source}`)
}

test('what its policies say and may not mean is said once for each text, and nothing of others', async () => {
  const warned = (wrapped: Wrapped): number =>
    wrapped.stderr().split("there is no 'default': every tool that is not named is allowed")
      .length - 1
  const withoutDefault = (tools: string): Buffer => Buffer.from(`version: "1"\ntools: ${tools}\n`)
  await policies.set(PERSON, 'loose', withoutDefault('{}'))
  const wrapped = startWrapped(home, { server: 'lines', ownCommand: true })
  await wrapped.call('none', 'echo', { text: 'hello' })
  assert.equal(warned(wrapped), 0)
  await policies.attach(PERSON, 'loose', LINES)
  await until(wrapped, /^hello$/)
  assert.equal(warned(wrapped), 1)
  assert.match(wrapped.stderr(), /"policy":"loose"|policy=loose/)
  await policies.set(PERSON, 'loose', withoutDefault('{echo: {action: deny}}'))
  await until(wrapped, /^\[POLICY DENIED\]/)
  assert.equal(warned(wrapped), 2)
  assert.equal(await wrapped.end(), 0)
  await policies.detach(PERSON, 'loose', LINES)
  await policies.remove(PERSON, 'loose')
})

test('without a policy every call is denied and it says how to attach one; then each change holds within a second', async () => {
  const wrapped = startWrapped(home, { server: 'lines', ownCommand: true })
  assert.match(
    saidBy(await wrapped.call('none', 'echo', { text: 'hello' })),
    /^\[POLICY DENIED\] There is no policy for this server\./,
  )
  assert.match(wrapped.stderr(), /sallyport policy attach POLICY --server lines\.\n/)

  await policies.set(PERSON, 'open', text({ default: 'allow' }))
  await policies.attach(PERSON, 'open', LINES)
  assert.ok((await until(wrapped, /^hello$/)) < 1_000)
  // A call has to pass every policy.
  await policies.set(PERSON, 'quiet', text({ tools: { odd: {} } }))
  await policies.attach(PERSON, 'quiet', LINES)
  assert.ok((await until(wrapped, /^\[POLICY DENIED\] .*\nRule: quiet#/)) < 1_000)
  await policies.set(PERSON, 'quiet', text({ tools: { echo: {} } }))
  assert.ok((await until(wrapped, /^hello$/)) < 1_000)
  await vault.identity.freezes.freeze(AGENT, { kind: 'agent', id: 'local' }, null)
  assert.ok((await until(wrapped, /frozen/)) < 1_000)
  await vault.identity.freezes.lift(PERSON, { kind: 'agent', id: 'local' })
  await until(wrapped, /^hello$/)
  await policies.detach(PERSON, 'quiet', LINES)
  await policies.detach(PERSON, 'open', LINES)
  assert.ok((await until(wrapped, /There is no policy/)) < 1_000)
  await policies.attach(PERSON, 'open', LINES)
  await until(wrapped, /^hello$/)
  // The server itself: whoever is taken away has no calls.
  await servers.remove(PERSON, 'lines')
  assert.ok((await until(wrapped, /^\[POLICY DENIED\]/)) < 1_000)
  assert.equal(await wrapped.end(), 0)
  await servers.add(PERSON, 'lines', { kind: 'stdio', command: ['nothing'], variables: [] })
  await policies.attach(PERSON, 'open', LINES)
})

test('the program of a server that was removed gets no call, whatever is added under its name', async () => {
  const log = join(home, 'first.log')
  const calls = (): number => readFileSync(log, 'utf8').split('tools/call').length - 1
  const add = async (file: string): Promise<void> => {
    const command = [process.execPath, LINE_SERVER, file]
    await servers.add(PERSON, 'twice', { kind: 'stdio', command, variables: [] })
    await policies.attach(PERSON, 'open', { kind: 'server', name: 'twice' })
  }
  const removed =
    /^\[POLICY DENIED\] The server 'twice' was removed since .* Start it again\.\nRule: \(removed\)#/
  await add(log)
  const wrapped = startWrapped(home, { server: 'twice', ownCommand: true })
  await until(wrapped, /^hello$/)
  await servers.remove(PERSON, 'twice')
  await add(join(home, 'second.log'))
  assert.ok((await until(wrapped, removed)) < 1_000)
  const before = calls()
  for (let round = 0; round < 20; round += 1) {
    const answer = await wrapped.call(`again ${round}`, 'echo', { text: 'hello' })
    assert.match(saidBy(answer), removed)
    await sleep(50)
  }
  const read = await wrapped.ask('read', 'resources/read', { uri: 'file:///a' })
  assert.match(JSON.stringify(read), /The policy does not allow this method\./)
  assert.deepEqual((await wrapped.ask('list', 'tools/list')).result?.tools, [])
  assert.equal(calls(), before)
  assert.match(wrapped.stderr(), /every call is denied until wrap is started again/)
  await wrapped.end()
  const next = startWrapped(home, { server: 'twice', ownCommand: true })
  assert.equal(saidBy(await next.call(1, 'echo', { text: 'hello' })), 'hello')
  await next.end()
  await servers.remove(PERSON, 'twice')
})

test('what the client answers a server is judged by what holds then, and the server is told that it does not pass', async () => {
  const asks = { kind: 'server', name: 'asks' } as const
  const local = { kind: 'agent', id: 'local' } as const
  const command = [process.execPath, LINE_SERVER, join(home, 'asks.log')]
  await servers.add(PERSON, 'asks', { kind: 'stdio', command, variables: [] })
  await policies.set(PERSON, 'asking', text({ default: 'allow' }))
  await policies.attach(PERSON, 'asking', asks)
  const methods = { 'elicitation/create': { action: 'deny', reason: 'No questions.' } }
  const wrapped = startWrapped(home, { server: 'asks', ownCommand: true })
  const { freezes } = vault.identity
  const states: readonly (readonly [
    what: string,
    begin: () => Promise<unknown>,
    said: RegExp,
    told: RegExp,
    end?: () => Promise<unknown>,
  ])[] = [
    ['as it was asked', async () => {}, /^hello$/, /"name":"open"/],
    [
      'frozen',
      () => freezes.freeze(AGENT, local, null),
      /is frozen/,
      /"code":403,"message":"Everything this agent does is frozen/,
      () => freezes.lift(PERSON, local),
    ],
    [
      'denied',
      () => policies.set(PERSON, 'asking', text({ default: 'deny', methods })),
      /\(default deny\)$/,
      /"code":403,"message":"\[POLICY DENIED\] No questions\./,
      () => policies.set(PERSON, 'asking', text({ default: 'allow' })),
    ],
    [
      'without a policy',
      () => policies.detach(PERSON, 'asking', asks),
      /There is no policy/,
      /There is no policy for this server/,
      () => policies.attach(PERSON, 'asking', asks),
    ],
    [
      'removed',
      () => servers.remove(PERSON, 'asks'),
      /was removed since/,
      /"message":"\[POLICY DENIED\] /,
    ],
  ]
  for (const [at, [what, begin, said, told, end]] of states.entries()) {
    const call = wrapped.call(what, 'ask_and_wait')
    await wrapped.lineWith('"id":"from-server"')
    while (wrapped.lines.filter((line) => line.includes('"from-server"')).length <= at)
      await sleep(10)
    await begin()
    await until(wrapped, new RegExp(`${said.source}|never ${at}`))
    const content = { name: what === 'as it was asked' ? 'open' : `said ${what}` }
    const result = { action: 'accept', content }
    wrapped.send(JSON.stringify({ jsonrpc: '2.0', id: 'from-server', result }))
    assert.match(saidBy(await call), told, what)
    await end?.()
    if (end !== undefined) await until(wrapped, new RegExp(`^hello$|never again ${at}`))
  }
  assert.doesNotMatch(readFileSync(join(home, 'asks.log'), 'utf8'), /said /)
  await wrapped.end()
  const answered = (await vault.audit.query({ action: 'method.call' }))
    .map(({ body }) => JSON.parse(body) as { kind: string; by: string; detail: object })
    .filter(({ detail }) => 'answer' in detail)
    .map(({ kind, by }) => [kind, by])
  assert.deepEqual(answered.toReversed(), [
    ['intent', '/default'],
    ['refusal', 'frozen'],
    ['refusal', '/methods/elicitation~1create/action'],
    ['refusal', '(no policy)'],
    ['refusal', '(removed)#/default'],
  ])
})

test('a changed policy is told: after initialize to everybody, and to whoever listens', async () => {
  const wrapped = startWrapped(home, { server: 'lines' })
  const hello = await wrapped.ask('hello', 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'hand', version: '1' },
  })
  assert.deepEqual(hello.result?.['capabilities'], { tools: { listChanged: true } })
  await policies.set(PERSON, 'open', text({ default: 'allow', tools: { odd: { action: 'deny' } } }))
  await wrapped.lineWith('notifications/tools/list_changed')
  assert.equal(
    wrapped.lines.at(-1),
    '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
  )
  await wrapped.end()

  const listening = startWrapped(home, { server: 'lines' })
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const notifications = { toolsListChanged: true }
  const params = { notifications, _meta: meta }
  listening.send(
    JSON.stringify({ jsonrpc: '2.0', id: 'me', method: 'subscriptions/listen', params }),
  )
  const subscription = { 'io.modelcontextprotocol/subscriptionId': 'me' }
  assert.deepEqual(
    JSON.parse(await listening.lineWith('notifications/subscriptions/acknowledged')),
    {
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications, _meta: subscription },
    },
  )
  await policies.set(PERSON, 'open', text({ default: 'allow' }))
  assert.deepEqual(JSON.parse(await listening.lineWith('tools/list_changed')), {
    jsonrpc: '2.0',
    method: 'notifications/tools/list_changed',
    params: { _meta: subscription },
  })
  await listening.end()
})

test('two wraps of one server start at the same instant, with a command of their own', async () => {
  const both = [0, 1].map(() => startWrapped(home, { server: 'lines' }))
  const said = await Promise.all(both.map((one) => one.call(1, 'echo', { text: 'a' })))
  assert.deepEqual(said.map(saidBy), ['a', 'a'])
  for (const one of both) {
    assert.equal(one.stderr(), '')
    assert.match(one.received(), /"echo"/)
  }
  await Promise.all(both.map((one) => one.end()))
})

test('a server has limits of its own, and else those of the settings', async () => {
  await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
  for (const [name, limits] of [
    ['slow', { callMs: 1_000, lateInARow: 1 }],
    ['usual', {}],
  ] as const) {
    const command = [process.execPath, LINE_SERVER, join(home, `${name}.log`)]
    await servers.add(PERSON, name, { kind: 'stdio', command, variables: [], limits })
    await policies.attach(PERSON, 'open', { kind: 'server', name })
  }
  const own = startWrapped(home, { server: 'slow', ownCommand: true })
  const env = { SALLYPORT_SERVER_LIMITS: 'call=1s,open=1' }
  const usual = startWrapped(home, { server: 'usual', ownCommand: true, env })
  const [late, also] = await Promise.all([own.call(1, 'silent'), usual.call(1, 'silent')])
  assert.equal(late.error?.message, 'The server did not answer in time.')
  assert.equal(also.error?.message, 'The server did not answer in time.')
  assert.match(saidBy(await own.call(2, 'echo', { text: 'a' })), /did not answer 1 calls in time/)
  assert.equal(saidBy(await usual.call(2, 'echo', { text: 'a' })), 'a')
  // In one piece: the first must not be over before the second is judged.
  usual.send(
    ['silent', 'echo']
      .map((name, index) => ({ id: index + 3, params: { name, arguments: { text: 'a' } } }))
      .map((call) => JSON.stringify({ jsonrpc: '2.0', method: 'tools/call', ...call }))
      .join('\n'),
  )
  assert.match(await usual.lineWith('"id":4'), /1 calls of this server/)
  await Promise.all([own.end(), usual.end()])
})

test('a server that says nothing has its time to start, whichever era its client is of', async () => {
  const env = { SALLYPORT_SERVER_LIMITS: 'start=1s' }
  const command = [process.execPath, '-e', 'process.stdin.resume()']
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const asked: readonly [method: string, params: { _meta?: object; [name: string]: unknown }][] = [
    ['initialize', { protocolVersion: '2025-11-25', capabilities: {} }],
    ['server/discover', { _meta: meta }],
    ['tools/list', { _meta: meta }],
    ['tools/call', { name: 'echo', arguments: {}, _meta: meta }],
    // A client of the older revisions that does not introduce itself.
    ['tools/list', {}],
  ]
  await Promise.all(
    asked.map(async ([method, params]) => {
      const wrapped = startWrapped(home, { env, command })
      const { _meta } = params
      for (const ask of [
        () => wrapped.ask(1, method, params),
        () => wrapped.ask(2, 'tools/list', { _meta }),
      ])
        assert.equal((await ask()).error?.message, 'The server did not answer in time.', method)
      await wrapped.end()
    }),
  )
})

test('a call has its own time, also where its client says nothing before it', async () => {
  const answers = `
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id } = JSON.parse(line)
      setTimeout(() => console.log(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } })), 2_500)
    })`
  const wrapped = startWrapped(home, {
    env: { SALLYPORT_SERVER_LIMITS: 'start=1s,call=20s' },
    command: [process.execPath, '-e', answers],
  })
  assert.deepEqual((await wrapped.call(1, 'echo')).result, { content: [] })
  await wrapped.end()
})

test('a server or policy that is not there, or a second source of either, is an error at the start', async () => {
  await servers.add(PERSON, 'other', {
    kind: 'stdio',
    command: ['nothing'],
    variables: ['NOT_SET'],
  })
  await policies.set(PERSON, 'gone', text({}))
  await policies.attach(PERSON, 'gone', { kind: 'server', name: 'other' })
  const wrong: readonly [server: string, flags: readonly string[], exit: number, said: RegExp][] = [
    ['nowhere', [], 4, /There is no server 'nowhere'/],
    ['lines', ['--policy', 'p.json'], 2, /--policy and --name go without --server/],
    ['lines', ['--name', 'x'], 2, /--policy and --name go without --server/],
    ['lines', ['--url', 'http://127.0.0.1:1'], 2, /--url goes without --server/],
    ['lines', ['--header', 'A=b'], 2, /--header goes without --server/],
  ]
  for (const [server, flags, exit, said] of wrong) {
    const wrapped = startWrapped(home, { server, flags })
    assert.equal(await wrapped.exited, exit)
    assert.match(wrapped.stderr(), said)
    assert.equal(wrapped.received(), '')
  }
  await servers.add(PERSON, 'away', { kind: 'http', url: 'http://127.0.0.1:1/mcp', headers: [] })
  const away = startWrapped(home, { server: 'away', flags: ['-e', 'PATH'], ownCommand: true })
  assert.equal(await away.exited, 2)
  assert.match(away.stderr(), /--env goes with a command/)
  const unset = startWrapped(home, { server: 'other', ownCommand: true })
  assert.equal(await unset.exited, 2)
  assert.match(unset.stderr(), /The variable 'NOT_SET' is not set here/)
})

test('a policy that was cut out of the store from outside is an error at the start, never none', async () => {
  await vault.db.write((tx) => tx.run(`delete from gateway_policies where name = 'gone'`, []))
  const wrapped = startWrapped(home, { server: 'other', ownCommand: true })
  assert.equal(await wrapped.exited, 2)
  assert.match(wrapped.stderr(), /The policy 'gone' of the server 'other' is not there/)
})
