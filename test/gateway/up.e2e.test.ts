// Two real `sallyport up` over one store, and a person at a third process.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { homeEnvironment, LAUNCHER, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
const vault = await openTestVault({ home })
after(async () => {
  await vault.close()
  await remove()
})
const { servers, policies } = await vault.registry()
const log = join(home, 'lines.log')
await servers.add(PERSON, 'lines', {
  kind: 'stdio',
  command: [process.execPath, LINE_SERVER, log],
  variables: [],
})
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
const { grant, bearer } = await vault.identity.grants.create(PERSON, agent.id, {
  label: 'laptop',
  server: 'lines',
  policies: ['open'],
})

async function connected(
  base: URL,
  token: string,
  mode: 'legacy' | 'auto' = 'legacy',
  server = 'lines',
): Promise<Client> {
  const client = new Client({ name: 'two', version: '1' }, { versionNegotiation: { mode } })
  const transport = new StreamableHTTPClientTransport(new URL(`/s/${server}/mcp`, base), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  })
  await client.connect(transport)
  return client
}

const says = async (client: Client, text: string): Promise<unknown> =>
  (await client.callTool({ name: 'echo', arguments: { text } })).content

test('a rotated bearer is dead at two processes within a second, and a killed one leaves no child', async () => {
  const both = await Promise.all([startServing(home), startServing(home)])
  const clients = await Promise.all(both.map(({ url }) => connected(url, bearer.reveal())))
  for (const client of clients)
    assert.deepEqual(await says(client, 'a'), [{ type: 'text', text: 'a' }])
  const { bearer: next } = await vault.identity.grants.rotate(PERSON, grant.id)
  const from = monotonicMs()
  const refused = async (client: Client): Promise<void> => {
    for (;;) {
      const isRefused = await says(client, 'b').then(
        () => false,
        () => true,
      )
      if (isRefused) return
      assert.ok(monotonicMs() - from < 1_000, 'it still counts after a second')
      await sleep(20)
    }
  }
  await Promise.all(clients.map(refused))
  const [stays, dies] = both
  assert.ok(stays !== undefined && dies !== undefined)
  const other = await connected(dies.url, next.reveal())
  assert.deepEqual(await says(other, 'c'), [{ type: 'text', text: 'c' }])
  await dies.kill()
  const here = await connected(stays.url, next.reveal())
  assert.deepEqual(await says(here, 'd'), [{ type: 'text', text: 'd' }])
  assert.equal(await stays.stop(), 0)
  const pids = [...readFileSync(log, 'utf8').matchAll(/started (\d+)/g)].map(([, pid]) =>
    Number(pid),
  )
  assert.equal(pids.length, 4)
  for (let waited = 0; waited < 8_000 && pids.some(isThere); waited += 50) await sleep(50)
  assert.deepEqual(pids.filter(isThere), [])
})

test('an answer that is none ends the call that it is for, in both eras', async () => {
  const { bearer: own } = await vault.identity.grants.create(PERSON, agent.id, {
    label: 'desk',
    server: 'lines',
    policies: ['open'],
  })
  const serving = await startServing(home)
  for (const mode of ['legacy', 'auto'] as const) {
    const client = await connected(serving.url, own.reveal(), mode)
    await assert.rejects(
      client.callTool({ name: 'crooked' }),
      /The server's answer is not valid\. 'error' must have a code and a message/,
    )
    assert.deepEqual(await says(client, mode), [{ type: 'text', text: mode }])
    await client.close()
  }
  assert.equal(await serving.stop(), 0)
})

test('what policies may not mean is logged once for each text, when the gateway is opened', async () => {
  await policies.set(PERSON, 'loose', Buffer.from('version: "1"\ntools: {}\n'))
  const serving = await startServing(home)
  const door = new URL('/s/lines/mcp', serving.url)
  const warned = (): number => serving.log().split("there is no 'default'").length - 1
  for (let asked = 0; asked < 2; asked += 1) {
    assert.equal((await fetch(door, { method: 'POST', body: '{}' })).status, 401)
    assert.equal(warned(), 1, serving.log())
  }
  await policies.set(PERSON, 'loose', Buffer.from('version: "1"\ntools: {other: {}}\n'))
  for (let waited = 0; waited < 2_000 && warned() < 2; waited += 20) await sleep(20)
  assert.equal(warned(), 2)
  assert.equal(await serving.stop(), 0)
})

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('what is amiss is said with the name of the server, the reason and what helps', async () => {
  await servers.add(PERSON, 'broken', { kind: 'stdio', command: ['/no/program'], variables: [] })
  const { bearer: broken } = await vault.identity.grants.create(PERSON, agent.id, {
    label: 'broken',
    server: 'broken',
    policies: ['open'],
  })
  const up = await startServing(home)
  const hello = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'x', version: '1' },
  }
  const answer = await fetch(new URL('/s/broken/mcp', up.url), {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${broken.reveal()}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: hello }),
  })
  assert.match(
    await answer.text(),
    /'\/no\/program' cannot be started: .* \(ENOENT\)\. name a program that is there/,
  )
  await assert.rejects(connected(up.url, broken.reveal(), 'auto', 'broken'))
  const { bearer: own } = await vault.identity.grants.create(PERSON, agent.id, {
    label: 'own',
    server: 'lines',
    policies: ['open'],
  })
  const client = await connected(up.url, own.reveal())
  await assert.rejects(client.callTool({ name: 'die', arguments: {} }))
  await says(client, 'again')
  await client.close()
  const logged = up.log().split('\n')
  const unopened = logged.filter((line) => line.includes('a server could not be opened'))
  assert.ok(unopened.length >= 2, up.log())
  for (const line of unopened)
    assert.match(line, /"server":"broken","error":"BAD_INPUT","reason":".*ENOENT/)
  assert.match(up.log(), /started again","server":"lines"/)

  const port = up.url.port
  const second = spawnSync(process.execPath, [LAUNCHER, 'up', '--port', port], {
    cwd: home,
    env: homeEnvironment(home),
    encoding: 'utf8',
  })
  assert.equal(second.status, 7)
  assert.match(second.stderr, /Port \d+ is taken: another sallyport may be running\./)
  assert.match(second.stderr, /choose another port with --port/)
  assert.doesNotMatch(second.stderr, /store reachable/)
  await up.stop()
})
