import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { agent, allow, deny, asked as fromNetwork, NOON } from '../../test/support/access-rules.ts'
import { type AccessQuestion, type AccessSubject, decideAccess } from './access-decision.ts'
import { explainAccess, type PolicyOutcome, whoMay } from './access-explain.ts'
import type { AccessPolicy } from './access-policy.ts'

const asked: AccessQuestion = { ...fromNetwork, address: null }
const office = { conditions: { ipAllowlist: ['10.0.0.0/8'] } }

function outcomes(
  policies: readonly AccessPolicy[],
  question: Partial<AccessQuestion> = {},
  subject: Partial<AccessSubject> = {},
): Record<string, PolicyOutcome> {
  const { considered } = explainAccess({ ...agent, ...subject }, policies, {
    ...asked,
    ...question,
  })
  return Object.fromEntries(considered.map(({ id, outcome }) => [id, outcome]))
}

test('explainAccess: says of each policy why it counts or not', () => {
  const policies = [
    allow('wins', 'api/*', { priority: 1 }),
    allow('same', '**'),
    allow('robot', '**', { principalId: 'robot' }),
    allow('second', '**', { vaultId: 'second' }),
    allow('db', 'db/**'),
    allow('lists', '**', { permissions: ['list'] }),
    allow('old', '**', { expiresAt: NOON }),
    deny('production', '**', { conditions: { environmentIn: ['production'] } }),
    allow('office', '**', office),
  ]
  assert.deepEqual(outcomes(policies), {
    wins: 'decides',
    same: 'agrees',
    robot: 'another principal',
    second: 'another vault',
    db: 'another path',
    lists: 'another permission',
    old: 'expired',
    production: 'conditions fail',
    office: 'conditions unknown',
  })
  assert.deepEqual(outcomes([...policies, deny('no', 'api/**', office), deny('never', 'x')]), {
    wins: 'overruled',
    same: 'overruled',
    robot: 'another principal',
    second: 'another vault',
    db: 'another path',
    lists: 'another permission',
    old: 'expired',
    production: 'conditions fail',
    office: 'conditions unknown',
    no: 'decides',
    never: 'another path',
  })
})

test('explainAccess: what is doubtful says so', () => {
  const { considered } = explainAccess(
    agent,
    [deny('d', '**', office), allow('a', '**', office)],
    asked,
  )
  assert.deepEqual(considered, [
    { id: 'd', outcome: 'decides', counts: true, because: "the caller's address is not known" },
    {
      id: 'a',
      outcome: 'conditions unknown',
      counts: false,
      because: "the caller's address is not known",
    },
  ])
})

test('explainAccess: without the policy that decided', () => {
  const without = (
    policies: readonly AccessPolicy[],
    question: Partial<AccessQuestion> = {},
    subject = agent,
  ): unknown => {
    const { withoutIt } = explainAccess(subject, policies, { ...asked, ...question })
    return withoutIt === null ? null : [withoutIt.allowed, withoutIt.layer, withoutIt.by]
  }
  assert.equal(without([]), null)
  assert.deepEqual(without([allow('a', '**')]), [false, 'none', null])
  assert.deepEqual(without([allow('a', '**'), allow('b', '**')]), [true, 'policy', 'b'])
  assert.deepEqual(without([allow('a', '**'), deny('d', '**')]), [true, 'policy', 'a'])
  assert.deepEqual(without([allow('a', '**'), deny('d', '**'), deny('e', '**')]), [
    false,
    'policy',
    'e',
  ])
  assert.deepEqual(without([allow('a', '**'), allow('b', '//')]), [true, 'policy', 'a'])
  assert.equal(without([allow('a', '**')], { orgId: 'rival' }), null)
  const ada = { ...agent, type: 'user', id: 'ada' } as const
  const own = { principalType: 'user', principalId: 'ada' } as const
  assert.deepEqual(without([deny('d', '**', own)], { isOwner: true }, ada), [true, 'owner', null])
  assert.equal(without([deny('d', 'x', own)], { isOwner: true }, ada), null)
})

