import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { epochMs } from '../../src/core/time.ts'
import { gatedHome, noGatedHome } from '../support/gated-home.ts'
import { LAUNCHER } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

const place = gatedHome('audit-keeping')
const { piped, proven, provenJson } = place
const skip = noGatedHome
after(() => place.remove())
const at = (name: string): string => join(place.folder, name)
const DAY = 86_400_000

/** A command that ends with 0. */
async function ran(...argv: string[]): Promise<string> {
  const { exit, stdout, stderr } = await piped(argv)
  assert.equal(exit, 0, stderr)
  return stdout
}

/** A command where there is no vault, with something on standard input. */
function elsewhere(argv: readonly string[], input: string) {
  const { status, stdout } = spawnSync(process.execPath, [LAUNCHER, ...argv], {
    cwd: place.folder,
    input,
    encoding: 'utf8',
    env: { ...place.env, SALLYPORT_HOME: at('nowhere') },
  })
  return { exit: status, stdout }
}

/** A store that has been used for a hundred days. */
before(async () => {
  if (skip !== false) return
  let now = Date.now() - 100 * DAY
  const vault = await openTestVault({ home: place.home, clock: () => epochMs(now) })
  await vault.vault.put(PERSON, 'default', { path: 'db/url', value: secret('value') })
  for (; now < Date.now() - 5 * DAY; now += 5 * DAY)
    await vault.vault.get(PERSON, 'default', 'db/url')
  await vault.close()
  await place.setPresence()
})

test('sinks are set behind the gate, and the copy of one is checked elsewhere with the key alone', {
  skip,
}, async () => {
  const copy = at('copy.jsonl')
  const sinks = [{ name: 'disk', kind: 'file', mode: 'required', path: copy }]
  writeFileSync(at('sinks.json'), JSON.stringify({ sinks }))
  const refused = await piped(['audit', 'set-sinks', at('sinks.json')])
  assert.deepEqual([refused.exit, refused.stdout, existsSync(copy)], [5, '', false])
  const set = await provenJson<{ sinks: { name: string; mode: string }[] }>([
    'audit',
    'set-sinks',
    at('sinks.json'),
  ])
  assert.deepEqual(
    set.sinks.map(({ name, mode }) => [name, mode]),
    [['disk', 'required']],
  )
  await ran('audit', 'checkpoint-key', '--out', at('key.pem'))
  await ran('secret', 'ls')
  const standing = JSON.parse(await ran('audit', 'sinks', '--json')) as {
    sinks: { delivered: number; lacking: number; signed: number; state: string }[]
  }
  const [disk] = standing.sinks
  assert.ok((disk?.delivered ?? 0) > 20 && (disk?.signed ?? 0) > 20, JSON.stringify(disk))
  assert.match(await ran('audit', 'sinks'), /^SINK +KIND +MODE .* SIGNED +PROBLEM$/m)
  const argv = ['audit', 'verify', '--export', '-', '--key', at('key.pem')]
  const text = readFileSync(copy, 'utf8')
  const whole = elsewhere([...argv, '--json'], text)
  assert.equal(whole.exit, 0, whole.stdout)
  const report = JSON.parse(whole.stdout) as { first: number; signed: { from: number; to: number } }
  assert.deepEqual([report.first, report.signed.from], [1, 1])
  assert.ok(report.signed.to >= (disk?.signed ?? Infinity))
  assert.match(elsewhere(argv, text).stdout, /^The copy is whole\.$/m)
  const forged = elsewhere(argv, text.replace('db/url', 'db/uri'))
  assert.equal(forged.exit, 9)
  assert.match(forged.stdout, /history-changed/)
  assert.equal(existsSync(at('nowhere')), false)
})

test('old records are pruned behind the gate; what is left, and the copies, are as good as before', {
  skip,
}, async () => {
  await ran('audit', 'checkpoint', '--size', '3', '--out', at('early.json'))
  writeFileSync(at('before.jsonl'), await ran('audit', 'export'))
  assert.match(await ran('audit', 'retention'), /^kept +for ever$/m)
  const refused = await piped(['audit', 'prune', '--keep', '60d'])
  assert.deepEqual([refused.exit, refused.stdout], [5, ''])
  for (const argv of [
    ['audit', 'prune'],
    ['audit', 'prune', '--keep', '60d', '--before', '2026-01-01T00:00:00Z'],
    ['audit', 'prune', '--keep', 'soon'],
    ['audit', 'set-retention', '29d'],
  ])
    assert.equal((await piped(argv)).exit, 2, argv.join(' '))
  const pruned = await provenJson<{ pruned: number; up_to: number; held_by: string | null }>([
    'audit',
    'prune',
    '--keep',
    '60d',
  ])
  assert.ok(pruned.pruned > 10 && pruned.pruned === pruned.up_to && pruned.held_by === null)
  const key = ['--key', at('key.pem')]
  const verified = JSON.parse(
    await ran('audit', 'verify', '--against', at('early.json'), ...key, '--json'),
  ) as { ok: boolean; pruned: number; checkpoints: { holds: boolean }[] }
  assert.deepEqual(
    [verified.ok, verified.pruned, verified.checkpoints[0]?.holds],
    [true, pruned.up_to, true],
  )
  const left = await ran('audit', 'export')
  assert.ok(!left.includes('"seq":5,') && left.startsWith('{"pruned":'))
  const argv = ['audit', 'verify', '--export', '-', ...key, '--against', at('early.json')]
  assert.equal(elsewhere(argv, left).exit, 0)
  assert.match(
    elsewhere(argv, left).stdout,
    new RegExp(`^pruned +records 1 to ${pruned.up_to},`, 'm'),
  )
  assert.equal(elsewhere(argv, readFileSync(at('before.jsonl'), 'utf8')).exit, 0)
  assert.match(
    await ran('audit', 'retention'),
    new RegExp(`^pruned +records 1 to ${pruned.up_to}, `, 'm'),
  )
  const set = await provenJson<{ keep_days: number }>(['audit', 'set-retention', '400d'])
  assert.equal(set.keep_days, 400)
  assert.match(await proven(['audit', 'set-retention', 'forever']), /^kept +for ever$/m)
})

test('a record that was pruned is proved from a copy, and checked elsewhere', {
  skip,
}, async () => {
  const missing = await piped(['audit', 'proof', 'inclusion', '5'])
  assert.equal(missing.exit, 4)
  assert.match(missing.stderr, /Record 5 was pruned/)
  const other = await piped(['audit', 'proof', 'inclusion', '5', '--record', at('early.json')])
  assert.equal(other.exit, 4)
  for (const copy of ['before.jsonl', 'copy.jsonl']) {
    const proof = await ran('audit', 'proof', 'inclusion', '5', '--record', at(copy))
    writeFileSync(at(`${copy}.proof`), proof)
    const checked = elsewhere(
      ['audit', 'check-proof', at(`${copy}.proof`), '--key', at('key.pem')],
      '',
    )
    assert.equal(checked.exit, 0)
    assert.match(checked.stdout, /^Record 5 is one of the \d+ that were signed /)
  }
  writeFileSync(at('grown.json'), await ran('audit', 'proof', 'consistency', '3'))
  const kept = ['--key', at('key.pem'), '--against', at('early.json')]
  assert.equal(elsewhere(['audit', 'check-proof', at('grown.json'), ...kept], '').exit, 0)
})
