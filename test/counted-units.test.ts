// What a journal counted in several units, and what the rows of the store say of it to whoever opens it next.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { CallJournal } from '../src/audit/index.ts'
import { unitOf } from '../src/core/counter-units.ts'
import { epochMs } from '../src/core/time.ts'
import type { TestVault } from './support/vault.ts'
import { OpenVaults, SQLITE } from './support/vault-stores.ts'

const vaults = new OpenVaults()
afterEach(() => vaults.close(false))

/** Later than anything that the journal of a new store holds. */
const NOON = epochMs(Date.UTC(2096, 10, 20, 12))
const WHOLE = '["s","c","grant","me",60,"sliding"]'
const TENTHS = '["s","c","grant","me",60,"sliding",1]'
const CENTS = '["s","c","grant","me",60,"sliding",2]'

const takes = (journal: CallJournal, counter: string, amount: number, afterMs = 0): boolean =>
  'taken' in
  journal.take(
    [
      {
        counter,
        window: { kind: 'sliding', lengthMs: 60_000, partMs: 1_000 },
        amount,
        max: 10 * 10 ** unitOf(counter).scale,
        isShadow: false,
        ruleText: '"/limits/0"',
      },
    ],
    epochMs(NOON + afterMs),
  )

async function journalOf(vault: TestVault): Promise<CallJournal> {
  return (await vault.journal.opened()) ?? assert.fail('there is no journal')
}

test('who opens the journal counts on in the finest unit, before and after it is in the store', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  assert.ok(takes(journal, WHOLE, 3))
  await journal.ingest()
  assert.ok(takes(journal, CENTS, 125, 1_000))
  const early = await journalOf(await vaults.twin(vault))
  await journal.ingest()
  const late = await journalOf(await vaults.twin(vault))
  for (const one of [journal, early, late]) {
    assert.ok(!takes(one, CENTS, 576, 2_000))
    assert.ok(!takes(one, WHOLE, 6, 2_000))
  }
  assert.ok(takes(late, WHOLE, 5, 2_000))
  assert.ok(takes(early, CENTS, 75, 2_000))
  await early.ingest()
  const last = await journalOf(await vaults.twin(vault))
  for (const one of [journal, early, late, last]) assert.ok(!takes(one, CENTS, 1, 2_000))
  // All of it has ended but what was counted last.
  assert.ok(takes(last, WHOLE, 4, 62_500))
  assert.ok(!takes(journal, CENTS, 26, 62_500))
  assert.ok(takes(early, CENTS, 25, 62_500))
})

test('what an earlier version counted apart counts together, once', async () => {
  const vault = await vaults.fresh(SQLITE)
  const endsAt = NOON + 60_000
  for (const [counter, used] of [
    [WHOLE, 3],
    [CENTS, 125],
  ] as const)
    await vault.db.write((tx) =>
      tx.run('insert into gateway_counters (counter, bucket, used, ends_at) values (?, ?, ?, ?)', [
        counter,
        NOON,
        used,
        endsAt,
      ]),
    )
  const journal = await journalOf(await vaults.twin(vault))
  assert.ok(!takes(journal, CENTS, 576))
  assert.ok(takes(journal, CENTS, 75))
  await journal.ingest()
  const next = await journalOf(await vaults.twin(vault))
  assert.ok(!takes(next, WHOLE, 6))
  assert.ok(takes(next, WHOLE, 5))
  assert.ok(!takes(journal, CENTS, 1))
})

test('what was counted in other units ends with a clock that is put right, for whoever reads it later too', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  assert.ok(takes(journal, TENTHS, 30))
  await journal.ingest()
  assert.ok(takes(journal, CENTS, 125, 1_000))
  await journal.ingest()
  assert.ok(takes(journal, CENTS, 25, -20_000))
  await journal.ingest()
  const next = await journalOf(await vaults.twin(vault))
  for (const one of [journal, next]) assert.ok(!takes(one, TENTHS, 60, 40_000))
  assert.ok(takes(next, TENTHS, 100, 45_000))
  assert.ok(!takes(journal, CENTS, 1, 45_000))
})
