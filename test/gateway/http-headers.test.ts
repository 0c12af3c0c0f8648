// What is told in headers of messages to servers over HTTP: of each what its own body says.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { META } from '../../src/mcp/wire/index.ts'
import { json, scripted, upstreamAt } from '../support/http-upstream.ts'
import { temporaryHome } from '../support/serving.ts'
import { saidBy, startWrapped } from '../support/wrapped.ts'

test('a call goes under its own headers, whatever characters its revision and its tool hold', async () => {
  const server = await scripted(({ rpc }, response) => json(response, { id: rpc.id, result: {} }))
  const end = upstreamAt(server.url)
  const calls: readonly [version: string, name: string | number | undefined, told: string][] = [
    ['2026-07-28 x', 'y', '2026-07-28 x, y'],
    ['2026-07-28', 'x y', '2026-07-28, x y'],
    ['2026-07-28', 'y', '2026-07-28, y'],
    ['1', '2 a', '1, 2 a'],
    ['1 2', 'a', '1 2, a'],
    ['2026-07-28', 'undefined', '2026-07-28, undefined'],
    ['2026-07-28', undefined, '2026-07-28, none'],
    ['2026-07-28', '7', '2026-07-28, 7'],
    ['2026-07-28', 7, '2026-07-28, none'],
  ]
  for (const round of [0, 1])
    for (const [index, [version, name]] of calls.entries()) {
      const _meta = { [META.version]: version, [META.capabilities]: {} }
      await end.ask(index + round * 100, 'tools/call', { name, _meta })
    }
  assert.deepEqual(
    server.got.map(({ headers }) =>
      ['mcp-protocol-version', 'mcp-name'].map((name) => headers[name] ?? 'none').join(', '),
    ),
    [...calls, ...calls].map(([, , told]) => told),
  )
})

const { home, remove } = await temporaryHome()
after(remove)
const MODERN_SERVER = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))

for (const way of ['stdio', 'HTTP'] as const)
  test(`wrap, ${way}: a request that names an unknown revision is refused, and never reaches the server`, async () => {
    const reached: string[] = []
    const server = await scripted(({ rpc }, response) => {
      reached.push(`${rpc.method} ${rpc.id}`)
      const result =
        rpc.method === 'server/discover'
          ? { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
          : { content: [{ type: 'text', text: 'done' }] }
      json(response, { id: rpc.id, result: { resultType: 'complete', ...result } })
    })
    const wrapped = startWrapped(
      home,
      way === 'HTTP'
        ? { url: server.url }
        : { command: [process.execPath, MODERN_SERVER, 'stdio'] },
    )
    after(() => wrapped.child.kill('SIGKILL'))
    const call = (id: number, version: string) => {
      const _meta = { [META.version]: version, [META.capabilities]: {} }
      return wrapped.ask(id, 'tools/call', { name: 'echo', arguments: { text: 'done' }, _meta })
    }
    assert.ok((await call(1, '2026-07-28')).result)
    for (const [id, version] of [
      [2, '2026-07-28 x'],
      [3, '2027-01-01'],
      [4, ''],
    ] as const)
      assert.deepEqual((await call(id, version)).error, {
        code: -32022,
        message: 'The protocol version is not supported.',
        data: { supported: ['2026-07-28'], requested: version },
      })
    assert.equal(saidBy(await call(5, '2026-07-28')), 'done')
    if (way === 'HTTP') assert.deepEqual(reached.slice(-2), ['tools/call 1', 'tools/call 5'])
  })
