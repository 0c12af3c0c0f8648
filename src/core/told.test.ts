import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault, type FaultCode } from './faults.ts'
import type { AgentId } from './ids.ts'
import { LOCAL_PERSON, localAgent, type Principal } from './principals.ts'
import { toldTo } from './told.ts'

const ELSEWHERE: Principal = {
  kind: 'registered-agent',
  id: '11111111-1111-4111-8111-111111111111' as AgentId,
}
const OURS: readonly FaultCode[] = [
  'STORE_UNAVAILABLE',
  'STORE_CORRUPT',
  'STORE_NEWER',
  'STORE_TAMPERED',
  'KEY_SOURCE_UNAVAILABLE',
  'KEY_INVALID',
  'AUDIT_UNAVAILABLE',
]

for (const code of OURS)
  test(`${code} names the place to who is at this machine, and to nobody else`, () => {
    const details = { file: '/var/lib/vault.db', remedy: 'look into /var/lib' }
    const fault = new Fault(code, "'/var/lib/vault.db' is gone.", { details })
    for (const principal of [ELSEWHERE, null, { kind: 'guest', id: 'x' } as const])
      assert.doesNotMatch(JSON.stringify(toldTo(fault, principal)), /vault\.db|var/)
    for (const principal of [LOCAL_PERSON, localAgent('/home/p')])
      assert.deepEqual(toldTo(fault, principal), {
        message: "'/var/lib/vault.db' is gone.",
        cure: 'look into /var/lib',
        details,
      })
  })

test('what the caller did wrong is told to everybody in full', () => {
  const fault = new Fault('BAD_INPUT', "name: 'a b' has a space.", { details: { field: 'name' } })
  assert.deepEqual(toldTo(fault, ELSEWHERE), {
    message: "name: 'a b' has a space.",
    cure: 'correct the named field and try again',
    details: { field: 'name' },
  })
})

test('what nobody foresaw is told to nobody', () => {
  const { message } = toldTo(new Error('open /var/lib/vault.db'), LOCAL_PERSON)
  assert.equal(message, 'Something failed inside Sallyport.')
})
