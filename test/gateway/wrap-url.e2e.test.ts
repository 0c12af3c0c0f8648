// `sallyport wrap --url` between real clients and real servers over HTTP.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { approvedProject } from '../support/approved-project.ts'
import { everythingOverHttp } from '../support/everything.ts'
import { json, scripted, withSession } from '../support/http-upstream.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { saidBy, startWrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)
const value = `tk_${randomBytes(24).toString('base64url')}`
const project = await approvedProject(home, { 'run/hub': value, 'private/hub': value })

const policy = join(home, 'policy.json')
await writeFile(
  policy,
  JSON.stringify({ version: '1', default: 'allow', tools: { rm: { action: 'deny' } } }),
)

test('a policy stands before a server that speaks HTTP', async () => {
  const server = await scripted(
    withSession(({ rpc }, response) =>
      json(
        response,
        ` {"result" : {"n":12345678901234567890,"m":1.0,"e":"\\u00e9","content":[]} ,\r\n"id":${String(rpc.id)},"jsonrpc":"2.0"}`,
      ),
    ),
  )
  const wrapped = startWrapped(home, { url: server.url, flags: ['--policy', policy] })
  await wrapped.ask(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} })
  wrapped.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  await wrapped.call(1, 'odd')
  assert.equal(
    wrapped.lines.find((line) => line.includes('"id":1')),
    ' {"result" : {"n":12345678901234567890,"m":1.0,"e":"\\u00e9","content":[]} ,  "id":1,"jsonrpc":"2.0"}',
  )
  assert.match(saidBy(await wrapped.call(2, 'rm')), /^\[POLICY DENIED\]/)
  assert.equal(await wrapped.end(), 0)
  assert.equal(
    server.got.some(({ body }) => body.includes('"rm"')),
    false,
  )
  assert.ok(server.got.some(({ method }) => method === 'DELETE'))
})

test('a header takes its value from the vault when a request leaves, and only from where it may', async () => {
  const server = await scripted(
    withSession(({ rpc, headers }, response) =>
      json(response, {
        id: rpc.id,
        result: {
          content: [
            {
              type: 'text',
              text: `${String(headers['x-plain'])} ${String(headers.authorization)}`,
            },
          ],
        },
      }),
    ),
  )
  const flags = (path: string) => [
    '--policy',
    policy,
    '--header',
    `Authorization=Bearer secret://${path}`,
    '--header',
    'X-Plain=as it is',
  ]
  const wrapped = startWrapped(home, { url: server.url, cwd: project, flags: flags('run/hub') })
  // What only the server may know comes back to nobody.
  assert.equal(saidBy(await wrapped.call(1, 'who')), 'as it is [secret]')
  assert.equal(await wrapped.end(), 0)
  assert.equal(server.got[0]?.headers.authorization, `Bearer ${value}`)
  const denied = startWrapped(home, { url: server.url, cwd: project, flags: flags('private/hub') })
  const { error } = await denied.call(1, 'who')
  assert.match(error?.message ?? '', /'private\/hub' \(access denied; for Authorization\)/)
  assert.equal(await denied.end(), 0)
  assert.equal(server.got.length, 1)
})

const misuse: readonly [what: string, flags: readonly string[], said: RegExp][] = [
  ['a secret without a policy', ['--header', 'A=secret://run/hub'], /Without a policy no secret/],
  ['a header of ours', ['--policy', policy, '--header', 'Mcp-Session-Id=1'], /must not be 'Mcp-/],
  ['a variable', ['-e', 'HOME'], /--env goes with a command/],
]
for (const [what, flags, said] of misuse)
  test(`refused before anything is sent: ${what}`, async () => {
    const wrapped = startWrapped(home, { url: 'http://127.0.0.1:9/mcp', flags })
    assert.equal(await wrapped.exited, 2)
    assert.match(wrapped.stderr(), said)
  })

/** What a client that can do everything sees of the server. */
async function seen(client: Client): Promise<object> {
  const { tools } = await client.listTools()
  const progress: unknown[] = []
  const call = (name: string, args: Record<string, unknown> = {}) =>
    client.callTool({ name, arguments: args }, { onprogress: (one) => progress.push(one) })
  return {
    tools: tools.map(({ name }) => name),
    resources: (await client.listResources()).resources.length,
    prompts: (await client.listPrompts()).prompts,
    echo: await call('echo', { message: 'é 😀' }),
    sum: await call('get-sum', { a: 1.5, b: 2 }),
    long: await call('trigger-long-running-operation', { duration: 0.2, steps: 2 }),
    sampling: await call('trigger-sampling-request', { prompt: 'hello' }),
    elicitation: await call('trigger-elicitation-request'),
    unknown: await call('nothing').catch((error: unknown) => String(error)),
    // The SDK drops what comes in the same moment as the answer: of the last ones it hears some.
    progress: progress[0],
  }
}

function fullClient(): Client {
  const client = new Client(
    { name: 'full', version: '1' },
    { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
  )
  client.setRequestHandler('sampling/createMessage', async () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
  }))
  client.setRequestHandler('elicitation/create', async () => ({
    action: 'accept',
    content: { name: 'me' },
  }))
  client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///tmp' }] }))
  return client
}

for (const transport of ['streamableHttp', 'sse'] as const)
  test(`server-everything over ${transport} is the same with and without`, async () => {
    const url = await everythingOverHttp(transport)
    const direct = fullClient()
    await direct.connect(
      transport === 'sse' ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url),
    )
    const before = await seen(direct)
    await direct.close()
    const through = fullClient()
    await through.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [LAUNCHER, 'wrap', '--url', url.href, '--policy', policy],
        env: homeEnvironment(home),
        cwd: home,
      }),
    )
    assert.deepEqual(await seen(through), before)
    await through.close()
  })
