import { systemClock } from '../../src/core/time.ts'
import { act } from './approvals.ts'
import { AGENT, openTestVault } from './vault.ts'

// A process of its own: `approval-process.ts HOME COUNT`. Says `ready` once its store is open, consumes COUNT times at
// once when a line comes on standard input, and says how often it was granted.
const [home = '', count = '1'] = process.argv.slice(2)
const vault = await openTestVault({ home, clock: systemClock })
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
const consumptions = await Promise.all(
  Array.from({ length: Number(count) }, () => vault.approvals.approvals.consume(AGENT, act())),
)
const granted = consumptions.filter(({ outcome }) => outcome === 'granted').length
process.stdout.write(`granted ${granted}\n`)
await vault.close()
process.exit(0)
