import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFault } from '../core/faults.ts'
import {
  ACCESS_PERMISSIONS,
  type AccessConditions,
  type AccessPermission,
} from '../core/policy-port.ts'
import { type EpochMs, parseInstant } from '../core/time.ts'
import { compileConditions } from './access-conditions.ts'
import { type AccessSubject, compileAccess, decideAccess } from './access-decision.ts'
import { checkGrant, type GrantPlace, type WantedGrant } from './access-grant.ts'
import type { AccessPolicy } from './access-policy.ts'
import { compileGlob } from './glob.ts'

/** A Friday. */
const NOON = parseInstant('2026-11-20T12:00:00Z') ?? assert.fail()
const later = (hours: number): EpochMs => (NOON + hours * 3_600_000) as EpochMs

const lead: AccessSubject = {
  type: 'user',
  id: 'ada',
  orgId: 'acme',
  vaultIds: null,
  scopes: [],
  role: 'member',
}
const holds = (
  id: string,
  pattern: string,
  permissions: readonly AccessPermission[],
  more: Partial<AccessPolicy> = {},
): AccessPolicy => ({
  id,
  vaultId: 'main',
  pattern,
  principalType: 'user',
  principalId: 'ada',
  effect: 'allow',
  permissions,
  conditions: null,
  priority: 0,
  expiresAt: null,
  ...more,
})
const denied = (id: string, pattern: string, more: Partial<AccessPolicy> = {}): AccessPolicy =>
  holds(id, pattern, ['read'], { effect: 'deny', ...more })

const wanted: WantedGrant = {
  vaultId: 'main',
  pattern: 'api/**',
  effect: 'allow',
  permissions: ['read'],
  conditions: null,
  expiresAt: null,
}
const OWN = [holds('own', 'api/**', ['read', 'list', 'share'])]
const office: AccessConditions = { ipAllowlist: ['10.0.0.0/8'] }
const desk: AccessConditions = { ipAllowlist: ['10.1.2.3'] }
const hours: AccessConditions = { timeWindow: { startHour: 9, endHour: 17 } }
const HERE: GrantPlace = { address: '10.1.2.3', environment: 'staging' }

