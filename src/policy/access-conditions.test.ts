import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFault } from '../core/faults.ts'
import type { AccessConditions } from '../core/policy-port.ts'
import { type EpochMs, parseInstant } from '../core/time.ts'
import {
  type AccessMoment,
  compileConditions,
  conditionsCover,
  parseConditions,
  readConditions,
} from './access-conditions.ts'

type Window = NonNullable<AccessConditions['timeWindow']>

function at(iso: string): EpochMs {
  return parseInstant(iso) ?? assert.fail(`${iso} is no instant`)
}

function standing(conditions: unknown, moment: Partial<AccessMoment>): string {
  const read = readConditions(conditions)
  assert.ok(read !== null)
  const whole = { at: at('2026-11-20T12:00:00Z'), address: null, environment: null, ...moment }
  return compileConditions(read)(whole).standing
}

const night: Window = { startHour: 2, endHour: 3, timezone: 'Europe/Berlin' }
const friday: Window = { startHour: 22, endHour: 6, daysOfWeek: [5], timezone: 'Europe/Berlin' }
const saturday: Window = { ...friday, daysOfWeek: [6] }
const newYork = 'America/New_York'
const kolkata: Window = { startHour: 9, endHour: 17, timezone: 'Asia/Kolkata' }

const windows: readonly [what: string, window: Window, instant: string, open: boolean][] = [
  ['the day before summer time', night, '2026-03-28T01:30:00Z', true],
  ['just before the hour that is skipped', night, '2026-03-29T00:59:59Z', false],
  ['the hour that is skipped is not there', night, '2026-03-29T01:00:00Z', false],
  ['the day after', night, '2026-03-30T00:30:00Z', true],
  ['before the hour that is repeated', night, '2026-10-24T23:59:59Z', false],
  ['its first begin', night, '2026-10-25T00:00:00Z', true],
  ['its first end', night, '2026-10-25T00:59:59Z', true],
  ['its second begin', night, '2026-10-25T01:00:00Z', true],
  ['its second end', night, '2026-10-25T01:59:59.999Z', true],
  ['after both', night, '2026-10-25T02:00:00Z', false],
  [
    'New York skips',
    { startHour: 2, endHour: 3, timezone: newYork },
    '2026-03-08T07:00:00Z',
    false,
  ],
  [
    'New York, just before',
    { startHour: 1, endHour: 2, timezone: newYork },
    '2026-03-08T06:59:59Z',
    true,
  ],
  [
    'New York, just after',
    { startHour: 3, endHour: 4, timezone: newYork },
    '2026-03-08T07:00:00Z',
    true,
  ],
  [
    'New York repeats, not yet',
    { startHour: 1, endHour: 2, timezone: newYork },
    '2026-11-01T04:59:59Z',
    false,
  ],
  [
    'New York, first time',
    { startHour: 1, endHour: 2, timezone: newYork },
    '2026-11-01T05:00:00Z',
    true,
  ],
  [
    'New York, second time',
    { startHour: 1, endHour: 2, timezone: newYork },
    '2026-11-01T06:59:59Z',
    true,
  ],
  [
    'New York, over',
    { startHour: 1, endHour: 2, timezone: newYork },
    '2026-11-01T07:00:00Z',
    false,
  ],
  ['half an hour off, before', kolkata, '2026-11-20T03:29:59Z', false],
  ['half an hour off, begin', kolkata, '2026-11-20T03:30:00Z', true],
  ['half an hour off, end', kolkata, '2026-11-20T11:29:59Z', true],
  ['half an hour off, after', kolkata, '2026-11-20T11:30:00Z', false],
  [
    'the day is that of the zone, before',
    { daysOfWeek: [0], timezone: 'Asia/Kolkata' },
    '2026-11-21T18:29:59Z',
    false,
  ],
  [
    'the day is that of the zone',
    { daysOfWeek: [0], timezone: 'Asia/Kolkata' },
    '2026-11-21T18:30:00Z',
    true,
  ],
  ['Friday night has not begun', friday, '2026-11-20T20:59:59Z', false],
  ['Friday night begins', friday, '2026-11-20T21:00:00Z', true],
  ['at midnight', friday, '2026-11-20T23:00:00Z', true],
  ['on Saturday morning', friday, '2026-11-21T04:59:59Z', true],
  ['Friday night is over', friday, '2026-11-21T05:00:00Z', false],
  ['Saturday night is not Friday night', friday, '2026-11-21T21:00:00Z', false],
  ['Friday morning is Thursday night', friday, '2026-11-20T02:00:00Z', false],
  ['Sunday morning after summer time is Saturday night', saturday, '2026-10-25T04:59:59Z', true],
  ['and has seven hours of it', saturday, '2026-10-25T05:00:00Z', false],
  ['from Saturday on, over the year', saturday, '2028-01-01T23:30:00Z', true],
  ['a start alone', { startHour: 17 }, '2026-11-20T23:59:59Z', true],
  ['a start alone ends at midnight', { startHour: 17 }, '2026-11-21T00:00:00Z', false],
  ['an end alone', { endHour: 6 }, '2026-11-21T00:00:00Z', true],
  ['an end alone, over', { endHour: 6 }, '2026-11-21T06:00:00Z', false],
  ['24 is midnight', { startHour: 17, endHour: 24 }, '2026-11-20T23:59:59Z', true],
  ['0 is midnight', { startHour: 17, endHour: 0 }, '2026-11-20T23:59:59Z', true],
  ['and no later', { startHour: 17, endHour: 0 }, '2026-11-21T00:00:00Z', false],
  [
    'round the clock from Friday 9',
    { startHour: 9, endHour: 9, daysOfWeek: [5] },
    '2026-11-21T08:59:59Z',
    true,
  ],
  ['not before', { startHour: 9, endHour: 9, daysOfWeek: [5] }, '2026-11-20T08:59:59Z', false],
  [
    'hours and cron must both hold',
    { startHour: 9, endHour: 17, cronExpr: '* 0-29 * * * *' },
    '2026-11-20T12:30:00Z',
    false,
  ],
]
for (const [what, timeWindow, instant, open] of windows)
  test(`time window: ${what}`, () =>
    assert.equal(standing({ timeWindow }, { at: at(instant) }), open ? 'holds' : 'fails'))

