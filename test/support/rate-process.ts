import { openTestVault } from './vault.ts'

// Callers that ask as often as they may, in a process of their own: `rate-process.ts HOME DATABASE CALLERS TIMES`.
// Says how many passed.
const [home = '', database = '', callers = '1', times = '1'] = process.argv.slice(2)
const vault = await openTestVault({
  home,
  ...(database === '' ? {} : { env: { SALLYPORT_DATABASE_URL: database } }),
})
let passed = 0
await Promise.all(
  Array.from({ length: Number(callers) }, async () => {
    for (let i = 0; i < Number(times); i += 1) {
      const { isAllowed } = await vault.rates.take('test', { burst: 100, perSecond: 0.0001 })
      if (isAllowed) passed += 1
    }
  }),
)
await vault.close()
process.stdout.write(JSON.stringify({ passed }))
