// A command that only looks at a store does not make one.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { wire } from '../src/app/wire.ts'
import { runProgram } from '../src/cli/index.ts'
import { loadSettings } from '../src/core/config.ts'
import { memoryStreams } from './support/streams.ts'
import { openTestVault } from './support/vault.ts'

async function verified(home: string) {
  const settings = loadSettings({ SALLYPORT_HOME: home, SALLYPORT_KEY_SOURCE: 'keyfile' })
  const streams = memoryStreams()
  const exit = await runProgram(['audit', 'verify'], wire(settings), streams)
  return { exit, stdout: streams.written.stdout(), stderr: streams.written.stderr() }
}

test('audit verify where there is no store says so and makes nothing', async () => {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-none-'))
  const { exit, stdout, stderr } = await verified(home)
  assert.deepEqual([exit, stdout.length], [7, 0])
  assert.match(stderr, /There is no vault at '.*vault\.db', so there is nothing to look at\./)
  assert.match(stderr, /set SALLYPORT_HOME/)
  assert.deepEqual(readdirSync(home), [])
  rmSync(home, { recursive: true })
})

test('audit verify where the store is gone says that it was there', async () => {
  const vault = await openTestVault()
  await vault.ledger.close()
  await vault.close()
  rmSync(vault.settings.dataDir, { recursive: true })
  const { exit, stderr } = await verified(vault.home)
  assert.equal(exit, 7)
  assert.match(stderr, /is gone, but its audit head says that it held \d+ records/)
  rmSync(vault.home, { recursive: true })
})

test('audit verify of a store that is there checks it', async () => {
  const vault = await openTestVault()
  await vault.close()
  const { exit, stdout } = await verified(vault.home)
  assert.equal(exit, 0)
  assert.match(String(stdout), /The audit is whole\./)
  rmSync(vault.home, { recursive: true })
})