const crons: readonly [expression: string, instant: string, open: boolean][] = [
  ['* * * * * *', '2026-11-20T12:34:56Z', true],
  ['0 * * * * *', '2026-11-20T12:34:00.999Z', true],
  ['0 * * * * *', '2026-11-20T12:34:01Z', false],
  ['* * 9-17 * * mon-fri', '2026-11-20T17:59:59Z', true],
  ['* * 9-17 * * mon-fri', '2026-11-20T18:00:00Z', false],
  ['* * 9-17 * * mon-fri', '2026-11-21T12:00:00Z', false],
  ['* * 9-17 * * 1-5', '2026-11-20T12:00:00Z', true],
  ['* * * * * 0', '2026-11-22T12:00:00Z', true],
  ['* * * * * 7', '2026-11-22T12:00:00Z', true],
  ['* * * * * 5-7', '2026-11-22T12:00:00Z', true],
  ['* * * * * 5-7', '2026-11-19T12:00:00Z', false],
  ['* * * * * */2', '2026-11-22T12:00:00Z', true],
  ['* * * * * */2', '2026-11-20T12:00:00Z', false],
  ['* * * * * 1/2', '2026-11-22T12:00:00Z', false],
  ['* * * * * 1/2', '2026-11-20T12:00:00Z', true],
  ['* */15 * * * *', '2026-11-20T12:45:10Z', true],
  ['* */15 * * * *', '2026-11-20T12:46:10Z', false],
  ['* 50/5 * * * *', '2026-11-20T12:55:00Z', true],
  ['* 50/5 * * * *', '2026-11-20T12:45:00Z', false],
  ['* 0-10/5,30 * * * *', '2026-11-20T12:10:00Z', true],
  ['* 0-10/5,30 * * * *', '2026-11-20T12:30:00Z', true],
  ['* 0-10/5,30 * * * *', '2026-11-20T12:15:00Z', false],
  ['* * * 1,20 NOV ?', '2026-11-20T12:00:00Z', true],
  ['* * * 1,20 NOV ?', '2026-12-20T12:00:00Z', false],
  ['* * * 31 * *', '2026-11-30T12:00:00Z', false],
  ['  *  *\t* * * * ', '2026-11-30T12:00:00Z', true],
]
for (const [cronExpr, instant, open] of crons)
  test(`cron: '${cronExpr}' ${open ? 'holds' : 'fails'} at ${instant}`, () =>
    assert.equal(
      standing({ timeWindow: { cronExpr } }, { at: at(instant) }),
      open ? 'holds' : 'fails',
    ))

