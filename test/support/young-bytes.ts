// Prints the bytes for what is young, of a process with the settings of a gateway, in which for a while a tenth of what
// is made outlives the next collection.
import { getHeapSpaceStatistics } from 'node:v8'
import { keepYoung } from '../../src/app/young-memory.ts'

keepYoung()
let held: object[] = []
for (let turn = 0; turn < 400; turn += 1) {
  for (let n = 0; n < 10_000; n += 1) {
    const made = { turn, list: [n, n, n], more: { half: n / 2 } }
    if (n % 10 === 0) held.push(made)
  }
  if (held.length > 100_000) held = []
  await new Promise(setImmediate)
}
const young = getHeapSpaceStatistics().find((one) => one.space_name === 'new_space')
process.stdout.write(`${young?.space_size}\n`)
