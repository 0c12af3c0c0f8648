// A person logs in at a server, and clients of both eras use it: `server login`, `wrap --server` and `/s/NAME/mcp`.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { browse, guardedServer } from '../support/authorization-server.ts'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { INITIALIZED, json, type Rpc } from '../support/http-upstream.ts'
import { startServing } from '../support/serving.ts'
import { PERSON } from '../support/vault.ts'
import { saidBy, startWrapped } from '../support/wrapped.ts'

const place = gatedHome('login')
const { piped, proven, provenAndSeen, beside, home } = place
after(() => place.remove())

const ECHO = { name: 'echo', inputSchema: { type: 'object' } }
const MODERN = {
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {} },
  serverInfo: { name: 'guarded', version: '1' },
  resultType: 'complete',
  ttlMs: 0,
  cacheScope: 'private',
}

/** A server of both eras that says what it was told. */
function echo(body: string, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'POST') {
    response.writeHead(request.method === 'DELETE' ? 200 : 405).end()
    return
  }
  const { id, method, params } = JSON.parse(body) as Rpc
  const isModern = params?.['_meta'] !== undefined
  const complete = isModern ? { resultType: 'complete' } : {}
  const results: Readonly<Record<string, object>> = {
    initialize: INITIALIZED,
    'server/discover': MODERN,
    'tools/list': {
      ...complete,
      ...(isModern ? { ttlMs: 0, cacheScope: 'private' } : {}),
      tools: [ECHO],
    },
    'tools/call': { ...complete, content: [{ type: 'text', text: request.headers.authorization }] },
  }
  const result = results[method ?? '']
  if (id === undefined) response.writeHead(202).end()
  else if (result === undefined)
    json(response, { id, error: { code: -32601, message: 'unknown' } }, isModern ? 404 : 200)
  else json(response, { id, result })
}

const URL_SHOWN = /http:\/\/127\.0\.0\.1:\d+\/authorize\?\S+/

test('a person logs in, and clients of both eras use it until the person logs out', {
  skip: noGatedHome,
}, async () => {
  const guard = await guardedServer({ answer: echo })
  const { authorization } = guard
  await place.setPresence()
  await proven(['server', 'add', 'hub', '--url', guard.url])
  assert.equal((await piped(['server', 'login', 'hub'])).exit, 5)
  assert.equal(authorization.reached.length, 0)
  const first = ['policy', 'init', '--server', 'hub']
  const early = await piped(first)
  assert.equal(early.exit, 7)
  assert.match(early.stderr, /server login hub/)

  // On this machine the browser comes back by itself.
  const { stdout } = await provenAndSeen(
    ['server', 'login', 'hub', '--no-browser'],
    [
      [
        /paste the address where it ends:/,
        async (output) => {
          const [url = ''] = URL_SHOWN.exec(output) ?? []
          const redirect = new URL(url).searchParams.get('redirect_uri') ?? ''
          assert.match(redirect, /^http:\/\/127\.0\.0\.1:\d+\/callback$/)
          const page = await opened(await browse(url, redirect))
          assert.equal(page.statusCode, 200)
          assert.match(await text(page), /Logged in/)
          return ''
        },
      ],
    ],
  )
  assert.equal(stdout, `Logged in at ${authorization.issuer} for hub.\n`)

  const written = await piped(first)
  assert.equal(written.exit, 0, written.stderr)
  assert.match(written.stdout, /^description: "Policy for hub"$/m)
  assert.match(written.stdout, /^ {2}"echo":$/m)

  await beside(async (vault) => {
    const { policies } = await vault.registry()
    await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
    await policies.attach(PERSON, 'open', { kind: 'server', name: 'hub' })
  })
  for (const era of ['legacy', 'modern'] as const) {
    const wrapped = startWrapped(home, { server: 'hub', ownCommand: true })
    const modern = {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    }
    const answer = await wrapped.ask(era, 'tools/call', {
      name: 'echo',
      arguments: {},
      ...(era === 'modern' ? modern : {}),
    })
    assert.equal(saidBy(answer), 'Bearer [secret]')
    assert.equal(await wrapped.end(), 0)
  }

  const bearer = await beside(async (vault) => {
    const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
    const wish = { label: 'laptop', server: 'hub', policies: ['open'] }
    return (await vault.identity.grants.create(PERSON, agent.id, wish)).bearer.reveal()
  })
  const serving = await startServing(home)
  try {
    for (const era of ['legacy', 'modern'] as const) {
      const client = new Client(
        { name: era, version: '1' },
        { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' } },
      )
      await client.connect(
        new StreamableHTTPClientTransport(new URL('/s/hub/mcp', serving.url), {
          requestInit: { headers: { Authorization: `Bearer ${bearer}` } },
        }),
      )
      const said = async () => (await client.callTool({ name: 'echo', arguments: {} })).content
      assert.deepEqual(await said(), [{ type: 'text', text: 'Bearer [secret]' }])
      authorization.endTokens()
      assert.deepEqual(await said(), [{ type: 'text', text: 'Bearer [secret]' }])
      await client.close()
    }
    // Never the client's own token, and each that was given was used.
    assert.ok(!guard.let.includes(bearer))
    assert.deepEqual([...new Set(guard.let)], authorization.given)

    const shown = await piped(['server', 'show', 'hub', '--json'])
    const { login } = JSON.parse(shown.stdout) as { login: Readonly<Record<string, unknown>> }
    assert.deepEqual(
      [login['state'], login['issuer'], login['scopes'], login['logged_in_by']],
      ['active', authorization.issuer, ['echo'], 'person:local'],
    )
    const seen = [shown.stdout, serving.log(), ...storedIn(home)]
    for (const token of [...authorization.given, ...authorization.refreshes])
      assert.ok(!seen.some((one) => one.includes(token)))

    authorization.endTokens()
    authorization.endRefreshes()
    const wrapped = startWrapped(home, { server: 'hub', ownCommand: true })
    const { error } = await wrapped.call(1, 'echo')
    assert.match(error?.message ?? '', /log in again: sallyport server login hub\./)
    await wrapped.end()
    assert.match(
      (await piped(['server', 'show', 'hub'])).stdout,
      /login +ended at .*server login hub/,
    )
  } finally {
    assert.equal(await serving.stop(), 0)
  }

  // From another machine the person brings back where the browser ended.
  await provenAndSeen(
    ['server', 'login', 'hub', '--no-browser', '--scope', 'echo', '--scope', 'more'],
    [
      [
        /paste the address where it ends:/,
        (output) => {
          const [url = ''] = URL_SHOWN.exec(output) ?? []
          return browse(url, new URL(url).searchParams.get('redirect_uri') ?? '')
        },
      ],
    ],
  )
  guard.takesNone = true
  const refused = startWrapped(home, { server: 'hub', ownCommand: true })
  const { error } = await refused.call(1, 'echo')
  assert.match(error?.message ?? '', /does not take its login/)
  await refused.end()
  assert.match(
    (await piped(['server', 'show', 'hub'])).stdout,
    /login +at .*, but the server does not take its token of .*; log in again: sallyport server login hub/,
  )
  const gone = JSON.parse(await proven(['server', 'logout', 'hub', '--json'])) as object
  assert.deepEqual(gone, { server: 'hub', issuer: authorization.issuer, revoked: true })
  await beside(async (vault) => {
    assert.deepEqual((await vault.audit.verify()).findings, [])
  })
})

/** As a window does it: `fetch` says that it is none. */
function opened(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, resolve).on('error', reject)
  })
}

/** All that stands in the files of a home. */
function storedIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => readFileSync(join(one.parentPath, one.name)).toString('latin1'))
}
