import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryIo, memoryStreams } from '../../test/support/streams.ts'
import type { GatewayStatus } from '../core/gateway-port.ts'
import { epochMs } from '../core/time.ts'
import { top } from './commands/top.ts'
import type { CliDeps } from './deps.ts'
import { statusScreen } from './gateway-view.ts'
import { columnsOf } from './width.ts'

const AT = epochMs(Date.UTC(2026, 10, 20, 10))

function statusOf(
  servers: number,
  limits: number,
  more: Partial<GatewayStatus> = {},
): GatewayStatus {
  return {
    since: AT,
    isCut: false,
    servers: Array.from({ length: servers }, (_, at) => ({
      name: `server-${at}`,
      kind: 'stdio' as const,
      policies: ['read-only', 'office-hours'],
      calls: at,
      denied: 0,
      failed: 0,
      lastAt: AT,
    })),
    limits: Array.from({ length: limits }, (_, at) => ({
      server: 'server-0',
      counter: `回数-${at}`,
      scope: 'grant' as const,
      of: 'agent:local',
      window: 'day',
      used: 1,
      max: 3,
      endsAt: AT,
    })),
    limitsUnknown: null,
    ...more,
  }
}

const screen = (status: GatewayStatus, rows: number, columns = 200): readonly string[] =>
  statusScreen(status, { rows, columns, paint: (_, text) => text }).split('\n')

/** What stands where a table is, with how many of its rows. */
const cases: readonly [servers: number, limits: number, rows: number, begins: readonly string[]][] =
  [
    [0, 0, 12, ['No server', '', 'Calls']],
    [2, 0, 12, ['SERVER', 'server-0', 'server-1', '', 'Calls']],
    [2, 1, 8, ['SERVER', '… and 2 more', '', 'LIMIT', '回数-0', '', 'Calls']],
    [2, 1, 9, ['SERVER', 'server-0', 'server-1', '', 'LIMIT', '回数-0', '', 'Calls']],
    [
      9,
      9,
      12,
      [
        'SERVER',
        'server-0',
        'server-1',
        '… and 7 more',
        '',
        'LIMIT',
        '回数-0',
        '回数-1',
        '… and 7 more',
        '',
        'Calls',
      ],
    ],
    [3, 0, 6, ['SERVER', 'server-0', '… and 2 more', '', 'Calls']],
    [3, 0, 7, ['SERVER', 'server-0', 'server-1', 'server-2', '', 'Calls']],
    [2, 2, 4, ['SERVER', '', 'LIMIT']],
    [2, 2, 1, ['SERVER']],
  ]
for (const [servers, limits, rows, begins] of cases)
  test(`a terminal of ${rows} lines shows ${servers} servers and ${limits} limits`, () => {
    const lines = screen(statusOf(servers, limits), rows)
    assert.deepEqual(
      lines.map((line, at) => line.slice(0, begins[at]?.length)),
      begins,
    )
  })

test('no line is wider or higher than the terminal, whatever its letters are', () => {
  const status = statusOf(30, 30, { limitsUnknown: '数'.repeat(90), isCut: true })
  for (const columns of [1, 12, 13, 40, 80])
    for (const rows of [1, 5, 12, 24, 80]) {
      const lines = screen(status, rows, columns)
      assert.ok(lines.length <= Math.max(1, rows - 1), `${rows}: ${lines.length}`)
      for (const line of lines) assert.ok(columnsOf(line) <= columns, `${columns}: ${line}`)
    }
})

test('top draws anew when its terminal has another size', async () => {
  const streams = memoryStreams({ isTerminal: true, rows: 30, columns: 120 })
  const ending = new AbortController()
  const io = memoryIo(streams, { signal: ending.signal })
  const deps = { caller: async () => null, gatewayStatus: async () => statusOf(9, 9) }
  const shown = () => streams.written.stdout().toString('utf8').split('\u001b[H\u001b[J').slice(1)
  const run = top.run({ interval: '3600' }, io, deps as unknown as CliDeps)
  while (streams.stdout.listenerCount('resize') === 0)
    await new Promise((resolve) => setImmediate(resolve))
  Object.assign(streams.stdout, { rows: 12, columns: 30 })
  streams.stdout.emit('resize')
  ending.abort()
  await run
  const [first = '', second = ''] = shown().map((one) => one.trimEnd())
  assert.equal(first.split('\n').length, 23)
  assert.ok(first.includes('回数-8'))
  assert.equal(second.split('\n').length, 11)
  assert.match(second, /^SERVER .{22}…\n/)
  assert.equal(streams.stdout.listenerCount('resize'), 0)
})
