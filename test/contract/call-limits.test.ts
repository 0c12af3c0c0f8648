// Limits on calls of tools, on both databases, from several handles at once.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { openCallRecord } from '../../src/app/open-gateway.ts'
import type { CallRecord, PassedCall } from '../../src/gateway/call-record.ts'
import { callOf, passing } from '../support/journal-calls.ts'
import { query, startPostgres } from '../support/postgres.ts'
import type { TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const vaults = new OpenVaults()
afterEach(() => vaults.close(true))

for (const store of [SQLITE, POSTGRES]) {
  test(`${store.name}: handles that share a store share a limit to the call`, {
    skip: store.skip,
  }, async () => {
    const handles = await vaults.atOnce(store, 3)
    const passed = await Promise.all(
      handles.map(async (handle) => {
        const record = await openCallRecord(handle)
        return Promise.all(Array.from({ length: 40 }, async () => passing(record, callOf(50))))
      }),
    )
    assert.equal(passed.flat().filter((one) => 'taken' in one).length, 50)
  })

  test(`${store.name}: a count survives its process, and what was refunded is free again`, {
    skip: store.skip,
  }, async () => {
    const first = await vaults.fresh(store)
    const record = await openCallRecord(first)
    const one = await passing(record, callOf(2))
    assert.ok('taken' in one)
    assert.ok('taken' in (await passing(record, callOf(2))))
    const second = await vaults.twin(first)
    await vaults.shut(first)
    const other = await openCallRecord(second)
    assert.ok('exceeded' in (await passing(other, callOf(2))))
    await other.settle(callOf(2).call, one, 'refused-by-server')
    assert.ok('taken' in (await passing(other, callOf(2))))
    await other.tidy()
    assert.ok('exceeded' in (await passing(other, callOf(2))))
  })
}

async function passed(record: CallRecord): Promise<PassedCall> {
  const one = await passing(record, callOf(50))
  return 'taken' in one ? one : assert.fail('the limit is reached')
}

async function usedOf(vault: TestVault): Promise<unknown> {
  const [row] = await vault.db.read((reader) => reader.all('select used from gateway_counters'))
  return row?.['used']
}

/** How the calls ended that are recorded, the first ones first. */
async function endsOf(vault: TestVault): Promise<readonly unknown[]> {
  await vault.ledger.flush()
  const calls = await vault.audit.query({ action: 'tool.call' })
  return calls.map(({ outcome }) => outcome).toReversed()
}

test('postgres: what passed is counted and recorded when the database crashes right after', {
  skip: POSTGRES.skip,
}, async () => {
  const server = await startPostgres()
  try {
    const vault = await vaults.fresh({
      ...POSTGRES,
      fresh: async () => ({ SALLYPORT_DATABASE_URL: server.url }),
    })
    const record = await openCallRecord(vault)
    const first = await passed(record)
    const second = await passed(record)
    await server.crash()
    assert.equal(await usedOf(vault), 2)
    await record.settle(callOf(50).call, first, 'refused-by-server')
    assert.equal(await usedOf(vault), 1)
    await record.settle(callOf(50).call, second, 'answered')
    assert.deepEqual(await endsOf(vault), ['refused-by-server', 'answered'])
    await vaults.close(true)
  } finally {
    await server.stop()
  }
})

test('postgres: what a database lost that fell back is neither given back nor ended where others stand', {
  skip: POSTGRES.skip,
}, async () => {
  const vault = await vaults.fresh(POSTGRES)
  const url = String(vault.settings.databaseUrl)
  const record = await openCallRecord(vault)
  const kept = await passed(record)
  await vault.ledger.flush()
  for (const table of ['audit_tree', 'gateway_counters'])
    await query(url, `create table was_${table} as select * from ${table}`)
  const lost = [await passed(record), await passed(record)]
  await query(url, 'delete from audit_records where seq > (select size from was_audit_tree)')
  for (const table of ['audit_tree', 'gateway_counters']) {
    await query(url, `delete from ${table}`)
    await query(url, `insert into ${table} select * from was_${table}`)
  }
  // What comes now stands at the numbers of what was lost.
  const others = [await passed(record), await passed(record)]
  assert.deepEqual(
    others.map(({ ref }) => ref),
    lost.map(({ ref }) => ref),
  )
  assert.equal(await usedOf(vault), 3)
  for (const one of lost) await record.settle(callOf(50).call, one, 'refused-by-server')
  await record.settle(callOf(50).call, kept, 'answered')
  assert.equal(await usedOf(vault), 3)
  assert.deepEqual(await endsOf(vault), ['answered', null, null])
  for (const one of others) await record.settle(callOf(50).call, one, 'refused-by-server')
  assert.equal(await usedOf(vault), 1)
  assert.deepEqual(await endsOf(vault), ['answered', 'refused-by-server', 'refused-by-server'])
  await vaults.close(false)
})
