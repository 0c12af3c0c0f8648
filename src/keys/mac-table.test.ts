import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { RowMac } from '../crypto/index.ts'
import { MacTable } from './mac-table-repository.ts'

interface Row {
  readonly id: string
  readonly revision: number
  readonly asks: string | null
  readonly also: string | null
}

const key = randomBytes(32)
const columns = ['id', 'revision', 'asks', 'also'] as const
/** As another process has it: nothing is remembered of what was signed here. */
const today = () => new MacTable<Row>(new RowMac(key), 'rows', columns, ['id'], ['asks', 'also'])

test('MacTable: rows that are older than a column verify, with nothing in it', () => {
  const mac = new RowMac(key).sign('rows', 'a', ['a', 1])
  const row = { id: 'a', revision: 1, asks: null, also: null }
  assert.equal(today().isValid({ ...row, mac }), true)
  assert.equal(today().isValid({ ...row, asks: 'one', mac }), false)
})

test('MacTable: what a later column holds is not taken out, changed or moved to another', () => {
  const row = { id: 'a', revision: 1, asks: 'one', also: null }
  const mac = new RowMac(key).sign('rows', 'a', ['a', 1, 'asks', 'one'])
  assert.equal(today().isValid({ ...row, mac }), true)
  for (const change of [{ asks: null }, { asks: 'two' }, { asks: null, also: 'one' }])
    assert.equal(today().isValid({ ...row, ...change, mac }), false)
})
