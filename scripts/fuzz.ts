// npm run fuzz -- wire [FRAMES] [SEED]: bent frames through the reader, held against other readers.
import { monotonicMs } from '../src/core/time.ts'
import { disagreement } from '../test/support/disagreements.ts'
import { mutatedFrame, randomFrom } from '../test/support/mutated-frames.ts'

const [what, frames = '1000000', seed = '1'] = process.argv.slice(2)
if (what !== 'wire') {
  process.stderr.write('npm run fuzz -- wire [FRAMES] [SEED]\n')
  process.exit(2)
}
const random = randomFrom(Number(seed))
const begun = monotonicMs()
let found = 0
for (let made = 0; made < Number(frames) && found < 10; made += 1) {
  const frame = mutatedFrame(random)
  const name = disagreement(frame)
  if (name === null) continue
  found += 1
  process.stdout.write(`${name}: ${JSON.stringify(frame)}\n`)
}
const seconds = ((monotonicMs() - begun) / 1000).toFixed(1)
process.stdout.write(`${frames} frames in ${seconds} s, ${found} read in two ways\n`)
process.exitCode = found === 0 ? 0 : 1
