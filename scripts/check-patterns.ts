// node scripts/check-patterns.ts: asks recheck about every pattern of the inspection domain, writes what it says to
// test/patterns.json, and ends with 1 when one is not safe.
//   --new       what the record already has as safe is not asked again
//   social/ …   only patterns of files with such a word in their path; writes nothing
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { monotonicMs } from '../src/core/time.ts'
import {
  type Checked,
  checked,
  keyOf,
  type OwnPattern,
  ownPatterns,
  RECORD_FILE,
  readRecord,
  recheckVersion,
} from '../test/patterns.ts'

const { values, positionals: words } = parseArgs({
  options: { new: { type: 'boolean', default: false } },
  allowPositionals: true,
})

/** At once: more than the processors of a small machine would only make each slower, and time is part of the answer. */
const AT_ONCE = 2

const isAskedFor = ({ files }: OwnPattern): boolean =>
  words.length === 0 || files.some((file) => words.some((word) => file.includes(word)))

function knownAsSafe(): ReadonlyMap<string, Checked> {
  const record = values.new ? readRecord() : null
  const isSame = record !== null && record.recheck === recheckVersion()
  return new Map(
    (isSame ? record.patterns : [])
      .filter((one) => one.status === 'safe')
      .map((one) => [keyOf(one), one]),
  )
}

function say(pattern: OwnPattern, { status, checker }: Checked, ms: number): void {
  const where = pattern.files.length === 0 ? 'built when loaded' : pattern.files.join(', ')
  const how = `${status} (${checker}, ${(ms / 1_000).toFixed(1)} s)`
  process.stdout.write(`${how}: ${where}\n  ${keyOf(pattern)}\n`)
}

const patterns = ownPatterns().filter(isAskedFor)
const results = new Map(knownAsSafe())
const waiting = patterns.filter((one) => !results.has(keyOf(one)))
const asked = waiting.length

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const start = monotonicMs()
    const result = await checked(next)
    results.set(keyOf(next), result)
    if (result.status !== 'safe') say(next, result, monotonicMs() - start)
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work))

const inOrder = patterns.flatMap((one) => results.get(keyOf(one)) ?? [])
const bad = inOrder.filter((one) => one.status !== 'safe').length
process.stdout.write(`${inOrder.length} patterns, ${asked} asked, ${bad} not safe\n`)
if (words.length === 0) {
  const lines = inOrder.map((one) => `    ${JSON.stringify(one)}`).join(',\n')
  writeFileSync(
    RECORD_FILE,
    `{\n  "recheck": "${recheckVersion()}",\n  "patterns": [\n${lines}\n  ]\n}\n`,
  )
}
process.exitCode = bad === 0 ? 0 : 1
