import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const MIB = 1_048_576

test('room for what is young grows to what calls need and no further, again and again', () => {
  const program = join(import.meta.dirname, 'support', 'young-bytes.ts')
  const said = JSON.parse(execFileSync(process.execPath, [program], { encoding: 'utf8' }))
  const { grown, least, again } = said as Record<'grown' | 'least' | 'again', number>
  assert.ok(least < grown / 4, `${least / MIB} MiB are left of ${grown / MIB}`)
  for (const bytes of [grown, again]) assert.equal(bytes, 32 * MIB)
})