type Case = readonly [
  what: string,
  policies: readonly AccessPolicy[],
  wanted: Partial<WantedGrant>,
  /** `ok`, or what is missing and for which permission. */
  answer: string,
  more?: {
    subject?: Partial<AccessSubject>
    isOwner?: boolean
    place?: GrantPlace
    at?: EpochMs
  },
]
const cases: readonly Case[] = [
  ['what he holds', OWN, {}, 'ok'],
  ['less of it', OWN, { pattern: 'api/stripe' }, 'ok'],
  ['several permissions', OWN, { permissions: ['read', 'list'] }, 'ok'],
  ['sharing on', OWN, { permissions: ['read', 'share'] }, 'ok'],
  ['a wider pattern', OWN, { pattern: '**' }, 'path share'],
  ['the folder too', OWN, { pattern: 'api*/**' }, 'path share'],
  ['another permission', OWN, { permissions: ['read', 'write'] }, 'permission write'],
  ['another vault', OWN, { vaultId: 'second' }, 'permission share'],
  ['nothing held', [], {}, 'permission share'],
  ['no right to share', [holds('r', '**', ['read'])], {}, 'permission share'],
  [
    'sharing elsewhere',
    [holds('r', '**', ['read']), holds('s', 'db/**', ['share'])],
    {},
    'path share',
  ],
  ['from two policies', [holds('r', '**', ['read']), holds('s', 'api/**', ['share'])], {}, 'ok'],
  [
    'halves are not put together',
    [
      holds('s', '**', ['share']),
      holds('a', 'api/a*/**', ['read']),
      holds('b', 'api/**/b', ['read']),
    ],
    {},
    'path read',
  ],
  ['of another user', OWN.map((one) => ({ ...one, principalId: 'bob' })), {}, 'permission share'],
  ['a deny below', [...OWN, denied('d', 'api/live/**')], {}, 'freedom from denial read'],
  ['a deny across', [...OWN, denied('d', '**/live')], {}, 'freedom from denial read'],
  ['a deny beside', [...OWN, denied('d', 'api/live/**')], { pattern: 'api/test/**' }, 'ok'],
  [
    'a deny of another permission',
    [...OWN, denied('d', '**', { permissions: ['write'] })],
    {},
    'ok',
  ],
  [
    'a deny of sharing',
    [...OWN, denied('d', 'api/x', { permissions: ['share'] })],
    {},
    'freedom from denial share',
  ],
  [
    'a deny in some circumstances',
    [...OWN, denied('d', '**', { conditions: { environmentIn: ['production'] } })],
    {},
    'freedom from denial read',
    { place: HERE },
  ],
  ['a deny that ended', [...OWN, denied('d', '**', { expiresAt: NOON })], {}, 'ok'],
  [
    'a deny that will end',
    [...OWN, denied('d', '**', { expiresAt: later(1) })],
    {},
    'freedom from denial read',
  ],
  ['a deny in another vault', [...OWN, denied('d', '**', { vaultId: 'second' })], {}, 'ok'],
  [
    'for as long',
    [holds('o', '**', ['read', 'share'], { expiresAt: later(9) })],
    { expiresAt: later(9) },
    'ok',
  ],
  [
    'a millisecond longer',
    [holds('o', '**', ['read', 'share'], { expiresAt: later(9) })],
    { expiresAt: (later(9) + 1) as EpochMs },
    'expiry read',
  ],
  ['for ever', [holds('o', '**', ['read', 'share'], { expiresAt: later(9) })], {}, 'expiry read'],
  [
    'longer than he may share, which he does now',
    [holds('r', '**', ['read']), holds('s', '**', ['share'], { expiresAt: later(1) })],
    {},
    'ok',
  ],
  [
    'sharing on for longer',
    [holds('r', '**', ['read']), holds('s', '**', ['share'], { expiresAt: later(1) })],
    { permissions: ['share'] },
    'expiry share',
  ],
  [
    'after his sharing ended',
    [holds('r', '**', ['read']), holds('s', '**', ['share'], { expiresAt: NOON })],
    {},
    'circumstances share',
  ],
  [
    'without his conditions',
    [holds('o', '**', ['read', 'share'], { conditions: office })],
    {},
    'conditions read',
    { place: HERE },
  ],
  [
    'with his conditions',
    [holds('o', '**', ['read', 'share'], { conditions: office })],
    { conditions: office },
    'ok',
    { place: HERE },
  ],
  [
    'with narrower ones',
    [holds('o', '**', ['read', 'share'], { conditions: office })],
    { conditions: { ...desk, ...hours } },
    'ok',
    { place: HERE },
  ],
  [
    'with wider ones',
    [holds('o', '**', ['read', 'share'], { conditions: desk })],
    { conditions: office },
    'conditions read',
    { place: HERE },
  ],
  [
    'from another place',
    [holds('o', '**', ['read', 'share'], { conditions: office })],
    { conditions: office },
    'circumstances share',
    { place: { address: '192.0.2.1', environment: null } },
  ],
  [
    'from a place that is not known',
    [holds('o', '**', ['read', 'share'], { conditions: office })],
    { conditions: office },
    'circumstances share',
  ],
  [
    'out of hours',
    [holds('s', '**', ['share']), holds('o', '**', ['read'], { conditions: hours })],
    { conditions: hours },
    'circumstances read',
    { at: later(6) },
  ],
  ['conditions where he has none', OWN, { conditions: office }, 'ok'],
  ['bound to the vault', OWN, {}, 'ok', { subject: { vaultIds: ['main'] } }],
  ['bound elsewhere', OWN, {}, 'vault-binding', { subject: { vaultIds: ['second'] } }],
  ['within the scopes', OWN, {}, 'ok', { subject: { scopes: [['x', '**'], ['api/**']] } }],
  ['beyond a scope', OWN, {}, 'token-scope', { subject: { scopes: [['**'], ['api/*']] } }],
  ['a scope of nothing', OWN, {}, 'token-scope', { subject: { scopes: [[]] } }],
  [
    'a credential that cannot be read',
    OWN,
    {},
    'credential',
    { subject: { scopes: null as unknown as [] } },
  ],
  ['a broken policy', [...OWN, holds('b', '//', ['read'])], {}, 'readable policies'],
  [
    'a broken policy of others',
    [...OWN, { ...holds('b', '//', ['read']), principalId: 'bob' }],
    {},
    'ok',
  ],
  ['the creator', [], { permissions: ACCESS_PERMISSIONS, pattern: '**' }, 'ok', { isOwner: true }],
  [
    'the creator, denied',
    [denied('d', 'x')],
    { pattern: '**' },
    'freedom from denial read',
    { isOwner: true },
  ],
  ['the creator, in scope', [], {}, 'token-scope', { isOwner: true, subject: { scopes: [['x']] } }],
  [
    'the creator, an auditor now',
    [],
    {},
    'permission share',
    { isOwner: true, subject: { role: 'auditor' } },
  ],
  [
    'an agent that created the vault',
    [],
    {},
    'permission share',
    { isOwner: true, subject: { type: 'agent', role: null } },
  ],
  [
    'an agent shares what it holds',
    OWN.map((one) => ({ ...one, principalType: 'agent' as const })),
    {},
    'ok',
    { subject: { type: 'agent', role: null } },
  ],
  ['an admin holds no more', [], {}, 'permission share', { subject: { role: 'admin' } }],
  ['a deny from a member', OWN, { effect: 'deny' }, 'right to deny'],
  ['a deny from the creator', [], { effect: 'deny' }, 'ok', { isOwner: true }],
  ['a deny from an admin', [], { effect: 'deny' }, 'ok', { subject: { role: 'admin' } }],
  [
    'a deny from an admin out of scope',
    [],
    { effect: 'deny' },
    'token-scope',
    { subject: { role: 'admin', scopes: [['api/*']] } },
  ],
  [
    'a deny from an agent',
    OWN.map((one) => ({ ...one, principalType: 'agent' as const })),
    { effect: 'deny' },
    'right to deny',
    { subject: { type: 'agent', role: 'admin' } },
  ],
]
for (const [what, policies, change, answer, more = {}] of cases)
  test(`checkGrant: ${what}: ${answer}`, () => {
    const checked = checkGrant(
      {
        subject: { ...lead, ...more.subject },
        policies,
        ...(more.isOwner !== undefined && { isOwner: more.isOwner }),
      },
      { ...wanted, ...change },
      more.at ?? NOON,
      more.place,
    )
    const said = checked.ok
      ? 'ok'
      : [checked.missing, checked.permission].filter((one) => one !== null).join(' ')
    assert.equal(said, answer)
  })

