// npm run torture [-- crash|fsync|children|counters] [--rounds N] [--redis] [--smoke]: what a test of seconds cannot show.
//   crash   kill -9 on two processes over one store, again and again (200 rounds)
//   fsync   every answer with a value comes after the fsync of the log that holds its intent, seen by strace
//   children servers are started and ended through the gateway, in every way (1,000 rounds), and none is left
//   counters 8 processes with 10,000 calls each against one limit of 5,000: exactly 5,000 pass, on every database and in Redis
//   --redis the counters in Redis alone
//   --smoke a short selection of all
import { parseArgs } from 'node:util'
import { monotonicMs } from '../../src/core/time.ts'
import { tortureChildren } from './children.ts'
import { tortureCounters } from './counters.ts'
import { tortureCrash } from './crash.ts'
import { tortureFsync } from './fsync.ts'
import type { Score } from './score.ts'

const ROUNDS = 200
const CHILDREN_ROUNDS = 1_000
const SMOKE_ROUNDS = 10

interface Asked {
  /** Null: as many as this torture has by itself. */
  readonly rounds: number | null
  readonly isSmoke: boolean
  readonly isRedisAlone: boolean
}

const TORTURES: Readonly<Record<string, (asked: Asked) => Promise<Score>>> = {
  crash: ({ rounds }) => tortureCrash(rounds ?? ROUNDS),
  fsync: ({ isSmoke }) => tortureFsync(isSmoke),
  counters: ({ isSmoke, isRedisAlone }) => tortureCounters(isSmoke, isRedisAlone),
  children: ({ rounds }) => tortureChildren(rounds ?? CHILDREN_ROUNDS),
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string' },
      redis: { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const names = positionals.length === 0 ? Object.keys(TORTURES) : positionals
  const given = values.rounds ?? (values.smoke ? SMOKE_ROUNDS : null)
  const rounds = given === null ? null : Number(given)
  const unknown = names.find((name) => !Object.hasOwn(TORTURES, name))
  const isCount = rounds === null || (Number.isSafeInteger(rounds) && rounds > 0)
  if (unknown !== undefined || !isCount) {
    print('npm run torture [-- crash|fsync|children|counters] [--rounds N] [--redis] [--smoke]')
    return 2
  }
  const total = { passed: 0, failed: 0 }
  for (const name of names) {
    const start = monotonicMs()
    const { passed, failures, figures } = await TORTURES[name]!({
      rounds,
      isSmoke: values.smoke,
      isRedisAlone: values.redis,
    })
    total.passed += passed
    total.failed += failures.length
    for (const failure of failures.slice(0, 20)) print(`  ✗ ${failure}`)
    const shown = { ...figures, seconds: Math.round((monotonicMs() - start) / 1000) }
    print(`${name}: ${JSON.stringify(shown)}`)
  }
  print(`${total.passed} passed, ${total.failed} failed`)
  return total.failed === 0 ? 0 : 1
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
