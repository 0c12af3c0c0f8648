import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Reserved, strictestOf } from '../core/counter-port.ts'
import { takeSteps, takeStepsAtOnce } from '../core/db-port.ts'
import { epochMs, toIso } from '../core/time.ts'
import type { ToolLimit } from '../policy/tool-policy/index.ts'
import { MIGRATIONS, migrate, openSqlite } from '../store/index.ts'
import { dropEnded, refund, reserve, settle } from './counters-repository.ts'
import { counterOf, type LimitCharge, limitCharge, settledCounts } from './limit-charge.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-counters-'))
const db = await openSqlite({ file: join(folder, 'store.db') })
await migrate(db, MIGRATIONS)
after(async () => {
  await db.close()
  rmSync(folder, { recursive: true, force: true })
})

const limit = (counter: string, max: number, more: Partial<ToolLimit> = {}): ToolLimit => ({
  counter,
  window: 'day',
  max,
  scope: 'grant',
  algorithm: 'calendar',
  scale: 0,
  cost: { kind: 'fixed', units: 1 },
  onDeny: null,
  name: null,
  pointer: `/${counter}`,
  ...more,
})
const charge = (limit: ToolLimit, amount = 1, isShadow = false): LimitCharge =>
  limitCharge({ limit, amount, isShadow }, 's', 'me')
const NOON = epochMs(Date.UTC(2026, 10, 20, 12))
const call = (charges: readonly LimitCharge[], at = NOON): Promise<Reserved<LimitCharge>> =>
  db.write((tx) => takeSteps(tx, reserve(strictestOf(charges), at)))
const used = async (limit: ToolLimit): Promise<number> => {
  const row = await db.read((reader) =>
    reader.get<{ n: number }>(
      'select coalesce(sum(used), 0) as n from gateway_counters where counter = ?',
      [charge(limit).counter],
    ),
  )
  return row?.n ?? -1
}

test('exactly max calls pass in a window, and the next one begins anew', async () => {
  const three = limit('three', 3)
  for (let n = 0; n < 3; n += 1) assert.ok('taken' in (await call([charge(three)])))
  const refused = await call([charge(three)])
  assert.ok('exceeded' in refused)
  assert.equal(refused.exceeded.charge.limit.pointer, '/three')
  assert.equal(toIso(refused.exceeded.resetsAt ?? assert.fail()), '2026-11-21T00:00:00.000Z')
  assert.equal(await used(three), 3)
  assert.ok('taken' in (await call([charge(three)], epochMs(NOON + 12 * 3_600_000))))
})

test('a call that one limit refuses is counted by none', async () => {
  const wide = limit('wide', 10)
  const none = limit('none', 0)
  const refused = await call([charge(wide), charge(none)])
  assert.ok('exceeded' in refused)
  assert.equal(refused.exceeded.resetsAt, null)
  assert.equal(await used(wide), 0)
})

test('two limits of one name are one counter, and the lower one holds', async () => {
  const high = limit('shared', 5)
  const low = limit('shared', 2)
  for (let n = 0; n < 2; n += 1) assert.ok('taken' in (await call([charge(high), charge(low)])))
  assert.ok('exceeded' in (await call([charge(high), charge(low)])))
  assert.equal(await used(high), 2)
  // Changing max keeps the count.
  assert.ok('taken' in (await call([charge(limit('shared', 3))])))
  assert.ok('exceeded' in (await call([charge(limit('shared', 3))])))
})

test('limits of one counter in two units are one charge of a call, and one settlement', async () => {
  const whole = limit('units', 3)
  const path = { root: 'result', steps: ['price'], isPointer: false } as const
  const cents = limit('units', 250, { scale: 2, cost: { kind: 'result', path, estimate: 120 } })
  const both = [charge(whole), charge(cents, 120)]
  assert.deepEqual(
    strictestOf(both).map(({ limit: { max }, amount }) => [max, amount]),
    [[250, 120]],
  )
  const lower = [charge(limit('units', 2)), charge(cents, 120)]
  assert.deepEqual(
    strictestOf(lower).map(({ limit: { max }, amount }) => [max, amount]),
    [[2, 2]],
  )
  const counts = settledCounts(both, { price: 0.5 }, (one) => charge(one).counter, assert.fail)
  assert.deepEqual(
    [whole, cents].map((one) => counts?.get(charge(one).counter)),
    [1, 100],
  )
})

test('what is given back is given back to its own window, once and never below nothing', async () => {
  const one = limit('back', 1)
  const reserved = await call([charge(one)])
  assert.ok('taken' in reserved)
  await db.write((tx) => takeSteps(tx, refund(reserved.taken)))
  assert.equal(await used(one), 0)
  await db.write((tx) => takeSteps(tx, refund(reserved.taken)))
  assert.equal(await used(one), 0)
  const tomorrow = epochMs(NOON + 86_400_000)
  assert.ok('taken' in (await call([charge(one)], tomorrow)))
  await db.write((tx) => takeSteps(tx, refund(reserved.taken)))
  assert.ok('exceeded' in (await call([charge(one)], tomorrow)))
})

