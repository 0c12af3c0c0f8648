// Calls that a policy has recorded: what is kept of them, what is not, and for how long.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { callInspection } from '../../src/app/call-inspection.ts'
import { withKnownValues } from '../../src/app/known-values.ts'
import { tidy } from '../../src/app/tidy.ts'
import { DEFAULT_SWITCHES } from '../../src/core/config.ts'
import { newHeldReference } from '../../src/core/held-values.ts'
import { createLog, silentLog } from '../../src/core/log.ts'
import { type Clock, type EpochMs, epochMs, systemClock } from '../../src/core/time.ts'
import { CallRecorder } from '../../src/gateway/index.ts'
import { Recordings, recordingWriter } from '../../src/gateway/recording/index.ts'
import type {
  RecordedCall,
  RecordedEnd,
  RecordedEntry,
} from '../../src/gateway/recording/recorded-call.ts'
import type { RecordingWriter } from '../../src/gateway/recording/recorder.ts'
import { between, textOf, vault } from '../support/between.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

const DAY = 86_400_000
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const accessKey = (): string =>
  `AKIA${[...randomBytes(16)].map((byte) => LETTERS.charAt(byte % 32)).join('')}`
const open = new OpenVaults()
afterEach(() => open.close(true))

function recordingsOf(of: TestVault, clock: Clock = systemClock): Recordings {
  return new Recordings({ db: of.db, keys: of.keys, ledger: of.ledger, clock })
}

function writerTo(
  of: TestVault,
  recordings: Recordings,
  clock: Clock = systemClock,
): RecordingWriter {
  const settings = { inspection: DEFAULT_SWITCHES, inspectionFile: `${of.home}/inspection.json` }
  return recordingWriter({
    recordings,
    clock,
    inspection: withKnownValues(
      callInspection(settings, async () => null, silentLog),
      async () => of.knownTo,
    ),
  })
}

async function entriesOf(
  recordings: Recordings,
  server: string | null = null,
): Promise<readonly RecordedEntry[]> {
  const found: RecordedEntry[] = []
  const look = { server, since: epochMs(0) }
  for await (const { entry } of recordings.entries(look, () => assert.fail('unreadable')))
    found.push(entry)
  return found
}

/** A relay whose calls are recorded, and what of its own is found. */
async function recording(policy: object) {
  const recordings = recordingsOf(vault)
  const recorder = new CallRecorder({
    writer: async () => writerTo(vault, recordings),
    log: silentLog,
    clock: systemClock,
  })
  const since = systemClock()
  const client = `client ${randomBytes(6).toString('hex')}`
  const one = await between(policy, { recorder, caller: { ...AGENT, client } })
  const entries = async (): Promise<readonly RecordedEntry[]> => {
    await recorder.flush()
    return (await entriesOf(recordings)).filter(({ at }) => at >= since)
  }
  return {
    ...one,
    one,
    recorder,
    entries,
    calls: async (): Promise<readonly RecordedCall[]> =>
      (await entries()).flatMap((entry) =>
        entry.kind === 'call' && entry.client === client ? [entry] : [],
      ),
    ends: async (): Promise<readonly RecordedEnd[]> =>
      (await entries()).flatMap((entry) => (entry.kind === 'end' ? [entry] : [])),
  }
}

const is = (path: string, op: string, value: unknown) => ({ path, op, value })

