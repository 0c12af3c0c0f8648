// Drafts tried on recorded calls: what they change is what they would have changed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { callInspection } from '../../src/app/call-inspection.ts'
import { DEFAULT_SWITCHES } from '../../src/core/config.ts'
import { placeIn, strictestOf } from '../../src/core/counter-port.ts'
import { silentLog } from '../../src/core/log.ts'
import type { ReplayReport } from '../../src/core/replay-port.ts'
import { type EpochMs, epochMs } from '../../src/core/time.ts'
import {
  decideByAll,
  decideResultByAll,
  type PoliciesNow,
} from '../../src/gateway/applied-policies.ts'
import type { KnownValues } from '../../src/gateway/index.ts'
import { type LimitCharge, limitCharge } from '../../src/gateway/limit-charge.ts'
import {
  packed,
  type RecordedVerdict,
  unpacked,
} from '../../src/gateway/recording/recorded-call.ts'
import { CallRecorder } from '../../src/gateway/recording/recorder.ts'
import { recordingWriter } from '../../src/gateway/recording/recording-writer.ts'
import type { Line, ReadEntry, Recordings } from '../../src/gateway/recording/recordings.ts'
import { Replay } from '../../src/gateway/recording/replay.ts'
import type { CallSubject, LimitScope } from '../../src/policy/tool-policy/index.ts'
import { policiesOf } from '../support/between.ts'
import { call, policyDocument } from '../support/random-policies.ts'
import { ASKER, toolCall } from '../support/tool-calls.ts'
import { AGENT } from '../support/vault.ts'

type End = 'answered' | 'refused-by-server'

interface Made {
  readonly subject: CallSubject
  readonly end: End
  readonly result?: object
  readonly session: string
}

interface Became {
  readonly verdict: RecordedVerdict | 'withheld'
  readonly rule: string | null
}

const scopeIdOf = (scope: LimitScope, session: string): string =>
  scope === 'session' ? session : scope === 'grant' || scope === 'agent' ? 'agent:local' : ''

/** What a gateway makes of calls, without a store: each counted where it passes, and given back where it never ran. */
class PlainGateway {
  readonly #policies: PoliciesNow
  readonly #counted = new Map<string, { bucket: number; amount: number }[]>()
  readonly #recorder: CallRecorder | null

  constructor(policies: PoliciesNow, recorder: CallRecorder | null = null) {
    this.#policies = policies
    this.#recorder = recorder
  }

  call({ subject, end, session, result = {} }: Made): Became {
    const decision = decideByAll(this.#policies, subject)
    const charges = decision.allowed
      ? decision.charges.map((one) =>
          limitCharge(one, 'files', scopeIdOf(one.limit.scope, session)),
        )
      : []
    const strictest = strictestOf(charges)
    const exceeded = strictest.find((one) => !one.isShadow && !this.#fits(one, subject.at)) ?? null
    const [verdict, rule]: [RecordedVerdict, string | null] = decision.allowed
      ? exceeded !== null
        ? ['limited', exceeded.limit.pointer]
        : decision.needsApproval === null
          ? ['allowed', null]
          : ['approval', decision.needsApproval.rule]
      : [decision.isHidden ? 'hidden' : 'denied', decision.rule]
    const isRead =
      decision.allowed &&
      (decision.judgesResult || charges.some(({ limit }) => limit.cost.kind === 'result'))
    const queued = this.#recorder?.judged({
      caller: AGENT,
      server: 'files',
      name: subject.tool,
      subject,
      args: subject.args,
      policies: this.#policies,
      session,
      grant: null,
      verdict,
      rule,
      isApproved: false,
      isPaid: false,
      charges,
      exceeded,
      readsAnswer: isRead,
      weight: 10,
    })
    if (verdict !== 'allowed') return { verdict, rule }
    if (end === 'answered') for (const one of strictest) this.#take(one, subject.at)
    if (queued !== undefined && queued !== null)
      this.#recorder?.ended(queued, end, end === 'answered' ? result : undefined)
    const { denied } = decideResultByAll(this.#policies, subject, result)
    if (end !== 'answered' || !isRead || denied === null) return { verdict, rule }
    return { verdict: 'withheld', rule: denied.rule }
  }

  #fits({ counter, window, amount, max }: LimitCharge, at: EpochMs): boolean {
    const { from } = placeIn(window, at)
    const used = (this.#counted.get(counter) ?? [])
      .filter(({ bucket }) => bucket >= from)
      .reduce((sum, one) => sum + one.amount, 0)
    return amount === 0 || used + amount <= max
  }

  #take({ counter, window, amount }: LimitCharge, at: EpochMs): void {
    const counted = this.#counted.get(counter) ?? []
    this.#counted.set(counter, [...counted, { bucket: placeIn(window, at).bucket, amount }])
  }
}

