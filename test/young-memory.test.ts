import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

test('room for what is young does not grow beyond what calls need', () => {
  const program = join(import.meta.dirname, 'support', 'young-bytes.ts')
  const bytes = Number(execFileSync(process.execPath, [program], { encoding: 'utf8' }))
  assert.ok(bytes > 0 && bytes <= 32 * 1_048_576, `${bytes} bytes`)
})