test('every verdict is recorded, with what it was judged by', async () => {
  const one = await recording({
    default: 'deny',
    record: '7d',
    hide: ['secret_tool'],
    tools: {
      pay: {
        require: [{ conditions: [is('args.amount', 'lte', 50)] }],
        approve_if: [{ conditions: [is('args.amount', 'gt', 20)] }],
        limits: [{ counter: 'paid', window: 'day', max: 15, cost: 'args.amount' }],
      },
    },
  })
  await one.call(1, 'pay', { amount: 10, to: { name: 'x' } })
  await one.call(2, 'pay', { amount: 51 })
  await one.call(3, 'pay', { amount: 6 })
  await one.call(4, 'other')
  await one.call(5, 'secret_tool')
  const calls = await one.calls()
  assert.deepEqual(
    calls.map(({ name, verdict, rule, args, names, exceeded, charges }) => [
      name,
      verdict,
      rule,
      args.value,
      names,
      exceeded,
      charges.map(({ amount, max }) => [amount, max]),
    ]),
    [
      [
        'pay',
        'allowed',
        null,
        { amount: 10, to: { name: 'x' } },
        ['amount', 'to'],
        null,
        [[10, 15]],
      ],
      ['pay', 'denied', '/tools/pay/require/0', { amount: 51 }, ['amount'], null, []],
      ['pay', 'limited', '/tools/pay/limits/0', { amount: 6 }, ['amount'], 0, [[6, 15]]],
      ['other', 'denied', '/default', {}, [], null, []],
      ['secret_tool', 'hidden', '(hidden)', {}, [], null, []],
    ],
  )
  const [first] = calls
  assert.ok(first !== undefined)
  const { principal, labels, who, server, revision, isMethod, at, ends } = first
  assert.deepEqual(
    [principal, labels, who, server, revision, isMethod, ends - at],
    ['agent:local', [], 'agent:local', 'fixture', 'r1', false, 7 * DAY],
  )
})

test('a call that waits for a person, and one that a person allowed', async () => {
  const one = await recording({
    default: 'deny',
    record: '1d',
    tools: { pay: { action: 'require_approval' } },
  })
  const args = { amount: randomBytes(3).readUIntBE(0, 3) }
  await one.call(1, 'pay', args)
  const id = /^\[APPROVAL REQUIRED\] (\S+)\n/.exec(textOf(one.one))?.[1] ?? ''
  await vault.approvals.approvals.decide(PERSON, id, 'approve')
  await one.call(2, 'pay', args)
  assert.deepEqual(
    (await one.calls()).map(({ verdict, rule, isApproved }) => [verdict, rule, isApproved]),
    [
      ['approval', '/tools/pay/action', false],
      ['allowed', null, true],
    ],
  )
})

test('nothing is recorded that no policy says, or that one forbids; the longest span counts', async () => {
  const none = await recording({ default: 'allow' })
  await none.call(1, 'a', { x: 1 })
  assert.deepEqual(await none.calls(), [])
  const some = await recording({
    default: 'allow',
    tools: { a: { record: '1d' }, b: { record: 'none' } },
  })
  some.one.policies = [
    ...some.one.policies,
    ...(await between({ default: 'allow', record: '12h', tools: { c: { record: 'none' } } }))
      .policies,
  ]
  for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) await some.call(at, name)
  assert.deepEqual(
    (await some.calls()).map(({ name, at, ends }) => [name, ends - at]),
    [
      ['a', DAY],
      ['d', DAY / 2],
    ],
  )
})

test('methods are recorded, but for what the protocol lives on; notifications are not', async () => {
  const one = await recording({
    default: 'allow',
    record: '1d',
    methods: { 'tools/list': {}, 'notifications/x/y': {} },
  })
  await one.client({ id: 1, method: 'resources/read', params: { uri: 'file:///a' } })
  await one.client({ id: 2, method: 'tools/list' })
  await one.client({ method: 'notifications/x/y', params: { a: 1 } })
  assert.deepEqual(
    (await one.calls()).map(({ name, isMethod, args }) => [name, isMethod, args.value]),
    [['resources/read', true, { uri: 'file:///a' }]],
  )
})

test('numbers are kept as they were written', async () => {
  const one = await recording({ default: 'allow', record: '1d' })
  await one.client(
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":12345678901234567890,"b":0.10000000000000000001}}}',
  )
  const [{ args }] = (await one.calls()) as [RecordedCall]
  const { a, b } = args.value as { a: bigint; b: { source: string } }
  assert.deepEqual([a, b.source], [12345678901234567890n, '0.10000000000000000001'])
})

