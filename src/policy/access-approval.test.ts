import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agent, allow, asked, creator, deny, NOON } from '../../test/support/access-rules.ts'
import type { AccessConditions } from '../core/policy-port.ts'
import { type AccessQuestion, decideAccess } from './access-decision.ts'
import { explainAccess } from './access-explain.ts'
import { checkGrant } from './access-grant.ts'
import type { AccessPolicy } from './access-policy.ts'

const ASKS = { needed: 1, expiresInSeconds: 900 }
const OF_TWO = { needed: 2, expiresInSeconds: 900 }
const FROM_TEN: AccessConditions = { ipAllowlist: ['10.0.0.0/8'] }

const approvalCases: readonly [
  what: string,
  policies: readonly AccessPolicy[],
  asked: Partial<AccessQuestion>,
  decision: readonly [allowed: boolean, by: string | null, needed: number | null],
][] = [
  [
    'what asks allows once people said yes',
    [allow('a', '**', { approval: ASKS })],
    {},
    [true, 'a', 1],
  ],
  [
    'another allow of a higher priority does not pass it by',
    [allow('a', '**', { approval: ASKS }), allow('b', '**', { priority: 9 })],
    {},
    [true, 'a', 1],
  ],
  [
    'the most people count, not the priority',
    [allow('a', '**', { approval: ASKS, priority: 9 }), allow('b', '**', { approval: OF_TWO })],
    {},
    [true, 'b', 2],
  ],
  [
    'a deny wins',
    [allow('a', '**', { approval: ASKS }), deny('d', 'api/*')],
    {},
    [false, 'd', null],
  ],
  [
    'one that has expired asks for nothing',
    [allow('a', '**', { approval: ASKS, expiresAt: NOON }), allow('b', '**')],
    {},
    [true, 'b', null],
  ],
  [
    'one whose conditions fail asks for nothing',
    [allow('a', '**', { approval: ASKS, conditions: FROM_TEN }), allow('b', '**')],
    { address: '192.0.2.1' },
    [true, 'b', null],
  ],
  [
    'one that may hold has people asked for what another allows',
    [allow('a', '**', { approval: ASKS, conditions: FROM_TEN }), allow('b', '**')],
    { address: null },
    [true, 'a', 1],
  ],
  [
    'one that may hold allows nothing by itself',
    [allow('a', '**', { approval: ASKS, conditions: FROM_TEN })],
    { address: null },
    [false, null, null],
  ],
  [
    'names are listed without asking',
    [allow('a', '**', { approval: ASKS, permissions: ['list', 'read'] })],
    { permission: 'list' },
    [true, 'a', null],
  ],
  [
    'nobody needed is no approval, so nothing is allowed',
    [allow('a', '**', { approval: { needed: 0, expiresInSeconds: 900 } })],
    {},
    [false, 'a', null],
  ],
  [
    'a share cannot wait',
    [allow('a', '**', { approval: ASKS, permissions: ['read', 'share'] })],
    { permission: 'share' },
    [false, 'a', null],
  ],
]
for (const [what, policies, more, decision] of approvalCases)
  test(`decideAccess: ${what}`, () => {
    const { allowed, by, approval } = decideAccess(agent, policies, { ...asked, ...more })
    assert.deepEqual([allowed, by, approval?.needed ?? null], decision)
  })

test('decideAccess: the creator of a vault is asked for what a policy of his asks', () => {
  const own = { principalType: 'user', principalId: 'ada' } as const
  const policies = [allow('a', '**', { ...own, approval: ASKS })]
  const { by, approval } = decideAccess(creator, policies, { ...asked, isOwner: true })
  assert.deepEqual([by, approval], ['a', ASKS])
})

test('explainAccess: says which policy asks, and that the one which does not is overruled', () => {
  const policies = [allow('a', '**', { approval: ASKS }), allow('b', '**', { priority: 9 })]
  const { decision, considered, withoutIt } = explainAccess(agent, policies, asked)
  assert.equal(decision.reason, "A policy on '**' allows read once a person has approved it.")
  assert.deepEqual(
    considered.map(({ id, outcome }) => [id, outcome]),
    [
      ['a', 'decides'],
      ['b', 'overruled'],
    ],
  )
  assert.deepEqual([withoutIt?.allowed, withoutIt?.approval], [true, undefined])
})

test('checkGrant: what is asked of the granter is asked of whom he grants it to', () => {
  const own = [
    allow('s', 'api/**', { permissions: ['read', 'share'] }),
    allow('a', 'api/live/*', { approval: OF_TWO }),
  ]
  const wanted = allow('', 'api/**')
  const missing = (pattern: string, approval: typeof ASKS | null): string => {
    const checked = checkGrant(
      { subject: agent, policies: own },
      { ...wanted, pattern, approval },
      NOON,
    )
    return checked.ok ? 'ok' : checked.missing
  }
  assert.equal(missing('api/**', null), 'freedom from approval')
  assert.equal(missing('api/live/x', ASKS), 'freedom from approval')
  assert.equal(missing('api/live/x', OF_TWO), 'ok')
  assert.equal(missing('api/test/x', null), 'ok')
})
