import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AgentId } from '../core/ids.ts'
import type { Access, Caller } from '../core/principals.ts'
import { RateLimits, rateHeaders } from './rate-limits.ts'

function caller(agent: string, token: string): Caller {
  const access: Access = {
    credential: { kind: 'token', id: token },
    scopes: null,
    vaultIds: null,
    expiresAt: null,
    address: null,
  }
  return {
    principal: { kind: 'registered-agent', id: agent as AgentId },
    channel: 'http',
    access,
  }
}

test('so many at once, so many a second, and then the seconds to wait', () => {
  let now = 0
  const limits = new RateLimits({
    address: { burst: 3, perSecond: 0.5 },
    token: null,
    principal: null,
    clock: () => now,
  })
  const take = () => limits.ofAddress('192.0.2.1')
  assert.deepEqual(take(), {
    isAllowed: true,
    limit: 3,
    remaining: 2,
    resetSeconds: 2,
    retryAfterSeconds: 0,
  })
  take()
  assert.equal(take()?.isAllowed, true)
  const refused = take()
  assert.ok(refused !== null)
  assert.deepEqual(rateHeaders(refused), {
    'RateLimit-Limit': '3',
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': '6',
    'Retry-After': '2',
  })
  assert.equal(limits.ofAddress('192.0.2.2')?.isAllowed, true)
  now = 1_999
  assert.equal(take()?.isAllowed, false)
  now = 2_000
  assert.equal(take()?.isAllowed, true)
  assert.equal(take()?.isAllowed, false)
  now = 1_000_000
  assert.equal(take()?.remaining, 2)
})

test('tokens of one agent have their own limits and share the limit of the agent', () => {
  const limits = new RateLimits({
    address: null,
    token: { burst: 2, perSecond: 1 },
    principal: { burst: 3, perSecond: 1 },
    clock: () => 0,
  })
  assert.equal(limits.ofAddress('192.0.2.1'), null)
  const allowed = (agent: string, token: string) => limits.ofCaller(caller(agent, token))?.isAllowed
  assert.equal(allowed('a', 't1'), true)
  assert.equal(allowed('a', 't1'), true)
  assert.equal(allowed('a', 't1'), false)
  assert.equal(allowed('a', 't2'), false)
  assert.equal(allowed('b', 't3'), true)
})

test('what nobody uses any more makes room', () => {
  let now = 0
  const limits = new RateLimits({
    address: { burst: 1, perSecond: 1 },
    token: null,
    principal: null,
    clock: () => now,
  })
  for (let i = 0; i < 50_000; i += 1) limits.ofAddress(`address ${i}`)
  assert.equal(limits.ofAddress('address 49999')?.isAllowed, false)
  limits.ofAddress('one more')
  assert.equal(limits.ofAddress('address 49999')?.isAllowed, false)
  now = 10_000
  limits.ofAddress('another')
  assert.equal(limits.ofAddress('address 49999')?.isAllowed, true)
})
