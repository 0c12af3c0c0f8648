import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '../../src/core/time.ts'
import { registerAgent } from '../support/api.ts'
import { servedStores } from '../support/served-stores.ts'
import { fault, POSTGRES, race, SQLITE, secret } from '../support/vault-stores.ts'

const PROCESS = fileURLToPath(new URL('../support/rate-process.ts', import.meta.url))

for (const store of [SQLITE, POSTGRES])
  describe(`rate limits on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const served = servedStores(store)
    const { open } = served

    test('64 callers in two processes at a limit of 100: exactly 100 pass', async () => {
      const env = await store.fresh()
      const vault = await open.fresh({ ...store, fresh: async () => env })
      const database = env['SALLYPORT_DATABASE_URL'] ?? ''
      const answers = await Promise.all(
        [1, 2].map(async () => {
          const args = [PROCESS, vault.home, database, '32', '20']
          const { stdout } = await promisify(execFile)(process.execPath, args)
          return JSON.parse(stdout) as { passed: number }
        }),
      )
      assert.equal(
        answers.reduce((sum, { passed }) => sum + passed, 0),
        100,
      )
    })

    test('two servers over one store answer an agent as often as one would', async () => {
      // The clock stands, so that nothing comes back meanwhile.
      const at = systemClock()
      const first = await open.fresh(store, () => at)
      const second = await open.twin(first, () => at)
      const limits = { address: null, token: null, agent: 50 }
      const serving = await Promise.all(
        [first, second].map((vault) => served.serve(vault, { limits, clock: () => at })),
      )
      const { key } = await registerAgent(first, [['**', ['list']]])
      const statuses: number[] = []
      await Promise.all(
        Array.from({ length: 64 }, async (_, i) => {
          for (let n = 0; n < 3; n += 1) {
            const api = serving[i % 2]
            const reply = await api?.ask('/v1/vaults', { bearer: key })
            statuses.push(reply?.status ?? 0)
          }
        }),
      )
      assert.equal(statuses.filter((status) => status === 200).length, 100)
      assert.equal(statuses.filter((status) => status === 429).length, 92)
    })

    test('tries at a share count together, whichever process they come to', async () => {
      const first = await open.fresh(store)
      const second = await open.twin(first)
      const id = '00000000-0000-4000-8000-000000000000'
      const from = { address: '203.0.113.9', channel: 'http' } as const
      const { faults } = await race(
        Array.from({ length: 40 }, (_, i) =>
          (i % 2 === 0 ? first : second).sharing.shares.open(id, secret('x'), from),
        ),
      )
      // A token comes back every two seconds.
      const passed = faults.filter((code) => code === 'NOT_FOUND').length
      assert.ok(passed === 30 || passed === 31, faults.join(' '))
      assert.equal(faults.length, 40)
      await assert.rejects(
        second.sharing.shares.open(id, secret('x'), from),
        fault('THROTTLED', /^Too many attempts; try again in \d+ s\.$/),
      )
    })
  })
