// npm run fuzz -- wire [FRAMES] [SEED]: bent frames through the reader, held against other readers.
// npm run fuzz -- api [REQUESTS] [SEED]: bent requests to the API: none may be answered by a failure of the server.
import { monotonicMs } from '../src/core/time.ts'
import { bendNewVault } from '../test/support/bent-requests.ts'
import { disagreement } from '../test/support/disagreements.ts'
import { mutatedFrame, randomFrom } from '../test/support/mutated-frames.ts'

const [what = '', count, seed = '1'] = process.argv.slice(2)
const random = randomFrom(Number(seed))
const begun = monotonicMs()

/** @returns what was found, one line each */
async function requests(wanted: number): Promise<readonly string[]> {
  const { statuses, reached, found } = await bendNewVault({ count: wanted, random })
  const seen = [...statuses].toSorted(([a], [b]) => a - b)
  process.stdout.write(`${seen.map(([status, times]) => `${status}: ${times}`).join(', ')}\n`)
  process.stdout.write(`${reached.size} operations were answered with success\n`)
  return found
}

function frames(wanted: number): readonly string[] {
  const found: string[] = []
  for (let made = 0; made < wanted && found.length < 10; made += 1) {
    const frame = mutatedFrame(random)
    const name = disagreement(frame)
    if (name !== null) found.push(`${name}: ${JSON.stringify(frame)}`)
  }
  return found
}

if (what !== 'wire' && what !== 'api') {
  process.stderr.write(
    'npm run fuzz -- wire [FRAMES] [SEED]\nnpm run fuzz -- api [REQUESTS] [SEED]\n',
  )
  process.exit(2)
}
const wanted = Number(count ?? (what === 'wire' ? '1000000' : '10000'))
const found = what === 'wire' ? frames(wanted) : await requests(wanted)
for (const line of found) process.stdout.write(`${line}\n`)
const seconds = ((monotonicMs() - begun) / 1000).toFixed(1)
const bad = what === 'wire' ? 'read in two ways' : 'answered as none may be'
process.stdout.write(
  `${wanted} ${what === 'wire' ? 'frames' : 'requests'} in ${seconds} s, ${found.length} ${bad}\n`,
)
process.exitCode = found.length === 0 ? 0 : 1
