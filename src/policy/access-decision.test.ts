import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { agent, allow, asked, creator, deny, NOON } from '../../test/support/access-rules.ts'
import {
  ACCESS_PERMISSIONS,
  type AccessConditions,
  type AccessPermission,
} from '../core/policy-port.ts'
import { type EpochMs, monotonicMs, parseInstant } from '../core/time.ts'
import {
  type AccessDecision,
  type AccessQuestion,
  type AccessSubject,
  compileAccess,
  decideAccess,
} from './access-decision.ts'
import type { AccessPolicy } from './access-policy.ts'

function at(iso: string): EpochMs {
  return parseInstant(iso) ?? assert.fail(`${iso} is no instant`)
}

/** What the table is judged by: an agent of many policies. */
const RULES: readonly AccessPolicy[] = [
  allow('api', 'api/**', { permissions: ['list', 'read', 'use'] }),
  allow('api-one', 'api/*', { priority: 5 }),
  allow('office', 'db/**', { conditions: { ipAllowlist: ['10.0.0.0/8'] } }),
  allow('hours', 'batch/**', { conditions: { timeWindow: { startHour: 9, endHour: 17 } } }),
  allow('stage', 'deploy/**', { conditions: { environmentIn: ['staging'] } }),
  allow('nowhere', 'mars/**', {
    conditions: { timeWindow: { startHour: 9, timezone: 'Mars/Olympus' } },
  }),
  allow('until', 'temp/**', { expiresAt: NOON }),
  allow('all', 'mixed/**', { permissions: ACCESS_PERMISSIONS }),
  deny('live', '**/live', { permissions: ['read', 'use'] }),
  deny('late', 'mixed/a', { conditions: { timeWindow: { startHour: 17, endHour: 9 } } }),
  deny('outside', 'mixed/b', { conditions: { ipAllowlist: ['192.0.2.0/24'] } }),
  deny('lost', 'mixed/c', {
    conditions: { timeWindow: { startHour: 9, timezone: 'Mars/Olympus' } },
  }),
  deny('was', 'mixed/d', { expiresAt: NOON }),
  deny('production', 'mixed/e', { conditions: { environmentIn: ['production'] } }),
  deny('both', 'mixed/f', {
    conditions: { ipAllowlist: ['192.0.2.0/24'], environmentIn: ['production'] },
  }),
  allow('elsewhere', 'other/**', { vaultId: 'second' }),
  allow('robot', 'robots/**', { principalId: 'robot' }),
  allow('person', 'people/**', { principalType: 'user' }),
]

