// Prints the bytes for what is young, of a process with the settings of a gateway: after a while in which a tenth of what
// is made outlives the next collection, after V8 gave back what it could, and after such a while again.
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { keepYoung } from '../../src/app/young-memory.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (how: object) => void

const room = (): number =>
  getHeapSpaceStatistics().find((one) => one.space_name === 'new_space')?.space_size ?? 0

async function work(): Promise<void> {
  let held: object[] = []
  for (let turn = 0; turn < 400; turn += 1) {
    for (let n = 0; n < 10_000; n += 1) {
      const made = { turn, list: [n, n, n], more: { half: n / 2 } }
      if (n % 10 === 0) held.push(made)
    }
    if (held.length > 100_000) held = []
    await new Promise(setImmediate)
  }
}

keepYoung()
await work()
const grown = room()
collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
await sleep(50)
const least = room()
await work()
process.stdout.write(JSON.stringify({ grown, least, again: room() }))
