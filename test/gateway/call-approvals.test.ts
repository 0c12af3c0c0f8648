// What a yes of a person is to: one call under one grant, as it reaches the server; and what the person reads of it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { jsonDigest } from '../../src/core/canonical-json.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import { between, policiesOf, recorded, textOf, vault } from '../support/between.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { AGENT, PERSON } from '../support/vault.ts'

const { approvals } = vault.approvals
const ASKS = {
  default: 'deny',
  tools: { pay: { action: 'require_approval' } },
  methods: { 'prompts/get': { action: 'require_approval' } },
}
const idIn = (text: string): string =>
  /\[APPROVAL REQUIRED\] (\S+)\n/.exec(text)?.[1] ?? assert.fail(text)

// Other files ask for small amounts, and what is alike is one request.
let count = 2_000
/** Other arguments than in any other test. */
const fresh = (): number => (count += 1)

async function approved(text: string): Promise<string> {
  const id = idIn(text)
  await approvals.decide(PERSON, id, 'approve')
  return id
}

test('a yes under one grant is none under another, nor without one, and no scope around it is', async () => {
  const args = { amount: fresh() }
  const [one, other, none] = await Promise.all(
    ['grant-1', 'grant-2', undefined].map((grant) =>
      between(ASKS, grant === undefined ? {} : { grant }),
    ),
  )
  assert.ok(one !== undefined && other !== undefined && none !== undefined)
  await one.call(1, 'pay', args)
  const id = idIn(textOf(one))
  const widen = { pattern: '**', seconds: 60, uses: null }
  await approvals.decide(PERSON, id, 'approve', { widen })
  for (const elsewhere of [other, none]) {
    await elsewhere.call(1, 'pay', args)
    assert.notEqual(idIn(textOf(elsewhere)), id)
    assert.deepEqual(elsewhere.toServer, [])
  }
  await one.call(2, 'pay', args)
  await one.call(3, 'pay', { amount: fresh() })
  assert.equal(one.toServer.length, 2)
})

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))

test('over HTTP an agent with two grants for one server asks under each', async () => {
  const door = await serveMcpDoor(vault)
  after(() => door.stop())
  const { servers, policies } = await vault.registry()
  const command = [process.execPath, ECHO]
  await servers.add(PERSON, 'echoing', { kind: 'stdio', command, variables: [] })
  const tools = { echo: { action: 'require_approval' } }
  const document = JSON.stringify({ version: '1', default: 'deny', tools })
  await policies.set(PERSON, 'asks', Buffer.from(document))
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'two-grants' })
  const clients: Awaited<ReturnType<typeof door.connect>>[] = []
  for (const label of ['first', 'second']) {
    const asked = { label, server: 'echoing', policies: ['asks'] }
    const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
    const path = '/s/echoing/mcp'
    clients.push(await door.connect('legacy', bearer.reveal(), undefined, undefined, path))
  }
  const [first, second] = clients
  const said = async (client: (typeof clients)[number] | undefined): Promise<string> => {
    const answer = await client?.callTool({ name: 'echo', arguments: { text: 'hello' } })
    return JSON.stringify(answer?.content).replaceAll('\\n', '\n')
  }
  await approved(await said(first))
  idIn(await said(second))
  assert.match(await said(first), /"text":"hello"/)
  idIn(await said(second))
})