type Outcome = readonly [allowed: boolean, layer: AccessDecision['layer'], by: string | null]
const matrix: readonly [
  what: string,
  question: Partial<AccessQuestion>,
  outcome: Outcome,
  subject?: Partial<AccessSubject>,
][] = [
  ['one level', {}, [true, 'policy', 'api-one']],
  ['any depth', { path: 'api/eu/stripe' }, [true, 'policy', 'api']],
  ['the folder itself', { path: 'api' }, [false, 'none', null]],
  ['its neighbour', { path: 'apis/stripe' }, [false, 'none', null]],
  ['case counts', { path: 'API/stripe' }, [false, 'none', null]],
  ['list', { permission: 'list' }, [true, 'policy', 'api']],
  ['write', { permission: 'write' }, [false, 'none', null]],
  ['share', { permission: 'share' }, [false, 'none', null]],
  ['a deny wins over a higher priority', { path: 'api/live' }, [false, 'policy', 'live']],
  ['not for another permission', { path: 'api/live', permission: 'list' }, [true, 'policy', 'api']],
  ['a deny alone', { path: 'live' }, [false, 'policy', 'live']],
  ['the address fits', { path: 'db/main' }, [true, 'policy', 'office']],
  ['as IPv6', { path: 'db/main', address: '::ffff:10.1.2.3' }, [true, 'policy', 'office']],
  ['another address', { path: 'db/main', address: '11.1.2.3' }, [false, 'none', null]],
  ['no address', { path: 'db/main', address: null }, [false, 'none', null]],
  ['a spoofed address', { path: 'db/main', address: '10.1.2.3, 1.1.1.1' }, [false, 'none', null]],
  ['in its hours', { path: 'batch/x' }, [true, 'policy', 'hours']],
  [
    'its first moment',
    { path: 'batch/x', at: at('2026-11-20T09:00:00Z') },
    [true, 'policy', 'hours'],
  ],
  ['before', { path: 'batch/x', at: at('2026-11-20T08:59:59.999Z') }, [false, 'none', null]],
  ['after', { path: 'batch/x', at: at('2026-11-20T17:00:00Z') }, [false, 'none', null]],
  ['the environment fits', { path: 'deploy/x' }, [true, 'policy', 'stage']],
  ['another environment', { path: 'deploy/x', environment: 'production' }, [false, 'none', null]],
  ['no environment', { path: 'deploy/x', environment: null }, [false, 'none', null]],
  ['an allow of an unknown zone', { path: 'mars/x' }, [false, 'none', null]],
  ['it ends', { path: 'temp/x' }, [false, 'none', null]],
  ['just before', { path: 'temp/x', at: (NOON - 1) as EpochMs }, [true, 'policy', 'until']],
  ['no time', { path: 'temp/x', at: Number.NaN as EpochMs }, [false, 'none', null]],
  ['a deny out of its hours', { path: 'mixed/a' }, [true, 'policy', 'all']],
  [
    'a deny in them',
    { path: 'mixed/a', at: at('2026-11-20T17:00:00Z') },
    [false, 'policy', 'late'],
  ],
  [
    'a deny without time',
    { path: 'mixed/a', at: Number.NaN as EpochMs },
    [false, 'policy', 'late'],
  ],
  ['a deny of other addresses', { path: 'mixed/b' }, [true, 'policy', 'all']],
  [
    'a deny of this address',
    { path: 'mixed/b', address: '192.0.2.7' },
    [false, 'policy', 'outside'],
  ],
  ['a deny without address', { path: 'mixed/b', address: null }, [false, 'policy', 'outside']],
  ['a deny of an unknown zone', { path: 'mixed/c' }, [false, 'policy', 'lost']],
  ['a deny that ended', { path: 'mixed/d' }, [true, 'policy', 'all']],
  ['a deny about to end', { path: 'mixed/d', at: (NOON - 1) as EpochMs }, [false, 'policy', 'was']],
  [
    'a deny that may have ended',
    { path: 'mixed/d', at: Number.NaN as EpochMs },
    [false, 'policy', 'was'],
  ],
  ['a deny elsewhere', { path: 'mixed/e' }, [true, 'policy', 'all']],
  [
    'a deny without environment',
    { path: 'mixed/e', environment: null },
    [false, 'policy', 'production'],
  ],
  ['half a deny fails', { path: 'mixed/f', environment: null }, [true, 'policy', 'all']],
  [
    'half a deny is unknown',
    { path: 'mixed/f', address: '192.0.2.7', environment: null },
    [false, 'policy', 'both'],
  ],
  ['policies of another vault', { path: 'other/x' }, [false, 'none', null]],
  ['in that vault', { path: 'other/x', vaultId: 'second' }, [true, 'policy', 'elsewhere']],
  ['the first vault is another', { vaultId: 'second' }, [false, 'none', null]],
  ['policies of another agent', { path: 'robots/x' }, [false, 'none', null]],
  ['of a user with this name', { path: 'people/x' }, [false, 'none', null]],
  ['another organisation', { orgId: 'rival' }, [false, 'organisation', null]],
  ['bound to the vault', {}, [true, 'policy', 'api-one'], { vaultIds: ['main'] }],
  ['bound to another', {}, [false, 'vault-binding', null], { vaultIds: ['second'] }],
  ['bound to none', {}, [false, 'vault-binding', null], { vaultIds: [] }],
  ['in scope', {}, [true, 'policy', 'api-one'], { scopes: [['api/*']] }],
  ['out of scope', { path: 'db/main' }, [false, 'token-scope', null], { scopes: [['api/*']] }],
  [
    'in one of two globs',
    { path: 'db/main' },
    [true, 'policy', 'office'],
    { scopes: [['x', 'db/*']] },
  ],
  ['in one of two lists', {}, [false, 'token-scope', null], { scopes: [['**'], ['db/*']] }],
  ['a scope of nothing', {}, [false, 'token-scope', null], { scopes: [[]] }],
  ['a scope gives nothing', { path: 'zoo' }, [false, 'none', null], { scopes: [['**']] }],
  ['an agent owns no vault', { path: 'zoo', isOwner: true }, [false, 'none', null]],
  ['a traversal', { path: 'api/../db' }, [false, 'none', null]],
  ['an empty path', { path: '' }, [false, 'none', null]],
  ['an encoded path', { path: 'api%2Fstripe' }, [false, 'none', null]],
  ['a glob as a path', { path: 'api/*' }, [false, 'none', null]],
  ['an unknown permission', { permission: 'toString' as AccessPermission }, [false, 'none', null]],
  [
    'create is no permission here',
    { permission: 'create' as AccessPermission },
    [false, 'none', null],
  ],
]
for (const [what, question, [allowed, layer, by], subject] of matrix)
  test(`decideAccess: ${what}: ${allowed ? 'allowed' : 'denied'} (${by ?? layer})`, () => {
    const decision = decideAccess({ ...agent, ...subject }, RULES, { ...asked, ...question })
    assert.deepEqual([decision.allowed, decision.layer, decision.by], [allowed, layer, by])
  })