test('what the caller knows and what inspection finds is not kept, nor is what is too large', async () => {
  const value = `tk_${randomBytes(24).toString('base64url')}`
  await vault.vault.put(AGENT, 'default', { path: 'own/key', value: secret(value) })
  // Three numbers of fifteen digits.
  const digits = Array.from(randomBytes(45), (byte) => 1 + (byte % 9)).join('')
  await vault.vault.put(AGENT, 'default', { path: 'own/digits', value: secret(digits) })
  const aws = accessKey()
  const one = await recording({ default: 'deny', record: '1d', tools: { other: {} } })
  // Denied before anything is inspected.
  await one.call(1, 'a', { note: `key ${aws} here`, plain: 'kept', list: ['x', { deep: aws }] })
  await one.call(2, 'b', { [aws]: 1, plain: 'kept' })
  await one.call(5, 'known', { at: { a: [`it is ${btoa(value)}`] }, plain: 'kept' })
  await one.call(6, 'split', { a: value.slice(0, 20), b: value.slice(20) })
  await one.call(8, 'bytes', { a: Buffer.from(value).toJSON(), plain: 'kept' })
  const numbers = [0, 15, 30].map((at) => Number(digits.slice(at, at + 15)))
  await one.call(9, 'numbers', { numbers, plain: 1 })
  await one.call(7, 'held', { large: newHeldReference(), plain: 'kept' })
  await one.call(3, 'c', { plain: 'x'.repeat(70_000) })
  await one.call(4, 'd', { plain: 'x'.repeat(300_000) })
  assert.deepEqual(
    (await one.calls()).map(({ name, args, names, isTooLarge }) => [name, args, names, isTooLarge]),
    [
      [
        'a',
        {
          value: { note: null, plain: 'kept', list: ['x', { deep: null }] },
          holes: [
            ['text', 'note'],
            ['text', 'list', '1', 'deep'],
          ],
        },
        ['note', 'plain', 'list'],
        false,
      ],
      ['b', { value: null, holes: [['any']] }, [], false],
      [
        'known',
        { value: { at: { a: [null] }, plain: 'kept' }, holes: [['text', 'at', 'a', '0']] },
        ['at', 'plain'],
        false,
      ],
      ['split', { value: null, holes: [['any']] }, [], false],
      [
        'bytes',
        {
          value: { a: { type: 'Buffer', data: null }, plain: 'kept' },
          holes: [['any', 'a', 'data']],
        },
        ['a', 'plain'],
        false,
      ],
      ['numbers', { value: null, holes: [['any']] }, [], false],
      [
        'held',
        { value: { large: null, plain: 'kept' }, holes: [['any', 'large']] },
        ['large', 'plain'],
        false,
      ],
      ['c', { value: null, holes: [['any']] }, [], true],
      ['d', { value: null, holes: [['any']] }, [], true],
    ],
  )
})

test('the end of a call is recorded where something was given back or the answer was read', async () => {
  const one = await recording({
    default: 'deny',
    record: '1d',
    tools: {
      rows: {
        limits: [
          {
            counter: `rows.${randomBytes(4).toString('hex')}`,
            window: 'day',
            max: 9,
            cost: { path: 'result.n', estimate: 2 },
          },
        ],
        on_result: { deny_if: [{ conditions: [is('result.rows', 'contains', 'no')] }] },
      },
      plain: {},
      counted: { rate_limit: { max: 9, window: 60 } },
    },
  })
  const answer = (id: number, more: object) => one.server({ id, ...more })
  await one.call(1, 'rows')
  await answer(1, {
    result: { n: 5, rows: ['no', accessKey()], other: 'not kept', content: [] },
  })
  await one.call(2, 'plain')
  await answer(2, { result: { content: [] } })
  await one.call(3, 'counted')
  await answer(3, { error: { code: -32601, message: 'Method not found' } })
  await one.recorder.flush()
  await one.call(4, 'rows')
  await one.recorder.flush()
  await answer(4, { result: { n: 2, content: [] } })
  const calls = await one.calls()
  const name = new Map(calls.map((call) => [call.n, call.name]))
  const path = (step: string) => ({ root: 'result', steps: [step], isPointer: false })
  assert.deepEqual(
    (await one.ends()).map(({ of, end, parts, withheld, costs }) => [
      name.get(of),
      end,
      parts,
      withheld,
      costs.map(([, amount]) => amount),
    ]),
    [
      [
        'rows',
        'answered',
        [
          { path: path('rows'), found: { value: ['no', null], holes: [['text', '1']] } },
          { path: path('n'), found: { value: 5, holes: [] } },
        ],
        '/tools/rows/on_result/deny_if/0',
        [5],
      ],
      ['counted', 'refused-by-server', null, null, []],
      [
        'rows',
        'answered',
        [
          { path: path('rows'), found: 'missing' },
          { path: path('n'), found: { value: 2, holes: [] } },
        ],
        null,
        [],
      ],
    ],
  )
})