/** Everything that reaches the server, in calls that differ in one thing. */
const others: readonly (readonly [what: string, params: object, extra?: object])[] = [
  ['meta', { _meta: { tenant: 'b' } }],
  ['no meta', { _meta: {} }],
  ['an id of something else', { _meta: { tenant: 'a', accountId: '7' } }],
  ['an id that a server may go by', { _meta: { tenant: 'a', session_id: '7' } }],
  ['an id that is more than one', { _meta: { tenant: 'a', 'acme.message_id': { to: 'mallory' } } }],
  ['an id in a list', { _meta: { tenant: 'a', 'acme.message_id': ['7'] } }],
  ['an id with words', { _meta: { tenant: 'a', 'claudecode/toolUseId': 'pay mallory' } }],
  ['an id as long as a text', { _meta: { tenant: 'a', 'vscode.requestId': 'x'.repeat(129) } }],
  ['whom it goes to', { _meta: { tenant: 'a', 'acme/chat_id': '7' } }],
  ['where it is said', { _meta: { tenant: 'a', conversationId: '7' } }],
  ['a place in a trace that is none', { _meta: { tenant: 'a', traceparent: { to: 'mallory' } } }],
  ['state of a trace that is none', { _meta: { tenant: 'a', tracestate: { to: 'mallory' } } }],
  ['a task', { _meta: { tenant: 'a' }, task: { ttl: 60_000 } }],
  ['another parameter', { _meta: { tenant: 'a' }, dry_run: false }],
  ['a member beside the parameters', { _meta: { tenant: 'a' } }, { tenant: 'b' }],
]

test('other parameters that reach the server are another call; what belongs to one try is not', async () => {
  const one = await between(ASKS)
  const amount = fresh()
  const call = (id: number, params: object, extra: object = {}): Promise<void> =>
    one.client({
      id,
      method: 'tools/call',
      params: { name: 'pay', arguments: { amount }, ...params },
      ...extra,
    })
  await call(1, { _meta: { tenant: 'a', 'claudecode/toolUseId': 'toolu_1' } })
  const id = await approved(textOf(one))
  for (const [what, params, extra] of others) {
    await call(2, params, extra)
    assert.notEqual(idIn(textOf(one)), id, what)
    assert.deepEqual(one.toServer, [], what)
  }
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const ids = {
    'claudecode/toolUseId': 'toolu_2',
    'vscode.requestId': 'a'.repeat(128),
    'acme.message_id': 7,
  }
  await call(3, {
    _meta: { traceparent, tracestate: 'x=1,y@z=s:2;t', tenant: 'a', progressToken: 7, ...ids },
  })
  assert.equal(one.toServer.length, 1)
})

test('a method is bound to its parameters, and shows them', async () => {
  const one = await between(ASKS)
  const name = `p${fresh()}`
  const get = (id: number, more: object): Promise<void> =>
    one.client({ id, method: 'prompts/get', params: { name, arguments: { a: '1' }, ...more } })
  await get(1, {})
  const id = idIn(one.toClient.at(-1)?.replaceAll('\\n', '\n') ?? '')
  const { target, preview } = await approvals.status(PERSON, id)
  assert.deepEqual(target, { type: 'method', id: 'fixture/prompts/get' })
  assert.deepEqual(preview.fields, [
    { label: 'Argument name', value: name },
    { label: 'Argument arguments', value: '{"a":"1"}' },
  ])
  await approvals.decide(PERSON, id, 'approve')
  await get(2, { cursor: 'x' })
  assert.deepEqual(one.toServer, [])
  await get(3, { _meta: { progressToken: 2 } })
  assert.equal(one.toServer.length, 1)
})

test('what reaches the server beside the arguments is shown', async () => {
  const one = await between(ASKS)
  const protocol = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
  const params = {
    name: 'pay',
    arguments: { amount: fresh() },
    task: { ttl: 1 },
    _meta: { ...protocol, tenant: 'a' },
  }
  await one.client({ id: 1, method: 'tools/call', params, more: 1 })
  const { preview } = await approvals.status(PERSON, idIn(textOf(one)))
  assert.deepEqual(preview.fields?.slice(1), [
    { label: 'Parameter task', value: '{"ttl":1}' },
    { label: 'Parameter _meta', value: '{"tenant":"a"}' },
    { label: 'Parameter more', value: '1' },
  ])
})