const mine = { principalType: 'user', principalId: 'ada' } as const
const owners: readonly [
  what: string,
  subject: Partial<AccessSubject>,
  policies: readonly AccessPolicy[],
  question: Partial<AccessQuestion>,
  outcome: Outcome,
][] = [
  ['the creator', {}, [], {}, [true, 'owner', null]],
  ['may share too', {}, [], { permission: 'share' }, [true, 'owner', null]],
  ['who created nothing', {}, [], { isOwner: false }, [false, 'none', null]],
  ['is named after a policy', {}, [allow('p', '**', mine)], {}, [true, 'policy', 'p']],
  ['a deny stands', {}, [deny('d', 'api/*', mine)], {}, [false, 'policy', 'd']],
  ['elsewhere it does not', {}, [deny('d', 'db/*', mine)], {}, [true, 'owner', null]],
  [
    'an expired deny',
    {},
    [deny('d', '**', { ...mine, expiresAt: NOON })],
    {},
    [true, 'owner', null],
  ],
  ['within the scope', { scopes: [['db/**']] }, [], {}, [false, 'token-scope', null]],
  ['within the binding', { vaultIds: [] }, [], {}, [false, 'vault-binding', null]],
  ['of his organisation', {}, [], { orgId: 'rival' }, [false, 'organisation', null]],
  ['an auditor', { role: 'auditor' }, [], {}, [false, 'none', null]],
  [
    'an auditor with a policy',
    { role: 'auditor' },
    [allow('p', '**', mine)],
    {},
    [true, 'policy', 'p'],
  ],
  ['a role is no right', { role: 'owner' }, [], { isOwner: false }, [false, 'none', null]],
  ['a broken policy', {}, [allow('p', 'a//b', mine)], {}, [false, 'policy', 'p']],
]
for (const [what, subject, policies, question, [allowed, layer, by]] of owners)
  test(`decideAccess: owner: ${what}: ${allowed ? 'allowed' : 'denied'} (${by ?? layer})`, () => {
    const decision = decideAccess({ ...creator, ...subject }, policies, {
      ...asked,
      isOwner: true,
      ...question,
    })
    assert.deepEqual([decision.allowed, decision.layer, decision.by], [allowed, layer, by])
  })