function filesOf(directory: string): readonly Buffer[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
}

test('it is sealed: no file of the vault, no record and no backup has it', async () => {
  const mark = `mark-${randomBytes(8).toString('hex')}`
  const one = await recording({ default: 'allow', record: '1d' })
  await one.call(1, `tool-${mark}`, { said: mark })
  assert.deepEqual(
    (await one.calls()).map(({ args }) => args.value),
    [{ said: mark }],
  )
  await vault.ledger.flush()
  // The audit has the name of the tool.
  for (const bytes of filesOf(vault.home)) assert.equal(bytes.includes(`"${mark}"`), false)
  const bodies = (await vault.audit.query({ limit: 1_000 })).map(({ body }) => body)
  assert.equal(
    bodies.some((body) => body.includes(`"${mark}"`)),
    false,
  )
  const { BACKED_UP_TABLES } = await import('../../src/vault/index.ts')
  assert.deepEqual(
    BACKED_UP_TABLES.filter((table) => table.startsWith('recorded')),
    [],
  )
  assert.deepEqual((await vault.audit.verify()).findings, [])
})

interface Row {
  readonly run: string
  readonly seq: number
  readonly sealed: Uint8Array
}

const line = (at: number, ends: number, text: string) => ({
  server: 'files',
  at: epochMs(at),
  ends: epochMs(ends),
  text: JSON.stringify({ kind: 'gap', at, ends, server: 'files', lost: Number(text) }),
})

for (const store of [SQLITE, POSTGRES]) {
  const on = { skip: store.skip }
  const lostIn = async (recordings: Recordings) =>
    (await entriesOf(recordings)).map((entry) => entry.kind === 'gap' && entry.lost)

  test(`recordings on ${store.name}: two processes write and read the same days`, on, async () => {
    let now = 1_800_000_000_000
    const clock = (): EpochMs => epochMs(now)
    const here = await open.fresh(store, clock)
    const [one, other] = [recordingsOf(here, clock), recordingsOf(await open.twin(here), clock)]
    await Promise.all([
      one.add([line(now, now + DAY, '1')]),
      other.add([line(now + 5, now + DAY, '2')]),
    ])
    now += 10
    await one.add([line(now + 2, now + DAY, '4'), line(now, now + 2 * DAY, '3')])
    assert.deepEqual(await lostIn(one), [1, 2, 3, 4])
    assert.deepEqual(await lostIn(other), [1, 2, 3, 4])
    assert.deepEqual(await entriesOf(one, 'elsewhere'), [])
    const keys = await here.db.read((reader) => here.keys.rows.ofPurpose(reader, 'recording'))
    assert.equal(keys.length, 1)
    assert.deepEqual((await here.audit.verify()).findings, [])
  })

  test(`recordings on ${store.name}: what is over goes, and its key with it`, on, async () => {
    let now = 1_800_000_000_000
    const clock = (): EpochMs => epochMs(now)
    const here = await open.fresh(store, clock)
    const recordings = recordingsOf(here, clock)
    await recordings.add([line(now, now + DAY, '1')])
    now += 1
    await recordings.add([line(now, now + 3 * DAY, '2')])
    const rows = () =>
      here.db.read((reader) => reader.all<Row>('select run, seq, sealed from recorded_calls'))
    const days = async () =>
      (await here.db.read((reader) => reader.all('select day from recorded_days'))).length
    const [copy] = await rows()
    assert.deepEqual([(await rows()).length, await days()], [2, 2])
    now += DAY - 1
    assert.deepEqual(await lostIn(recordings), [2], 'it counts no longer, though it is there')
    await tidy(here)
    assert.deepEqual([(await rows()).length, await days()], [1, 2], 'others may end on that day')
    now += DAY
    await recordings.prune()
    assert.deepEqual([(await rows()).length, await days()], [1, 1])
    // Somebody who has a copy of the row and all keys of the store has nothing.
    const { run, seq, sealed } = copy!
    await here.db.write((tx) =>
      tx.run(
        `insert into recorded_calls (run, seq, server, day, first_at, last_at, ends_at, sealed)
         values (?, ?, 'files', ?, ?, ?, ?, ?)`,
        [run, seq, Math.ceil((1_800_000_000_000 + DAY) / DAY), now, now, now + DAY, sealed],
      ),
    )
    let unreadable = 0
    const look = { server: null, since: epochMs(0) }
    for await (const _ of recordingsOf(here, clock).entries(look, () => (unreadable += 1)))
      assert.ok(_)
    assert.equal(unreadable, 1)
  })

  test(`recordings on ${store.name}: what was changed outside is refused`, on, async () => {
    const here = await open.fresh(store)
    const recordings = recordingsOf(here)
    const now = systemClock()
    await recordings.add([line(now, now + DAY, '1')])
    for (const change of [
      `update recorded_calls set server = 'other'`,
      `update recorded_calls set server = 'files', seq = seq + 7`,
    ]) {
      await here.db.write((tx) => tx.run(change))
      await assert.rejects(entriesOf(recordingsOf(here)), fault('STORE_TAMPERED'))
    }
  })
}

