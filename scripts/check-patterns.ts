// node scripts/check-patterns.ts: asks recheck about every pattern of the inspection domain, writes what it says to
// test/patterns.json, and ends with 1 when one is not safe.
//   --new       what the record already has as safe is not asked again
//   social/ …   only patterns of files with such a word in their path; writes nothing
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { monotonicMs } from '../src/core/time.ts'
import {
  type Answer,
  checked,
  isSafe,
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

function knownAsSafe(): Map<string, Answer> {
  const record = values.new ? readRecord() : null
  if (record === null || record.recheck !== recheckVersion()) return new Map()
  return new Map(Object.entries(record.patterns).filter(([, answer]) => isSafe(answer)))
}

function say(pattern: OwnPattern, answer: Answer, ms: number): void {
  const where = pattern.files.length === 0 ? 'built when loaded' : pattern.files.join(', ')
  process.stdout.write(`${answer}, ${(ms / 1_000).toFixed(1)} s: ${where}\n  ${keyOf(pattern)}\n`)
}

const patterns = ownPatterns().filter(isAskedFor)
const answers = knownAsSafe()
const waiting = patterns.filter((one) => !answers.has(keyOf(one)))
const asked = waiting.length

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const start = monotonicMs()
    const answer = await checked(next)
    answers.set(keyOf(next), answer)
    if (!isSafe(answer)) say(next, answer, monotonicMs() - start)
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work))

const inOrder = patterns.flatMap((one) => {
  const key = keyOf(one)
  const answer = answers.get(key)
  return answer === undefined ? [] : [[key, answer] as const]
})
const bad = inOrder.filter(([, answer]) => !isSafe(answer)).length
process.stdout.write(`${inOrder.length} patterns, ${asked} asked, ${bad} not safe\n`)
if (words.length === 0) {
  const record = { recheck: recheckVersion(), patterns: Object.fromEntries(inOrder) }
  writeFileSync(RECORD_FILE, `${JSON.stringify(record, null, 2)}\n`)
}
process.exitCode = bad === 0 ? 0 : 1