test('decideAccess: the reason is a sentence that shows the pattern and no path', () => {
  const say = (question: Partial<AccessQuestion>): string =>
    decideAccess(agent, RULES, { ...asked, ...question }).reason
  assert.equal(say({}), "A policy on 'api/*' allows read.")
  assert.equal(say({ path: 'api/live' }), "A policy on '**/live' denies read.")
  assert.equal(
    say({ path: 'mixed/b', address: null }),
    "A policy on 'mixed/b' denies read, since the caller's address is not known.",
  )
  assert.equal(
    say({ path: 'mixed/c' }),
    "A policy on 'mixed/c' denies read, since its time zone 'Mars/Olympus' is not known here.",
  )
  assert.equal(say({ path: 'zoo' }), 'No policy allows read here.')
  assert.equal(say({ orgId: 'rival' }), 'The vault belongs to another organisation.')
})

test('decideAccess: of several the highest priority is named, then the first id', () => {
  const by = (policies: readonly AccessPolicy[]): string | null =>
    decideAccess(agent, policies, asked).by
  const three = [
    allow('b', '**', { priority: 1 }),
    allow('c', '**'),
    allow('a', '**', { priority: 1 }),
  ]
  assert.equal(by(three), 'a')
  assert.equal(by(three.toReversed()), 'a')
  assert.equal(by([...three, allow('z', '**', { priority: 2, expiresAt: NOON })]), 'a')
  assert.equal(by([...three, deny('z', '**', { priority: -9 }), deny('y', '**')]), 'y')
})

const broken: readonly [what: string, row: unknown, by: string | null][] = [
  ['a bad pattern', allow('b', 'a//b'), 'b'],
  ['a pattern that no path has', allow('b', 'a b'), 'b'],
  ['no permission', allow('b', 'x', { permissions: [] }), 'b'],
  ['an unknown permission', { ...allow('b', 'x'), permissions: ['create'] }, 'b'],
  ['permissions as text', { ...allow('b', 'x'), permissions: 'read' }, 'b'],
  ['an unknown effect', { ...allow('b', 'x'), effect: 'ask' }, 'b'],
  ['lost conditions', { ...allow('b', 'x'), conditions: undefined }, 'b'],
  ['unknown conditions', { ...allow('b', 'x'), conditions: { weather: 'fair' } }, 'b'],
  ['conditions as text', { ...allow('b', 'x'), conditions: '{}' }, 'b'],
  ['a bad range', { ...allow('b', 'x'), conditions: { ipAllowlist: ['10/8'] } }, 'b'],
  ['a lost end', { ...allow('b', 'x'), expiresAt: undefined }, 'b'],
  ['an end as text', { ...allow('b', 'x'), expiresAt: '2026-11-20' }, 'b'],
  ['an end that is none', { ...allow('b', 'x'), expiresAt: Number.NaN }, 'b'],
  ['no priority', { ...allow('b', 'x'), priority: null }, 'b'],
  ['no vault', { ...allow('b', 'x'), vaultId: '' }, 'b'],
  ['no id', { ...allow('b', 'x'), id: '' }, null],
  ['nobody named', { ...allow('b', 'x'), principalId: '' }, 'b'],
  ['another kind of principal', { ...allow('b', 'x'), principalType: 'group' }, 'b'],
  ['a policy of another vault', { ...allow('b', 'a//b'), vaultId: 'second' }, 'b'],
  ['no policy', null, null],
  ['text', 'allow', null],
]
for (const [what, row, by] of broken)
  test(`decideAccess: ${what} denies everything`, () => {
    const policies = [allow('a', '**'), row as AccessPolicy, allow('z', '**')]
    assert.deepEqual(decideAccess(agent, policies, asked), {
      allowed: false,
      layer: 'policy',
      by,
      reason: 'A policy of the caller cannot be read, so nothing is allowed.',
    })
    assert.equal(compileAccess(agent, policies).isTimeless, true)
  })

