import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { epochMs, toIso } from '../core/time.ts'
import type { ToolLimit } from '../policy/tool-policy/index.ts'
import { MIGRATIONS, migrate, openSqlite } from '../store/index.ts'
import {
  type Charge,
  correct,
  counterOf,
  dropEnded,
  refund,
  reserve,
} from './counters-repository.ts'

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
const charge = (limit: ToolLimit, amount = 1, isShadow = false): Charge => ({
  limit,
  counter: counterOf('s', 'me', limit),
  amount,
  isShadow,
})
const NOON = epochMs(Date.UTC(2026, 10, 20, 12))
const call = (charges: readonly Charge[], at = NOON) => db.write((tx) => reserve(tx, charges, at))
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
  assert.equal(refused.exceeded.pointer, '/three')
  assert.equal(toIso(refused.resetsAt ?? assert.fail()), '2026-11-21T00:00:00.000Z')
  assert.equal(await used(three), 3)
  assert.ok('taken' in (await call([charge(three)], epochMs(NOON + 12 * 3_600_000))))
})

test('a call that one limit refuses is counted by none', async () => {
  const wide = limit('wide', 10)
  const none = limit('none', 0)
  const refused = await call([charge(wide), charge(none)])
  assert.ok('exceeded' in refused)
  assert.equal(refused.resetsAt, null)
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

test('what is given back is given back to its own window, once and never below nothing', async () => {
  const one = limit('back', 1)
  const reserved = await call([charge(one)])
  assert.ok('taken' in reserved)
  await db.write((tx) => refund(tx, reserved.taken))
  assert.equal(await used(one), 0)
  await db.write((tx) => refund(tx, reserved.taken))
  assert.equal(await used(one), 0)
  const tomorrow = epochMs(NOON + 86_400_000)
  assert.ok('taken' in (await call([charge(one)], tomorrow)))
  await db.write((tx) => refund(tx, reserved.taken))
  assert.ok('exceeded' in (await call([charge(one)], tomorrow)))
})

test('a sliding limit holds over the edge of a minute, and says when it resets', async () => {
  const sliding = limit('sliding', 2, { window: 'minute', algorithm: 'sliding' })
  const at = (seconds: number) => call([charge(sliding)], epochMs(NOON + seconds * 1_000))
  assert.ok('taken' in (await at(58)))
  assert.ok('taken' in (await at(59)))
  const refused = await at(62)
  assert.ok('exceeded' in refused)
  assert.equal(toIso(refused.resetsAt ?? assert.fail()), '2026-11-20T12:01:59.000Z')
  assert.ok('exceeded' in (await at(118)))
  assert.ok('taken' in (await at(119)))
})

test('amounts are counted; what does not fit says what remains, and nothing always fits', async () => {
  const spend = limit('spend', 1_000, { scale: 2 })
  assert.ok('taken' in (await call([charge(spend, 999)])))
  const refused = await call([charge(spend, 2)])
  assert.ok('exceeded' in refused)
  assert.equal(refused.remains, 1)
  assert.equal(toIso(refused.resetsAt ?? assert.fail()), '2026-11-21T00:00:00.000Z')
  const never = await call([charge(spend, 1_001)])
  assert.ok('exceeded' in never)
  assert.equal(never.resetsAt, null)
  assert.ok('taken' in (await call([charge(spend, 1)])))
  assert.ok('taken' in (await call([charge(spend, 0)])))
  assert.equal(await used(spend), 1_000)
})

test('an amount is given back as it was taken', async () => {
  const spend = limit('amount-back', 100)
  const reserved = await call([charge(spend, 60)])
  assert.ok('taken' in reserved)
  assert.ok('taken' in (await call([charge(spend, 10)])))
  await db.write((tx) => refund(tx, reserved.taken))
  assert.equal(await used(spend), 10)
})

test('what a call really cost takes the place of the estimate, also beyond the limit', async () => {
  const spend = limit('estimated', 100)
  const reserved = await call([charge(spend, 60)])
  assert.ok('taken' in reserved)
  const [taken] = reserved.taken
  assert.ok(taken !== undefined)
  await db.write((tx) => correct(tx, [{ taken, amount: 5 }]))
  assert.equal(await used(spend), 5)
  await db.write((tx) => correct(tx, [{ taken: { ...taken, amount: 5 }, amount: 150 }]))
  assert.equal(await used(spend), 150)
  assert.ok('exceeded' in (await call([charge(spend, 1)])))
  assert.ok('taken' in (await call([charge(spend, 0)])))
})

test('a limit in shadow counts and refuses nobody; one that is none holds beside it', async () => {
  const watched = limit('watched', 1)
  for (let n = 0; n < 3; n += 1) assert.ok('taken' in (await call([charge(watched, 1, true)])))
  assert.equal(await used(watched), 3)
  const held = limit('watched', 4)
  assert.ok('taken' in (await call([charge(watched, 1, true), charge(held)])))
  assert.ok('exceeded' in (await call([charge(watched, 1, true), charge(held)])))
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
  await db.write((tx) => dropEnded(tx, NOON))
  assert.equal(await used(gone), 0)
  assert.ok((await used(limit('shared', 1))) > 0)
})