test('explainAccess: what comes before the policies leaves them unasked', () => {
  const policies = [allow('a', '**'), deny('d', 'x'), null as unknown as AccessPolicy]
  for (const [question, subject] of [
    [{ orgId: 'rival' }, {}],
    [{}, { vaultIds: [] }],
    [{}, { scopes: [['db/**']] }],
    [{}, { scopes: [['//']] }],
  ] as const)
    assert.deepEqual(outcomes(policies, question, subject), {
      a: 'not reached',
      d: 'another path',
      unreadable: 'not reached',
    })
  assert.deepEqual(outcomes(policies), {
    a: 'not reached',
    d: 'another path',
    unreadable: 'decides',
  })
  assert.deepEqual(outcomes([allow('x', '//'), allow('a', '**'), allow('y', '//')]), {
    x: 'decides',
    a: 'not reached',
    y: 'malformed',
  })
  assert.deepEqual(outcomes([allow('a', '**'), allow('x', '//', { principalId: 'robot' })]), {
    a: 'decides',
    x: 'another principal',
  })
  assert.deepEqual(outcomes([allow('a', '**')], { path: 'a//b' }), { a: 'another path' })
})

test('explainAccess: agrees with decideAccess', () => {
  const policy = fc.record({
    id: fc.constantFrom('p', 'q', 'r'),
    vaultId: fc.constantFrom('main', 'main', 'second'),
    pattern: fc.constantFrom('**', 'api/*', 'db/**', 'api/stripe', '//'),
    principalType: fc.constant('agent' as const),
    principalId: fc.constantFrom('deployer', 'deployer', 'robot'),
    effect: fc.constantFrom('allow' as const, 'deny' as const),
    permissions: fc.constantFrom<AccessPolicy['permissions'][]>(['read'], ['read', 'list']),
    conditions: fc.constantFrom(null, null, office.conditions, { environmentIn: ['production'] }),
    priority: fc.integer({ min: 0, max: 2 }),
    expiresAt: fc.constantFrom(null, null, NOON),
  })
  fc.assert(
    fc.property(
      fc.uniqueArray(policy, { maxLength: 5, selector: ({ id }) => id }),
      fc.constantFrom(null, '10.0.0.1', '192.0.2.1'),
      (policies, address) => {
        const question = { ...asked, address }
        const { decision, considered, withoutIt } = explainAccess(agent, policies, question)
        assert.deepEqual(decision, decideAccess(agent, policies, question))
        const deciding = considered.filter(({ outcome }) => outcome === 'decides')
        assert.deepEqual(
          deciding.map(({ id }) => id),
          decision.layer === 'policy' ? [decision.by] : [],
        )
        const rest = policies.filter(({ id }) => id !== decision.by)
        assert.deepEqual(
          withoutIt,
          decision.layer === 'policy' ? decideAccess(agent, rest, question) : null,
        )
        // What does not count may go without any difference.
        const counting = policies.filter((_, i) => considered[i]?.counts === true)
        assert.deepEqual(decideAccess(agent, counting, question), decision)
      },
    ),
    { numRuns: 2000 },
  )
})

test('whoMay: those who may, and those who could in other circumstances', () => {
  const candidate = (id: string, policies: readonly AccessPolicy[], isOwner = false) => ({
    subject: { ...agent, id, ...(isOwner && { type: 'user' as const }) },
    policies: policies.map((policy) => ({ ...policy, principalId: id })),
    isOwner,
  })
  const { isOwner: _, ...question } = asked
  const holders = whoMay(
    [
      candidate('plain', [allow('a', '**')]),
      candidate('nobody', []),
      candidate('office', [allow('b', '**', office)]),
      candidate('denied', [allow('c', '**'), deny('d', 'api/*')]),
      candidate('perhaps', [allow('e', '**'), deny('f', 'api/*', office)]),
      candidate('old', [allow('g', '**', { expiresAt: NOON })]),
      candidate('broken', [allow('h', '**'), allow('i', '//')]),
      candidate('ada', [], true),
      candidate('both', [allow('j', '**', office), deny('k', '**')]),
    ],
    question,
  )
  assert.deepEqual(
    holders.map(({ subject, decision, isConditional }) => [
      subject.id,
      decision.by ?? decision.layer,
      isConditional,
    ]),
    [
      ['plain', 'a', false],
      ['office', 'b', true],
      ['perhaps', 'e', true],
      ['ada', 'owner', false],
    ],
  )
  const there = whoMay([candidate('office', [allow('b', '**', office)])], {
    ...question,
    address: '10.0.0.1',
    at: NOON,
  })
  assert.deepEqual(
    there.map(({ isConditional }) => isConditional),
    [false],
  )
})
