// Limits that Redis counts for the processes of a store: what passes, what is recorded, what people see and may do.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { after, afterEach, before, describe, test } from 'node:test'
import { gatewayStatus } from '../../src/app/gateway-status.ts'
import { acceptCounters } from '../../src/app/open-counters.ts'
import { openCallRecord } from '../../src/app/open-gateway.ts'
import { silentLog } from '../../src/core/log.ts'
import { epochMs } from '../../src/core/time.ts'
import { callOf, passing } from '../support/journal-calls.ts'
import { REDIS, startRedis, type TestRedis } from '../support/redis.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, type VaultStore } from '../support/vault-stores.ts'
import { startWrapped } from '../support/wrapped.ts'

describe('limits that Redis counts', { skip: REDIS.skip }, () => {
  const vaults = new OpenVaults()
  let server: TestRedis
  before(async () => {
    server = await startRedis()
  })
  afterEach(() => vaults.close(true))
  after(() => server.stop())

  const countedAt = (store: VaultStore, url = server.url): VaultStore => ({
    ...store,
    fresh: async () => ({ ...(await store.fresh()), SALLYPORT_COUNTERS_URL: url }),
    empty: async () => ({ ...(await store.empty()), SALLYPORT_COUNTERS_URL: url }),
  })
  const actionsOf = async ({ audit }: TestVault): Promise<readonly string[]> =>
    (await audit.query({ limit: 100 })).map(({ action, kind, body }) => {
      const { by } = JSON.parse(body) as { by?: string }
      return kind === 'refusal' ? `${action} refused by ${by}` : action
    })

  for (const store of [SQLITE, POSTGRES])
    test(`${store.name}: handles that share a store share a limit, and a refund is free again`, {
      skip: store.skip,
    }, async () => {
      const handles = await vaults.atOnce(countedAt(store), 3)
      const records = await Promise.all(handles.map((handle) => openCallRecord(handle)))
      const passed = (
        await Promise.all(
          records.map((record) =>
            Promise.all(Array.from({ length: 15 }, async () => passing(record, callOf(20)))),
          ),
        )
      ).flat()
      const [one, ...others] = passed.filter((each) => 'taken' in each)
      assert.ok(one !== undefined)
      assert.equal(others.length, 19)
      const [first, second] = records
      await second?.settle(callOf(20).call, one, 'refused-by-server')
      assert.ok('taken' in (await passing(first ?? assert.fail(), callOf(20))))
      assert.ok('exceeded' in (await passing(second ?? assert.fail(), callOf(20))))
      await first?.tidy()
      const [vault] = handles
      assert.ok(vault !== undefined)
      // Nothing is counted in the store itself.
      const rows = await vault.db.read((reader) => reader.all('select * from gateway_counters'))
      assert.deepEqual(rows, [])
      const { limits, limitsUnknown } = await gatewayStatus(vault, silentLog, AGENT, epochMs(0))
      assert.deepEqual(
        limits.map(({ server, counter, used }) => [server, counter, used]),
        [['s', 'c', 20]],
      )
      assert.equal(limitsUnknown, null)
    })

  test('who is frozen spends nothing', async () => {
    const vault = await vaults.fresh(countedAt(SQLITE))
    const record = await openCallRecord(vault)
    assert.ok('taken' in (await passing(record, callOf(2))))
    await vault.identity.freezes.freeze(PERSON, { kind: 'all' }, 'a test')
    await assert.rejects(async () => passing(record, callOf(2)), fault('ACCESS_DENIED', /frozen/))
    await vault.identity.freezes.lift(PERSON, { kind: 'all' })
    assert.ok('taken' in (await passing(record, callOf(2))))
    assert.ok('exceeded' in (await passing(record, callOf(2))))
  })

  test('what Redis lost denies, is recorded and shown, until the person accepts it', async () => {
    const own = await startRedis()
    try {
      const vault = await vaults.fresh(countedAt(SQLITE, own.url))
      const twin = await vaults.twin(vault)
      const [one, two] = [await openCallRecord(vault), await openCallRecord(twin)]
      await assert.rejects(acceptCounters(vault, PERSON), fault('CONFLICT', /is known to be lost/))
      assert.ok('taken' in (await passing(one, callOf(1))))
      await assert.rejects(acceptCounters(vault, PERSON), fault('CONFLICT'))
      await own.client().flushall()
      await assert.rejects(async () => passing(one, callOf(1)), fault('COUNTERS_LOST'))
      await assert.rejects(async () => passing(two, callOf(1)), fault('COUNTERS_LOST'))
      const { limits, limitsUnknown } = await gatewayStatus(vault, silentLog, AGENT, epochMs(0))
      assert.deepEqual(limits, [])
      assert.match(limitsUnknown ?? '', /not there any more.*sallyport counters accept/)
      assert.equal(await acceptCounters(twin, PERSON), `${own.url}?db=0`)
      assert.ok('taken' in (await passing(one, callOf(1))))
      assert.ok('exceeded' in (await passing(two, callOf(1))))
      const actions = await actionsOf(vault)
      for (const action of [
        'counters.begin',
        'counters.accept',
        'tool.call refused by COUNTERS_LOST',
      ])
        assert.ok(actions.includes(action), `${action} of ${actions.join()}`)
    } finally {
      await own.stop()
    }
  })

  test('a call without limits passes whether there is a Redis or not', async () => {
    const vault = await vaults.fresh(countedAt(SQLITE, 'unix:///nowhere/redis.sock'))
    const record = await openCallRecord(vault)
    assert.ok('taken' in (await passing(record, { ...callOf(1), charges: [] })))
    await assert.rejects(
      async () => passing(record, callOf(1)),
      fault(
        'COUNTERS_UNAVAILABLE',
        /^The counters at 'unix:\/\/\/nowhere\/redis\.sock\?db=0' can't/,
      ),
    )
    const actions = await actionsOf(vault)
    assert.ok(actions.includes('tool.call refused by COUNTERS_UNAVAILABLE'), actions.join())
    const { limitsUnknown } = await gatewayStatus(vault, silentLog, AGENT, epochMs(0))
    assert.match(limitsUnknown ?? '', /can't be reached/)
  })

  test('wrap: two processes share a limit, and status shows what is used of it', async () => {
    const { home, remove } = await temporaryHome()
    const env = { SALLYPORT_COUNTERS_URL: server.url }
    try {
      const policy = `${home}/policy.json`
      const limits = [{ counter: 'echoes', window: 'day', max: 3 }]
      const tools = { echo: { limits } }
      writeFileSync(policy, JSON.stringify({ version: '1', default: 'deny', tools }))
      const flags = ['--policy', policy]
      const [one, two] = [startWrapped(home, { flags, env }), startWrapped(home, { flags, env })]
      const said: string[] = []
      for (const [id, wrapped] of [one, two, one, two].entries()) {
        const { result } = await wrapped.call(id, 'echo', { text: 'x' })
        said.push(result?.isError === true ? (result.content?.[0]?.text ?? '') : 'passed')
      }
      assert.deepEqual(said.slice(0, 3), ['passed', 'passed', 'passed'])
      assert.match(said[3] ?? '', /^\[POLICY DENIED\]/)
      await Promise.all([one.end(), two.end()])
      const shown = (command: string, more: Record<string, string> = {}) =>
        spawnSync(process.execPath, [LAUNCHER, command, '--json'], {
          encoding: 'utf8',
          env: { ...homeEnvironment(home), ...env, ...more },
        })
      const status = JSON.parse(shown('status').stdout) as {
        limits: readonly { counter: string; used: number }[]
        limits_unknown: string | null
      }
      assert.deepEqual(
        status.limits.map(({ counter, used }) => [counter, used]),
        [['echoes', 3]],
      )
      const checks = JSON.parse(shown('doctor').stdout) as {
        checks: readonly { name: string; state: string; found: string; cure: string | null }[]
      }
      assert.deepEqual(
        checks.checks.filter(({ name }) => name === 'counters'),
        [
          {
            name: 'counters',
            state: 'warn',
            found: `${server.url}?db=0 forgets when it is started anew, and then calls with limits are denied`,
            cure: 'set appendonly yes and appendfsync always there',
          },
        ],
      )
      const wrong = shown('status', { SALLYPORT_COUNTERS_URL: 'http://user:canary@localhost' })
      assert.match(wrong.stderr, /SALLYPORT_COUNTERS_URL must begin with redis:\/\//)
      assert.doesNotMatch(wrong.stderr, /canary/)
    } finally {
      await remove()
    }
  })
})
