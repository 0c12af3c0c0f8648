import { isFault } from '../../src/core/faults.ts'
import { callerBy } from './registered.ts'
import { openTestVault } from './vault.ts'

// Agents that read as much as they may, in a process of their own: `quota-process.ts HOME DATABASE TIMES KEY…`.
// Says how many values came out, and every fault that was none of a quota.
const [home = '', database = '', times = '1', ...keys] = process.argv.slice(2)
const vault = await openTestVault({
  home,
  ...(database === '' ? {} : { env: { SALLYPORT_DATABASE_URL: database } }),
})
const callers = await Promise.all(keys.map((key) => callerBy(vault, key)))
let values = 0
const others: string[] = []
await Promise.all(
  callers.map(async (caller) => {
    for (let i = 0; i < Number(times); i += 1)
      try {
        const { value } = await vault.vault.get(caller, 'default', 'config/db')
        if (value.reveal() !== 'the value') others.push('another value')
        values += 1
      } catch (error) {
        if (!isFault(error, 'QUOTA_EXHAUSTED')) others.push(String(error))
      }
  }),
)
await vault.close()
process.stdout.write(JSON.stringify({ values, others }))