test('cron: the fields are those of the zone', () => {
  const timeWindow = { cronExpr: '0 30 9 * * 1', timezone: 'Asia/Kolkata' }
  assert.equal(standing({ timeWindow }, { at: at('2026-11-23T04:00:00Z') }), 'holds')
  assert.equal(standing({ timeWindow }, { at: at('2026-11-23T09:30:00Z') }), 'fails')
})

const addresses: readonly [list: readonly string[], address: string | null, says: string][] = [
  [['10.0.0.0/8'], '10.255.255.255', 'holds'],
  [['10.0.0.0/8'], '11.0.0.0', 'fails'],
  [['10.0.0.0/8'], '9.255.255.255', 'fails'],
  [['10.0.0.0/8'], '::ffff:10.1.2.3', 'holds'],
  [['10.0.0.0/8'], '::ffff:0a01:0203', 'holds'],
  [['10.0.0.0/8'], '::FFFF:10.1.2.3', 'holds'],
  [['10.0.0.0/8'], '::10.1.2.3', 'unknown'],
  [['::ffff:10.0.0.0/104'], '10.1.2.3', 'holds'],
  [['::ffff:10.0.0.0/104'], '11.1.2.3', 'fails'],
  [['::ffff:10.1.2.3'], '10.1.2.3', 'holds'],
  [['::ffff:0:0/96'], '203.0.113.9', 'holds'],
  [['::/0'], '10.1.2.3', 'fails'],
  [['::/0'], '2001:db8::1', 'holds'],
  [['0.0.0.0/0'], '2001:db8::1', 'fails'],
  [['0.0.0.0/0'], '255.255.255.255', 'holds'],
  [['10.128.0.0/9'], '10.128.0.0', 'holds'],
  [['10.128.0.0/9'], '10.127.255.255', 'fails'],
  [['203.0.113.9'], '203.0.113.9', 'holds'],
  [['203.0.113.9'], '203.0.113.10', 'fails'],
  [['203.0.113.8/31'], '203.0.113.9', 'holds'],
  [['2001:db8::/33'], '2001:db8:7fff::1', 'holds'],
  [['2001:db8::/33'], '2001:db8:8000::1', 'fails'],
  [['2001:DB8::1'], '2001:0db8:0:0:0:0:0:1', 'holds'],
  [['192.0.2.1', 'fe80::/10'], 'fe80::1', 'holds'],
  [['fe80::/10'], 'fe80::1%eth0', 'unknown'],
  [['10.0.0.0/8'], null, 'unknown'],
  [['10.0.0.0/8'], '', 'unknown'],
  [['10.0.0.0/8'], '10.1', 'unknown'],
  [['10.0.0.0/8'], '010.1.2.3', 'unknown'],
  [['10.0.0.0/8'], '0x0a010203', 'unknown'],
  [['10.0.0.0/8'], '10.1.2.3:443', 'unknown'],
  [['10.0.0.0/8'], '[::ffff:10.1.2.3]', 'unknown'],
  [['10.0.0.0/8'], '::ffff:10.1.2.03', 'unknown'],
  [['10.0.0.0/8'], '10.1.2.3\n', 'unknown'],
  [['10.0.0.0/8'], '10.1.2.3, 192.0.2.1', 'unknown'],
  [['10.0.0.0/8'], `${'0'.repeat(1000)}::1`, 'unknown'],
]
for (const [ipAllowlist, address, says] of addresses)
  test(`addresses: ${JSON.stringify(address?.slice(0, 40) ?? null)} in ${ipAllowlist.join(', ')} ${says}`, () =>
    assert.equal(standing({ ipAllowlist }, { address }), says))

