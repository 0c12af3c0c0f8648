import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { isFault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import { localAgent } from '../core/principals.ts'
import { SecretText } from '../core/secret-text.ts'
import { epochMs } from '../core/time.ts'
import { outgoing } from '../net/index.ts'
import { Connection, type Credential, RemoteVault } from './index.ts'

interface Seen {
  readonly method: string
  readonly path: string
  readonly bearer: string | null
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}

type Reply = readonly [status: number, body?: unknown]

/** A server that speaks the API as far as a test scripts it, over real HTTP. */
async function serve(reply: (seen: Seen) => Reply): Promise<{
  readonly baseUrl: string
  readonly seen: Seen[]
  stop(): Promise<void>
}> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const one: Seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        bearer: request.headers.authorization?.replace('Bearer ', '') ?? null,
        headers: request.headers,
        body: text === '' ? null : JSON.parse(text),
      }
      seen.push(one)
      const [status, body] = reply(one)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body === undefined ? '' : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    seen,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

const KEY: Credential = { kind: 'key', key: 'key-of-agent', agentId: null }
const CALLER: Caller = { principal: localAgent(null), channel: 'mcp-stdio' }
const VAULT = '0b9f0b52-6f3c-4d53-9d64-0f3a1c2b4d5e'

interface Setup {
  readonly seen: readonly Seen[]
  readonly connection: Connection
  readonly vault: RemoteVault
}

function remoteTest(
  name: string,
  options: {
    readonly reply: (seen: Seen, count: number) => Reply
    readonly credential?: Credential
    readonly life?: number
    readonly now?: () => number
  },
  work: (setup: Setup) => Promise<void>,
): void {
  void test(`remote: ${name}`, async () => {
    let exchanges = 0
    let asked = 0
    const server = await serve((seen) => {
      if (seen.path === '/v1/auth/agent-token')
        return [200, { access_token: `token-${++exchanges}`, expires_in: options.life ?? 3600 }]
      return options.reply(seen, ++asked)
    })
    const way = outgoing({ allow: [] })
    const connection = new Connection({
      baseUrl: server.baseUrl,
      credential: options.credential ?? KEY,
      outgoing: way,
      clock: () => epochMs(options.now?.() ?? 1_000_000),
    })
    try {
      await work({ seen: server.seen, connection, vault: new RemoteVault(connection) })
    } finally {
      await way.close()
      await server.stop()
    }
  })
}

const exchanges = (seen: readonly Seen[]): number =>
  seen.filter(({ path }) => path === '/v1/auth/agent-token').length

remoteTest(
  'ten calls at once exchange the key once and carry its token',
  { reply: () => [200, { ok: true }] },
  async ({ connection, seen }) => {
    await Promise.all(
      Array.from({ length: 10 }, () => connection.ask({ method: 'GET', path: '/v1/vaults' })),
    )
    assert.equal(exchanges(seen), 1)
    assert.deepEqual(seen[0]?.body, { api_key: 'key-of-agent' })
    assert.equal(seen.filter(({ bearer }) => bearer === 'token-1').length, 10)
  },
)

let clock = 1_000_000
remoteTest(
  'a token is exchanged anew a minute before it ends',
  { reply: () => [200, {}], life: 600, now: () => clock },
  async ({ connection, seen }) => {
    await connection.ask({ method: 'GET', path: '/v1/a' })
    clock += 539_000
    await connection.ask({ method: 'GET', path: '/v1/b' })
    assert.equal(exchanges(seen), 1)
    clock += 2_000
    await connection.ask({ method: 'GET', path: '/v1/c' })
    assert.equal(exchanges(seen), 2)
    assert.equal(seen.at(-1)?.bearer, 'token-2')
  },
)

const STALE: readonly Reply[] = [
  [401, { detail: 'no' }],
  [403, { detail: 'This token has been revoked' }],
  [403, { detail: 'Token scopes do not cover this path' }],
  [403, { detail: 'Agent has no scopes' }],
]
for (const stale of STALE)
  remoteTest(
    `${stale[0]} '${(stale[1] as { detail: string }).detail}' is tried once more with a new token`,
    { reply: (_seen, count) => (count === 1 ? stale : [200, { ok: 1 }]) },
    async ({ connection, seen }) => {
      assert.deepEqual(await connection.ask({ method: 'GET', path: '/v1/x' }), { ok: 1 })
      assert.equal(exchanges(seen), 2)
      assert.equal(seen.at(-1)?.bearer, 'token-2')
    },
  )

remoteTest(
  'a server that goes on refusing is asked twice, not for ever',
  { reply: () => [401, { detail: 'no' }] },
  async ({ connection, seen }) => {
    await assert.rejects(connection.ask({ method: 'GET', path: '/v1/x' }), (error) =>
      isFault(error, 'UNAUTHENTICATED'),
    )
    assert.equal(seen.length, 4)
  },
)

