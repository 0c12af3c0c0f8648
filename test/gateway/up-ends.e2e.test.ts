// How a real `sallyport up` ends when it is asked to, whoever is served at that moment.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
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
const REVISION = '2026-07-28'
const META = {
  'io.modelcontextprotocol/protocolVersion': REVISION,
  'io.modelcontextprotocol/clientCapabilities': {},
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