const ask = (seconds?: number, reason?: string): object => ({
  action: 'require_approval',
  ...(reason !== undefined && { reason }),
  ...(seconds !== undefined && { approval_timeout: seconds }),
})
const always = (seconds: number, reason: string): object => ({
  approve_if: [{ conditions: [], reason }],
  approval_timeout: seconds,
})
const ANY = 'A person has to allow this.'
const asking: readonly [
  what: string,
  policies: readonly object[],
  seconds: number,
  rules: readonly (readonly [reason: string, rule: string])[],
][] = [
  ['one rule', [{ tools: { pay: ask(60, 'Why.') } }], 60, [['Why.', '/tools/pay/action']]],
  [
    'a tool and all tools',
    [{ tools: { pay: ask() }, all_tools: always(30, 'Always.') }],
    30,
    [
      [ANY, '/tools/pay/action'],
      ['Always.', '/all_tools/approve_if/0'],
    ],
  ],
  [
    'neither gives a time',
    [{ tools: { pay: ask() } }, { tools: { pay: ask() } }],
    900,
    [
      [ANY, 'p1#/tools/pay/action'],
      [ANY, 'p2#/tools/pay/action'],
    ],
  ],
  [
    'the last policy has the shortest time',
    [{ tools: { pay: ask(604_800, 'One.') } }, { tools: { pay: ask(30, 'Two.') } }],
    30,
    [
      ['One.', 'p1#/tools/pay/action'],
      ['Two.', 'p2#/tools/pay/action'],
    ],
  ],
  [
    'the first does, and one between does not ask',
    [
      { tools: { pay: ask(60, 'One.') } },
      { tools: { pay: {} } },
      { tools: { pay: ask(undefined, 'Two.') }, all_tools: always(3_600, 'Three.') },
    ],
    60,
    [
      ['One.', 'p1#/tools/pay/action'],
      ['Two.', 'p3#/tools/pay/action'],
      ['Three.', 'p3#/all_tools/approve_if/0'],
    ],
  ],
]
for (const [what, policies, seconds, rules] of asking)
  test(`whoever asks a person is shown, and the shortest time holds: ${what}`, async () => {
    const one = await between(null)
    one.policies = await policiesOf(...policies.map((each) => ({ default: 'deny', ...each })))
    await one.call(1, 'pay', { amount: fresh() })
    const text = textOf(one)
    const { preview, createdAt, expiresAt } = await approvals.status(PERSON, idIn(text))
    assert.equal(expiresAt - createdAt, seconds * 1000)
    assert.deepEqual(
      preview.body?.split('\n'),
      rules.length === 1 ? ['Why.'] : rules.map(([reason, rule]) => `${reason} (${rule})`),
    )
    const lines = text.split('\n')
    assert.deepEqual(
      [lines.slice(1, rules.length + 1), lines.slice(-rules.length)],
      [rules.map(([reason]) => reason), rules.map(([, rule]) => `Rule: ${rule}`)],
    )
  })

test('no more reasons are shown than a person reads, and that there are more is said', async () => {
  const one = await between(null)
  const asks = { default: 'deny', tools: { pay: ask(undefined, 'x'.repeat(500)) } }
  one.policies = await policiesOf(...Array.from({ length: 10 }, () => asks))
  await one.call(1, 'pay', { amount: fresh() })
  const { preview } = await approvals.status(PERSON, idIn(textOf(one)))
  assert.equal(preview.body?.split('\n').length, 8)
  assert.deepEqual(preview.fields?.at(-1), { label: 'Not shown', value: '2 more reasons' })
})

test('arguments that can be guessed are not found by what is kept and shown of them', async () => {
  const one = await between(ASKS, { grant: 'grant-pin' })
  const pin = `${fresh()}`.padStart(4, '0')
  await one.call(1, 'pay', { pin })
  const id = idIn(textOf(one))
  const row = await vault.db.read((reader) =>
    reader.get('select * from approvals where id = ?', [id]),
  )
  const seen = JSON.stringify([row, await approvals.status(PERSON, id)])
  const params = { name: 'pay', arguments: { pin } }
  const act = { grant: 'grant-pin', server: 'fixture', method: 'tools/call', params, extras: [] }
  for (const guess of [{ pin }, act]) assert.ok(!seen.includes(jsonDigest(guess)))
})

