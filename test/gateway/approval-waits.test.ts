// Calls that wait for a person: what a client is told meanwhile, in both eras, and what its call becomes.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { AskPeople } from '../../src/core/approval-port.ts'
import { sleep } from '../../src/core/time.ts'
import { type Between, between, last, vault } from '../support/between.ts'
import { ERAS, serveMcpDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const POLICY = { default: 'deny', tools: { pay: { action: 'require_approval' } } }
const { approvals, people } = vault.approvals
const SITE = 'https://vault.example.org'
const withPages: AskPeople = {
  ...people,
  async state(caller, id) {
    return { ...(await people.state(caller, id)), url: `${SITE}/approvals/${id}` }
  },
}

interface Heard {
  readonly id?: unknown
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: { readonly [name: string]: unknown }
}
const heard = (one: Between): readonly Heard[] =>
  one.toClient.map((text) => JSON.parse(text) as Heard)

async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let turn = 0; turn < 2_000; turn += 1) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(5)
  }
  return assert.fail('it did not come')
}

/** A request that is not waited for. */
function send(one: Between, message: object): void {
  one.relay.fromClient(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message })))
}

let amount = 0
function paying(id: number, more: object = {}, meta: object = {}): object {
  const params = { name: 'pay', arguments: { amount }, _meta: meta, ...more }
  return { id, method: 'tools/call', params }
}

async function decided(id: unknown, decision: 'approve' | 'deny'): Promise<void> {
  await approvals.decide(PERSON, String(id), decision)
}

test('a client that asked for progress is told what the person has to do, and its call goes on', async () => {
  amount += 1
  const one = await between(POLICY)
  send(one, paying(1, {}, { progressToken: 'p' }))
  const told = await until(() => heard(one)[0])
  assert.equal(told.method, 'notifications/progress')
  const { message, ...progress } = told.params ?? {}
  assert.deepEqual(progress, { progressToken: 'p', progress: 0 })
  const [, id] = /^Call pay of fixture waits for a person: sallyport approvals approve (\S+)$/.exec(
    String(message),
  ) ?? ['']
  await decided(id, 'approve')
  await until(() => one.toServer[0])
  await one.server({ id: 1, result: { content: [] } })
  assert.deepEqual(last(one).result, { content: [] })
  assert.equal((await approvals.status(PERSON, String(id))).status, 'consumed')
})

test('who is told no, cancels, or leaves does not wait any longer', async () => {
  amount += 1
  const one = await between(POLICY)
  const waiting = async (id: number): Promise<string> => {
    const before = one.toClient.length
    send(one, paying(id, {}, { progressToken: id }))
    const told = await until(() => heard(one)[before])
    return String(told.params?.['message']).split(' ').at(-1) ?? ''
  }
  const denied = await waiting(1)
  await decided(denied, 'deny')
  await one.relay.idle()
  assert.match(last(one).result?.content[0]?.text ?? '', /^\[POLICY DENIED\] A person denied this/)
  amount += 1
  await waiting(2)
  const before = one.toClient.length
  await one.client({ method: 'notifications/cancelled', params: { requestId: 2 } })
  assert.equal(one.toClient.length, before)
  amount += 1
  await waiting(3)
  one.relay.leave()
  await one.relay.idle()
  assert.match(last(one).result?.content[0]?.text ?? '', /^\[APPROVAL REQUIRED\] /)
  assert.deepEqual(one.toServer, [])
})

test('a call that nobody decided on in time is denied, and people are asked once', async () => {
  amount += 1
  const one = await between(POLICY, {
    people: {
      ...people,
      async decided(caller, id) {
        return { ...(await people.state(caller, id)), status: 'expired' }
      },
    },
  })
  const pending = async () => (await approvals.list(PERSON, { status: 'pending' })).length
  const before = await pending()
  await one.client(paying(1, {}, { progressToken: 'p' }))
  assert.match(
    last(one).result?.content[0]?.text ?? '',
    /^\[POLICY DENIED\] Nobody decided on [-0-9a-f]{36} in time\. The same call asks anew\.\nRule: \/tools\/pay\/action$/,
  )
  assert.deepEqual(one.toServer, [])
  assert.equal(await pending(), before + 1)
})