test('environments compare exactly', () => {
  const conditions = { environmentIn: ['production', 'staging'] }
  assert.equal(standing(conditions, { environment: 'production' }), 'holds')
  assert.equal(standing(conditions, { environment: 'Production' }), 'fails')
  assert.equal(standing(conditions, { environment: '' }), 'fails')
  assert.equal(standing(conditions, { environment: null }), 'unknown')
})

test('conditions: one that fails settles it, else one that is unknown', () => {
  const conditions = {
    ipAllowlist: ['10.0.0.0/8'],
    timeWindow: { startHour: 9, endHour: 17 },
    environmentIn: ['production'],
  }
  const noon = at('2026-11-20T12:00:00Z')
  const inside = { at: noon, address: '10.0.0.1', environment: 'production' }
  assert.equal(standing(conditions, inside), 'holds')
  assert.equal(standing(conditions, { ...inside, address: null }), 'unknown')
  assert.equal(standing(conditions, { ...inside, address: null, environment: 'x' }), 'fails')
  assert.equal(standing(conditions, { ...inside, environment: null }), 'unknown')
  assert.equal(
    standing(conditions, { ...inside, address: null, at: at('2026-11-20T17:00:00Z') }),
    'fails',
  )
})

test('a zone that is not known here, and an instant that is none, are unknown', () => {
  const nowhere = { timeWindow: { startHour: 9, endHour: 17, timezone: 'Mars/Olympus' } }
  assert.equal(standing(nowhere, {}), 'unknown')
  for (const instant of [Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1])
    assert.equal(standing({ timeWindow: { startHour: 9 } }, { at: instant as EpochMs }), 'unknown')
})

