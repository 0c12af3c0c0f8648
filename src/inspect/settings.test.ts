import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding } from './finding.ts'
import {
  type AllowEntry,
  DEFAULT_SETTINGS,
  type InspectSettings,
  isBlocking,
  mergeSettings,
  strictest,
} from './settings.ts'

const finding: Finding = {
  detector: 'shell-chain',
  category: 'command_injection',
  severity: 'high',
  confidence: 0.85,
  start: 0,
  end: 4,
  path: '$.args[3].city',
  kind: 'text',
  isKey: false,
  via: [],
}
const NOW = 1_000
const given = (layer: Partial<InspectSettings>): InspectSettings => mergeSettings([layer])
const entry = (given: Partial<AllowEntry> = {}): AllowEntry => ({
  detector: 'shell-chain',
  reason: 'documented',
  expiresAt: 2_000,
  ...given,
})

const blocks: readonly [what: string, settings: InspectSettings, isBlocked: boolean][] = [
  ['by default', DEFAULT_SETTINGS, true],
  ['off', given({ off: ['shell-chain'] }), false],
  ['another is off', given({ off: ['shell-substitution'] }), true],
  ['a threshold above', given({ thresholds: { 'shell-chain': 0.9 } }), false],
  ['a threshold below', given({ thresholds: { 'shell-chain': 0.5 } }), true],
  ['allowed', given({ allow: [entry()] }), false],
  ['allowed there', given({ allow: [entry({ path: '$.args[3].city' })] }), false],
  ['allowed in every element', given({ allow: [entry({ path: '$.args[*].city' })] }), false],
  ['allowed elsewhere', given({ allow: [entry({ path: '$.args[2].city' })] }), true],
  ['allowed until now', given({ allow: [entry({ expiresAt: NOW })] }), true],
  ['another is allowed', given({ allow: [entry({ detector: 'x' })] }), true],
]
for (const [what, settings, isBlocked] of blocks)
  test(`isBlocking: ${what}`, () => assert.equal(isBlocking(finding, settings, NOW), isBlocked))

test('mergeSettings: the narrower wins, lists add up', () => {
  const merged = mergeSettings([
    { mode: 'log_only', off: ['a'], thresholds: { x: 0.9, y: 0.9 }, allow: [entry()] },
    {},
    { mode: 'surgical', off: ['b'], thresholds: { x: 0.6 }, allow: [entry({ path: '$.a' })] },
  ])
  assert.deepEqual(merged, {
    mode: 'surgical',
    off: ['a', 'b'],
    thresholds: { x: 0.6, y: 0.9 },
    allow: [entry(), entry({ path: '$.a' })],
  })
})

const pairs: readonly [
  what: string,
  one: Partial<InspectSettings>,
  other: Partial<InspectSettings>,
  strict: Partial<InspectSettings>,
][] = [
  ['the stricter mode', { mode: 'log_only' }, { mode: 'surgical' }, { mode: 'surgical' }],
  ['off in both', { off: ['a', 'b'] }, { off: ['b', 'c'] }, { off: ['b'] }],
  [
    'the lower threshold, 0.8 where there is none',
    { thresholds: { a: 0.95, b: 0.6, c: 0.9 } },
    { thresholds: { c: 0.99 } },
    { thresholds: { a: 0.8, b: 0.6, c: 0.9 } },
  ],
  ['allowed in one', { allow: [entry()] }, {}, {}],
  [
    'the narrower entry, until the earlier end',
    { allow: [entry({ expiresAt: 1_500 })] },
    { allow: [entry({ path: '$.a' })] },
    { allow: [entry({ path: '$.a', expiresAt: 1_500 })] },
  ],
  [
    'one element of all elements',
    { allow: [entry({ path: '$.a[*]' })] },
    { allow: [entry({ path: '$.a[2]' })] },
    { allow: [entry({ path: '$.a[2]' })] },
  ],
  [
    'two places have nothing in common',
    { allow: [entry({ path: '$.a' })] },
    { allow: [entry({ path: '$.b' })] },
    {},
  ],
]
for (const [what, one, other, strict] of pairs)
  test(`strictest: ${what}`, () => {
    assert.deepEqual(strictest(given(one), given(other)), given(strict))
    assert.deepEqual(strictest(given(other), given(one)), given(strict))
  })
