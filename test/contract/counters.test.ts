// One contract for counters, wherever they stand: rows of a store, or a server that many nodes share.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type {
  CounterCharge,
  Counters,
  CounterWindow,
  Reserved,
  Taken,
} from '../../src/core/counter-port.ts'
import { unitOf } from '../../src/core/counter-units.ts'
import { type EpochMs, epochMs, toIso } from '../../src/core/time.ts'
import { COUNTERS, type CounterHandles, CounterModel } from '../support/counters.ts'

const NOON = Date.UTC(2026, 10, 20, 12)
const DAY: CounterWindow = { kind: 'calendar', lengthMs: 86_400_000, offsetMs: 0 }
const MINUTE: CounterWindow = { kind: 'sliding', lengthMs: 60_000, partMs: 1_000 }
const MOST = Number.MAX_SAFE_INTEGER
const MANY = MOST - 1_000

const WINDOWS: readonly CounterWindow[] = [
  MINUTE,
  { kind: 'sliding', lengthMs: 1_000, partMs: 17 },
  { kind: 'sliding', lengthMs: 7_000, partMs: 117 },
  DAY,
  { kind: 'calendar', lengthMs: 604_800_000, offsetMs: 345_600_000 },
  { kind: 'calendar', lengthMs: 90_000, offsetMs: 0 },
  { kind: 'month' },
]

let names = 0
/** A counter that nothing was counted on. */
const fresh = (max: number, more: Partial<CounterCharge> = {}): CounterCharge => {
  names += 1
  return { counter: `["c",${names}]`, window: DAY, amount: 1, max, isShadow: false, ...more }
}
const ascending = (one: number, other: number): number => one - other
const at = (seconds: number): EpochMs => epochMs(NOON + seconds * 1_000)