const key = `sk_live_${randomBytes(12).toString('hex')}`
const pem = `-----BEGIN RSA PRIVATE KEY-----\n${randomBytes(96).toString('base64')}\n-----END RSA PRIVATE KEY-----`
const secrets: readonly (readonly [what: string, args: object, shown: readonly string[]])[] = [
  ['a text', { note: `use ${key} now` }, ['note', 'use [DETECTED:stripe-key] now']],
  ['a deep text', { a: { b: [key] } }, ['a', '{"b":["[DETECTED:stripe-key]"]}']],
  ['a name', { [key]: 'x' }, ['[DETECTED:stripe-key]', 'x']],
  ['base64', { b: btoa(`key=${key}`) }, ['b', '[DETECTED:stripe-key]']],
  ['all of a private key', { pem: `${pem}, ok?` }, ['pem', '[DETECTED:private-key], ok?']],
  ['text of JSON', { j: JSON.stringify({ key }) }, ['j', '{"key":"[DETECTED:stripe-key]"}']],
]
for (const mode of ['log_only', 'surgical'] as const)
  for (const [what, args, [name = '', value]] of secrets)
    test(`a secret that inspection sees is not shown, ${mode}: ${what}`, async () => {
      const one = await between(ASKS, { mode })
      await one.call(1, 'pay', { ...args, n: fresh() })
      // What cannot be cleaned is refused where it is not only logged.
      if (mode === 'surgical' && !textOf(one).startsWith('[APPROVAL')) return
      const { preview } = await approvals.status(PERSON, idIn(textOf(one)))
      if (mode === 'log_only')
        assert.deepEqual(preview.fields?.[0], { label: `Argument ${name}`, value })
      assert.ok(!JSON.stringify(preview).includes(key))
    })

test('secrets split over arguments, beside them or in the names of tools and clients are not shown', async () => {
  const one = await between(ASKS, { mode: 'log_only' })
  const known = `tk_${randomBytes(24).toString('base64url')}`
  await vault.vault.put(AGENT, 'default', { path: 'shown/key', value: SecretText.fromText(known) })
  const clientInfo = { name: `me ${known}`, version: '1' }
  await one.client({ id: 0, method: 'initialize', params: { clientInfo } })
  const params = {
    name: 'pay',
    arguments: { front: key.slice(0, 14), back: key.slice(14), n: fresh() },
    _meta: { note: `${known} ${key}` },
  }
  await one.client({ id: 1, method: 'tools/call', params })
  const { preview, client } = await approvals.status(PERSON, idIn(textOf(one)))
  const seen = JSON.stringify([preview, client])
  for (const hidden of [known, key, key.slice(0, 14), key.slice(14)])
    assert.ok(!seen.includes(hidden), seen)
  assert.equal(client, 'me [REDACTED:shown/key]')
})

const UNASKABLE: readonly (readonly [what: string, name: string, problem: string])[] = [
  ['a control character', 'pay\u0007', 'holds characters that do not show'],
  ['a mark that turns the text around', 'pay\u202eyap', 'holds characters that do not show'],
  ['more characters than are shown', `pay${'y'.repeat(1_024)}`, 'is too long'],
]
for (const [what, name, problem] of UNASKABLE)
  test(`a tool whose name has ${what} is denied, with what is wrong`, async () => {
    const one = await between({
      default: 'deny',
      tools: { [name]: { action: 'require_approval' } },
    })
    await one.call(1, name, { n: fresh() })
    const [said, rule] = textOf(one).split('\n')
    const why = `Nobody can be asked about it: the name of the tool ${problem}.`
    assert.deepEqual([said, rule], [`[POLICY DENIED] ${why}`, `Rule: /tools/${name}/action`])
    assert.deepEqual(one.toServer, [])
    assert.equal((await recorded('tool.call', 'refusal')).by, `/tools/${name}/action`)
  })
