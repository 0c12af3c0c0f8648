// 8 processes with 10,000 calls each against one limit of 5,000, the same with some of them killed, and with the Redis
// that counts killed and started again.
import { type Counted, type Counting, countTogether } from '../support/counting.ts'
import { REDIS, startRedis, type TestRedis } from '../support/redis.ts'
import { POSTGRES, SQLITE, type VaultStore } from '../support/vault-stores.ts'
import type { Score } from './score.ts'

const FULL: Counting = { processes: 8, callsEach: 10_000, max: 5_000 }
const SMOKE: Counting = { processes: 4, callsEach: 500, max: 800 }
/** Calls that one process has under way. */
const UNDERWAY = 4

/** Where limits are counted. */
interface Place {
  readonly name: string
  readonly skip: false | string
  /** What counts there, for one run. */
  start(): Promise<{ readonly store: VaultStore; readonly server: TestRedis | null }>
}

const inStore = (store: VaultStore): Place => ({
  ...store,
  start: async () => ({ store, server: null }),
})

const IN_REDIS: Place = {
  name: 'redis',
  skip: REDIS.skip,
  async start() {
    const server = await startRedis({ isKept: true })
    return {
      server,
      store: { ...SQLITE, fresh: async () => ({ SALLYPORT_COUNTERS_URL: server.url }) },
    }
  },
}

/** @param isRedisAlone without it, every place */
export async function tortureCounters(isSmoke: boolean, isRedisAlone: boolean): Promise<Score> {
  const failures: string[] = []
  const figures: Record<string, number> = {}
  let passed = 0
  const how = isSmoke ? SMOKE : FULL
  const processes = how.processes / 4
  const after = Math.floor(how.max / 4)
  for (const place of isRedisAlone ? [IN_REDIS] : [inStore(SQLITE), inStore(POSTGRES), IN_REDIS]) {
    if (place.skip !== false) {
      failures.push(`${place.name}: ${place.skip}`)
      continue
    }
    const runs = ['', '_killed', ...(place === IN_REDIS ? ['_restarted'] : [])]
    for (const run of runs) {
      const { store, server } = await place.start()
      try {
        const found = await countTogether(store, {
          ...how,
          ...(run === '_killed' && { killed: { processes, after } }),
          ...(run === '_restarted' && { meanwhile: { after, disturb: () => restarted(server) } }),
        })
        const what = `${place.name}${run}`
        figures[`${what}_passed`] = found.passed
        const lost = run === '_killed' ? processes * UNDERWAY : 0
        const wrong = problemsOf(found, how.max, lost).map((one) => `${what}: ${one}`)
        if (wrong.length === 0) passed += 1
        failures.push(...wrong)
      } finally {
        await server?.stop()
      }
    }
  }
  return { passed, failures, figures }
}

/** With all that it answered: every write was on the disk before. */
async function restarted(server: TestRedis | null): Promise<void> {
  await server?.kill()
  await server?.start()
}

/** @param lost calls that may have been counted without anybody being told */
function problemsOf(found: Counted, max: number, lost: number): readonly string[] {
  const { passed, used, isSound, problems } = found
  return [
    ...problems,
    ...(used === max ? [] : [`${used} are counted, not ${max}`]),
    ...(passed <= max && passed >= max - lost ? [] : [`${passed} passed`]),
    ...(isSound ? [] : ['the audit does not verify']),
  ]
}
