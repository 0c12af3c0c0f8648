// Limits on calls of tools, on both databases, from several handles at once.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { openCallRecord } from '../../src/app/open-gateway.ts'
import { limitCharge } from '../../src/gateway/limit-charge.ts'
import type { ToolLimit } from '../../src/policy/tool-policy/index.ts'
import { AGENT } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const vaults = new OpenVaults()
afterEach(() => vaults.close(true))

const limit = (max: number): ToolLimit => ({
  counter: 'c',
  window: 'month',
  max,
  scope: 'grant',
  algorithm: 'calendar',
  scale: 0,
  cost: { kind: 'fixed', units: 1 },
  onDeny: null,
  name: null,
  pointer: '/tools/t/limits/0',
})
const call = (max: number) => ({
  caller: AGENT,
  server: 's',
  name: 't',
  isMethod: false,
  keys: [],
  revision: null,
  took: '',
  isDurable: false,
  shadow: null,
  act: null,
  charges: [limitCharge({ limit: limit(max), amount: 1, isShadow: false }, 's', 'me')],
})

for (const store of [SQLITE, POSTGRES]) {
  test(`${store.name}: handles that share a store share a limit to the call`, {
    skip: store.skip,
  }, async () => {
    const handles = await vaults.atOnce(store, 3)
    const passed = await Promise.all(
      handles.map(async (handle) => {
        const record = await openCallRecord(handle)
        return Promise.all(Array.from({ length: 40 }, async () => record.pass(call(50))))
      }),
    )
    assert.equal(passed.flat().filter((one) => 'taken' in one).length, 50)
  })

  test(`${store.name}: a count survives its process, and what was refunded is free again`, {
    skip: store.skip,
  }, async () => {
    const first = await vaults.fresh(store)
    const record = await openCallRecord(first)
    const one = await record.pass(call(2))
    assert.ok('taken' in one)
    assert.ok('taken' in (await record.pass(call(2))))
    const second = await vaults.twin(first)
    await vaults.shut(first)
    const other = await openCallRecord(second)
    assert.ok('exceeded' in (await other.pass(call(2))))
    await other.settle(call(2), one, 'refused-by-server')
    assert.ok('taken' in (await other.pass(call(2))))
    await other.tidy()
    assert.ok('exceeded' in (await other.pass(call(2))))
  })
}
