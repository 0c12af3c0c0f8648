import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { fixtureServer } from '../../test/support/fixture-server.ts'
import { Fault } from '../core/faults.ts'
import { silentLog } from '../core/log.ts'
import { openMcpEndpoint } from './index.ts'

const definition = fixtureServer()
const endpoint = await openMcpEndpoint(definition, {
  log: silentLog,
  maxBodyBytes: 2000,
  async authenticate({ bearer, scheme, vault, url }) {
    if (bearer === 'locked') throw new Fault('VAULT_LOCKED', 'The vault is locked.')
    if (bearer === 'broken') throw new Error('a message that must not get out')
    if (bearer === 'unsaid') throw new Fault('BAD_INPUT', 'X-Vault-ID must name the vault.')
    if (!bearer.startsWith('good-')) return null
    // `good-1.second` is another token of the holder of `good-1`.
    const [owner = ''] = bearer.split('.')
    if (scheme === 'DPoP') return { owner, session: { who: `DPoP for ${url}` } }
    return { owner, session: { who: `${bearer}@${vault ?? 'default'}` } }
  },
})
after(() => endpoint.close())

const URL_OF_MCP = 'http://127.0.0.1:4747/mcp'
const PING = { jsonrpc: '2.0', id: 1, method: 'ping' }
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
}

