// Two real `sallyport up` over one store: a client that comes back to the other one in the middle of a call goes on.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { EVERYTHING } from '../support/everything.ts'
import { freshDatabase, postgresMissing, query } from '../support/postgres.ts'
import { type Serving, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const MODERN = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const VERSION = '2026-07-28'
const { home, remove } = await temporaryHome()
const vault = await openTestVault({ home })
const { servers, policies } = await vault.registry()
const limits = [{ counter: 'asks', window: 'month', max: 1 }]
const document = { version: '1', default: 'allow', tools: { ask: { limits } } }
await policies.set(PERSON, 'open', Buffer.from(JSON.stringify(document)))
const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })

async function added(name: string, command: readonly string[]): Promise<string> {
  await servers.add(PERSON, name, { kind: 'stdio', command, variables: [] })
  const asked = { label: name, server: name, policies: ['open'] }
  return (await vault.identity.grants.create(PERSON, agent.id, asked)).bearer.reveal()
}

const bearers = {
  old: await added('old', [process.execPath, EVERYTHING]),
  new: await added('new', [process.execPath, MODERN, 'stdio']),
}
const [one, other] = await Promise.all([startServing(home), startServing(home)])
after(async () => {
  await Promise.all([one.stop(), other.stop()])
  await vault.close()
  await remove()
})

interface Answer {
  readonly id: unknown
  readonly result?: {
    readonly resultType?: string
    readonly requestState?: string
    readonly inputRequests?: Readonly<Record<string, unknown>>
    readonly content?: readonly { readonly text: string }[]
    readonly isError?: boolean
  }
  readonly error?: { readonly code: number; readonly message: string }
}

let ids = 0

async function call(
  node: Serving,
  server: 'old' | 'new',
  name: string,
  more: object = {},
  headers: Readonly<Record<string, string>> = { Authorization: `Bearer ${bearers[server]}` },
  path = `/s/${server}/mcp`,
): Promise<Answer> {
  const id = ++ids
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
  }
  const params = { name, arguments: {}, _meta, ...more }
  const response = await fetch(new URL(path, node.url), {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json',
      'MCP-Protocol-Version': VERSION,
      'Mcp-Method': 'tools/call',
      'Mcp-Name': name,
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params }),
  })
  const answer = (await response.json()) as Answer
  if (response.status === 200) assert.equal(answer.id, id)
  return answer
}

/** What a client says to a question about a name. */
function answering({ result }: Answer): object {
  const keys = Object.keys(result?.inputRequests ?? {})
  const said = { action: 'accept', content: { name: 'me' } }
  return {
    requestState: result?.requestState,
    inputResponses: Object.fromEntries(keys.map((key) => [key, said])),
  }
}

const said = ({ result }: Answer): string => JSON.stringify(result?.content)
const ELICIT = 'trigger-elicitation-request'

test('a round of a modern server goes on at any node, and is paid for once by both of them together', async () => {
  const asked = await call(one, 'new', 'ask')
  assert.equal(asked.result?.resultType, 'input_required')
  assert.match(said(await call(other, 'new', 'ask', answering(asked))), /hello me/)
  const again = await call(one, 'new', 'ask', answering(asked))
  assert.match(said(again), /The limit 'asks' of 1 in a month is reached/)
})

test('a call that one node holds open is answered through the other one', async () => {
  const asked = await call(one, 'old', ELICIT)
  assert.equal(asked.result?.resultType, 'input_required')
  assert.match(said(await call(other, 'old', ELICIT, answering(asked))), /Name: me/)
  const late = await call(other, 'old', ELICIT, answering(asked))
  assert.match(late.error?.message ?? '', /not held here any more/)
})

test('at the address of all, a call that one node holds open is answered through the other one', async () => {
  const all = (node: Serving, more: object = {}, headers?: Readonly<Record<string, string>>) =>
    call(node, 'old', `old.${ELICIT}`, more, headers, '/mcp/all')
  const asked = await all(one)
  assert.equal(asked.result?.resultType, 'input_required')
  const stranger = { Authorization: `Bearer ${bearers.new}` }
  assert.notEqual((await all(other, answering(asked), stranger)).error, undefined)
  assert.match(said(await all(other, answering(asked))), /Name: me/)
  const late = await all(other, answering(asked))
  assert.match(late.error?.message ?? '', /not held here any more/)
  const refused = await all(one, {}, { 'Sallyport-Sent-On': 'x' })
  assert.equal((refused.error as unknown as { code: string }).code, 'UNAUTHENTICATED')
})

