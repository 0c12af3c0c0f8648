// A first policy for servers over HTTP, of both eras.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SecretText } from '../../src/core/secret-text.ts'
import { readToolPolicy } from '../../src/policy/tool-policy/index.ts'
import { events, INITIALIZED, json, scripted, withSession } from '../support/http-upstream.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}
const init = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [LAUNCHER, 'policy', 'init', ...args],
      { env: homeEnvironment(home), encoding: 'utf8' },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })

const tool = (name: string, annotations: object) => ({
  name,
  inputSchema: { type: 'object', properties: { b: {}, a: {} }, required: ['a'] },
  annotations,
})

test('a server with sessions is asked for all pages of its tools, and for nothing else', async () => {
  const server = await scripted(
    withSession(({ rpc }, response) => {
      const { cursor } = (rpc.params ?? {}) as { readonly cursor?: string }
      json(response, {
        id: rpc.id,
        result:
          cursor === undefined
            ? { tools: [tool('look', { readOnlyHint: true })], nextCursor: '2' }
            : { tools: [tool('wipe', { destructiveHint: true }), tool('write', {})] },
      })
    }),
  )
  const { code, stdout, stderr } = await init('--url', server.url, '--name', 'hub')
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^description: "Policy for hub"$/m)
  assert.match(stdout, /^ {2}# arguments: a, b\?\n {2}"wipe":\n {4}action: deny$/m)
  assert.match(stdout, /^ {2}"write":\n {4}action: require_approval$/m)
  assert.match(stdout, /^ {2}#"look": \{\}$/m)
  assert.ok('policy' in (await readToolPolicy(Buffer.from(stdout), 'yaml')))
  assert.equal(
    server.got.some(({ body }) => body.includes('tools/call')),
    false,
  )
})

test('a server that knows no sessions is asked in its own way', async () => {
  const server = await scripted(({ rpc }, response) => {
    if (rpc.method === 'tools/list')
      json(response, { id: rpc.id, result: { resultType: 'complete', tools: [tool('write', {})] } })
    else json(response, { id: rpc.id, error: { code: -32601, message: 'Method not found' } })
  })
  const { code, stdout, stderr } = await init('--url', server.url)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^ {2}"write":$/m)
  // Of several on one machine each is called otherwise.
  assert.match(
    stdout,
    new RegExp(`^description: "Policy for 127.0.0.1-${new URL(server.url).port}"$`, 'm'),
  )
})

test('a server that wants all that a client has to say, and answers on streams, is asked as well', async () => {
  const server = await scripted((got, response) => {
    const { accept = '', 'mcp-session-id': session, 'mcp-protocol-version': version } = got.headers
    if (got.method === 'GET' || got.method === 'DELETE') return response.writeHead(405).end()
    if (!accept.includes('application/json') || !accept.includes('text/event-stream'))
      return response.writeHead(406).end()
    const { method, id } = got.rpc
    if (method !== 'initialize' && (session !== 'strict-1' || version !== '2025-11-25'))
      return response.writeHead(400).end()
    if (id === undefined) return response.writeHead(202).end()
    const result = method === 'initialize' ? INITIALIZED : { tools: [tool('write', {})] }
    response.setHeader('mcp-session-id', 'strict-1')
    return events(
      response,
      `: here\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`,
    ).end()
  })
  const { code, stdout, stderr } = await init('--url', server.url)
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^ {2}"write":$/m)
})

test('a server that lists nothing is told of with what it said', async () => {
  const server = await scripted(
    withSession(({ rpc }, response) =>
      json(response, { id: rpc.id, error: { code: -32603, message: 'No tools today.' } }),
    ),
  )
  const { code, stdout, stderr } = await init('--url', server.url)
  assert.deepEqual([code, stdout], [7, ''])
  assert.match(stderr, /did not list its tools: No tools today\./)
})

test('an address that is none is said to be', async () => {
  for (const address of ['nowhere', 'ftp://example.org/x']) {
    const { code, stderr } = await init('--url', address)
    assert.equal(code, 2, stderr)
  }
})

test('a file whose ending is of another form is refused before the server is asked', async () => {
  const server = await scripted(({ rpc }, response) =>
    json(response, { id: rpc.id, result: { resultType: 'complete', tools: [] } }),
  )
  const file = join(home, 'hub.JSON')
  const { code, stderr } = await init('--url', server.url, '-o', file)
  assert.deepEqual([code, existsSync(file), server.got.length], [2, false, 0], stderr)
  assert.match(stderr, /would be read as JSON/)
})

test('a server that was added is asked as calls reach it: with its command, or its headers from the vault', async () => {
  const value = `tk_${randomBytes(24).toString('base64url')}`
  const server = await scripted(
    withSession(({ rpc }, response) =>
      json(response, { id: rpc.id, result: { tools: [tool('write', {})] } }),
    ),
  )
  const authorization = { name: 'Authorization', value: 'Bearer secret://hub/token' }
  const vault = await openTestVault({ home })
  try {
    const { servers } = await vault.registry()
    const command = [process.execPath, LINE_SERVER, join(home, 'received.log')]
    await servers.add(PERSON, 'lines', { kind: 'stdio', command, variables: [] })
    await servers.add(PERSON, 'hub', { kind: 'http', url: server.url, headers: [authorization] })
  } finally {
    await vault.close()
  }
  const lines = await init('--server', 'lines')
  assert.equal(lines.code, 0, lines.stderr)
  assert.match(lines.stdout, /^description: "Policy for lines"$/m)
  assert.match(lines.stdout, /"echo":/)

  const early = await init('--server', 'hub')
  assert.equal(early.code, 7)
  assert.match(
    early.stderr,
    /'hub\/token' \(not found; for Authorization\)\. store the named secrets$/m,
  )
  assert.equal(server.got.length, 0)
  const again = await openTestVault({ home })
  try {
    const secret = { path: 'hub/token', value: SecretText.fromText(value) }
    await again.vault.put(PERSON, 'default', secret)
  } finally {
    await again.close()
  }
  const hub = await init('--server', 'hub')
  assert.equal(hub.code, 0, hub.stderr)
  assert.match(hub.stdout, /^ {2}"write":$/m)
  assert.equal(server.got[0]?.headers.authorization, `Bearer ${value}`)
  assert.equal((hub.stdout + hub.stderr + early.stderr).includes(value), false)
})

const misuse: readonly [flags: readonly string[], code: number, said: RegExp][] = [
  [[], 2, /by its command after --, by --url URL, or by --server NAME/],
  [['--server', 'a', '--url', 'https://example.org'], 2, /by its command after --/],
  [['--server', 'a', '--', 'node'], 2, /by its command after --/],
  [['--server', 'a', '--name', 'b'], 2, /go without --server/],
  [['--server', 'a', '--header', 'A=b'], 2, /go without --server/],
  [['--server', 'a', '-e', 'HOME'], 2, /go without --server/],
  [['--server', 'nowhere'], 4, /There is no server 'nowhere'/],
]
for (const [flags, exit, said] of misuse)
  test(`which server is asked has to be clear: ${flags.join(' ')}`, async () => {
    const { code, stderr } = await init(...flags)
    assert.equal(code, exit, stderr)
    assert.match(stderr, said)
  })
