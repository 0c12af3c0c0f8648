// Where Intercept as a process lost output, hung, or told what nobody else should know.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import { approvedProject } from '../support/approved-project.ts'
import { events, eventually, json, scripted, withSession } from '../support/http-upstream.ts'
import { HELLO } from '../support/mcp-door.ts'
import { homeEnvironment, LAUNCHER, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER, saidBy, startWrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)
const policy = join(home, 'policy.json')
await writeFile(
  policy,
  JSON.stringify({ version: '1', default: 'allow', tools: { rm: { action: 'deny' } } }),
)

function sallyport(args: readonly string[], input = '') {
  return spawnSync(process.execPath, [LAUNCHER, ...args], {
    cwd: home,
    env: homeEnvironment(home),
    encoding: 'utf8',
    input,
    timeout: 30_000,
  })
}

test('what a server says last is heard to its end, though it is gone by then and its client is slow', async () => {
  const file = join(home, 'last.log')
  const content = [{ type: 'text', text: 'x'.repeat(3_000_000) }]
  const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content } })
  await writeFile(file, `${answer}\n`)
  const wrap = [process.execPath, LAUNCHER, 'wrap', '--name', 'last', '--policy', policy]
  const server = ['sh', '-c', 'read line; cat "$0"; exit 5', file]
  // What the client reads with begins when the server is gone. Nobody ends the input.
  const slowly = '{ "$@"; echo "ended with $?" >&2; } | { sleep 1; cat; }'
  const child = spawn('sh', ['-c', slowly, 'sh', ...wrap, '--', ...server], {
    cwd: home,
    env: homeEnvironment(home),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    said += piece
  })
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    err += piece
  })
  child.stdin.write(
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}\n',
  )
  const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await once(child, 'close')
  clearTimeout(late)
  assert.match(err, /ended with 5/)
  assert.ok(said === `${answer}\n`, `${said.length} characters came`)
})

test('a message of a megabyte goes there and back as it was', async () => {
  const wrapped = startWrapped(home, { flags: ['--policy', policy] })
  const text = '0123456789abcde\n'.repeat(65_536)
  assert.ok(saidBy(await wrapped.call(1, 'echo', { text })) === text)
  assert.ok(wrapped.received().includes(JSON.stringify(text)))
  assert.equal(await wrapped.end(), 0)
})

test('who says nothing hears nothing, and the end of the input is the end', async () => {
  const server = await scripted(withSession((_got, response) => response.writeHead(500).end()))
  const log = join(home, 'nothing.log')
  for (const way of [
    ['--url', server.url],
    ['--', process.execPath, LINE_SERVER, log],
  ]) {
    const child = spawn(process.execPath, [LAUNCHER, 'wrap', '--policy', policy, ...way], {
      cwd: home,
      env: homeEnvironment(home),
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      said += piece
    })
    child.stdin.end()
    assert.deepEqual(await once(child, 'close'), [0, null])
    assert.equal(said, '')
  }
  assert.deepEqual(server.got, [])
})

test('a command that is missing, and flags of Intercept that would hold for nothing, are errors', () => {
  for (const args of [
    ['wrap'],
    ['wrap', '--'],
    ['wrap', '--', ''],
    ['wrap', '--url', 'http://127.0.0.1:9/', '--', 'node'],
    ['wrap', '--state-fail-mode', 'open', '--', process.execPath, '-v'],
    ['wrap', '--state-dsn', 'redis://127.0.0.1:1', '--', process.execPath, '-v'],
  ]) {
    const { status, stdout, stderr } = sallyport(args)
    assert.deepEqual([status, stdout], [2, ''], args.join(' '))
    assert.notEqual(stderr, '')
  }
})

test('a long call over HTTP holds up nothing: not a ping, not a question, not its cancellation', async () => {
  const open = new Map<unknown, ServerResponse>()
  const server = await scripted(
    withSession(({ rpc }, response) => {
      if (rpc.method === 'tools/call') {
        events(response)
        open.set(rpc.id, response)
        if (rpc.id === 1)
          response.write('data: {"jsonrpc":"2.0","id":"q","method":"roots/list"}\n\n')
      } else if (rpc.method === 'ping') json(response, { id: rpc.id, result: {} })
      else response.writeHead(202).end()
    }),
  )
  const wrapped = startWrapped(home, { url: server.url, flags: ['--policy', policy] })
  const params = { protocolVersion: '2025-11-25', capabilities: { roots: {} } }
  await wrapped.ask(0, 'initialize', params)
  wrapped.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  const first = wrapped.call(1, 'long')
  void wrapped.call(2, 'longer').catch(() => {})
  await wrapped.lineWith('roots/list')
  assert.deepEqual((await wrapped.ask(3, 'ping')).result, {})
  assert.match(saidBy(await wrapped.call(4, 'rm')), /^\[POLICY DENIED\]/)
  wrapped.send('{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}')
  await server.reached(({ body }) => body.includes('"roots":[]'))
  wrapped.send('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}')
  await server.reached(({ rpc }) => rpc.method === 'notifications/cancelled')
  open.get(1)?.end('data: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n')
  assert.deepEqual((await first).result, { content: [] })
  assert.equal(wrapped.lines.length, 5, wrapped.lines.join('\n'))
  assert.equal(await wrapped.end(), 0)
})