test('a client that does neither gets the refusal at once', async () => {
  amount += 1
  const one = await between(POLICY, { people: withPages })
  await one.client(paying(1))
  assert.match(last(one).result?.content[0]?.text ?? '', /^\[APPROVAL REQUIRED\] \S+\n/)
})

for (const action of ['accept', 'decline'] as const)
  test(`legacy: a client that opens pages is sent to the one where it is decided (${action})`, async () => {
    amount += 1
    const one = await between(POLICY, { people: withPages })
    const capabilities = { elicitation: { url: {} } }
    send(one, { id: 0, method: 'initialize', params: { capabilities } })
    send(one, paying(1))
    const asked = await until(() =>
      heard(one).find(({ method }) => method === 'elicitation/create'),
    )
    const { elicitationId: id, url, mode, message } = asked.params ?? {}
    assert.deepEqual([mode, url], ['url', `${SITE}/approvals/${String(id)}`])
    assert.match(
      String(message),
      /^Call pay of fixture: a person has to sign in and approve or deny/,
    )
    send(one, { id: asked.id, result: { action } })
    if (action === 'accept') await decided(id, 'approve')
    await one.relay.idle()
    if (action === 'decline') {
      assert.match(last(one).result?.content[0]?.text ?? '', /^\[APPROVAL REQUIRED\] /)
      assert.ok(!one.toServer.some((text) => text.includes('"pay"')))
      return
    }
    assert.deepEqual(heard(one).at(-1), {
      jsonrpc: '2.0',
      method: 'notifications/elicitation/complete',
      params: { elicitationId: id },
    })
    assert.ok(one.toServer.some((text) => text.includes('"pay"')))
  })

const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } },
}

for (const action of ['accept', 'decline'] as const)
  test(`modern: a client that opens pages is asked to, and comes back with the same call (${action})`, async () => {
    amount += 1
    const one = await between(POLICY, { people: withPages })
    await one.client(paying(1, {}, MODERN))
    const { result = {} } = heard(one)[0] ?? {}
    assert.equal(result['resultType'], 'input_required')
    const { approval } = result['inputRequests'] as Record<string, { params: { url: string } }>
    const id = approval?.params.url.split('/').at(-1)
    const { requestState } = result
    const inputResponses = { approval: { action } }
    send(one, paying(2, { requestState, inputResponses }, MODERN))
    if (action === 'decline') {
      await one.relay.idle()
      assert.match(last(one).result?.content[0]?.text ?? '', /^\[APPROVAL REQUIRED\] /)
      assert.deepEqual(one.toServer, [])
      return
    }
    await decided(id, 'approve')
    const sent = JSON.parse(await until(() => one.toServer[0])) as { params: object }
    assert.deepEqual(sent.params, { name: 'pay', arguments: { amount }, _meta: MODERN })
    // The state says nothing of another call.
    amount += 1
    await one.client(paying(3, { requestState, inputResponses }, MODERN))
    assert.equal(heard(one).at(-1)?.result?.['resultType'], 'input_required')
    assert.equal(one.toServer.length, 1)
  })

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))

for (const era of ERAS)
  test(`${era}: over HTTP a client of the SDK hears it as progress, and gets what its call gives`, async () => {
    const door = await serveMcpDoor(vault)
    after(() => door.stop())
    const { servers, policies } = await vault.registry()
    const command = [process.execPath, ECHO]
    await servers.add(PERSON, era, { kind: 'stdio', command, variables: [] })
    const tools = { echo: { action: 'require_approval' } }
    const document = JSON.stringify({ version: '1', default: 'deny', tools })
    await policies.set(PERSON, `asks-${era}`, Buffer.from(document))
    const { agent } = await vault.identity.agents.create(PERSON, { name: era })
    const asked = { label: era, server: era, policies: [`asks-${era}`] }
    const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
    const path = `/s/${era}/mcp`
    const client = await door.connect(era, bearer.reveal(), undefined, undefined, path)
    const messages: string[] = []
    const answer = client.callTool(
      { name: 'echo', arguments: { text: 'x' } },
      { onprogress: ({ message }) => messages.push(message ?? '') },
    )
    const message = await until(() => messages[0])
    assert.match(message, new RegExp(`^Call echo of ${era} waits for a person: `))
    await decided(message.split(' ').at(-1), 'approve')
    assert.deepEqual((await answer).content, [{ type: 'text', text: 'x' }])
  })