const settings = { inspection: DEFAULT_SWITCHES, inspectionFile: '/nowhere/inspection.json' }
const inspection = callInspection(settings, async () => null, silentLog)

/** What is recorded of calls that a gateway makes, as it is read again. */
async function recordedBy(
  policies: PoliciesNow,
  calls: readonly Made[],
  known: readonly string[] = [],
): Promise<{ readonly entries: readonly ReadEntry[]; readonly became: readonly Became[] }> {
  let now = epochMs(0)
  const lines: Line[] = []
  const knownValues: KnownValues = {
    find: (text) => (known.includes(text) ? [{ path: 'k', start: 0, end: text.length }] : []),
    redact: (text) => text,
    reach: () => Math.max(0, ...known.map(({ length }) => length)),
  }
  const writer = recordingWriter({
    recordings: { add: async (some) => void lines.push(...some) } as Pick<
      Recordings,
      'add'
    > as Recordings,
    inspection: { ...inspection, knownValuesOf: () => knownValues },
    clock: () => now,
  })
  const recorder = new CallRecorder({
    writer: async () => writer,
    log: silentLog,
    clock: () => now,
  })
  const gateway = new PlainGateway(policies, recorder)
  const became = calls.map((made) => {
    now = made.subject.at
    return gateway.call(made)
  })
  await recorder.close()
  const entries = unpacked(packed(lines.map(({ text }) => text))).map((entry) => ({
    run: 'r',
    entry,
  }))
  return { entries: lines.length === 0 ? [] : entries, became }
}

function replayed(
  drafts: PoliciesNow,
  entries: readonly ReadEntry[],
  more: { readonly since?: EpochMs; readonly showsArguments?: boolean } = {},
): ReplayReport {
  const replay = new Replay({ drafts, since: epochMs(0), showsArguments: false, ...more })
  for (const entry of entries) replay.add(entry)
  return replay.report()
}

/** Calls within a few hours, in order. */
const calls = fc
  .array(
    fc.record({
      subject: call,
      step: fc.constantFrom(0, 1, 500, 20_000, 61_000, 3_600_000),
      end: fc.constantFrom<End>('answered', 'answered', 'answered', 'refused-by-server'),
      session: fc.constantFrom('s', 't'),
    }),
    { minLength: 1, maxLength: 15 },
  )
  .map((some): readonly Made[] => {
    let at = Date.UTC(2026, 10, 20, 22)
    return some.map(({ subject, step, end, session }) => {
      at += step
      return { subject: { ...subject, at: epochMs(at) }, end, session }
    })
  })
const limits = fc.array(
  fc.record({
    counter: fc.constantFrom('k', 'l'),
    window: fc.constantFrom('minute', 'hour', 'day', 90),
    max: fc.nat(3),
    scope: fc.constantFrom('grant', 'session'),
  }),
  { minLength: 1, maxLength: 2 },
)
/** With `none` nothing would be there to be tried; half of them let most calls pass to their limits. */
const recordedDocument = fc
  .tuple(policyDocument, fc.boolean(), limits, fc.constantFrom(['x', 'regex'], ['y', 'contains']))
  .map(([document, isOpen, some, [name, op]]) => ({
    ...(JSON.parse(JSON.stringify(document).replaceAll('"none"', '"1d"')) as typeof document),
    ...(isOpen && {
      default: 'allow',
      hide: [],
      tools: {},
      class: {},
      all_tools: {
        deny_if: [{ conditions: [{ path: `args.${name}`, op, value: 'q' }] }],
        limits: some,
      },
    }),
    record: '7d',
  }))

test('the policy that judged the calls changes none of them: 500 policies', async () => {
  let limited = 0
  await fc.assert(
    fc.asyncProperty(recordedDocument, calls, async (document, made) => {
      const policies = await policiesOf(document)
      const { entries, became } = await recordedBy(policies, made)
      limited += became.filter(({ verdict }) => verdict === 'limited').length
      const { compared, changed, undecidable } = replayed(policies, entries)
      assert.deepEqual([compared, changed, undecidable], [made.length, 0, 0])
    }),
    { numRuns: 500 },
  )
  assert.ok(limited > 0, 'limits were reached')
})

