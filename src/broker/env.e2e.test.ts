import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { processEnvironment } from '../core/config.ts'
import { SecretText } from '../core/secret-text.ts'
import { exportEnv, type RunRequest, runWithSecrets } from './env.ts'
import type { UseSecrets } from './resolve.ts'

const root = mkdtempSync(join(tmpdir(), 'sallyport-env-'))
after(() => rmSync(root, { recursive: true, force: true }))
let directory = ''
let count = 0
let warnings: string[] = []
beforeEach(() => {
  count += 1
  directory = join(root, String(count))
  mkdirSync(directory)
  warnings = []
})

const VALUES: ReadonlyMap<string, string> = new Map([
  ['api/stripe', 'stripe-value'],
  ['db/password', "p'a$s"],
])
const use: UseSecrets = async (paths) =>
  paths.map((path) => {
    const value = VALUES.get(path)
    return value === undefined
      ? { path, fault: 'SECRET_NOT_FOUND' }
      : { path, value: SecretText.fromText(value) }
  })
const never: UseSecrets = () => assert.fail('the vault was asked')
const put = (file: string, text: string): void => writeFileSync(join(directory, file), text)

/** Runs `env` in place of a program and answers what it saw. */
async function seen(request: Partial<RunRequest>, own: UseSecrets = use): Promise<string[]> {
  const out = join(directory, 'out')
  const end = await runWithSecrets(
    {
      envFiles: [],
      assignments: [],
      onMissing: 'error',
      command: ['sh', '-c', `env | sort > '${out}'`],
      environment: { PATH: processEnvironment()['PATH'] ?? '/usr/bin:/bin' },
      directory,
      ...request,
    },
    own,
    async (sentence) => void warnings.push(sentence),
  )
  assert.deepEqual(end, { exit: 0, problem: null })
  return readFileSync(out, 'utf8')
    .split('\n')
    .filter((line) => /^[A-DK]+=/.test(line))
}

test('runWithSecrets: .env of the directory is read when no file is named', async () => {
  assert.deepEqual(await seen({}, never), [])
  put('.env', 'A=plain\nB=secret://api/stripe\n')
  assert.deepEqual(await seen({}), ['A=plain', 'B=stripe-value'])
})

test('runWithSecrets: later files win, and --env wins over all', async () => {
  put('.env', 'A=not read\n')
  put('one.env', 'A=1\nB=1\nC=1\n')
  put('two.env', 'B=2\nC=2\n')
  assert.deepEqual(
    await seen({
      envFiles: ['one.env', join(directory, 'two.env')],
      assignments: ['C=x=secret://db/password', 'D='],
    }),
    ['A=1', 'B=2', "C=x=p'a$s", 'D='],
  )
})

test('runWithSecrets: references in what is inherited are left alone', async () => {
  const PATH = processEnvironment()['PATH'] ?? '/usr/bin:/bin'
  assert.deepEqual(await seen({ environment: { PATH, K: 'secret://api/stripe' } }, never), [
    'K=secret://api/stripe',
  ])
})

test('runWithSecrets: with a name missing the command does not run', async () => {
  put('.env', 'A=secret://gone\nB=secret://also/gone\n')
  await assert.rejects(seen({ command: ['touch', join(directory, 'ran')] }), {
    code: 'MISSING_SECRETS',
    message:
      "2 secrets have no value here: 'gone' (not found; for A), 'also/gone' (not found; for B).",
    details: {
      missing: ['gone: not found', 'also/gone: not found'],
      remedy: 'store the named secrets or choose --on-missing',
    },
  })
  assert.throws(() => readFileSync(join(directory, 'ran')))
})

test('runWithSecrets: empty and keep run it and say so', async () => {
  put('.env', 'A=<secret://gone>\n')
  assert.deepEqual(await seen({ onMissing: 'empty' }), ['A=<>'])
  assert.deepEqual(await seen({ onMissing: 'keep' }), ['A=<secret://gone>'])
  assert.deepEqual(warnings, [
    "No value for 'gone' (not found; for A).",
    "No value for 'gone' (not found; for A).",
  ])
})

test('runWithSecrets: bad requests', async () => {
  await assert.rejects(seen({ envFiles: ['no.env'] }), {
    code: 'NOT_FOUND',
    message: "The env file 'no.env' does not exist.",
  })
  await assert.rejects(seen({ envFiles: ['.'] }), { code: 'BAD_INPUT' })
  await assert.rejects(seen({ assignments: ['hunter2'] }), {
    code: 'BAD_INPUT',
    message: '--env takes NAME=value, for example KEY=secret://api/key.',
  })
  await assert.rejects(seen({ assignments: ['1=x'] }), { code: 'BAD_INPUT' })
  put('.env', 'A=1\n!\n')
  await assert.rejects(seen({}), {
    code: 'BAD_INPUT',
    message: '.env:2: expected NAME=value; put # in front of a comment.',
  })
})

test('exportEnv: the file with its references resolved, as a shell reads it', async () => {
  put('.env', 'A=1\nA=two words\nB=secret://db/password\n')
  const text = await exportEnv(
    { file: '.env', format: 'shell', onMissing: 'error', directory },
    use,
    async (sentence) => void warnings.push(sentence),
  )
  const stdout = execFileSync('sh', ['-eu'], {
    input: `${text.reveal()}printf '%s|%s' "$A" "$B"\n`,
    encoding: 'utf8',
  })
  assert.equal(stdout, "two words|p'a$s")
  assert.deepEqual(warnings, [".env:2: 'A' was already set at .env:1; the last one counts."])
})

test('exportEnv: the file must be there', async () => {
  await assert.rejects(
    exportEnv(
      { file: '.env', format: 'json', onMissing: 'keep', directory },
      never,
      async () => {},
    ),
    { code: 'NOT_FOUND' },
  )
})