test('checkGrant: the refusal names what is missing', () => {
  const refused = (policies: readonly AccessPolicy[], change: Partial<WantedGrant>): unknown => {
    const checked = checkGrant({ subject: lead, policies }, { ...wanted, ...change }, NOON)
    return checked.ok ? null : [checked.reason, checked.by]
  }
  assert.deepEqual(refused(OWN, { permissions: ['write'] }), [
    'The granter has no write in this vault.',
    null,
  ])
  assert.deepEqual(refused(OWN, { pattern: '**' }), [
    "The granter does not hold share on '**'.",
    null,
  ])
  assert.deepEqual(refused([...OWN, denied('d', 'api/live/*')], {}), [
    "The granter may not grant read on 'api/**': a policy on 'api/live/*' denies it to him.",
    'd',
  ])
})

const bad: readonly [what: string, change: object, field: string][] = [
  ['a pattern', { pattern: 'a//b' }, 'pattern'],
  ['an effect', { effect: 'ask' }, 'effect'],
  ['no permission', { permissions: [] }, 'permissions'],
  ['a permission', { permissions: ['create'] }, 'permissions'],
  ['conditions', { conditions: { ipAllowlist: [] } }, 'ipAllowlist'],
  [
    'an unknown zone',
    { conditions: { timeWindow: { endHour: 6, timezone: 'x' } } },
    'timeWindow.timezone',
  ],
  ['an end', { expiresAt: Number.NaN }, 'expiresAt'],
]
for (const [what, change, field] of bad)
  test(`checkGrant: ${what} that is malformed is refused as input`, () =>
    assert.throws(
      () => checkGrant({ subject: lead, policies: OWN }, { ...wanted, ...change }, NOON),
      (error) => isFault(error, 'BAD_INPUT') && error.details.field === field,
    ))

