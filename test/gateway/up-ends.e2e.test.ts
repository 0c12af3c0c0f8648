// How a real `sallyport up` ends when it is asked to, whoever is served at that moment.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { freshDatabase, postgresMissing } from '../support/postgres.ts'
import { type Serving, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
const vault = await openTestVault({ home })
after(async () => {
  await vault.close()
  await remove()
})
const { servers, policies } = await vault.registry()
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })

/** Its bearer, and what it writes down. */
async function added(name: string, ...manner: string[]) {
  const log = join(home, `${name}.log`)
  writeFileSync(log, '')
  const command = [process.execPath, LINE_SERVER, log, ...manner]
  await servers.add(PERSON, name, { kind: 'stdio', command, variables: [] })
  const asked = { label: name, server: name, policies: ['open'] }
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
  return { name, bearer: bearer.reveal(), log: () => readFileSync(log, 'utf8') }
}
type Added = Awaited<ReturnType<typeof added>>

const plain = await added('plain')
/** It ends only when it is made to, so that there is time while the gateway ends. */
const stubborn = await added('stubborn', 'stubborn')

const REVISION = '2026-07-28'
const META = {
  'io.modelcontextprotocol/protocolVersion': REVISION,
  'io.modelcontextprotocol/clientCapabilities': {},
}
const HELLO = {
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
}

function callOf(name: string) {
  return { method: 'tools/call', params: { name, arguments: {}, _meta: META } }
}

/** A connection on which requests are written as bytes. */
async function connected({ url }: Serving) {
  const socket = connect(Number(url.port), url.hostname)
  let heard = ''
  socket.on('data', (bytes) => (heard += bytes.toString('utf8')))
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  return { socket, heard: () => heard }
}

interface Asked {
  readonly method: string
  readonly params: object
}

function headOf({ bearer }: Added, path: string, asked: Asked, framing: string): string {
  const { method, params } = asked
  const isModern = method !== 'initialize'
  return [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: Bearer ${bearer}`,
    'Content-Type: application/json',
    'Accept: application/json',
    ...(isModern ? [`MCP-Protocol-Version: ${REVISION}`, `Mcp-Method: ${method}`] : []),
    ...('name' in params ? [`Mcp-Name: ${String(params.name)}`] : []),
    `${framing}\r\n\r\n`,
  ].join('\r\n')
}

const bodyOf = (asked: object): string => JSON.stringify({ jsonrpc: '2.0', id: 7, ...asked })

function ask(socket: Socket, of: Added, path: string, asked: Asked): void {
  const body = bodyOf(asked)
  socket.write(headOf(of, path, asked, `Content-Length: ${body.length}`) + body)
}

async function until(is: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !is(); waited += 20) {
    assert.ok(waited < 10_000, what)
    await sleep(20)
  }
}

const startedOf = (of: Added): readonly number[] =>
  [...of.log().matchAll(/started (\d+)/g)].map(([, pid]) => Number(pid))

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a call under way is answered as lost, at the address of a server as at that of all', async () => {
  const up = await startServing(home)
  const calls = [
    { path: '/s/plain/mcp', asked: callOf('silent') },
    { path: '/mcp/all', asked: callOf('plain.silent') },
  ]
  const open = await Promise.all(
    calls.map(async ({ path, asked }) => {
      const one = await connected(up)
      ask(one.socket, plain, path, asked)
      return one
    }),
  )
  const called = (): number => plain.log().split('"silent"').length - 1
  await until(() => called() === calls.length, 'the server was not called')
  assert.equal(await up.stop(), 0)
  for (const { heard } of open)
    assert.match(heard(), /"id":7,"error":{"code":-32603,"message":"The server ended before it an/)
  assert.deepEqual(startedOf(plain).filter(isRunning), [])
})

test('who comes while it ends is refused, on a connection that is open too, and no server is started for him', async () => {
  const up = await startServing(home)
  const before = startedOf(plain).length
  const under = await connected(up)
  ask(under.socket, stubborn, '/s/stubborn/mcp', callOf('silent'))
  await until(() => stubborn.log().includes('"silent"'), 'the server was not called')
  const halves = [
    { of: stubborn, path: '/s/stubborn/mcp', asked: callOf('echo') },
    { of: stubborn, path: '/s/stubborn/mcp', asked: HELLO },
    { of: plain, path: '/s/plain/mcp', asked: callOf('echo') },
    { of: plain, path: '/mcp/all', asked: callOf('plain.echo') },
    { of: plain, path: '/mcp/all', asked: HELLO },
  ]
  // They were let in before, and have not said what they want.
  const open = await Promise.all(
    halves.map(async ({ of, path, asked }) => {
      const one = await connected(up)
      one.socket.write(headOf(of, path, asked, 'Transfer-Encoding: chunked'))
      return one
    }),
  )
  await sleep(300)
  const from = monotonicMs()
  const code = up.stop()
  await until(() => under.heard().includes('-32603'), 'the call was not answered')
  ask(under.socket, stubborn, '/s/stubborn/mcp', callOf('echo'))
  for (const [index, { socket }] of open.entries()) {
    const body = bodyOf(halves[index]?.asked ?? {})
    socket.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
  }
  await assert.rejects(fetch(up.url))
  await until(() => under.heard().includes('"STOPPING"'), under.heard())
  const [, refused = ''] = under.heard().split('-32603')
  assert.match(refused, /HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n.*Connection: close\r\n/s)
  for (const [index, { heard }] of open.entries()) {
    await until(() => heard().includes('\r\n\r\n'), `no answer to ${index}`)
    assert.match(heard(), /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n.*"STOPPING"/s, `${index}`)
  }
  assert.equal(await code, 0)
  assert.ok(monotonicMs() - from < 8_000)
  const pids = startedOf(stubborn)
  assert.equal(pids.length, 1)
  assert.deepEqual(pids.filter(isRunning), [])
  assert.equal(startedOf(plain).length, before)
})

/** Before a database: it passes on all that comes, until it does not, or nobody reaches it any more. */
async function proxyTo(url: string) {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let isStalled = false
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const passOn = (from: Socket, to: Socket): void => {
      sockets.add(from)
      from.on('error', () => {})
      from.on('data', (bytes) => isStalled || to.write(bytes))
      from.on('end', () => isStalled || to.end())
    }
    passOn(client, upstream)
    passOn(upstream, client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const own = String((server.address() as AddressInfo).port)
  return {
    url: url.replace(`:${port}/`, `:${own}/`),
    stall() {
      isStalled = true
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

const LOSSES = [
  { what: 'does not answer any more', lose: 'stall', withinMs: 8_000 },
  { what: 'is gone', lose: 'close', withinMs: 3_000 },
] as const

describe('with its database on another machine', { skip: postgresMissing() }, () => {
  for (const { what, lose, withinMs } of LOSSES)
    test(`it ends well when that ${what}`, async () => {
      const { home: own, remove: removeOwn } = await temporaryHome()
      const proxy = await proxyTo(await freshDatabase())
      const up = await startServing(own, { SALLYPORT_DATABASE_URL: proxy.url })
      const headers = { Authorization: `Bearer ${up.token ?? ''}` }
      const asks = () => fetch(new URL('/s/none/mcp', up.url), { method: 'POST', headers })
      assert.equal((await asks()).status, 404)
      proxy[lose]()
      const waiting = asks().then(
        ({ status }) => status,
        () => null,
      )
      await sleep(100)
      const from = monotonicMs()
      assert.equal(await up.stop(), 0, up.log())
      assert.ok(monotonicMs() - from < withinMs)
      assert.notEqual(await waiting, 404)
      proxy.close()
      await removeOwn()
    })
})