const bad: readonly [what: string, conditions: unknown, field: string, says: string][] = [
  ['text', 'always', 'conditions', 'must be null or an object'],
  ['a list', [], 'conditions', 'must be null or an object'],
  ['nothing said', undefined, 'conditions', 'must be null or an object'],
  ['an unknown field', { ip_allowlist: [] }, 'conditions', "unknown field 'ip_allowlist'"],
  ['a prototype', JSON.parse('{"__proto__": {}}'), 'conditions', "unknown field '__proto__'"],
  ['no list', { ipAllowlist: '10.0.0.0/8' }, 'ipAllowlist', 'must be a list'],
  ['an empty list', { ipAllowlist: [] }, 'ipAllowlist', 'is empty'],
  [
    'too many',
    { ipAllowlist: new Array(257).fill('10.0.0.1') },
    'ipAllowlist',
    'more than 256 entries',
  ],
  ['a hole', { ipAllowlist: new Array(1) }, 'ipAllowlist[0]', 'must be text'],
  [
    'host bits',
    { ipAllowlist: ['10.0.0.0/8', '10.0.0.1/8'] },
    'ipAllowlist[1]',
    'bits set behind its prefix length',
  ],
  ['a zone id', { ipAllowlist: ['fe80::1%eth0'] }, 'ipAllowlist[0]', 'has a zone id'],
  ['a prefix too long', { ipAllowlist: ['10.0.0.0/33'] }, 'ipAllowlist[0]', 'length of 0 to 32'],
  ['no prefix', { ipAllowlist: ['10.0.0.0/'] }, 'ipAllowlist[0]', 'length of 0 to 32'],
  ['a signed prefix', { ipAllowlist: ['10.0.0.0/+8'] }, 'ipAllowlist[0]', 'length of 0 to 32'],
  ['a padded prefix', { ipAllowlist: ['10.0.0.0/08'] }, 'ipAllowlist[0]', 'length of 0 to 32'],
  ['a netmask', { ipAllowlist: ['10.0.0.0/255.0.0.0'] }, 'ipAllowlist[0]', 'length of 0 to 32'],
  ['two slashes', { ipAllowlist: ['10.0.0.0/8/8'] }, 'ipAllowlist[0]', 'length of 0 to 32'],
  ['more than mapped', { ipAllowlist: ['::ffff:0:0/90'] }, 'ipAllowlist[0]', 'bits set behind'],
  ['a name', { ipAllowlist: ['localhost'] }, 'ipAllowlist[0]', 'neither an address nor a range'],
  ['a short address', { ipAllowlist: ['10.1/16'] }, 'ipAllowlist[0]', 'neither an address'],
  ['no environment', { environmentIn: [''] }, 'environmentIn[0]', 'must be a name'],
  ['a control character', { environmentIn: ['a\n'] }, 'environmentIn[0]', 'must be a name'],
  ['a long name', { environmentIn: ['a'.repeat(65)] }, 'environmentIn[0]', '1 to 64 characters'],
  ['an empty window', { timeWindow: {} }, 'timeWindow', 'names no time'],
  ['a zone alone', { timeWindow: { timezone: 'UTC' } }, 'timeWindow', 'names no time'],
  ['no window', { timeWindow: null }, 'timeWindow', 'must be an object'],
  [
    'a wrong name',
    { timeWindow: { start_hour: 9 } },
    'timeWindow',
    "unknown field 'start_hour'; there are startHour, endHour",
  ],
  ['24 as a start', { timeWindow: { startHour: 24 } }, 'timeWindow.startHour', '0 to 23'],
  ['a part of an hour', { timeWindow: { startHour: 9.5 } }, 'timeWindow.startHour', 'whole hour'],
  ['hours as text', { timeWindow: { startHour: '9' } }, 'timeWindow.startHour', 'whole hour'],
  ['25', { timeWindow: { endHour: 25 } }, 'timeWindow.endHour', '0 to 24'],
  ['null', { timeWindow: { startHour: 9, endHour: null } }, 'timeWindow.endHour', '0 to 24'],
  ['no days', { timeWindow: { daysOfWeek: [] } }, 'timeWindow.daysOfWeek', 'is empty'],
  ['a day 7', { timeWindow: { daysOfWeek: [7] } }, 'timeWindow.daysOfWeek[0]', '0 (Sunday)'],
  ['no zone', { timeWindow: { startHour: 9, timezone: '' } }, 'timeWindow.timezone', 'not known'],
  [
    'an unknown zone',
    { timeWindow: { startHour: 9, timezone: 'Europe/Berln' } },
    'timeWindow.timezone',
    "'Europe/Berln', which is not known here",
  ],
  [
    'an offset',
    { timeWindow: { startHour: 9, timezone: '+05:30' } },
    'timeWindow.timezone',
    'not known here',
  ],
  [
    'a zone as number',
    { timeWindow: { startHour: 9, timezone: 1 } },
    'timeWindow.timezone',
    'must be',
  ],
  ['five fields', { timeWindow: { cronExpr: '* * * * *' } }, 'timeWindow.cronExpr', 'six fields'],
  ['no cron', { timeWindow: { cronExpr: '' } }, 'timeWindow.cronExpr', 'six fields'],
  ['a macro', { timeWindow: { cronExpr: '@daily' } }, 'timeWindow.cronExpr', 'six fields'],
  ['60 seconds', { timeWindow: { cronExpr: '60 * * * * *' } }, 'timeWindow.cronExpr', 'seconds'],
  ['day 0', { timeWindow: { cronExpr: '* * * 0 * *' } }, 'timeWindow.cronExpr', 'day of month'],
  [
    'a last day',
    { timeWindow: { cronExpr: '* * * L * *' } },
    'timeWindow.cronExpr',
    'day of month',
  ],
  [
    'a wrong day',
    { timeWindow: { cronExpr: '* * * * * sol' } },
    'timeWindow.cronExpr',
    'day of week',
  ],
  ['backwards', { timeWindow: { cronExpr: '* * 17-9 * * *' } }, 'timeWindow.cronExpr', 'hours'],
  ['a step of 0', { timeWindow: { cronExpr: '* */0 * * * *' } }, 'timeWindow.cronExpr', 'minutes'],
  ['an open minute', { timeWindow: { cronExpr: '* ? * * * *' } }, 'timeWindow.cronExpr', 'minutes'],
  ['an empty item', { timeWindow: { cronExpr: '* 1, * * * *' } }, 'timeWindow.cronExpr', 'minutes'],
  ['a range of *', { timeWindow: { cronExpr: '* *-5 * * * *' } }, 'timeWindow.cronExpr', 'minutes'],
  [
    'both days',
    { timeWindow: { cronExpr: '* * * 13 * 5' } },
    'timeWindow.cronExpr',
    'day of month and day of week at once',
  ],
  [
    'a long cron',
    { timeWindow: { cronExpr: `${'*,'.repeat(200)}* * * * * *` } },
    'timeWindow.cronExpr',
    'longer than 256',
  ],
]
for (const [what, conditions, field, says] of bad)
  test(`conditions: ${what} is refused`, () =>
    assert.throws(
      () => parseConditions(conditions),
      (error) => {
        assert.ok(isFault(error, 'BAD_INPUT'))
        assert.ok(error.message.startsWith(field), error.message)
        assert.ok(error.message.includes(says), error.message)
        assert.deepEqual(error.details, { field })
        return true
      },
    ))

