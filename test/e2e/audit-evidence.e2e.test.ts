import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { programMissing } from '../support/require.ts'
import { compiledCode, LAUNCHER } from '../support/serving.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-evidence-')))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => join(folder, name)
mkdirSync(at('elsewhere'))

interface Ran {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

function sallyport(home: string, argv: readonly string[], input = ''): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, ...argv], {
    cwd: folder,
    input,
    encoding: 'utf8',
    env: {
      ...compiledCode(),
      PATH: `${resolve(process.execPath, '..')}:/usr/bin:/bin`,
      HOME: folder,
      SALLYPORT_HOME: at(home),
      SALLYPORT_KEY_SOURCE: 'keyfile',
    },
  })
  return { exit: status, stdout, stderr }
}

/** A command on the machine of the vault that answers with 0. */
function here(...argv: string[]): string {
  const { exit, stdout, stderr } = sallyport('home', argv)
  assert.equal(exit, 0, stderr)
  return stdout
}

/** A command on a machine without a vault. */
const there = (...argv: string[]): Ran => sallyport('elsewhere', argv)

here('vault', 'ls')
here('audit', 'checkpoint-key', '--out', at('key.pem'))
here('audit', 'checkpoint', '--out', at('early.json'))
assert.equal(sallyport('home', ['secret', 'put', 'api/key'], 'value\n').exit, 0)
here('vault', 'ls')
writeFileSync(at('late.json'), here('audit', 'checkpoint'))
writeFileSync(at('audit.jsonl'), here('audit', 'export'))

const against = ['--against', at('early.json'), '--against', at('late.json')]
const copy = ['--export', at('audit.jsonl'), '--key', at('key.pem')]

test('a copy is checked where there is no vault, and none is made there', () => {
  const { exit, stdout } = there('audit', 'verify', ...copy, ...against, '--json')
  assert.equal(exit, 0)
  const report = JSON.parse(stdout) as { ok: boolean; checkpoints: { holds: boolean }[] }
  assert.equal(report.ok, true)
  assert.deepEqual(
    report.checkpoints.map(({ holds }) => holds),
    [true, true],
  )
  assert.match(there('audit', 'verify', ...copy, ...against).stdout, /^The copy is whole\.$/m)
  assert.equal(spawnSync('ls', ['-A', at('elsewhere')], { encoding: 'utf8' }).stdout, '')
})

test('a copy on standard input, with a record that says something else', () => {
  const changed = readFileSync(at('audit.jsonl'), 'utf8').replace('api/key', 'api/kez')
  const argv = ['audit', 'verify', '--export', '-', '--key', at('key.pem'), ...against]
  const { exit, stdout } = sallyport('elsewhere', argv, changed)
  assert.equal(exit, 9)
  assert.match(stdout, /^The copy was changed or is not complete\.$/m)
  assert.match(stdout, /^checkpoint of \S+, \d+ records?: holds$/m)
  assert.match(stdout, /^checkpoint of \S+, \d+ records?: CONTRADICTED$/m)
})

test('the store is held against a checkpoint', () => {
  const { checkpoints, ok } = JSON.parse(here('audit', 'verify', ...against, '--json')) as {
    ok: boolean
    checkpoints: { holds: boolean }[]
  }
  assert.equal(ok, true)
  assert.equal(checkpoints.length, 2)
  const forged = JSON.parse(readFileSync(at('late.json'), 'utf8')) as { root: string }
  writeFileSync(at('forged.json'), JSON.stringify({ ...forged, root: 'a'.repeat(64) }))
  const { exit, stdout } = sallyport('home', ['audit', 'verify', '--against', at('forged.json')])
  assert.equal(exit, 9)
  assert.match(stdout, /checkpoint-unsigned/)
})

test('proofs are made here and checked there', () => {
  here('audit', 'proof', 'inclusion', '2', '--out', at('inclusion.json'))
  here('audit', 'proof', 'consistency', '1', '--out', at('consistency.json'))
  const key = ['--key', at('key.pem')]
  const included = there('audit', 'check-proof', at('inclusion.json'), ...key)
  assert.equal(included.exit, 0)
  assert.match(included.stdout, /^Record 2 is one of the \d+ that were signed /)
  const { size } = JSON.parse(readFileSync(at('early.json'), 'utf8')) as { size: number }
  writeFileSync(at('grown.json'), here('audit', 'proof', 'consistency', String(size)))
  const kept = ['--against', at('early.json')]
  assert.equal(there('audit', 'check-proof', at('grown.json'), ...key, ...kept).exit, 0)
  assert.equal(there('audit', 'check-proof', at('consistency.json'), ...key, ...kept).exit, 9)
})

test('what is missing is said', () => {
  const cases: readonly [argv: string[], exit: number, message: RegExp][] = [
    [['audit', 'verify', '--export', at('audit.jsonl')], 2, /--key FILE is needed/],
    [['audit', 'check-proof', at('early.json')], 2, /--key FILE is needed/],
    [
      ['audit', 'verify', ...copy, '--against', at('none.json')],
      2,
      /There is no file '.*none\.json'/,
    ],
    [['audit', 'verify', '--export', at('none'), '--key', at('key.pem')], 2, /There is no file '/],
    [['audit', 'verify', ...copy, '--against', at('key.pem')], 2, /not one of Sallyport/],
    [
      ['audit', 'verify', '--export', at('audit.jsonl'), '--key', at('late.json')],
      2,
      /Ed25519 as PEM/,
    ],
  ]
  for (const [argv, exit, message] of cases) {
    const ran = there(...argv)
    assert.equal(ran.exit, exit, ran.stderr)
    assert.match(ran.stderr, message)
  }
  assert.equal(sallyport('home', ['audit', 'checkpoint', '--out', at('early.json')]).exit, 6)
})

test('a checkpoint is checked with openssl alone', {
  skip: programMissing('openssl', 'apt-get install openssl'),
}, () => {
  const {
    type,
    store,
    size,
    root: hash,
    at: time,
    key_id,
    signature,
  } = JSON.parse(readFileSync(at('late.json'), 'utf8')) as Record<string, string>
  const signed = [type, store, size, hash, time, key_id].map((one) => `${one}\n`).join('')
  writeFileSync(at('signed'), signed)
  writeFileSync(at('signature'), Buffer.from(signature!, 'base64url'))
  const check = (): string =>
    execFileSync(
      'openssl',
      [
        'pkeyutl',
        '-verify',
        '-pubin',
        '-inkey',
        at('key.pem'),
        '-rawin',
        '-in',
        at('signed'),
        '-sigfile',
        at('signature'),
      ],
      { encoding: 'utf8', stdio: 'pipe' },
    )
  assert.match(check(), /Verified Successfully/)
  writeFileSync(at('signed'), signed.replace('\n', '\n0'))
  assert.throws(check)
})