test('what no node wrote lets nobody in', async () => {
  const body = Buffer.from(JSON.stringify({ v: 1, to: 'x', path: '/s/old/mcp', admitted: {} }))
  for (const letter of ['', 'x', `${body.toString('base64url')}.AAAA`]) {
    const refused = await call(one, 'old', 'echo', {}, { 'Sallyport-Sent-On': letter })
    assert.equal((refused.error as unknown as { code: string }).code, 'UNAUTHENTICATED')
  }
})

const UNREACHED =
  /^This call is held open by the process [\w-]{12} of Sallyport, which cannot be reached from here: make it again without requestState\.$/

test('when the node that holds a call hangs, the other one says so in seconds, and the call goes on once it does not', async () => {
  const asked = await call(one, 'old', ELICIT)
  const from = monotonicMs()
  process.kill(one.pid, 'SIGSTOP')
  try {
    const hung = await call(other, 'old', ELICIT, answering(asked))
    assert.match(hung.error?.message ?? '', UNREACHED)
    assert.ok(monotonicMs() - from < 4_000)
  } finally {
    process.kill(one.pid, 'SIGCONT')
  }
  assert.match(said(await call(other, 'old', ELICIT, answering(asked))), /Name: me/)
})

test('when the node that held a call is gone, the other one says so and names it', async () => {
  const third = await startServing(home)
  const asked = await call(third, 'old', ELICIT)
  assert.equal(asked.result?.resultType, 'input_required')
  await third.kill()
  const lost = await call(other, 'old', ELICIT, answering(asked))
  assert.equal(lost.error?.code, -32602)
  assert.match(lost.error?.message ?? '', UNREACHED)
  const anew = await call(other, 'old', ELICIT)
  assert.equal(anew.result?.resultType, 'input_required')
})

test('over PostgreSQL, a node that is stopped in the middle of a record keeps the other one waiting for moments', {
  skip: postgresMissing(),
}, async (t) => {
  const url = await freshDatabase()
  const env = { SALLYPORT_DATABASE_URL: url }
  const { home, remove } = await temporaryHome()
  const vault = await openTestVault({ home, env })
  const { servers, policies } = await vault.registry()
  const tools = { echo: { limits: [{ counter: 'echoes', window: 'month', max: 9 }] } }
  const limited = Buffer.from(JSON.stringify({ version: '1', default: 'allow', tools }))
  await policies.set(PERSON, 'limited', limited)
  const command = [process.execPath, MODERN, 'stdio']
  await servers.add(PERSON, 'new', { kind: 'stdio', command, variables: [] })
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
  const asked = { label: 'new', server: 'new', policies: ['limited'] }
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
  const headers = { Authorization: `Bearer ${bearer.reveal()}` }
  const [stopped, going] = await Promise.all([startServing(home, env), startServing(home, env)])
  const holder = new pg.Client({ connectionString: url })
  t.after(async () => {
    await holder.end()
    await Promise.all([stopped.kill(), going.stop()])
    await vault.close()
    await remove()
  })
  const echo = (node: Serving): Promise<Answer> =>
    call(node, 'new', 'echo', { arguments: { text: 'hi' } }, headers)
  assert.match(said(await echo(stopped)), /hi/)
  assert.match(said(await echo(going)), /hi/)
  // The node waits for this with the audit locked, and is stopped before it knows that it need not wait any more.
  await holder.connect()
  await holder.query('begin; update gateway_counters set used = used')
  const held = echo(stopped)
  const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
  while ((await query(url, waiting)).length === 0) await sleep(10)
  process.kill(stopped.pid, 'SIGSTOP')
  await holder.query('rollback')
  const before = monotonicMs()
  assert.match(said(await echo(going)), /hi/)
  assert.ok(monotonicMs() - before < 3_000)
  process.kill(stopped.pid, 'SIGCONT')
  assert.match(said(await held), /hi/)
  assert.match(said(await echo(stopped)), /hi/)
  const counted = await query(url, 'select used::int from gateway_counters')
  assert.deepEqual(counted, [{ used: 5 }])
})