test('a batch over HTTP is answered in one line, whether all of it or nothing may go on', async () => {
  const server = await scripted(
    withSession(({ rpc }, response) => {
      if (rpc.id === undefined) response.writeHead(202).end()
      else json(response, { id: rpc.id, result: { content: [] } })
    }),
  )
  const wrapped = startWrapped(home, { url: server.url, flags: ['--policy', policy] })
  await wrapped.ask(0, 'initialize', { protocolVersion: '2025-03-26', capabilities: {} })
  wrapped.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  const call = (id: number, name: string): string =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${name}"}}`
  for (const [batch, denied] of [
    [`[${call(1, 'ok')},${call(2, 'rm')}]`, [2]],
    [`[${call(3, 'rm')},${call(4, 'rm')}]`, [3, 4]],
  ] as const) {
    const before = wrapped.lines.length
    wrapped.send(batch)
    const line = await eventually(
      () => wrapped.lines[before],
      () => wrapped.lines.join('\n'),
    )
    const answers = JSON.parse(line) as readonly { id: number; result: { isError?: boolean } }[]
    assert.equal(answers.length, 2)
    assert.deepEqual(
      answers.filter(({ result }) => result.isError === true).map(({ id }) => id),
      denied,
    )
  }
  wrapped.send('[]')
  await wrapped.lineWith('-32600')
  assert.ok(!server.got.some(({ body }) => body.includes('"rm"')))
  await wrapped.end().catch(() => {})
})

test('a server over HTTP that is not there, or fails, is an answer to its client', async () => {
  const server = await scripted((_got, response) => response.writeHead(500).end('a trace'))
  for (const url of ['http://127.0.0.1:9/mcp', server.url]) {
    const wrapped = startWrapped(home, { url, flags: ['--policy', policy] })
    const { error } = await wrapped.call('asked', 'a')
    assert.equal(error?.code, -32603, url)
    assert.doesNotMatch(error.message, /trace/)
    await wrapped.end()
  }
})

test('who is interrupted ends, though nobody ended its input: the session at a server too', async () => {
  const server = await scripted(
    withSession(({ rpc }, response) => json(response, { id: rpc.id, result: {} })),
  )
  const far = startWrapped(home, { url: server.url })
  await far.ask(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} })
  far.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  await far.ask(1, 'ping')
  const near = startWrapped(home)
  await near.ask(1, 'ping')
  for (const { child } of [far, near]) child.kill('SIGINT')
  await Promise.race([
    Promise.all([far.exited, near.exited]),
    sleep(8_000).then(() => assert.fail('it waits for the end of its input')),
  ])
  assert.ok(server.got.some(({ method }) => method === 'DELETE'))
  assert.throws(() => process.kill(near.serverPid(), 0))
})

test('a server that is interrupted says goodbye: its calls are answered and stand in the audit with their ends', async () => {
  const vault = await openTestVault({ home })
  const { servers, policies } = await vault.registry()
  const command = [process.execPath, LINE_SERVER, join(home, 'up.log')]
  await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
  await servers.add(PERSON, 'lines', { kind: 'stdio', command, variables: [] })
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
  const grant = { label: 'laptop', server: 'lines', policies: ['open'] }
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, grant)
  const serving = await startServing(home)
  const address = new URL('/s/lines/mcp', serving.url)
  const headers = {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    Authorization: `Bearer ${bearer.reveal()}`,
  }
  const post = (body: object, more: Record<string, string> = {}): Promise<Response> =>
    fetch(address, {
      method: 'POST',
      headers: { ...headers, ...more },
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
    })
  const hello = await post(HELLO)
  await hello.text()
  const id = { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  const silent = post({ id: 7, method: 'tools/call', params: { name: 'silent' } }, id)
    .then((response) => response.text())
    .catch((error: unknown) => String(error))
  const received = (): string => readFileSync(join(home, 'up.log'), 'utf8')
  for (let waited = 0; waited < 5_000 && !received().includes('"silent"'); waited += 20)
    await sleep(20)
  process.kill(serving.pid, 'SIGINT')
  await silent
  for (let waited = 0; waited < 8_000 && isThere(serving.pid); waited += 20) await sleep(20)
  assert.ok(!isThere(serving.pid))
  const { pid } = /started (?<pid>\d+)/.exec(received())?.groups ?? {}
  for (let waited = 0; waited < 5_000 && isThere(Number(pid)); waited += 20) await sleep(20)
  assert.ok(!isThere(Number(pid)))
  const [call] = await vault.audit.query({ limit: 1, action: 'tool.call' })
  assert.equal(call?.outcome, 'lost')
  await vault.close()
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}

test('what is kept is readable by its owner alone', { skip: process.platform === 'win32' }, () => {
  const own = readdirSync(home, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !/\.log$|^policy\.json$/.test(entry.name),
  )
  assert.ok(own.length > 3, 'there is nothing to look at')
  for (const entry of own) {
    const file = join(entry.parentPath, entry.name)
    assert.equal(statSync(file).mode & 0o077, 0, file)
  }
})

test('a secret in a header is in no command line and no environment that others can read', {
  skip: process.platform === 'linux' ? false : 'processes are read from /proc',
}, async () => {
  const value = `tk_${randomBytes(24).toString('base64url')}`
  const project = await approvedProject(home, { 'run/hub': value })
  const server = await scripted(
    withSession(({ rpc }, response) => json(response, { id: rpc.id, result: { content: [] } })),
  )
  const header = ['--header', 'Authorization=Bearer secret://run/hub']
  const flags = ['--policy', policy, ...header]
  const wrapped = startWrapped(home, { url: server.url, cwd: project, flags })
  await wrapped.call(1, 'a')
  assert.ok(server.got.some(({ headers }) => headers.authorization === `Bearer ${value}`))
  for (const file of ['cmdline', 'environ'])
    assert.ok(!readFileSync(`/proc/${wrapped.child.pid}/${file}`, 'utf8').includes(value), file)
  assert.ok(!wrapped.stderr().includes(value))
  assert.equal(await wrapped.end(), 0)
})
