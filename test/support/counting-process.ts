import { appendFileSync } from 'node:fs'
import { openCallRecord } from '../../src/app/open-gateway.ts'
import { processEnvironment } from '../../src/core/config.ts'
import { isFault } from '../../src/core/faults.ts'
import { callOf, passing } from './journal-calls.ts'
import { openTestVault } from './vault.ts'

// Calls against one limit, in a process of its own: `counting-process.ts HOME CALLS MAX LOG`. Writes one character for
// each call that passed, at once, so that the log tells what passed also of a process that was killed.
const [home = '', calls = '1', max = '1', log = ''] = process.argv.slice(2)
const vault = await openTestVault({ home, env: processEnvironment() })
const record = await openCallRecord(vault)
const CALLERS = 4
const call = callOf(Number(max))

/** Null: the counters were away, so it was denied. */
async function passedNow() {
  try {
    return await passing(record, call)
  } catch (error) {
    if (isFault(error, 'COUNTERS_UNAVAILABLE')) return null
    throw error
  }
}
process.stdout.write('ready\n')
let left = Number(calls)
await Promise.all(
  Array.from({ length: CALLERS }, async () => {
    while (left > 0) {
      left -= 1
      const passed = await passedNow()
      if (passed !== null && 'taken' in passed) {
        appendFileSync(log, 'p')
        // One in three is cancelled, which keeps its charge, or answered.
        await record.settle(call.call, passed, left % 3 === 0 ? 'cancelled' : 'answered')
      }
    }
  }),
)
await vault.close()
