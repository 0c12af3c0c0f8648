import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

/** Bytes for the young after a while in which a tenth of what is made outlives the next collection. */
function youngBytesAfter(settings: string): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    ${settings}
    let kept = []
    for (let turn = 0; turn < 400; turn += 1) {
      for (let n = 0; n < 10_000; n += 1) {
        const made = { turn, list: [n, n, n], more: { half: n / 2 } }
        if (n % 10 === 0) kept.push(made)
      }
      if (kept.length > 100_000) kept = []
      await new Promise(setImmediate)
    }
    console.log(getHeapSpaceStatistics().find((one) => one.space_name === 'new_space').space_size)`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  return Number(out)
}

test('room for what is young does not grow beyond what calls need', () => {
  const source = pathToFileURL(join(import.meta.dirname, 'young-memory.ts')).href
  const kept = youngBytesAfter(`import { keepYoung } from '${source}'; keepYoung()`)
  assert.ok(kept > 0 && kept <= 32 * 1_048_576, `${kept} bytes`)
})