function post(
  body: unknown,
  headers: Record<string, string> = {},
  url = URL_OF_MCP,
): Promise<Response> {
  return endpoint.fetch(
    new Request(url, {
      method: 'POST',
      headers: {
        Host: new URL(url).host,
        Authorization: 'Bearer good-1',
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
    { remoteAddress: '127.0.0.1' },
  )
}

interface Connected {
  readonly client: Client
  readonly transport: StreamableHTTPClientTransport
  close(): Promise<void>
}

async function connect(
  era: 'legacy' | 'modern',
  options: { bearer?: string; vault?: string; action?: 'accept' | 'decline' | 'cancel' } = {},
): Promise<Connected> {
  const client = new Client(
    { name: `${era}-client`, version: '1' },
    {
      capabilities: options.action === undefined ? {} : { elicitation: { url: {} } },
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  )
  const { action } = options
  if (action !== undefined) client.setRequestHandler('elicitation/create', () => ({ action }))
  const transport = new StreamableHTTPClientTransport(new URL(URL_OF_MCP), {
    fetch: (input, init) => {
      const request = new Request(input, init)
      request.headers.set('Host', '127.0.0.1:4747')
      return endpoint.fetch(request, { remoteAddress: '127.0.0.1' })
    },
    requestInit: {
      headers: {
        Authorization: `Bearer ${options.bearer ?? 'good-1'}`,
        ...(options.vault !== undefined && { 'X-Vault-ID': options.vault }),
      },
    },
  })
  await client.connect(transport)
  return { client, transport, close: () => client.close() }
}

const refused: readonly [
  what: string,
  status: number,
  headers: Record<string, string>,
  url?: string,
][] = [
  ['another Host', 403, { Host: 'evil.example' }, 'http://evil.example/mcp'],
  ['a Host that only begins like ours', 403, {}, 'http://localhost.evil.example/mcp'],
  ['another Origin', 403, { Origin: 'http://evil.example' }],
  ['the null Origin', 403, { Origin: 'null' }],
  ['a Host with user info', 403, { Host: 'user@127.0.0.1:4747' }],
  ['a Host that is a number', 403, { Host: '2130706433' }],
  ['an Origin with user info', 403, { Origin: 'http://user@localhost' }],
  ['an Origin that is a number', 403, { Origin: 'http://0x7f.0.0.1:3000' }],
  ['no bearer', 401, { Authorization: '' }],
  ['a bearer nobody made', 401, { Authorization: 'Bearer bad' }],
  ['another scheme', 401, { Authorization: 'Basic Z29vZC0xOg==' }],
  ['a bearer that cannot be looked up', 503, { Authorization: 'Bearer locked' }],
  ['a bearer whose look-up breaks', 500, { Authorization: 'Bearer broken' }],
  ['a bearer that does not say which vault', 400, { Authorization: 'Bearer unsaid' }],
  ['a form', 415, { 'Content-Type': 'application/x-www-form-urlencoded' }],
]
for (const [what, status, headers, url] of refused)
  test(`refused with ${status}: ${what}`, async () => {
    const response = await post(PING, headers, url)
    assert.equal(response.status, status)
    assert.ok(!(await response.clone().text()).includes('must not get out'))
    if (status === 401)
      assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer realm="sallyport"/)
  })

const METADATA = 'http://127.0.0.1:4747/.well-known/oauth-protected-resource'
const challenges: readonly [what: string, authorization: string, expected: string][] = [
  ['nothing', '', `Bearer realm="sallyport", resource_metadata="${METADATA}/mcp"`],
  [
    'a bearer nobody made',
    'Bearer bad',
    `Bearer realm="sallyport", error="invalid_token", resource_metadata="${METADATA}/mcp"`,
  ],
]
for (const [what, Authorization, expected] of challenges)
  test(`whoever shows ${what} is told where it says what tokens must be`, async () => {
    const response = await post(PING, { Authorization })
    assert.equal(response.headers.get('www-authenticate'), expected)
  })

for (const [suffix, resource] of [
  ['', 'http://127.0.0.1:4747'],
  ['/mcp', 'http://127.0.0.1:4747/mcp'],
  ['/mcp/all', 'http://127.0.0.1:4747/mcp/all'],
  ['/s/files/mcp', 'http://127.0.0.1:4747/s/files/mcp'],
])
  test(`the metadata of the protected resource at ${resource} names that resource`, async () => {
    const response = await endpoint.fetch(
      new Request(`${METADATA}${suffix}`, { headers: { Host: '127.0.0.1:4747' } }),
      { remoteAddress: '192.0.2.1' },
    )
    assert.equal(response.status, 200)
    assert.deepEqual(await response.json(), {
      resource,
      resource_name: 'Sallyport',
      authorization_servers: ['http://127.0.0.1:4747'],
      bearer_methods_supported: ['header'],
      scopes_supported: [],
      dpop_signing_alg_values_supported: ['ES256', 'ES384', 'EdDSA'],
    })
  })

for (const name of ['access_token', 'ACCESS_TOKEN', 'token', 'api_key'])
  test(`a token in the query is refused, beside a good header too: ${name}`, async () => {
    for (const headers of [{ Authorization: '' }, {}]) {
      const response = await post(PING, headers, `${URL_OF_MCP}?${name}=good-1`)
      assert.equal(response.status, 400)
      assert.match(response.headers.get('www-authenticate') ?? '', /error="invalid_request"/)
      assert.ok(!(await response.text()).includes('good-1'))
    }
  })

test('a bearer as long as a signed token is taken', async () => {
  const response = await post(INITIALIZE, { Authorization: `Bearer good-1.${'x'.repeat(2000)}` })
  assert.equal(response.status, 200)
})

test('the DPoP scheme reaches whoever authenticates, with the address it is for', async () => {
  const call = { name: 'echo', arguments: { text: 'a' } }
  const answer = await callModern(call, { Authorization: 'DPoP good-1', 'Mcp-Name': 'echo' })
  assert.deepEqual(answer.result?.structuredContent, {
    text: 'a',
    who: `DPoP for ${URL_OF_MCP}`,
    client: null,
  })
})

test('each call of a session is the call of the token that came with it', async () => {
  const opened = await post(INITIALIZE)
  const id = opened.headers.get('mcp-session-id') ?? ''
  await opened.text()
  let calls = 1
  const says = async (bearer: string): Promise<string> => {
    calls += 1
    const params = { name: 'echo', arguments: { text: 'a' } }
    const call = { jsonrpc: '2.0', id: calls, method: 'tools/call', params }
    const headers = { 'Mcp-Session-Id': id, Authorization: `Bearer ${bearer}` }
    return (await post(call, headers)).text()
  }
  const answers = await Promise.all([says('good-1'), says('good-1.second'), says('good-1')])
  assert.match(answers[0] ?? '', /"who":"good-1@default"/)
  assert.match(answers[1] ?? '', /"who":"good-1.second@default"/)
  assert.match(answers[2] ?? '', /"who":"good-1@default"/)
})

test('whoever opens sessions without end loses the own oldest and nobody else does', async () => {
  const open = async (bearer: string): Promise<string> => {
    const response = await post(INITIALIZE, { Authorization: `Bearer ${bearer}` })
    await response.text()
    return response.headers.get('mcp-session-id') ?? ''
  }
  const status = async (bearer: string, id: string): Promise<number> => {
    const headers = { 'Mcp-Session-Id': id, Authorization: `Bearer ${bearer}` }
    const response = await post(PING, headers)
    await response.text()
    return response.status
  }
  const other = await open('good-other')
  const first = await open('good-many')
  for (let count = 0; count < 64; count += 1) await open('good-many')
  assert.equal(await status('good-many', first), 404)
  assert.equal(await status('good-other', other), 200)
})

test('an Origin on this machine is let in', async () => {
  const response = await post(INITIALIZE, { Origin: 'http://localhost:3000' })
  assert.equal(response.status, 200)
})

const bodies: readonly [what: string, body: string, status: number, code: number][] = [
  ['not JSON', '{', 400, -32700],
  ['too large', JSON.stringify({ text: 'x'.repeat(2000) }), 413, -32600],
  ['a request before initialize', JSON.stringify(PING), 400, -32600],
]
for (const [what, body, status, code] of bodies)
  test(`a body that is ${what} answers ${status}`, async () => {
    const response = await post(body)
    assert.equal(response.status, status)
    const answer = (await response.json()) as { error: { code: number } }
    assert.equal(answer.error.code, code)
  })

test('a body that is not UTF-8 is refused, not mended', async () => {
  const response = await endpoint.fetch(
    new Request(URL_OF_MCP, {
      method: 'POST',
      headers: {
        Host: '127.0.0.1:4747',
        Authorization: 'Bearer good-1',
        'Content-Type': 'application/json',
      },
      body: new Uint8Array([0x22, 0xff, 0x22]),
    }),
    { remoteAddress: '127.0.0.1' },
  )
  assert.equal(response.status, 400)
})

for (const era of ['legacy', 'modern'] as const) {
  test(`${era}: tools are listed with both schemas and called`, async () => {
    const { client, close } = await connect(era, { vault: 'work' })
    const { tools } = await client.listTools()
    assert.deepEqual(
      tools.map(({ name, title }) => [name, title]),
      [
        ['echo', 'Echo'],
        ['visit_page', 'Visit a page'],
      ],
    )
    assert.equal(tools[0]?.inputSchema['additionalProperties'], false)
    const result = await client.callTool({ name: 'echo', arguments: { text: 'hi' } })
    assert.deepEqual(result.structuredContent, {
      text: 'hi',
      who: 'good-1@work',
      client: `${era}-client`,
    })
    await close()
  })

  const wrong: readonly [what: string, args: Record<string, unknown>, message: string][] = [
    ['an unknown argument', { text: 'a', extra: 1 }, "echo: unknown argument 'extra'."],
    [
      'too long',
      { text: 'x'.repeat(11) },
      "'text': Too big: expected string to have <=10 characters.",
    ],
    ['an unexpected error', { text: 'fail' }, 'Something failed inside Sallyport.'],
  ]
  for (const [what, args, message] of wrong)
    test(`${era}: ${what} is a tool error that the client's schema check lets through`, async () => {
      const { client, close } = await connect(era)
      await client.listTools()
      const result = await client.callTool({ name: 'echo', arguments: args })
      assert.equal(result.isError, true)
      assert.deepEqual(result.content, [{ type: 'text', text: message }])
      await close()
    })

  test(`${era}: an unknown tool and an unknown resource are protocol errors`, async () => {
    const { client, close } = await connect(era)
    await assert.rejects(client.callTool({ name: 'nope', arguments: {} }), { code: -32602 })
    await assert.rejects(client.readResource({ uri: 'fixture://nope' }), { code: -32602 })
    await close()
  })

  for (const action of ['accept', 'decline', 'cancel'] as const)
    test(`${era}: a visit ends with ${action}`, async () => {
      const { client, close } = await connect(era, { action })
      const result = await client.callTool({ name: 'visit_page', arguments: { topic: 'a' } })
      assert.deepEqual(result.structuredContent, { handle: 'page-of-a', action })
      await close()
    })

  test(`${era}: a client that cannot open pages is not asked to`, async () => {
    const { client, close } = await connect(era)
    const result = await client.callTool({ name: 'visit_page', arguments: { topic: 'a' } })
    assert.deepEqual(result.structuredContent, { handle: '', action: 'not possible' })
    await close()
  })

  test(`${era}: a change of a subscribed resource is told`, async () => {
    const { client, close } = await connect(era)
    const told = new Promise<string>((resolve) => {
      client.setNotificationHandler('notifications/resources/updated', ({ params }) =>
        resolve(params.uri),
      )
    })
    if (era === 'legacy') await client.subscribeResource({ uri: 'fixture://notes' })
    else await client.listen({ resourceSubscriptions: ['fixture://notes'] })
    await new Promise((resolve) => setTimeout(resolve, 50))
    definition.changeResource()
    assert.equal(await told, 'fixture://notes')
    await close()
  })
}

test('a session belongs to the bearer and the vault it was opened with', async () => {
  const opened = await post(INITIALIZE, { 'X-Vault-ID': 'work' })
  const id = opened.headers.get('mcp-session-id') ?? ''
  await opened.text()
  const tries: readonly [headers: Record<string, string>, status: number][] = [
    [{ 'X-Vault-ID': 'work' }, 200],
    [{ 'X-Vault-ID': 'work', Authorization: 'Bearer good-2' }, 404],
    [{ 'X-Vault-ID': 'home' }, 400],
    [{}, 400],
  ]
  for (const [headers, status] of tries) {
    const response = await post(PING, { 'Mcp-Session-Id': id, ...headers })
    assert.equal(response.status, status, JSON.stringify(headers))
  }
  const response = await post(PING, { 'Mcp-Session-Id': 'made-up' })
  assert.equal(response.status, 404)
})

function modern(id: number, params: Record<string, unknown>): unknown {
  return {
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: {
      ...params,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } },
      },
    },
  }
}