remoteTest(
  'a token that was given is used as it is and never exchanged',
  { reply: () => [401, { detail: 'no' }], credential: { kind: 'token', token: 'given' } },
  async ({ connection, seen }) => {
    await assert.rejects(connection.ask({ method: 'GET', path: '/v1/x' }))
    assert.deepEqual(
      seen.map(({ bearer }) => bearer),
      ['given'],
    )
  },
)

const REFUSALS: readonly [status: number, code: string, text: string][] = [
  [403, 'ACCESS_DENIED', "Access denied (agent doesn't have a policy for this path)"],
  [404, 'SECRET_NOT_FOUND', "No secret found at path 'a/b'."],
  [
    410,
    'SECRET_SPENT',
    "Secret at path 'a/b' is expired or has exceeded its maximum access count.",
  ],
]
for (const [status, code, text] of REFUSALS)
  remoteTest(
    `${status} reads as the seeds say it`,
    { reply: () => [status, { type: 'about:blank', status, detail: 'in other words' }] },
    async ({ vault }) => {
      await assert.rejects(vault.get(CALLER, VAULT, 'a/b'), { code, message: text })
    },
  )

remoteTest(
  '402 carries the words of the server',
  {
    reply: () => [
      402,
      {
        detail: 'Free tier quota exhausted. Upgrade your plan or add payment at https://x.example',
      },
    ],
  },
  async ({ vault }) => {
    await assert.rejects(vault.get(CALLER, VAULT, 'a/b'), {
      code: 'QUOTA_EXHAUSTED',
      message: 'Free tier quota exhausted. Upgrade your plan or add payment at https://x.example',
    })
  },
)

const SECRET = {
  id: '6a2f41a3-c54c-4d6e-9a0e-9f1a2b3c4d5e',
  path: 'a b/c+d',
  type: 'password',
  version: 3,
  metadata: { owner: 'ops' },
  created_at: '2026-01-02T03:04:05Z',
  expires_at: null,
}

remoteTest(
  'segments of a path are percent-encoded one by one',
  { reply: () => [200, { ...SECRET, value: 'v' }] },
  async ({ vault, seen }) => {
    const { info, value } = await vault.get(CALLER, VAULT, 'a b/c+d')
    assert.equal(seen.at(-1)?.path, `/v1/vaults/${VAULT}/secrets/a%20b/c%2Bd`)
    assert.equal(value.reveal(), 'v')
    assert.equal(info.type, 'password')
    assert.equal(info.byteLength, 1)
  },
)

remoteTest(
  'describing never reads the value, on a server that has no call for it either',
  {
    reply: ({ path }) =>
      path.includes('/secret-metadata/')
        ? [404, { detail: 'Not offered by this server.' }]
        : [200, { secrets: [SECRET, { ...SECRET, path: 'a b/c+d2' }] }],
  },
  async ({ vault, seen }) => {
    assert.equal((await vault.describe(CALLER, VAULT, 'a b/c+d')).version, 3)
    await vault.describe(CALLER, VAULT, 'a b/c+d')
    const paths = seen.map(({ path }) => path)
    assert.equal(paths.filter((path) => path.includes('/secret-metadata/')).length, 1)
    assert.equal(paths.filter((path) => path.includes('/secrets?prefix=')).length, 2)
    assert.equal(paths.filter((path) => /\/secrets\/a/.test(path)).length, 0)
  },
)

remoteTest(
  'rotating sends type, metadata and limits again and names the version it replaces',
  {
    reply: ({ method, path }) => {
      if (method === 'PUT') return [201, { ...SECRET, version: 4 }]
      if (path.includes('/secret-metadata/'))
        return [404, { detail: 'Not offered by this server.' }]
      return [200, { secrets: [{ ...SECRET, max_access_count: 9 }] }]
    },
  },
  async ({ vault, seen }) => {
    const value = SecretText.fromText('new value')
    const stored = await vault.rotateAndStore(CALLER, VAULT, { path: 'a b/c+d', value })
    assert.equal(stored.version, 4)
    assert.equal(stored.replaced, 3)
    const put = seen.at(-1)
    assert.deepEqual(put?.body, {
      value: 'new value',
      type: 'password',
      metadata: { owner: 'ops' },
      max_access_count: 9,
    })
    assert.equal(put?.headers['if-match'], '"3"')
  },
)

remoteTest(
  'an answer that does not fit says where, and nothing of what stood there',
  { reply: () => [200, { ...SECRET, version: 'seven', value: 'hidden' }] },
  async ({ vault }) => {
    await assert.rejects(vault.get(CALLER, VAULT, 'a b/c+d'), (error) => {
      assert.ok(isFault(error, 'NET_FAILED'))
      assert.match(error.message, /version/)
      assert.doesNotMatch(error.message, /seven|hidden/)
      return true
    })
  },
)
