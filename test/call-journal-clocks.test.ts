// The journal of calls where clocks differ, and where one is put right.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import fc from 'fast-check'
import type { CallJournal } from '../src/audit/index.ts'
import type { CounterWindow } from '../src/core/counter-port.ts'
import { epochMs } from '../src/core/time.ts'
import { charge, journalOf } from './support/journal-calls.ts'
import { OpenVaults, SQLITE } from './support/vault-stores.ts'

const vaults = new OpenVaults()
afterEach(() => vaults.close(false))

test('in no interval of its length do more calls pass than a limit says, with two writers whose clocks differ', async () => {
  const one = await vaults.fresh(SQLITE)
  const other = await vaults.twin(one)
  const journals = [await journalOf(one), await journalOf(other)]
  let runs = 0
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          writer: fc.nat({ max: 1 }),
          step: fc.nat({ max: 400 }),
          skew: fc.integer({ min: -900, max: 0 }),
        }),
        { minLength: 20, maxLength: 80 },
      ),
      (calls) => {
        runs += 1
        const window: CounterWindow = { kind: 'sliding', lengthMs: 6_000, partMs: 100 }
        const charges = [charge(5, { window, counter: `run ${runs}` })]
        const passed: number[] = []
        let now = 1_795_000_000_000 + runs * 1_000_000
        let latest = 0
        for (const { writer, step, skew } of calls) {
          now += step
          latest = Math.max(latest, now + skew)
          const reserved = journals[writer]?.take(charges, epochMs(now + skew)) ?? assert.fail()
          const isAllowed = 'taken' in reserved
          const within = passed.filter((one) => one > latest - 6_000).length
          const nearly = passed.filter((one) => one >= latest - 6_100).length
          if (isAllowed) assert.ok(within < 5, 'never more than max in any interval')
          else assert.ok(nearly >= 5, 'nothing is refused that a part less would let pass')
          if (isAllowed) passed.push(latest)
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('a clock that was ahead for a moment does not stop a limit until it is there again', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  const window: CounterWindow = { kind: 'sliding', lengthMs: 60_000, partMs: 1_000 }
  const take = (at: number) =>
    'taken' in journal.take([charge(2, { window })], epochMs(1_795_000_000_000 + at))
  assert.deepEqual([take(0), take(1_000)], [true, true])
  // A day ahead; then right again: what was counted ahead counts beside what comes, for a minute from then on.
  assert.deepEqual([take(86_400_000), take(2_000), take(3_000)], [true, true, false])
  assert.deepEqual([take(63_001), take(63_002), take(63_003)], [true, true, false])
})

test('what was counted by a clock that was years ahead stops nobody for years, in no process', async () => {
  const vault = await vaults.fresh(SQLITE)
  const other = await vaults.twin(vault)
  const [journal, twin] = [await journalOf(vault), await journalOf(other)]
  const window: CounterWindow = { kind: 'sliding', lengthMs: 60_000, partMs: 1_000 }
  const now = 1_795_000_000_000
  const at = (from: CallJournal, ms: number) => from.take([charge(2, { window })], epochMs(ms))
  const years = now + 94_608_000_000
  assert.ok('taken' in at(journal, years) && 'taken' in at(journal, years))
  const refused = at(journal, now)
  assert.ok('exceeded' in refused && refused.exceeded.resetsAt !== null)
  assert.equal(refused.exceeded.resetsAt, now + 61_000)
  await journal.ingest()
  assert.ok('exceeded' in at(twin, now + 60_000))
  assert.ok('taken' in at(twin, now + 61_000))
  assert.ok('taken' in at(journal, now + 61_000))
  assert.ok('exceeded' in at(journal, now + 61_001))
})
