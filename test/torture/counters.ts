// 8 processes with 10,000 calls each against one limit of 5,000, and the same with some of them killed.
import { type Counted, type Counting, countTogether } from '../support/counting.ts'
import { POSTGRES, SQLITE } from '../support/vault-stores.ts'
import type { Score } from './score.ts'

const FULL: Counting = { processes: 8, callsEach: 10_000, max: 5_000 }
const SMOKE: Counting = { processes: 4, callsEach: 500, max: 800 }
/** Calls that one process has under way. */
const UNDERWAY = 4

export async function tortureCounters(isSmoke: boolean): Promise<Score> {
  const failures: string[] = []
  const figures: Record<string, number> = {}
  let passed = 0
  for (const store of [SQLITE, POSTGRES]) {
    if (store.skip !== false) {
      failures.push(`${store.name}: ${store.skip}`)
      continue
    }
    const how = isSmoke ? SMOKE : FULL
    const processes = how.processes / 4
    const killed = { processes, after: Math.floor(how.max / 4) }
    for (const [what, counting, lost] of [
      ['', how, 0],
      ['_killed', { ...how, killed }, processes * UNDERWAY],
    ] as const) {
      const found = await countTogether(store, counting)
      figures[`${store.name}${what}_passed`] = found.passed
      const wrong = problemsOf(found, how.max, lost).map((one) => `${store.name}${what}: ${one}`)
      if (wrong.length === 0) passed += 1
      failures.push(...wrong)
    }
  }
  return { passed, failures, figures }
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