test('nor does it where values were not kept, or the first calls were not recorded', async () => {
  let open = 0
  await fc.assert(
    fc.asyncProperty(recordedDocument, calls, fc.nat(10), async (document, made, dropped) => {
      const policies = await policiesOf(document)
      const { entries } = await recordedBy(policies, made, ['p', 'q', '1'])
      const found = replayed(policies, entries.slice(dropped))
      open += found.undecidable
      assert.equal(found.changed, 0, JSON.stringify(found))
      assert.equal(
        replayed(policies, (await recordedBy(policies, made)).entries.slice(dropped)).changed,
        0,
      )
    }),
    { numRuns: 150 },
  )
  assert.ok(open > 0, 'some could not be decided')
})

test('another policy comes to what it would have come to', async () => {
  let changes = 0
  await fc.assert(
    fc.asyncProperty(recordedDocument, recordedDocument, calls, async (before, after, made) => {
      const [judging, draft] = [await policiesOf(before), await policiesOf(after)]
      const { entries, became } = await recordedBy(judging, made)
      const gateway = new PlainGateway(draft)
      const wanted = made
        .map((one, at) => {
          const was = became[at]
          // How the server would have taken what it never got, nobody knows.
          const end = was?.verdict === 'allowed' ? one.end : 'answered'
          return { was, would: gateway.call({ ...one, end }), tool: one.subject.tool }
        })
        .filter(({ was, would }) => was?.verdict !== would.verdict)
        .map(({ was, would, tool }) => [tool, was?.verdict, was?.rule, would.verdict, would.rule])
      const report = replayed(draft, entries)
      changes += wanted.length
      assert.deepEqual(
        report.calls.map(({ name, from, was, to, rule }) => [name, from, was, to, rule]),
        wanted,
      )
      assert.deepEqual([report.changed, report.undecidable], [wanted.length, 0])
    }),
    { numRuns: 250 },
  )
  assert.ok(changes > 0, 'much was changed')
})

const is = (path: string, op: string, value: unknown) => ({ path, op, value })
const NOON = Date.UTC(2026, 10, 20, 12)
const made = (
  tool: string,
  args: object = {},
  more: { at?: number; result?: object; client?: string } = {},
): Made => ({
  subject: toolCall(tool, args, {
    at: epochMs(more.at ?? NOON),
    client: more.client ?? null,
    annotations: {},
  }),
  end: 'answered',
  session: 's',
  ...(more.result !== undefined && { result: more.result }),
})

test('what is told: calls by tool and rule, with times and names of arguments', async () => {
  const judging = await policiesOf({ default: 'allow', record: '7d' })
  const { entries } = await recordedBy(judging, [
    made('pay', { amount: 10, to: 'x' }),
    made('pay', { amount: 70 }, { at: NOON + 1_000 }),
    made('pay', { amount: 80, note: 'n' }, { at: NOON + 2_000, client: 'c' }),
    made('read', {}, { at: NOON + 3_000 }),
    made('drop', {}, { at: NOON + 4_000 }),
  ])
  const draft = await policiesOf({
    default: 'deny',
    hide: ['drop'],
    tools: {
      pay: { require: [{ conditions: [is('args.amount', 'lte', 50)] }], action: 'allow' },
      read: { action: 'require_approval' },
    },
  })
  const report = replayed(draft, entries, { showsArguments: true })
  const { calls: told, ...summary } = report
  assert.deepEqual(summary, {
    since: 0,
    first: NOON,
    servers: ['files'],
    compared: 5,
    changed: 4,
    undecidable: 0,
    lost: 0,
    unreadable: 0,
    changes: [
      {
        server: 'files',
        name: 'pay',
        isMethod: false,
        from: 'allowed',
        to: 'denied',
        was: null,
        rule: '/tools/pay/require/0',
        argumentNames: ['amount', 'note'],
        count: 2,
        firstAt: NOON + 1_000,
        lastAt: NOON + 2_000,
      },
      ...[
        ['read', 'approval', '/tools/read/action', NOON + 3_000],
        ['drop', 'hidden', '(hidden)', NOON + 4_000],
      ].map(([name, to, rule, at]) => ({
        server: 'files',
        name,
        isMethod: false,
        from: 'allowed',
        to,
        was: null,
        rule,
        argumentNames: [],
        count: 1,
        firstAt: at,
        lastAt: at,
      })),
    ],
    undecided: [],
  })
  assert.deepEqual(
    told.map(({ at, client, arguments: args }) => [at - NOON, client, args]),
    [
      [1_000, null, { amount: 70 }],
      [2_000, 'c', { amount: 80, note: 'n' }],
      [3_000, null, {}],
      [4_000, null, {}],
    ],
  )
  assert.deepEqual(
    replayed(draft, entries).calls.map((one) => 'arguments' in one),
    [false, false, false, false],
  )
})