test('no call waits or fails when nothing can be written; what is lost is counted, said and told', async () => {
  const said: string[] = []
  const recordings = recordingsOf(vault)
  const real = writerTo(vault, recordings)
  let isBroken = true
  const recorder = new CallRecorder({
    writer: async () => ({
      ...real,
      write: (queued, lost) =>
        isBroken ? Promise.reject(new Error('the disk is full')) : real.write(queued, lost),
    }),
    log: createLog('warn', (text) => said.push(text)),
    clock: systemClock,
  })
  const since = systemClock()
  const one = await between({ default: 'allow', record: '1d' }, { recorder })
  for (let at = 0; at < 5; at += 1) await one.call(at, 'lost', { at })
  assert.equal(one.toServer.length, 5)
  await recorder.flush()
  await one.call(5, 'lost')
  await recorder.flush()
  assert.equal(said.length, 1, 'once a minute')
  assert.match(said[0] ?? '', /calls were not recorded for replay.*5.*the disk is full/)
  isBroken = false
  await one.call(6, 'kept')
  await recorder.flush()
  const found = (await entriesOf(recordings)).filter((entry) => entry.at >= since)
  assert.deepEqual(
    found.map((entry) => (entry.kind === 'gap' ? entry.lost : entry.kind === 'call' && entry.name)),
    ['kept', 6],
  )
  await recorder.close()
})

test('what comes faster than it is written is bounded', async () => {
  let release = (): void => {}
  const written: number[] = []
  const recorder = new CallRecorder({
    writer: async () => ({
      prune: async () => {},
      async write({ calls }) {
        written.push(calls.length)
        await new Promise<void>((resolve) => (release = resolve))
      },
    }),
    log: silentLog,
    clock: systemClock,
    maxWeight: 3_000,
  })
  const one = await between({ default: 'allow', record: '1d' }, { recorder })
  await one.call(0, 'big', { text: 'x'.repeat(2_000) })
  const flushing = recorder.flush()
  await one.call(1, 'big', { text: 'x'.repeat(2_000) })
  await one.call(2, 'small')
  release()
  await flushing
  const again = recorder.flush()
  await new Promise((resolve) => setImmediate(resolve))
  release()
  await again
  assert.deepEqual(written, [1, 1], 'the second large one was not kept hold of')
})