const MODERN_HEADERS = {
  'MCP-Protocol-Version': '2026-07-28',
  'Mcp-Method': 'tools/call',
  'Mcp-Name': 'visit_page',
}

interface ModernAnswer {
  readonly result?: {
    readonly requestState?: string
    readonly structuredContent?: unknown
    readonly inputRequests?: Record<string, unknown>
  }
  readonly error?: { readonly code: number }
}

async function callModern(
  params: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<ModernAnswer> {
  const response = await post(modern(1, params), { ...MODERN_HEADERS, ...headers })
  const text = await response.text()
  const data = /^data: (.*)$/m.exec(text)?.[1]
  return JSON.parse(data ?? text) as ModernAnswer
}

test('sealed state counts only for the bearer, the tool and the arguments it was made for', async () => {
  const call = { name: 'visit_page', arguments: { topic: 'a' } }
  const first = await callModern(call)
  assert.deepEqual(first.result?.inputRequests, {
    page: {
      method: 'elicitation/create',
      params: { mode: 'url', message: 'a', url: 'http://127.0.0.1:1/ask/x' },
    },
  })
  const state = first.result?.requestState ?? ''
  const answered = { inputResponses: { page: { action: 'accept' } }, requestState: state }

  const good = await callModern({ ...call, ...answered })
  assert.deepEqual(good.result?.structuredContent, { handle: 'page-of-a', action: 'accept' })

  const silent = await callModern({ ...call, requestState: state })
  assert.deepEqual(silent.result?.structuredContent, { handle: 'page-of-a', action: 'unanswered' })

  const changed = state.slice(0, -2) + (state.endsWith('AA') ? 'BB' : 'AA')
  const forged: readonly [params: Record<string, unknown>, headers: Record<string, string>][] = [
    [{ ...call, ...answered, arguments: { topic: 'b' } }, {}],
    [{ ...call, ...answered }, { Authorization: 'Bearer good-2' }],
    [{ ...call, ...answered, requestState: changed }, {}],
    [{ ...call, ...answered, requestState: 'made up' }, {}],
  ]
  for (const [params, headers] of forged) {
    const answer = await callModern(params, headers)
    assert.equal(answer.error?.code, -32602)
  }
})

test('a call that waits for the person is streamed from the start', async () => {
  const response = await post(modern(1, { name: 'visit_page', arguments: { topic: 'a' } }), {
    ...MODERN_HEADERS,
  })
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
  await response.text()
})
