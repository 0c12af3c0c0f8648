import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { memoryStreams } from '../../test/support/streams.ts'
import { packageVersion } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { CliDeps } from './deps.ts'
import { runProgram } from './program.ts'

/** Nothing may be opened: every function but `close` fails the test. */
function unopened(): { readonly deps: CliDeps; readonly closed: () => number } {
  let closed = 0
  const deps: unknown = new Proxy(
    {},
    {
      get: (_, name) =>
        name === 'close'
          ? async () => {
              closed += 1
            }
          : assert.fail(`${String(name)} was asked for`),
    },
  )
  return { deps: deps as CliDeps, closed: () => closed }
}

async function ran(...argv: string[]): Promise<{ exit: number; stdout: string; stderr: string }> {
  const streams = memoryStreams({ stdin: 'value' })
  const { deps, closed } = unopened()
  const exit = await runProgram(argv, deps, streams)
  assert.equal(closed(), 1)
  return { exit, stdout: streams.written.stdout().toString(), stderr: streams.written.stderr() }
}

for (const argv of [[], ['--help'], ['-h'], ['help']])
  test(`sallyport ${argv.join(' ')}: the overview, and nothing is opened`, async () => {
    const { exit, stdout, stderr } = await ran(...argv)
    assert.equal(exit, 0)
    assert.match(stdout, /^sallyport \d/)
    assert.match(stdout, /^ {2}secret put {2}/m)
    assert.equal(stderr, '')
  })

for (const argv of [['secret'], ['secret', '--help'], ['help', 'secret']])
  test(`sallyport ${argv.join(' ')}: the commands of the noun`, async () => {
    const { exit, stdout } = await ran(...argv)
    assert.equal(exit, 0)
    assert.match(stdout, /^ {2}secret get \* /m)
    assert.doesNotMatch(stdout, /token create/)
  })

for (const argv of [
  ['secret', 'put', '--help'],
  ['help', 'secret', 'put'],
  ['secret', 'set', '-h'],
])
  test(`sallyport ${argv.join(' ')}: the page of the command`, async () => {
    const { exit, stdout } = await ran(...argv)
    assert.equal(exit, 0)
    assert.match(stdout, /^ {2}sallyport secret put \[options\] PATH$/m)
  })

test('--version', async () => {
  assert.deepEqual(await ran('--version'), {
    exit: 0,
    stdout: `${packageVersion()}\n`,
    stderr: '',
  })
  assert.equal((await ran('--json', '--version')).stdout, `{"version":"${packageVersion()}"}\n`)
})

const refused: readonly [argv: string[], stderr: string][] = [
  [
    ['secert', 'ls'],
    "sallyport: There is no command 'secert'. Did you mean 'secret'?\n  → sallyport --help\n",
  ],
  [
    ['secret', 'lst'],
    "sallyport: There is no command 'secret lst'. Did you mean 'secret ls'?\n  → sallyport secret --help\n",
  ],
  [['constructor'], "sallyport: There is no command 'constructor'.\n  → sallyport --help\n"],
  [['x'.repeat(41)], 'sallyport: There is no command that.\n  → sallyport --help\n'],
  [
    ['secret', 'put'],
    "sallyport: 'sallyport secret put' needs PATH.\n  → sallyport secret put --help\n",
  ],
  [
    ['secret', 'put', 'a/b', '--expires-at', 'tomorrow'],
    'sallyport: --expires-at must be a date and time with a zone, such as 2027-01-31T12:00:00Z.\n' +
      '  → correct the named field and try again\n',
  ],
]
for (const [argv, stderr] of refused)
  test(`sallyport ${argv.join(' ').slice(0, 40)} is refused on stderr`, async () => {
    assert.deepEqual(await ran(...argv), { exit: 2, stdout: '', stderr })
  })

for (const argv of [
  ['secret', 'put', 'a/b', 'hunter2'],
  ['secret', 'put', 'a/b=hunter2'],
  ['secret', 'rotate', 'a/b', 'hunter2', '--store'],
])
  test(`a value in the arguments is refused and not repeated: ${argv.join(' ')}`, async () => {
    for (const json of [[], ['--json']]) {
      const { exit, stdout, stderr } = await ran(...argv, ...json)
      assert.equal(exit, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /can be read by every process .* sallyport secret put PATH/)
      assert.doesNotMatch(stderr, /hunter2/)
    }
  })

test('with --json an error is one line of JSON on stderr', async () => {
  const { exit, stdout, stderr } = await ran('secret', 'disable', 'a/b', '--json')
  assert.equal(exit, 2)
  assert.equal(stdout, '')
  assert.deepEqual(JSON.parse(stderr), {
    error: {
      code: 'BAD_USAGE',
      message: 'Name the version with --version; sallyport secret history lists them.',
      help: 'sallyport secret disable --help',
      details: {
        usage: 'sallyport secret disable [options] PATH',
        remedy: 'sallyport secret disable --help',
      },
    },
  })
})

test('a --json after -- belongs to the child', async () => {
  const { stderr } = await ran('nothing', '--', '--json')
  assert.match(stderr, /^sallyport: There is no command/)
})

test('control characters of the command line do not reach the terminal', async () => {
  const { stderr } = await ran('\u001b[2J')
  assert.equal(stderr, "sallyport: There is no command '\\u{1b}[2J'.\n  → sallyport --help\n")
})

test('what fails inside is not told, not even its text', async () => {
  const streams = memoryStreams()
  const { deps } = unopened()
  const failing = {
    close: () => deps.close(),
    lock: () => Promise.reject(new Error('hunter2')),
  } as unknown as CliDeps
  assert.equal(await runProgram(['lock'], failing, streams), 70)
  assert.equal(
    streams.written.stderr(),
    'sallyport: Something failed inside Sallyport.\n  → report this with the request id\n',
  )
})

test('a setting that is wrong is told in a line, without a stack', async () => {
  const streams = memoryStreams()
  const exit = await runProgram(
    ['mcp'],
    () => {
      throw new Fault('BAD_INPUT', 'SALLYPORT_MODE must be one of a, b.')
    },
    streams,
  )
  assert.equal(exit, 2)
  assert.match(streams.written.stderr(), /^sallyport: SALLYPORT_MODE must be one of a, b\.\n/)
  assert.doesNotMatch(streams.written.stderr(), /\n {4}at /)
})

const HELP = `
import { runProgram } from ${JSON.stringify(join(import.meta.dirname, 'program.ts'))}
await new Promise((resolve) => process.stdin.on('end', resolve).resume())
process.exitCode = await runProgram(['secret', 'put', '--help'], { close: async () => {} })
`

test('a reader that leaves early is no error', { skip: process.platform === 'win32' }, async () => {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', HELP], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  child.stdin.end()
  const errors: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const [code] = await once(child, 'close')
  assert.equal(Buffer.concat(errors).toString(), '')
  assert.equal(code, 0)
})