test('decideAccess: a broken policy of another principal is his own trouble', () =>
  assert.equal(
    decideAccess(agent, [allow('a', '**'), allow('b', '//', { principalId: 'robot' })], asked)
      .allowed,
    true,
  ))

const unreadable: readonly [what: string, subject: object][] = [
  ['no binding', { vaultIds: undefined }],
  ['a binding as text', { vaultIds: 'main' }],
  ['no scopes', { scopes: undefined }],
  ['scopes that are null', { scopes: null }],
  ['a flat list of scopes', { scopes: ['api/**'] }],
  ['a scope that is no glob', { scopes: [['a//b']] }],
  ['no organisation', { orgId: undefined }],
  ['an empty organisation', { orgId: '' }],
  ['another kind', { type: 'person' }],
  ['no id', { id: '' }],
]
for (const [what, change] of unreadable)
  test(`decideAccess: a credential with ${what} is allowed nothing`, () => {
    const subject = { ...agent, ...change } as AccessSubject
    const question = { ...asked, orgId: subject.orgId, isOwner: true }
    const decision = decideAccess(subject, [allow('a', '**')], question)
    assert.deepEqual([decision.allowed, decision.layer, decision.by], [false, 'none', null])
  })

test('compileAccess: timeless is what depends on the path alone', () => {
  const timeless = (...policies: AccessPolicy[]): boolean =>
    compileAccess(agent, policies).isTimeless
  assert.equal(timeless(), true)
  assert.equal(timeless(allow('a', '**'), deny('d', 'x')), true)
  assert.equal(timeless(allow('a', '**', { expiresAt: NOON })), false)
  assert.equal(timeless(deny('a', '**', { conditions: { environmentIn: ['x'] } })), false)
  assert.equal(timeless(allow('a', '**', { principalId: 'robot', expiresAt: NOON })), true)
  assert.equal(timeless(allow('a', '**', { conditions: {} })), true)
})

test('compileAccess: what was given may change afterwards', () => {
  const permissions: AccessPermission[] = ['read']
  const scopes = [['api/**']]
  const policies = [allow('a', '**', { permissions })]
  const access = compileAccess({ ...agent, scopes }, policies)
  permissions.pop()
  policies.pop()
  scopes.pop()
  assert.equal(access.decide(asked).allowed, true)
  assert.equal(access.decide({ ...asked, path: 'db/x' }).layer, 'token-scope')
})

interface Moment {
  readonly at: EpochMs
  readonly address: string | null
  readonly environment: string | null
}
const HOUR = 3_600_000

/** Conditions with what they mean, found in another way: true, false, or null for "cannot be said". */
const CONDITIONS: readonly [AccessConditions | null, (moment: Moment) => boolean | null][] = [
  [null, () => true],
  [
    { ipAllowlist: ['10.0.0.0/8', '2001:db8::/32'] },
    ({ address }) => (address === null ? null : /^(?:10\.|2001:db8:|::ffff:10\.)/.test(address)),
  ],
  [
    { environmentIn: ['staging', 'test'] },
    ({ environment }) => (environment === null ? null : /^(?:staging|test)$/.test(environment)),
  ],
  [
    { timeWindow: { startHour: 9, endHour: 17 } },
    ({ at }) => Math.floor(at / HOUR) % 24 >= 9 && Math.floor(at / HOUR) % 24 <= 16,
  ],
  [
    { timeWindow: { startHour: 22, endHour: 6, daysOfWeek: [5] } },
    // Counted in hours since the first Friday at 22:00 after 1 January 1970, a Thursday.
    ({ at }) => (Math.floor(at / HOUR) - 46 + 24 * 7 * 9999) % (24 * 7) < 8,
  ],
  [{ timeWindow: { startHour: 9, timezone: 'Mars/Olympus' } }, () => null],
  [
    { environmentIn: ['staging'], ipAllowlist: ['10.0.0.0/8'] },
    ({ address, environment }) => {
      const parts = [
        environment === null ? null : environment === 'staging',
        address === null ? null : address.includes('10.'),
      ]
      return parts.includes(false) ? false : parts.includes(null) ? null : true
    },
  ],
]

