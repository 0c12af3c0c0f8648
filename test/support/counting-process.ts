import { appendFileSync } from 'node:fs'
import { openCallRecord } from '../../src/app/open-gateway.ts'
import { AGENT, openTestVault } from './vault.ts'

// Calls against one limit, in a process of its own: `counting-process.ts HOME DATABASE CALLS MAX LOG`. Writes one line
// for each call that passed, at once, so that the log tells what passed also of a process that was killed.
const [home = '', database = '', calls = '1', max = '1', log = ''] = process.argv.slice(2)
const vault = await openTestVault({
  home,
  ...(database === '' ? {} : { env: { SALLYPORT_DATABASE_URL: database } }),
})
const record = await openCallRecord(vault)
const CALLERS = 4
const call = {
  caller: AGENT,
  server: 's',
  name: 't',
  isMethod: false,
  keys: [],
  revision: null,
  took: '',
  isDurable: false,
  shadow: null,
  act: null,
  charges: [
    {
      limit: {
        counter: 'c',
        window: 'month',
        max: Number(max),
        scale: 0,
        cost: { kind: 'fixed', units: 1 },
        scope: 'grant',
        algorithm: 'calendar',
        onDeny: null,
        name: null,
        pointer: '/limits/0',
      },
      counter: 'one counter',
      amount: 1,
      window: { kind: 'month' },
      max: Number(max),
      ruleText: '"/limits/0"',
      isShadow: false,
    },
  ],
} as const
process.stdout.write('ready\n')
let left = Number(calls)
await Promise.all(
  Array.from({ length: CALLERS }, async () => {
    while (left > 0) {
      left -= 1
      const passed = await record.pass(call)
      if ('taken' in passed) {
        appendFileSync(log, 'p')
        // One in three is cancelled, which keeps its charge, or answered.
        await record.settle(call, passed, left % 3 === 0 ? 'cancelled' : 'answered')
      }
    }
  }),
)
await vault.close()
