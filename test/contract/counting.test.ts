// A limit on calls is one for all processes, to the call, also when some are killed in the middle.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { countTogether } from '../support/counting.ts'
import { REDIS, startRedis, type TestRedis } from '../support/redis.ts'
import { POSTGRES, SQLITE, type VaultStore } from '../support/vault-stores.ts'

let redis: Promise<TestRedis> | undefined
after(async () => (await redis)?.stop())

/** Each run has a store of its own, and so counters of its own. */
const IN_REDIS: Pick<VaultStore, 'skip' | 'fresh'> & { readonly name: string } = {
  name: 'redis',
  skip: REDIS.skip,
  async fresh() {
    redis ??= startRedis()
    return { SALLYPORT_COUNTERS_URL: (await redis).url }
  },
}

for (const store of [SQLITE, POSTGRES, IN_REDIS]) {
  test(`${store.name}: of many processes exactly as many calls pass as the limit says`, {
    skip: store.skip,
  }, async () => {
    const found = await countTogether(store, { processes: 3, callsEach: 150, max: 200 })
    assert.deepEqual(found, { passed: 200, used: 200, isSound: true, problems: [] })
  })

  test(`${store.name}: processes that are killed in the middle lose no charge`, {
    skip: store.skip,
  }, async () => {
    const killed = { processes: 1, after: 60 }
    const { passed, used, isSound, problems } = await countTogether(store, {
      processes: 3,
      callsEach: 300,
      max: 250,
      killed,
    })
    assert.deepEqual([used, isSound, problems], [250, true, []])
    // What was under way in the one that was killed was counted, and nobody was told.
    assert.ok(passed <= 250 && passed >= 250 - 4, String(passed))
  })
}