const PATTERNS = ['**', '*', 'a', 'a/*', 'a/**', '**/b', 'a/?', '*/b/**', 'a/**/b', 'b*'] as const
const MATCHED: Readonly<Record<(typeof PATTERNS)[number], RegExp>> = {
  '**': /./,
  '*': /^[^/]+$/,
  a: /^a$/,
  'a/*': /^a\/[^/]+$/,
  'a/**': /^a\//,
  '**/b': /(?:^|\/)b$/,
  'a/?': /^a\/[^/]$/,
  '*/b/**': /^[^/]+\/b\//,
  'a/**/b': /^a\/(?:.*\/)?b$/,
  'b*': /^b[^/]*$/,
}

const drawnPolicy = fc
  .record({
    id: fc.constantFrom('p', 'q', 'r', 's', 't'),
    vaultId: fc.constantFrom('main', 'main', 'main', 'second'),
    pattern: fc.constantFrom(...PATTERNS),
    principalType: fc.constantFrom('agent' as const, 'agent' as const, 'user' as const),
    principalId: fc.constantFrom('deployer', 'deployer', 'deployer', 'robot'),
    effect: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
    permissions: fc.subarray([...ACCESS_PERMISSIONS], { minLength: 1 }),
    condition: fc.nat(CONDITIONS.length - 1),
    priority: fc.integer({ min: -2, max: 2 }),
    expiresAt: fc.constantFrom(null, null, NOON, (NOON + 10 * HOUR) as EpochMs),
    isBroken: fc.integer({ min: 0, max: 60 }).map((n) => n === 0),
  })
  .map(({ condition, isBroken, ...policy }) => ({
    condition,
    isBroken,
    policy: {
      ...policy,
      conditions: CONDITIONS[condition]![0],
      ...(isBroken && { permissions: [] }),
    },
  }))
const drawnSubject = fc.record({
  type: fc.constantFrom('agent' as const, 'agent' as const, 'user' as const),
  id: fc.constantFrom('deployer', 'deployer', 'deployer', 'robot'),
  orgId: fc.constantFrom('acme', 'acme', 'acme', 'rival'),
  vaultIds: fc.constantFrom(null, null, ['main'], ['second', 'main'], []),
  scopes: fc.array(fc.subarray([...PATTERNS], { minLength: 4 }), { maxLength: 2 }),
  role: fc.constantFrom(null, 'owner' as const, 'member' as const, 'auditor' as const),
})
const drawnQuestion = fc.record({
  orgId: fc.constant('acme'),
  vaultId: fc.constantFrom('main', 'main', 'main', 'second'),
  path: fc.constantFrom('a', 'b', 'bb', 'a/b', 'a/c', 'b/b', 'a/b/b', 'c/b/a', 'a/x/y/b', 'a//b'),
  permission: fc.constantFrom(...ACCESS_PERMISSIONS),
  at: fc.integer({ min: -72 * HOUR, max: 72 * HOUR }).map((offset) => (NOON + offset) as EpochMs),
  address: fc.constantFrom(null, '10.9.9.9', '::ffff:10.0.0.1', '2001:db8::5', '192.0.2.1'),
  environment: fc.constantFrom(null, 'staging', 'test', 'production'),
  isOwner: fc.boolean(),
})

type Drawn = { policy: AccessPolicy; condition: number; isBroken: boolean }