for (const kind of COUNTERS)
  describe(`counters in ${kind.name}`, { skip: kind.skip }, () => {
    let opened: CounterHandles
    let one: Counters
    let other: Counters
    before(async () => {
      opened = await kind.open(2)
      ;[one, other] = opened.handles as [Counters, Counters]
    })
    after(() => opened.close())

    const take = async (
      charges: readonly CounterCharge[],
      when = at(0),
      counters = one,
    ): Promise<Reserved> => counters.take(charges, when)
    const taken = async (
      charges: readonly CounterCharge[],
      when = at(0),
      counters = one,
    ): Promise<readonly Taken[]> => {
      const reserved = await take(charges, when, counters)
      assert.ok('taken' in reserved)
      return reserved.taken
    }
    const used = async (charge: CounterCharge, when = at(0)): Promise<number> =>
      (await other.look(when)).find(({ counter }) => counter === charge.counter)?.used ?? 0

    test('exactly max pass, over all handles, and the next day begins anew', async () => {
      const three = fresh(3)
      for (const counters of [one, other, one]) await taken([three], at(0), counters)
      for (const counters of [one, other]) {
        const refused = await take([three], at(1), counters)
        assert.ok('exceeded' in refused)
        const { left, resetsAt, charge } = refused.exceeded
        assert.deepEqual(
          [left, toIso(resetsAt ?? assert.fail()), charge],
          [0, '2026-11-21T00:00:00.000Z', three],
        )
      }
      assert.equal(await used(three), 3)
      await taken([three], at(43_200))
    })

    test('all or none: what one limit refuses, no other counts', async () => {
      const [wide, full, shadow] = [fresh(10), fresh(0), fresh(0, { isShadow: true })]
      const refused = await take([wide, shadow, full])
      assert.ok('exceeded' in refused)
      assert.equal(refused.exceeded.charge, full)
      assert.equal(refused.exceeded.resetsAt, null)
      assert.deepEqual([await used(wide), await used(shadow)], [0, 0])
    })

    test('nothing is asked of a call without limits', async () => {
      assert.deepEqual(await take([]), { taken: [], shadow: null })
    })

    test('another max keeps the count', async () => {
      const two = fresh(2)
      await taken([two])
      await taken([two])
      assert.ok('exceeded' in (await take([two])))
      await taken([{ ...two, max: 3 }])
      const lower = await take([{ ...two, max: 1 }])
      assert.ok('exceeded' in lower)
      assert.equal(lower.exceeded.left, 0)
    })

    test('an amount of nothing always fits, and is counted nowhere', async () => {
      const none = fresh(0, { amount: 0 })
      assert.deepEqual(await taken([none]), [
        { counter: none.counter, bucket: Date.UTC(2026, 10, 20), amount: 0 },
      ])
      assert.equal(await used(none), 0)
    })

    test('amounts are exact up to the last whole number', async () => {
      const most = fresh(MOST)
      await taken([{ ...most, amount: MOST - 1 }])
      const refused = await take([{ ...most, amount: 2 }])
      assert.ok('exceeded' in refused)
      assert.equal(refused.exceeded.left, 1)
      const last = await taken([most])
      assert.ok('exceeded' in (await take([most])))
      await one.refund(last)
      assert.equal(await used(most), MOST - 1)
      await taken([most])
      assert.ok('exceeded' in (await take([most])))
    })

    test('a sliding limit holds over the edge of a minute, and says when it resets', async () => {
      const two = fresh(2, { window: MINUTE })
      await taken([two], at(58))
      await taken([two], at(59))
      const refused = await take([two], at(62))
      assert.ok('exceeded' in refused)
      assert.equal(toIso(refused.exceeded.resetsAt ?? assert.fail()), '2026-11-20T12:01:59.000Z')
      assert.ok('exceeded' in (await take([two], at(118))))
      await taken([two], at(119))
    })

    test('what is given back is given back to its own window, and never below nothing', async () => {
      const limit = fresh(1)
      const first = await taken([limit])
      await other.refund(first)
      assert.equal(await used(limit), 0)
      await one.refund(first)
      assert.equal(await used(limit), 0)
      await taken([limit], at(86_400))
      await one.refund(first)
      assert.ok('exceeded' in (await take([limit], at(86_400))))
    })

    test('what a call cost takes the place of what it was taken for', async () => {
      const budget = fresh(10_000)
      const first = await taken([{ ...budget, amount: 9_950 }])
      const refused = await take([{ ...budget, amount: 51 }])
      assert.ok('exceeded' in refused)
      assert.deepEqual([refused.exceeded.left, refused.exceeded.charge.amount], [50, 51])
      await other.settle(first, new Map([[budget.counter, 1_200]]))
      assert.equal(await used(budget), 1_200)
      // More than it was taken for, and more than fits.
      await one.settle(
        [{ ...first[0]!, amount: 1_200 }],
        new Map([
          [budget.counter, 20_000],
          ['another counter', 5],
        ]),
      )
      assert.equal(await used(budget), 20_000)
      assert.ok('exceeded' in (await take([budget])))
    })

    test('what was taken for nothing is settled all the same', async () => {
      const late = fresh(5, { amount: 0 })
      const first = await taken([late])
      await one.settle(first, new Map([[late.counter, 5]]))
      assert.equal(await used(late), 5)
      assert.ok('exceeded' in (await take([{ ...late, amount: 1 }])))
    })

    test('a limit in shadow counts and denies nothing', async () => {
      const lifted = fresh(1, { isShadow: true })
      const plain = fresh(5)
      await taken([lifted])
      const second = await take([plain, lifted])
      assert.ok('taken' in second)
      assert.equal(second.shadow, lifted)
      assert.deepEqual([await used(lifted), await used(plain)], [2, 1])
    })

    test('a count stands still at the last whole number', async () => {
      const most = fresh(MOST, { isShadow: true, amount: MOST })
      const first = await taken([most])
      await taken([most])
      assert.equal(await used(most), MOST)
      await one.settle([{ ...first[0]!, amount: 1 }], new Map([[most.counter, MOST]]))
      assert.equal(await used(most), MOST)
      assert.ok('exceeded' in (await take([{ ...most, isShadow: false, amount: 1 }])))
      const sliding = fresh(MOST, { isShadow: true, amount: MOST, window: MINUTE })
      await taken([sliding], at(0))
      await taken([sliding], at(10))
      await taken([sliding], at(10))
      assert.equal(await used(sliding, at(10)), MOST)
    })

    test('what has ended is dropped, what counts stays', async () => {
      const [gone, stays] = [fresh(5, { window: MINUTE }), fresh(5)]
      await taken([gone, stays], at(200))
      await one.tidy(at(400))
      assert.equal(await used(gone, at(400)), 0)
      assert.equal(await used(stays, at(400)), 1)
      await taken([gone], at(401))
      assert.equal(await used(gone, at(401)), 1)
    })

    test('many at once over two handles: exactly max pass, on each of several counters', async () => {
      const [narrow, wide] = [fresh(20, { window: MINUTE }), fresh(35)]
      const reserved = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          take(index % 3 === 0 ? [wide, narrow] : [wide], at(0), index % 2 === 0 ? one : other),
        ),
      )
      const passed = reserved.filter((each) => 'taken' in each)
      assert.equal(await used(wide), 35)
      assert.equal(passed.length, 35)
      const narrowly = passed.filter((each) => 'taken' in each && each.taken.length === 2).length
      assert.equal(await used(narrow), narrowly)
      assert.ok(narrowly <= 20)
    })

    test('what was counted in other units counts, and goes on to, in both directions', async () => {
      const name = fresh(0).counter
      const whole = { ...fresh(5), counter: `${name.slice(0, -1)},"calendar"]` }
      const cents = { ...whole, counter: `${name.slice(0, -1)},"calendar",2]`, max: 500 }
      const first = await taken([{ ...whole, amount: 3 }])
      const over = await take([{ ...cents, amount: 201 }], at(0), other)
      assert.ok('exceeded' in over)
      assert.deepEqual([over.exceeded.left, over.exceeded.charge.amount], [200, 201])
      const second = await taken([{ ...cents, amount: 150 }], at(0), other)
      assert.deepEqual(second, [
        { counter: cents.counter, bucket: Date.UTC(2026, 10, 20), amount: 150 },
      ])
      const refused = await take([whole])
      assert.ok('exceeded' in refused)
      assert.equal(refused.exceeded.left, 0)
      assert.equal(refused.exceeded.charge, whole)
      assert.equal(toIso(refused.exceeded.resetsAt ?? assert.fail()), '2026-11-21T00:00:00.000Z')
      await one.settle(second, new Map([[cents.counter, 100]]))
      assert.equal(await used(cents), 400)
      await taken([whole])
      assert.ok('exceeded' in (await take([{ ...cents, amount: 1 }])))
      // Taken before anybody counted cents.
      await other.settle(first, new Map([[whole.counter, 2]]))
      assert.equal(await used(cents), 400)
      await one.refund([{ ...first[0]!, amount: 2 }])
      assert.equal(await used(cents), 200)
      assert.deepEqual([await used(whole), await used(whole, at(43_200))], [0, 0])
      // Too much to be counted in cents, and more than the limit.
      const most = await take([{ ...whole, amount: MOST, max: MOST - 1 }])
      assert.ok('exceeded' in most)
      await taken([{ ...whole, amount: 5 }], at(43_200))
      assert.ok('exceeded' in (await take([{ ...cents, amount: 1 }], at(43_200))))
    })

    test('many at once in several units over two handles: exactly as much passes as fits', async () => {
      const name = fresh(0).counter.slice(0, -1)
      const unit = (scale: number): CounterCharge => ({
        ...fresh(20 * 10 ** scale, { amount: 10 ** scale, window: MINUTE }),
        counter: scale === 0 ? `${name},"sliding"]` : `${name},"sliding",${scale}]`,
      })
      const reserved = await Promise.all(
        Array.from({ length: 60 }, (_, n) =>
          take([unit([0, 2, 1, 3][n % 4] ?? 0)], at(n), n % 3 === 0 ? one : other),
        ),
      )
      assert.equal(reserved.filter((each) => 'taken' in each).length, 20)
    })

    test('any order in any units is what a list of all in the finest says', async () => {
      const FINEST = 3
      const step = fc.record({
        ms: fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 40_000 })),
        act: fc.constantFrom('take', 'take', 'take', 'refund', 'settle', 'look', 'tidy'),
        scale: fc.nat(FINEST),
        amount: fc.nat(40),
        max: fc.integer({ min: 0, max: 90 }),
        isSliding: fc.boolean(),
        which: fc.nat(9),
        isOther: fc.boolean(),
      })
      let runs = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
          runs += 1
          const model = new CounterModel()
          const open: { readonly taken: readonly Taken[]; readonly finest: readonly Taken[] }[] = []
          let now = NOON + runs * 500 * 86_400_000
          for (const { ms, act, scale, amount, max, isSliding, which, isOther } of steps) {
            now += ms
            const when = epochMs(now)
            const counters = isOther ? other : one
            const kind = isSliding ? 'sliding' : 'calendar'
            const nameIn = (digits: number): string =>
              JSON.stringify([`units ${runs}`, kind, ...(digits === 0 ? [] : [digits])])
            const by = 10 ** (FINEST - scale)
            const charge: CounterCharge = {
              counter: nameIn(scale),
              window: isSliding ? MINUTE : DAY,
              amount,
              max,
              isShadow: false,
            }
            if (act === 'take') {
              const finest = {
                ...charge,
                counter: nameIn(FINEST),
                amount: amount * by,
                max: max * by,
              }
              const expected = model.take([finest], when)
              const reserved = await counters.take([charge], when)
              if ('taken' in expected) {
                const [{ bucket }] = expected.taken as [Taken]
                const same = [{ counter: charge.counter, bucket, amount }]
                assert.deepEqual(reserved, { taken: same, shadow: null })
                open.push({ taken: same, finest: expected.taken })
                continue
              }
              const { left, resetsAt } = expected.exceeded
              assert.deepEqual(reserved, {
                exceeded: { charge, left: Math.floor(left / by), resetsAt },
              })
            } else if (act === 'look') {
              const found = (await counters.look(when)).filter(({ counter }) =>
                counter.startsWith(`["units ${runs}"`),
              )
              assert.deepEqual(
                found
                  .map(({ counter, used }) => used * 10 ** (FINEST - unitOf(counter).scale))
                  .toSorted(ascending),
                model
                  .look(when)
                  .map(({ used }) => used)
                  .toSorted(ascending),
              )
            } else if (act === 'tidy') await counters.tidy(when)
            else {
              const [back] = open.splice(which % Math.max(1, open.length), 1)
              const [taking] = back?.taken ?? []
              if (back === undefined || taking === undefined) continue
              const cost = act === 'refund' ? 0 : amount
              const finer = 10 ** (FINEST - unitOf(taking.counter).scale)
              if (act === 'refund') await counters.refund(back.taken)
              else await counters.settle(back.taken, new Map([[taking.counter, cost]]))
              model.settle(back.finest, new Map([[back.finest[0]!.counter, cost * finer]]))
            }
          }
        }),
        { numRuns: 60 },
      )
    })

    test('any order of takes, refunds and settlements is what a list of all of them says', async () => {
      let runs = 0
      const step = fc.record({
        ms: fc.oneof(
          { arbitrary: fc.integer({ min: 0, max: 300 }), weight: 6 },
          { arbitrary: fc.integer({ min: 0, max: 70_000 }), weight: 3 },
          { arbitrary: fc.integer({ min: 0, max: 40 * 86_400_000 }), weight: 1 },
        ),
        act: fc.oneof(
          { arbitrary: fc.constant('take' as const), weight: 6 },
          { arbitrary: fc.constantFrom('refund', 'settle', 'look', 'tidy'), weight: 2 },
        ),
        limits: fc.uniqueArray(fc.nat(WINDOWS.length - 1), { minLength: 1, maxLength: 3 }),
        amounts: fc.array(fc.oneof(fc.nat(4), fc.constantFrom(MANY, MANY - 3)), {
          minLength: 3,
          maxLength: 3,
        }),
        max: fc.oneof(fc.nat(9), fc.constantFrom(MANY, MANY + 3)),
        isShadow: fc.boolean(),
        which: fc.nat(9),
        isOther: fc.boolean(),
      })
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: NOON, max: NOON + 400 * 86_400_000 }),
          fc.array(step, { minLength: 1, maxLength: 40 }),
          async (start, steps) => {
            runs += 1
            const model = new CounterModel()
            const open: Taken[][] = []
            // Far from the run before: where charges stand in one order, a clock steps back a little for nobody.
            let now = start + runs * 500 * 86_400_000
            for (const { ms, act, limits, amounts, max, isShadow, which, isOther } of steps) {
              now += ms
              const when = epochMs(now)
              const counters = isOther ? other : one
              const own = (counter: string): boolean => counter.startsWith(`["run ${runs}"`)
              if (act === 'take') {
                const charges = limits.map((index, place): CounterCharge => {
                  const isInShadow = isShadow && place === 0
                  const amount = amounts[place] ?? 0
                  return {
                    counter: JSON.stringify([`run ${runs}`, index]),
                    window: WINDOWS[index]!,
                    // What nothing stops does not run out of whole numbers here.
                    amount: isInShadow ? Math.min(amount, 9) : amount,
                    max,
                    isShadow: isInShadow,
                  }
                })
                const expected = model.take(charges, when)
                assert.deepEqual(await counters.take(charges, when), expected)
                if ('taken' in expected) open.push([...expected.taken])
              } else if (act === 'look')
                assert.deepEqual(
                  (await counters.look(when))
                    .filter(({ counter }) => own(counter))
                    .map((found) => ({ ...found })),
                  model.look(when),
                )
              else if (act === 'tidy') await counters.tidy(when)
              else {
                const [back] = open.splice(which % Math.max(1, open.length), 1)
                if (back === undefined) continue
                if (act === 'refund') {
                  await counters.refund(back)
                  model.settle(back)
                } else {
                  const actual = new Map(back.map(({ counter }, index) => [counter, index * 3]))
                  await counters.settle(back, actual)
                  model.settle(back, actual)
                }
              }
            }
          },
        ),
        { numRuns: 60 },
      )
    })
  })
