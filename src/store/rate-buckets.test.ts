import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { RateLimit, RateStanding } from '../core/rate-port.ts'
import { epochMs } from '../core/time.ts'
import { type OpenRates, openRates, RateBuckets } from './rate-buckets.ts'
import { openSqlite } from './sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-rates-'))
const db = await openSqlite({ file: join(folder, 'main.db') })
const open: OpenRates[] = []
after(async () => {
  for (const one of open) await one.close()
  await db.close()
  rmSync(folder, { recursive: true, force: true })
})

let now = 1_700_000_000_000
function handle(file = 'rates.db') {
  const opened = openRates(db, join(folder, file), () => epochMs(now))
  open.push(opened)
  return opened.rates
}

const FIVE: RateLimit = { burst: 5, perSecond: 2 }
const allowed = (standings: readonly RateStanding[]): number =>
  standings.filter(({ isAllowed }) => isAllowed).length

test('a burst passes, then one each half second; the standing says how it is', async () => {
  const rates = handle()
  const seen: unknown[] = []
  for (let i = 0; i < 6; i += 1) {
    const { isAllowed, limit, remaining, resetSeconds, retryAfterSeconds } = await rates.take(
      'a',
      FIVE,
    )
    seen.push([isAllowed, limit, remaining, resetSeconds, retryAfterSeconds])
  }
  assert.deepEqual(seen, [
    [true, 5, 4, 1, 0],
    [true, 5, 3, 1, 0],
    [true, 5, 2, 2, 0],
    [true, 5, 1, 2, 0],
    [true, 5, 0, 3, 0],
    [false, 5, 0, 3, 1],
  ])
  now += 499
  assert.equal((await rates.take('a', FIVE)).isAllowed, false)
  now += 1
  assert.equal((await rates.take('a', FIVE)).isAllowed, true)
  assert.equal((await rates.take('a', FIVE)).isAllowed, false)
  assert.equal((await rates.take('b', FIVE)).isAllowed, true, 'another bucket')
  now += 60_000
  assert.equal(
    allowed(await Promise.all(Array.from({ length: 9 }, () => rates.take('a', FIVE)))),
    5,
  )
})

test('who waited for the store counts by the time at which it is served', async () => {
  const other = handle()
  await other.take('late', FIVE)
  const file = await openSqlite({ file: join(folder, 'rates.db') })
  const { promise: turn, resolve: serve } = Promise.withResolvers<void>()
  const { promise: isWaiting, resolve: waits } = Promise.withResolvers<void>()
  const waiting = new RateBuckets({
    db: async () => ({
      ...file,
      write: async (work, options) => {
        waits()
        await turn
        return file.write(work, options)
      },
    }),
    clock: () => epochMs(now),
  })
  const late = Promise.all(Array.from({ length: 4 }, () => waiting.take('late', FIVE)))
  await isWaiting
  now += 3_000
  const full = await Promise.all(Array.from({ length: 3 }, () => other.take('late', FIVE)))
  assert.equal(allowed(full), 3)
  serve()
  assert.equal(allowed(await late), 2)
  assert.equal((await other.take('late', FIVE)).isAllowed, false, 'nothing was given back')
  await file.close()
})

test('limits whose interval is no whole number of microseconds are kept to the one', async () => {
  const rates = handle()
  for (const perSecond of [3, 7, 900, 999_983, 1_000_000, 1 / 7]) {
    const limit = { burst: 100, perSecond }
    const name = `each ${perSecond}`
    let count = 0
    for (let i = 0; i < 25; i += 1)
      count += allowed(await Promise.all(Array.from({ length: 5 }, () => rates.take(name, limit))))
    assert.equal(count, 100, String(perSecond))
  }
})

test('several handles on one file share every bucket, to the one', async () => {
  const handles = Array.from({ length: 4 }, () => handle('shared.db'))
  const limit = { burst: 100, perSecond: 0.001 }
  const asked = handles.flatMap((rates) =>
    Array.from({ length: 60 }, () => rates.take('together', limit)),
  )
  assert.equal(allowed(await Promise.all(asked)), 100)
  for (const rates of handles) assert.equal((await rates.take('together', limit)).isAllowed, false)
})

test('a clock that is stepped back neither fills a bucket nor shuts it for long', async () => {
  const rates = handle()
  for (let i = 0; i < 5; i += 1) await rates.take('stepped', FIVE)
  assert.equal((await rates.take('stepped', FIVE)).isAllowed, false)
  now -= 3_600_000
  const back = await rates.take('stepped', FIVE)
  assert.deepEqual([back.isAllowed, back.remaining], [false, 0])
  now += 2_500
  assert.equal(
    allowed(await Promise.all(Array.from({ length: 9 }, () => rates.take('stepped', FIVE)))),
    5,
  )
})

test('what cannot be counted is refused', async () => {
  const opened = openRates(db, join(folder, 'main.db', 'not-a-folder.db'), () => epochMs(now))
  await assert.rejects(opened.rates.take('a', FIVE))
  await opened.close().catch(() => undefined)
})