const CONDITIONS: readonly (AccessConditions | null)[] = [
  null,
  null,
  office,
  desk,
  hours,
  { environmentIn: ['staging'] },
  { environmentIn: ['staging', 'production'] },
  { ...office, ...hours },
]
const drawnTerms = {
  vaultId: fc.constantFrom('main', 'main', 'main', 'second'),
  pattern: fc.constantFrom('**', 'a/**', 'a/*', '**/b', 'a/b', '*/b', 'a/?', 'a/**/b'),
  permissions: fc.subarray(['read', 'list', 'share'] as const, { minLength: 1 }),
  conditions: fc.constantFrom(...CONDITIONS),
  expiresAt: fc.constantFrom(null, later(-1), later(5), later(50)),
}
const drawnPolicy = fc.record({
  ...drawnTerms,
  id: fc.constantFrom('p', 'q', 'r'),
  principalType: fc.constant('user' as const),
  principalId: fc.constantFrom('ada', 'ada', 'ada', 'bob'),
  effect: fc.constantFrom(...new Array<'allow'>(6).fill('allow'), 'deny' as const),
  priority: fc.constant(0),
})
const drawnPlace = fc.record({
  address: fc.constantFrom(null, '10.1.2.3', '10.9.9.9', '192.0.2.1'),
  environment: fc.constantFrom(null, 'staging', 'production'),
})
const PATHS = ['a', 'b', 'a/b', 'a/c', 'c/b', 'a/bc', 'a/c/b', 'c/d/b', 'a/b/c', 'x/y/z']

test('checkGrant: whatever a grant allows, the granter is allowed at that moment himself', () => {
  let granted = 0
  let allowed = 0
  fc.assert(
    fc.property(
      fc.array(drawnPolicy, { minLength: 1, maxLength: 6 }),
      fc.record({ ...drawnTerms, effect: fc.constant('allow' as const) }),
      fc.constantFrom<AccessSubject['scopes'][]>([], [], [['a/**']], [['**'], ['**/b', 'a/*']]),
      fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      drawnPlace,
      fc.array(fc.tuple(drawnPlace, fc.integer({ min: 0, max: 60 })), {
        minLength: 4,
        maxLength: 4,
      }),
      (policies, terms, scopes, isOwner, place, moments) => {
        const granter = { subject: { ...lead, scopes }, policies, isOwner }
        if (!checkGrant(granter, terms, NOON, place).ok) return
        granted += 1
        const access = compileAccess(granter.subject, policies)
        const holdsAt = terms.conditions === null ? null : compileConditions(terms.conditions)
        const matches = compileGlob(terms.pattern)
        for (const [where, hoursLater] of moments) {
          const moment = { ...where, at: later(hoursLater) }
          if (terms.expiresAt !== null && moment.at >= terms.expiresAt) continue
          if (holdsAt !== null && holdsAt(moment).standing !== 'holds') continue
          for (const path of PATHS.filter(matches))
            for (const permission of terms.permissions) {
              const question = { orgId: 'acme', vaultId: terms.vaultId, path, permission, isOwner }
              const decision = access.decide({ ...question, ...moment })
              assert.ok(decision.allowed, `${permission} on ${path}: ${decision.reason}`)
              allowed += 1
            }
        }
      },
    ),
    { numRuns: 8000 },
  )
  assert.ok(granted > 200 && allowed > 1000, `only ${granted} grants with ${allowed} decisions`)
})

test('checkGrant: a grant that passes can be shared on by nobody to more', () => {
  // ada grants bob; what bob can grant from it is within what ada could have granted.
  const grant = checkGrant(
    { subject: lead, policies: OWN },
    { ...wanted, pattern: 'api/x/*', permissions: ['read', 'share'], expiresAt: later(5) },
    NOON,
  )
  assert.equal(grant.ok, true)
  const bob = { ...lead, id: 'bob' }
  const given = holds('g', 'api/x/*', ['read', 'share'], {
    principalId: 'bob',
    expiresAt: later(5),
  })
  const passOn = (change: Partial<WantedGrant>): boolean =>
    checkGrant({ subject: bob, policies: [given] }, { ...wanted, ...change }, NOON).ok
  assert.equal(passOn({ pattern: 'api/x/y', expiresAt: later(5) }), true)
  assert.equal(passOn({ pattern: 'api/x/y', expiresAt: later(6) }), false)
  assert.equal(passOn({ pattern: 'api/x/**', expiresAt: later(5) }), false)
  assert.equal(passOn({ pattern: 'api/x/y', permissions: ['list'], expiresAt: later(5) }), false)
  const question = { orgId: 'acme', vaultId: 'main', permission: 'read', isOwner: false } as const
  const moment = { at: later(4), address: null, environment: null }
  assert.equal(
    decideAccess(bob, [given], { ...question, ...moment, path: 'api/x/y' }).allowed,
    true,
  )
})
