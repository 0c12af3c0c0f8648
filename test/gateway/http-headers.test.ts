// What is told in headers of messages to servers over HTTP: of each what its own body says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { META } from '../../src/mcp/wire/index.ts'
import { json, scripted, upstreamAt } from '../support/http-upstream.ts'

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
