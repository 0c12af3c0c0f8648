import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault, type FaultCode } from '../core/faults.ts'
import { problemOf } from './problem.ts'

test('what is wrong inside the server names none of its files and addresses', () => {
  const rows: readonly [code: FaultCode, message: string, status: number][] = [
    ['STORE_UNAVAILABLE', "The PostgreSQL store at '10.0.0.7:5432/vault' can't be reached.", 503],
    ['STORE_CORRUPT', "The store '/var/lib/vault/vault.db' is damaged.", 500],
    ['STORE_NEWER', "Step 7 of '/var/lib/vault/vault.db' is not known.", 500],
    ['STORE_TAMPERED', "The store '/var/lib/vault/vault.db' is gone.", 500],
    ['KEY_SOURCE_UNAVAILABLE', "'/etc/vault/keys/a.key' can't be read.", 503],
    ['KEY_INVALID', "'/etc/vault/keys/a.key' is not a key.", 500],
    ['AUDIT_UNAVAILABLE', "The sink at '/var/log/vault' is full.", 503],
    ['INTERNAL', 'Something failed inside Sallyport.', 500],
  ]
  for (const [code, message, status] of rows) {
    const remedy = 'look into /var/lib/vault at 10.0.0.7'
    const fault = new Fault(code, message, { details: code === 'INTERNAL' ? {} : { remedy } })
    const problem = problemOf(fault, 'request-1', false)
    assert.deepEqual([problem.status, problem.code], [status, code])
    assert.equal(/vault\.db|10\.0\.0\.7|\/(?:var|etc)\//.test(JSON.stringify(problem)), false, code)
  }
})

test('what the caller did wrong is said in full, with its cure', () => {
  const fault = new Fault('BAD_INPUT', "name: 'a b' has a space.", {
    details: { field: 'name', remedy: 'write a-b' },
  })
  assert.deepEqual(problemOf(fault, 'request-1', false), {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: "name: 'a b' has a space.",
    code: 'BAD_INPUT',
    help: 'write a-b',
    request_id: 'request-1',
    field: 'name',
  })
})