/** The access model once more, as one formula over sets. */
function naive(subject: AccessSubject, drawn: readonly Drawn[], question: AccessQuestion): boolean {
  const matches = (pattern: string): boolean =>
    MATCHED[pattern as (typeof PATTERNS)[number]].test(question.path)
  const own = drawn.filter(
    ({ policy }) =>
      `${policy.principalType}:${policy.principalId}` === `${subject.type}:${subject.id}`,
  )
  const truths = own
    .filter(({ policy }) => policy.vaultId === question.vaultId && matches(policy.pattern))
    .filter(({ policy }) => policy.permissions.includes(question.permission))
    .filter(({ policy }) => (policy.expiresAt ?? Number.POSITIVE_INFINITY) > question.at)
    .map(({ policy, condition }) => ({
      effect: policy.effect,
      truth: CONDITIONS[condition]![1](question),
    }))
  const mayBeDenied = truths.some(({ effect, truth }) => effect === 'deny' && truth !== false)
  const isAllowed = truths.some(({ effect, truth }) => effect === 'allow' && truth === true)
  return (
    subject.orgId === 'acme' &&
    !question.path.includes('//') &&
    (subject.vaultIds ?? [question.vaultId]).includes(question.vaultId) &&
    subject.scopes.every((scope) => scope.some(matches)) &&
    !own.some(({ isBroken }) => isBroken) &&
    !mayBeDenied &&
    (isAllowed || (question.isOwner && subject.type === 'user' && subject.role !== 'auditor'))
  )
}

test('decideAccess: agrees with the naive model, once and again from memory', () => {
  let allowed = 0
  fc.assert(
    fc.property(
      drawnSubject,
      fc.array(drawnPolicy, { maxLength: 8 }),
      fc.array(drawnQuestion, { minLength: 1, maxLength: 12 }),
      (subject, drawn, questions) => {
        const policies = drawn.map(({ policy }) => policy)
        const access = compileAccess(subject, policies)
        for (const question of [...questions, ...questions.toReversed()]) {
          const decision = access.decide(question)
          assert.equal(decision.allowed, naive(subject, drawn, question))
          assert.deepEqual(decision, decideAccess(subject, policies, question))
          if (decision.allowed) allowed += 1
        }
      },
    ),
    { numRuns: 1500 },
  )
  assert.ok(allowed > 1000, `only ${allowed} were allowed`)
})

test('decideAccess: a deny more never allows more, an allow less neither, order is no matter', () => {
  fc.assert(
    fc.property(
      drawnSubject,
      fc.array(drawnPolicy, { maxLength: 6 }),
      drawnPolicy,
      drawnQuestion,
      (subject, drawn, added, question) => {
        const policies = drawn.map(({ policy }) => policy)
        const before = decideAccess(subject, policies, question)
        const denied = [...policies, { ...added.policy, effect: 'deny' as const }]
        assert.ok(before.allowed || !decideAccess(subject, denied, question).allowed)
        // One that cannot be read denies everything, whatever its effect says.
        const fewer = drawn
          .filter(({ policy, isBroken }, i) => i > 0 || isBroken || policy.effect === 'deny')
          .map(({ policy }) => policy)
        assert.ok(before.allowed || !decideAccess(subject, fewer, question).allowed)
        assert.equal(decideAccess(subject, policies.toReversed(), question).allowed, before.allowed)
      },
    ),
    { numRuns: 1500 },
  )
})

test('compileAccess: remembers many paths and forgets the eldest', () => {
  const access = compileAccess(agent, [allow('a', 'api/**'), deny('d', '**/x*')])
  for (let round = 0; round < 2; round += 1)
    for (let i = 0; i < 3000; i += 1) {
      assert.equal(access.decide({ ...asked, path: `api/p${i}` }).allowed, true)
      assert.equal(access.decide({ ...asked, path: `api/x${i}` }).by, 'd')
      assert.equal(access.decide({ ...asked, path: `api/p${i}`, vaultId: 'second' }).by, null)
    }
})

test('compileAccess: a hundred thousand decisions over twenty policies are soon made', () => {
  const policies = Array.from({ length: 20 }, (_, i) =>
    allow(`p${i}`, `team${i}/**`, { conditions: { ipAllowlist: ['10.0.0.0/8'] } }),
  )
  const access = compileAccess(agent, policies)
  const start = monotonicMs()
  for (let i = 0; i < 100_000; i += 1)
    access.decide({ ...asked, path: `team${i % 20}/service/${i % 50}` })
  assert.ok(monotonicMs() - start < 1000)
})