test('conditions: what is written is given back, none is null', () => {
  assert.equal(parseConditions(null), null)
  assert.equal(parseConditions({}), null)
  const whole = {
    ipAllowlist: ['10.0.0.0/8', '2001:db8::/32'],
    timeWindow: {
      startHour: 22,
      endHour: 6,
      daysOfWeek: [1, 2],
      timezone: 'Asia/Kolkata',
      cronExpr: '* * * * * *',
    },
    environmentIn: ['production'],
  }
  assert.deepEqual(parseConditions(whole), whole)
  assert.deepEqual(parseConditions({ timeWindow: { daysOfWeek: [5, 5] } }), {
    timeWindow: { daysOfWeek: [5] },
  })
  assert.equal(
    readConditions({ timeWindow: { endHour: 6, timezone: 'Mars/Olympus' } })?.timeWindow?.timezone,
    'Mars/Olympus',
  )
})

const covers: readonly [
  outer: AccessConditions | null,
  inner: AccessConditions | null,
  yes: boolean,
][] = [
  [null, null, true],
  [null, { environmentIn: ['a'] }, true],
  [{ environmentIn: ['a'] }, null, false],
  [{ environmentIn: ['a', 'b'] }, { environmentIn: ['b'] }, true],
  [{ environmentIn: ['a'] }, { environmentIn: ['a', 'b'] }, false],
  [{ environmentIn: ['a'] }, { ipAllowlist: ['10.0.0.1'] }, false],
  [{ environmentIn: ['a'] }, { environmentIn: ['a'], ipAllowlist: ['10.0.0.1'] }, true],
  [{ ipAllowlist: ['10.0.0.0/8'] }, { ipAllowlist: ['10.1.0.0/16'] }, true],
  [{ ipAllowlist: ['10.0.0.0/8'] }, { ipAllowlist: ['10.1.0.0/16', '11.0.0.1'] }, false],
  [{ ipAllowlist: ['10.1.0.0/16'] }, { ipAllowlist: ['10.0.0.0/8'] }, false],
  [{ ipAllowlist: ['10.0.0.0/8'] }, { ipAllowlist: ['::ffff:10.1.0.0/112'] }, true],
  [{ ipAllowlist: ['::/0'] }, { ipAllowlist: ['10.1.0.0/16'] }, false],
  [{ ipAllowlist: ['0.0.0.0/1', '128.0.0.0/1'] }, { ipAllowlist: ['0.0.0.0/0'] }, false],
  [{ timeWindow: { startHour: 9 } }, { timeWindow: { startHour: 9, endHour: 24 } }, true],
  [{ timeWindow: { startHour: 9, endHour: 0 } }, { timeWindow: { startHour: 9 } }, true],
  [{ timeWindow: { startHour: 9 } }, { timeWindow: { startHour: 10 } }, false],
  [
    { timeWindow: { startHour: 9, daysOfWeek: [1, 2] } },
    { timeWindow: { startHour: 9, daysOfWeek: [2, 1], timezone: 'UTC' } },
    true,
  ],
  [
    { timeWindow: { startHour: 9 } },
    { timeWindow: { startHour: 9, timezone: 'Europe/Berlin' } },
    false,
  ],
]
for (const [outer, inner, yes] of covers)
  test(`conditions: ${JSON.stringify(inner)} ${yes ? 'is' : 'is not'} within ${JSON.stringify(outer)}`, () =>
    assert.equal(conditionsCover(outer, inner), yes))