test('only calls since a moment are compared, and limits count those before', async () => {
  const judging = await policiesOf({ default: 'allow', record: '7d' })
  const { entries } = await recordedBy(
    judging,
    [0, 1, 2, 3].map((at) => made('t', {}, { at: NOON + at * 1_000 })),
  )
  const draft = await policiesOf({
    default: 'deny',
    tools: { t: { limits: [{ counter: 'c', window: 'minute', max: 3 }] } },
  })
  const { compared, changes } = replayed(draft, entries, { since: epochMs(NOON + 2_000) })
  assert.deepEqual(
    [compared, changes.map(({ to, rule, count }) => [to, rule, count])],
    [2, [['limited', '/tools/t/limits/0', 1]]],
  )
})

test('a call that waits on what was not kept is undecidable, with the path', async () => {
  const judging = await policiesOf({ default: 'allow', record: '7d' })
  const { entries } = await recordedBy(
    judging,
    [made('t', { key: 'p', n: 1 }), made('t', { key: 'p', n: 9 }), made('t', { key: 'q', n: 1 })],
    ['p'],
  )
  const draft = await policiesOf({
    default: 'deny',
    tools: {
      t: {
        require: [
          { conditions: [is('args.n', 'lt', 5)] },
          { conditions: [is('args.key', 'eq', 'q')] },
        ],
      },
    },
  })
  const { changes, undecided, undecidable } = replayed(draft, entries)
  assert.deepEqual(
    changes.map(({ rule, count }) => [rule, count]),
    [['/tools/t/require/0', 1]],
  )
  assert.deepEqual(
    [undecidable, undecided.map(({ name, paths }) => [name, paths])],
    [1, [['t', ['args.key']]]],
  )
})

const reading = (rule: object) => ({ default: 'deny', record: '7d', tools: { t: rule } })
const noSecrets = { on_result: { deny_if: [{ conditions: [is('result.kind', 'eq', 'secret')] }] } }

test('answers are judged by what was read of them, and by nothing else', async () => {
  const answers = [
    { kind: 'secret', n: 1 },
    { kind: 'plain', n: 2 },
  ].map((result, at) => made('t', {}, { at: NOON + at, result }))
  const { entries } = await recordedBy(await policiesOf(reading(noSecrets)), answers)
  const lax = replayed(await policiesOf(reading({})), entries)
  assert.deepEqual(
    lax.changes.map(({ from, to, was, count }) => [from, to, was, count]),
    [['withheld', 'allowed', '/tools/t/on_result/deny_if/0', 1]],
  )
  const turned = { on_result: { require: [{ conditions: [is('result.kind', 'eq', 'secret')] }] } }
  assert.deepEqual(
    replayed(await policiesOf(reading(turned)), entries).changes.map(({ from, to, count }) => [
      from,
      to,
      count,
    ]),
    [
      ['withheld', 'allowed', 1],
      ['allowed', 'withheld', 1],
    ],
  )
  const other = { on_result: { deny_if: [{ conditions: [is('result.n', 'eq', 1)] }] } }
  const { undecided } = replayed(await policiesOf(reading(other)), entries)
  assert.deepEqual(
    undecided.map(({ count, paths }) => [count, paths]),
    [[2, ['result.n']]],
  )
  const unread = await recordedBy(await policiesOf(reading({})), answers)
  assert.equal(replayed(await policiesOf(reading(noSecrets)), unread.entries).undecidable, 2)
})