test('a sliding limit holds over the edge of a minute, and says when it resets', async () => {
  const sliding = limit('sliding', 2, { window: 'minute', algorithm: 'sliding' })
  const at = (seconds: number) => call([charge(sliding)], epochMs(NOON + seconds * 1_000))
  assert.ok('taken' in (await at(58)))
  assert.ok('taken' in (await at(59)))
  const refused = await at(62)
  assert.ok('exceeded' in refused)
  assert.equal(toIso(refused.exceeded.resetsAt ?? assert.fail()), '2026-11-20T12:01:59.000Z')
  assert.ok('exceeded' in (await at(118)))
  assert.ok('taken' in (await at(119)))
})

test('what was counted in a longer month than this one ends with it', async () => {
  const monthly = limit('monthly', 1, { window: 'month' })
  assert.ok('taken' in (await call([charge(monthly)], epochMs(Date.UTC(2026, 11, 5)))))
  const refused = await call([charge(monthly)])
  assert.ok('exceeded' in refused)
  assert.equal(toIso(refused.exceeded.resetsAt ?? assert.fail()), '2027-01-01T00:00:00.000Z')
})

test('scopes, servers and windows are counters of their own, whatever their names hold', () => {
  const plain = limit('c', 1)
  const counters = [
    counterOf('s', 'me', plain),
    counterOf('s', 'you', plain),
    counterOf('t', 'me', plain),
    counterOf('s', 'me', limit('c', 1, { window: 'hour' })),
    counterOf('s', 'me', limit('c', 1, { scope: 'session' })),
    counterOf('s', 'me', limit('c', 1, { algorithm: 'sliding' })),
    counterOf('s","c', 'me', limit('', 1)),
  ]
  assert.equal(new Set(counters).size, counters.length)
})

test('what has ended is dropped', async () => {
  const gone = limit('gone', 1)
  await call([charge(gone)], epochMs(NOON - 5 * 86_400_000))
  await db.write((tx) => takeSteps(tx, dropEnded(NOON)))
  assert.equal(await used(gone), 0)
  assert.ok((await used(limit('shared', 1))) > 0)
})

test('a cost takes that much, and is settled to what it was', async () => {
  const budget = limit('budget', 10_000, { scale: 2 })
  const reserved = await call([charge(budget, 9_950)])
  assert.ok('taken' in reserved)
  const refused = await call([charge(budget, 51)])
  assert.ok('exceeded' in refused)
  assert.deepEqual([refused.exceeded.charge.amount, refused.exceeded.left], [51, 50])
  assert.ok('taken' in (await call([charge(budget, 0)])))
  const actual = new Map([[charge(budget).counter, 1_200]])
  await db.write((tx) => takeSteps(tx, settle(reserved.taken, actual)))
  assert.equal(await used(budget), 1_200)
  const over = await call([charge(budget, 10_001)])
  assert.ok('exceeded' in over)
  assert.equal(over.exceeded.resetsAt, null)
})

test('a limit in shadow counts and denies nothing, but beside one that does', async () => {
  const lifted = limit('lifted', 1)
  assert.ok('taken' in (await call([charge(lifted, 1, true)])))
  const second = await call([charge(lifted, 1, true)])
  assert.ok('taken' in second)
  assert.equal(second.shadow?.limit.pointer, '/lifted')
  assert.equal(await used(lifted), 2)
  const both = await call([charge(lifted, 1, true), charge(limit('lifted', 2))])
  assert.ok('exceeded' in both)
})

test('steps that are taken at once count the same', async () => {
  const two = limit('at once', 2)
  const once = (): Reserved<LimitCharge> | null =>
    db.writeAtOnce((tx) => takeStepsAtOnce(tx, reserve([charge(two)], NOON)))
  assert.deepEqual(
    [once(), once(), once()].map((one) => one !== null && 'taken' in one),
    [true, true, false],
  )
  assert.equal(await used(two), 2)
  assert.throws(() =>
    db.writeAtOnce((tx) => {
      takeStepsAtOnce(tx, reserve([charge(limit('at once', 9))], NOON))
      throw new Error('enough')
    }),
  )
  assert.equal(await used(two), 2)
})

test('a count in shadow stands still at the last whole number, and stays readable', async () => {
  const most = limit('most', Number.MAX_SAFE_INTEGER)
  const all = charge(most, Number.MAX_SAFE_INTEGER, true)
  assert.ok('taken' in (await call([all])))
  assert.ok('taken' in (await call([all])))
  assert.equal(await used(most), Number.MAX_SAFE_INTEGER)
  assert.ok('exceeded' in (await call([charge(most)])))
})

test('what was taken for nothing is settled all the same', async () => {
  const late = limit('late', 5)
  const reserved = await call([charge(late, 0)])
  assert.ok('taken' in reserved)
  await db.write((tx) =>
    takeSteps(tx, settle(reserved.taken, new Map([[charge(late).counter, 5]]))),
  )
  assert.equal(await used(late), 5)
  assert.ok('exceeded' in (await call([charge(late)])))
})
