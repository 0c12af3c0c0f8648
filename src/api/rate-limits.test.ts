import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { AgentId } from '../core/ids.ts'
import type { Access, Caller } from '../core/principals.ts'
import { epochMs } from '../core/time.ts'
import { openRates, openSqlite } from '../store/index.ts'
import { type RateLimitSettings, RateLimits, rateHeaders } from './rate-limits.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-limits-'))
const db = await openSqlite({ file: join(folder, 'main.db') })
let now = 1_700_000_000_000
const { rates, close } = openRates(db, join(folder, 'rates.db'), () => epochMs(now))
after(async () => {
  await close()
  await db.close()
  rmSync(folder, { recursive: true, force: true })
})

function limitsOf(settings: Partial<RateLimitSettings>): RateLimits {
  return new RateLimits({ address: null, token: null, principal: null, rates, ...settings })
}

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

test('so many at once, so many a second, and then the seconds to wait', async () => {
  const limits = limitsOf({ address: { burst: 3, perSecond: 0.5 } })
  const take = () => limits.ofAddress('192.0.2.1')
  const first = await take()
  assert.deepEqual(first, {
    isAllowed: true,
    limit: 3,
    remaining: 2,
    resetSeconds: 2,
    retryAfterSeconds: 0,
  })
  await take()
  assert.equal((await take())?.isAllowed, true)
  const refused = await take()
  assert.ok(refused !== null)
  assert.deepEqual(rateHeaders(refused), {
    'RateLimit-Limit': '3',
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': '6',
    'Retry-After': '2',
  })
  assert.equal((await limits.ofAddress('192.0.2.2'))?.isAllowed, true)
  now += 1_999
  assert.equal((await take())?.isAllowed, false)
  now += 1
  assert.equal((await take())?.isAllowed, true)
  assert.equal((await take())?.isAllowed, false)
  now += 998_000
  assert.equal((await take())?.remaining, 2)
})

test('tokens of one agent have their own limits and share the limit of the agent', async () => {
  const limits = limitsOf({
    token: { burst: 2, perSecond: 1 },
    principal: { burst: 3, perSecond: 1 },
  })
  assert.equal(await limits.ofAddress('192.0.2.1'), null)
  const allowed = async (agent: string, token: string) =>
    (await limits.ofCaller(caller(agent, token)))?.isAllowed
  assert.equal(await allowed('a', 't1'), true)
  assert.equal(await allowed('a', 't1'), true)
  assert.equal(await allowed('a', 't1'), false)
  assert.equal(await allowed('a', 't2'), false)
  assert.equal(await allowed('b', 't3'), true)
})