test('an answer that was never asked for may have been any', async () => {
  const kindIs = (path: string) => [{ conditions: [is(path, 'eq', 'secret')] }]
  const every = { deny_if: [{ conditions: [] }] }
  const [any, rule] = ['allowed', '/tools/t/on_result/deny_if/0']
  const drafts: readonly [what: string, draft: object, to: string, by: unknown][] = [
    ['none is judged', {}, any, null],
    ['all are withheld', { on_result: every }, 'withheld', rule],
    ['one or another is', noSecrets, 'undecidable', ['result.kind']],
    ['one or another passes', { on_result: { require: kindIs('text') } }, 'undecidable', ['text']],
    ['arguments decide', { on_result: { deny_if: kindIs('args.kind') } }, 'withheld', rule],
    ['a rule in shadow', { on_result: every, action: 'shadow' }, any, null],
  ]
  // As it was judged: denied, hidden, out of its limit, or for a person to decide.
  const judging: readonly [verdict: string, document: object][] = [
    ['denied', { tools: {} }],
    ['hidden', { tools: {}, hide: ['t'] }],
    ['limited', { tools: { t: { limits: [{ counter: 'n', window: 'day', max: 0 }] } } }],
    ['approval', { tools: { t: { ...noSecrets, action: 'require_approval' } } }],
  ]
  for (const [verdict, document] of judging) {
    const policies = await policiesOf({ ...reading({}), ...document })
    const { entries } = await recordedBy(policies, [made('t', { kind: 'secret' })])
    for (const [what, draft, to, by] of drafts) {
      const { changes, undecided } = replayed(await policiesOf(reading(draft)), entries)
      const told = [
        ...changes.map((one) => [one.from, one.to, one.rule]),
        ...undecided.map(({ paths }) => [verdict, 'undecidable', paths]),
      ]
      assert.deepEqual(told, [[verdict, to, by]], `${verdict}, ${what}`)
    }
  }
})

test('costs of answers are settled, and an amount that was not kept leaves the limit open', async () => {
  const costly = (max: number) => ({
    limits: [{ counter: 'rows', window: 'day', max, cost: { path: 'result.n', estimate: 1 } }],
  })
  const calls4 = [0, 1, 2, 3].map((at) => made('t', {}, { at: NOON + at, result: { n: 4 } }))
  const { entries } = await recordedBy(await policiesOf(reading(costly(100))), calls4)
  const changed = (report: ReplayReport) => [
    report.changes.map(({ to, count }) => [to, count]),
    report.undecided.map(({ paths, count }) => [paths, count]),
  ]
  assert.deepEqual(changed(replayed(await policiesOf(reading(costly(100))), entries)), [[], []])
  assert.deepEqual(changed(replayed(await policiesOf(reading(costly(9))), entries)), [
    [['limited', 1]],
    [],
  ])
  const other = {
    limits: [{ counter: 'rows', window: 'day', max: 9, cost: { path: 'result.m', estimate: 1 } }],
  }
  assert.deepEqual(changed(replayed(await policiesOf(reading(other)), entries)), [
    [],
    [[['limit /tools/t/limits/0'], 3]],
  ])
  // Of a counter that two limits name, the higher amount.
  const [row] = costly(9).limits
  const both = await policiesOf(reading({ limits: [row, { ...row, cost: 5 }] }))
  assert.deepEqual(changed(replayed(both, entries)), [[['limited', 3]], []])
})

test('what a person allowed passes a draft that asks, and nothing else does', async () => {
  const judging = await policiesOf(reading({ action: 'require_approval' }))
  const { entries } = await recordedBy(judging, [made('t'), made('t', {}, { at: NOON + 1 })])
  const [asked, then] = entries
  assert.ok(asked?.entry.kind === 'call' && then?.entry.kind === 'call')
  const approved = {
    ...then,
    entry: { ...then.entry, verdict: 'allowed', rule: null, isApproved: true } as const,
  }
  const both = [asked, approved]
  assert.deepEqual(replayed(judging, both).changes, [])
  assert.deepEqual(
    replayed(await policiesOf(reading({})), both).changes.map(({ from, to }) => [from, to]),
    [['approval', 'allowed']],
  )
})

test('hours are those of the call, and who called is who called', async () => {
  const judging = await policiesOf({ default: 'allow', record: '7d' })
  const night = made('t', {}, { at: Date.UTC(2026, 10, 20, 23) })
  const { entries } = await recordedBy(judging, [made('t', {}, { client: 'good' }), night])
  const to = async (conditions: object[]) =>
    replayed(
      await policiesOf({ default: 'deny', tools: { t: { require: [{ conditions }] } } }),
      entries,
    ).calls.map(({ at }) => at)
  assert.deepEqual(await to([{ time: { from: '09:00', to: '17:00' } }]), [night.subject.at])
  assert.deepEqual(await to([is('client', 'eq', 'good')]), [night.subject.at])
  assert.deepEqual(await to([is('principal', 'eq', ASKER.principal)]), [])
  assert.deepEqual(await to([is('annotations.readOnlyHint', 'eq', false)]), [])
})
