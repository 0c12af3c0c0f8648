import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStreams } from '../../test/support/streams.ts'
import type { AuditEntry, AuditFilter } from '../core/admin-port.ts'
import { epochMs } from '../core/time.ts'
import type { CliDeps } from './deps.ts'
import { tallied } from './inspection-tally.ts'
import { runProgram } from './program.ts'

interface Call {
  readonly action?: string
  readonly direction?: 'input' | 'output'
  readonly findings?: readonly string[]
  readonly blocking?: readonly string[]
  readonly allowed?: readonly string[]
}

/** An audit that pages as the real one does: newest first. */
function auditOf(calls: readonly Call[]): { query(filter: AuditFilter): Promise<AuditEntry[]> } {
  const entries = calls.map(
    ({ action = 'inspection.passed', direction = 'input', ...lists }, index): AuditEntry => ({
      seq: index + 1,
      at: epochMs(1_000 + index),
      kind: 'event',
      action,
      actor: 'agent:local',
      address: null,
      channel: 'mcp-stdio',
      vault: null,
      path: null,
      server: null,
      tool: 't',
      method: null,
      decision: null,
      outcome: null,
      body: JSON.stringify({ detail: { tool: 't', mode: 'block', direction, ...lists } }),
    }),
  )
  return {
    query: async ({ limit = 50, before = Number.POSITIVE_INFINITY, from = epochMs(0) }) =>
      entries
        .toReversed()
        .filter(({ seq, at }) => seq < before && at >= from)
        .slice(0, limit),
  }
}

const found = ['d high text 1-2', 'd high text 5-6']
const columns: readonly [what: string, call: Call, column: string][] = [
  ['refused', { action: 'inspection.refused', findings: found, blocking: ['d'] }, 'refused'],
  ['would be refused', { findings: found, blocking: ['d'] }, 'wouldRefuse'],
  ['changed', { action: 'inspection.changed', findings: found, blocking: ['d'] }, 'changed'],
  ['changed beside it', { action: 'inspection.changed', findings: found }, 'changed'],
  ['allowed', { findings: found, allowed: ['d'] }, 'allowed'],
  ['only seen', { findings: found }, 'recorded'],
  ['seen beside what refused', { action: 'inspection.refused', findings: found }, 'recorded'],
  ['in an answer', { direction: 'output', findings: found, blocking: ['d'] }, 'recorded'],
  ['beyond the findings that are told', { blocking: ['d'] }, 'wouldRefuse'],
  ['of an older version', { findings: found, blocking: [] }, 'recorded'],
]
for (const [what, call, column] of columns)
  test(`tallied: ${what} counts once`, async () => {
    const [tally] = await tallied(auditOf([call]), epochMs(0))
    const { detector, modes, tools, lastAt, ...counts } = tally!
    assert.deepEqual([detector, modes, tools, lastAt], ['d', ['block'], ['t'], 1_000])
    const counted = Object.entries(counts).filter(([, count]) => count > 0)
    assert.deepEqual(counted, [[column, 1]])
  })

test('tallied: approvals are no calls, pages are read to their end, the worst comes first', async () => {
  const calls: Call[] = [
    { action: 'inspection.approve' },
    ...Array.from({ length: 2_100 }, () => ({ findings: ['seen low text 1-2'] })),
    { action: 'inspection.refused', findings: found, blocking: ['d'] },
  ]
  const all = await tallied(auditOf(calls), epochMs(0))
  assert.deepEqual(
    all.map(({ detector, refused, recorded }) => [detector, refused, recorded]),
    [
      ['d', 1, 0],
      ['seen', 0, 2_100],
    ],
  )
  assert.equal((await tallied(auditOf(calls), epochMs(3_000)))[1]?.recorded, 101)
})

test('inspection report: what is stopped names the line that allows it, a known secret its setting', async () => {
  const audit = auditOf([
    {
      action: 'inspection.refused',
      findings: ['known-value critical text 1-2'],
      blocking: ['known-value'],
    },
    { action: 'inspection.refused', findings: found, blocking: ['d'] },
  ])
  const streams = memoryStreams()
  const deps = { audit: async () => audit, close: async () => {} } as unknown as CliDeps
  const since = '1970-01-01T00:00:00Z'
  assert.equal(await runProgram(['inspection', 'report', '--since', since], deps, streams), 0)
  const shown = streams.written.stdout().toString()
  assert.match(shown, /^ {2}sallyport inspection allow d --tool t --reason/m)
  assert.match(shown, /^known-value is a secret in an argument: SALLYPORT_MCP_EXFIL_PROTECTION/m)
  assert.doesNotMatch(shown, /allow known-value/)
})
