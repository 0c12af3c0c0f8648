import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { setPresenceIn } from '../support/presence.ts'
import { type OnTerminal, onTerminal } from '../support/pty.ts'
import { programMissing } from '../support/require.ts'
import { compiledCode, LAUNCHER } from '../support/serving.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-cli-')))
after(() => rmSync(folder, { recursive: true, force: true }))

const home = join(folder, 'home')
const project = join(folder, 'project')
mkdirSync(project)
const passphrase = `correct ${randomBytes(6).toString('hex')} staple`
const value = `val-${randomBytes(24).toString('hex')}`
const skip = programMissing('script', 'apt-get install bsdutils')

/** No display, no session bus, no colours: only what a test says is there. */
const env = {
  ...compiledCode(),
  PATH: `${resolve(process.execPath, '..')}:/usr/bin:/bin`,
  HOME: folder,
  LANG: 'C.UTF-8',
  SALLYPORT_HOME: home,
  SALLYPORT_KEY_SOURCE: 'keyfile',
}
const sallyport = [process.execPath, LAUNCHER] as const

interface Ran {
  readonly exit: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a command as an agent's shell would: piped, in a session of its own, so that no terminal can be reached. */
async function piped(
  argv: readonly string[],
  options: { stdin?: string | Buffer; fd3?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  const [node, launcher] = sallyport
  const child = spawn(node, [launcher, ...argv], {
    cwd: project,
    env: { ...env, ...options.env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin?.on('error', () => {}).end(options.stdin ?? '')
  const third = child.stdio[3]
  assert.ok(third !== null && third !== undefined && 'end' in third)
  third.on('error', () => {})
  third.end(options.fd3 ?? '')
  const [exit] = (await once(child, 'close')) as [number]
  return { exit, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }
}

async function json(argv: readonly string[], options: { stdin?: string | Buffer } = {}) {
  const { exit, stdout, stderr } = await piped([...argv, '--json'], options)
  assert.equal(exit, 0, stderr)
  return JSON.parse(stdout.toString()) as Record<string, unknown>
}

/** The prompt itself, which ends in the escape that asks for bracketed paste. */
// oxlint-disable-next-line no-control-regex
const PROMPT = /assphrase(?: again)?: \u001b/

/** Runs a command on a terminal, where the person types the presence passphrase once. */
function proven(argv: readonly string[], typed = passphrase): Promise<OnTerminal> {
  return onTerminal([...sallyport, ...argv], { cwd: project, env, typed: [[PROMPT, typed]] })
}

/** The same with standard output into a file. */
async function provenInto(argv: readonly string[]): Promise<Buffer> {
  const file = join(folder, 'out')
  const { exit, output } = await onTerminal(
    ['sh', '-c', `"$@" > '${file}'`, 'sh', ...sallyport, ...argv],
    { cwd: project, env, typed: [[PROMPT, passphrase]] },
  )
  assert.equal(exit, 0, output)
  return readFileSync(file)
}

test('a secret is stored from a pipe, listed and described, never shown', async () => {
  const put = await piped(['secret', 'put', 'api/stripe', '--metadata', 'team=pay'], {
    stdin: `${value}\n`,
  })
  assert.deepEqual(
    [put.exit, put.stdout.toString(), put.stderr],
    [0, 'Stored api/stripe as version 1.\n', ''],
  )
  const list = await piped(['secret', 'ls'])
  assert.equal(
    list.stdout.toString(),
    'PATH        TYPE     VERSION  EXPIRES  READS LEFT  READABLE\n' +
      'api/stripe  api_key  1        -        any         no\n',
  )
  const info = await json(['secret', 'describe', 'api/stripe'])
  assert.deepEqual(
    [info['version'], info['bytes'], info['metadata'], info['access_count']],
    [1, value.length, { team: 'pay' }, 0],
  )
  assert.equal((await json(['secret', 'search', 'STR']))['total'], 1)
  assert.equal(
    (await piped(['vault', 'ls'])).stdout.toString().split('\n')[1]?.split(' ')[0],
    'default',
  )
})

test('what is too large or no path is refused and stores nothing', async () => {
  const large = await piped(['secret', 'put', 'big', '--type', 'file'], {
    stdin: 'x'.repeat(65_538),
  })
  assert.equal(large.exit, 2)
  assert.match(large.stderr, /larger than 65536 bytes; nothing was stored/)
  assert.equal((await piped(['secret', 'put', '../x'], { stdin: 'x' })).exit, 2)
  assert.equal((await json(['secret', 'ls']))['total'], 1)
})

test('before a presence passphrase is set, nothing opens the gate', async () => {
  const tried = [
    ['secret', 'get', 'api/stripe'],
    ['backup', 'b'],
    ['token', 'create', 'x'],
    ['key', 'rekey'],
  ].map(async (argv) => {
    const { exit, stdout, stderr } = await piped([...argv, '--json'], { stdin: 'y\nyes\n' })
    assert.equal(exit, 5, argv.join(' '))
    assert.equal(stdout.length, 0)
    assert.equal(JSON.parse(stderr).error.code, 'PRESENCE_UNAVAILABLE')
  })
  await Promise.all(tried)
})

test('the person sets the passphrase on a terminal', { skip }, async () => {
  const set = await onTerminal([...sallyport, 'presence', 'set'], {
    cwd: project,
    env,
    typed: [
      [PROMPT, passphrase],
      [PROMPT, passphrase],
    ],
  })
  assert.equal(set.exit, 0, set.output)
  assert.doesNotMatch(set.output, new RegExp(passphrase))
  assert.equal((await json(['presence', 'status']))['set'], true)
})

test('the person reads a secret: a line on the terminal, exact bytes in a file', {
  skip,
}, async () => {
  const shown = await proven(['secret', 'get', 'api/stripe'])
  assert.equal(shown.exit, 0, shown.output)
  assert.match(shown.output, new RegExp(`^${value}$`, 'm'))
  assert.deepEqual(await provenInto(['secret', 'get', 'api/stripe']), Buffer.from(value))
  const answer = JSON.parse(
    (await provenInto(['secret', 'get', 'api/stripe', '--json'])).toString(),
  )
  assert.deepEqual([answer.value, answer.encoding, answer.version], [value, 'utf8', 1])
  // What the passphrase costs is seen; from here on the least.
  await setPresenceIn(home, passphrase)
})

test('a wrong passphrase reads nothing', { skip }, async () => {
  const { exit, output } = await onTerminal([...sallyport, 'secret', 'get', 'api/stripe'], {
    cwd: project,
    env,
    typed: [[PROMPT, 'wrong passphrase']],
    until: PROMPT,
  })
  assert.notEqual(exit, 0)
  assert.doesNotMatch(output, new RegExp(value))
})

test('an agent cannot replace or remove; the denial names the remedy', async () => {
  const tried = [
    ['secret', 'put', 'api/stripe'],
    ['secret', 'rm', 'api/stripe'],
    ['secret', 'rotate', 'api/stripe'],
    ['secret', 'disable', 'api/stripe', '--version', '1'],
  ].map(async (argv) => {
    const { exit, stdout, stderr } = await piped([...argv, '--json'], { stdin: 'other' })
    assert.equal(exit, 5, argv.join(' '))
    assert.equal(stdout.length, 0)
    const { error } = JSON.parse(stderr)
    assert.equal(error.code, 'ACCESS_DENIED')
    assert.match(error.help, /sallyport allow/)
  })
  await Promise.all(tried)
  const destroy = await piped(['secret', 'destroy', 'api/stripe'])
  assert.equal(destroy.exit, 5)
  // The passphrase is set: what is missing is somebody to type it.
  assert.match(
    destroy.stderr,
    /neither a display nor a terminal\.\n.*run the command in a terminal of yours\n/,
  )
  assert.equal((await json(['secret', 'describe', 'api/stripe']))['version'], 1)
})

test('the person may replace on a terminal what the agent may not', { skip }, async () => {
  const file = join(folder, 'key.bin')
  writeFileSync(file, Buffer.from([0, 255, 10]))
  const { exit, output } = await proven([
    'secret',
    'put',
    'api/stripe',
    '--type',
    'file',
    '--file',
    file,
  ])
  assert.equal(exit, 0, output)
  assert.match(output, /Stored api\/stripe as version 2, in place of version 1\./)
  assert.deepEqual(await provenInto(['secret', 'get', 'api/stripe']), Buffer.from([0, 255, 10]))
})

test('a folder that is allowed may do what its list says, until the list changes', {
  skip,
}, async () => {
  const allowed = await proven(['allow', '--read', 'api/**'])
  assert.equal(allowed.exit, 0, allowed.output)
  assert.match(allowed.output, /read and change {3}api\/\*\*/)
  assert.equal(
    (await json(['secret', 'put', 'api/stripe', '--type', 'api_key'], { stdin: value }))['version'],
    3,
  )
  assert.equal((await json(['secret', 'rotate', 'api/stripe', '--length', '40']))['version'], 4)
  assert.equal(
    (await json(['secret', 'rotate', 'api/stripe', '--store'], { stdin: value }))['version'],
    5,
  )
  assert.equal((await piped(['secret', 'rm', 'api/stripe'])).exit, 0)
  assert.equal((await json(['secret', 'ls']))['total'], 0)
  assert.equal((await piped(['secret', 'undelete', 'api/stripe'])).exit, 0)
  writeFileSync(join(project, '.sallyport.yml'), 'allow: ["**"]\n')
  assert.equal((await piped(['secret', 'rm', 'api/stripe'])).exit, 5)
  const again = await proven(['allow'])
  assert.equal(again.exit, 0, again.output)
  const revoked = await proven(['allow', '--revoke'])
  assert.equal(revoked.exit, 0, revoked.output)
  assert.equal((await piped(['secret', 'rm', 'api/stripe'])).exit, 5)
})

test('versions are disabled, enabled, and destroyed for ever', { skip }, async () => {
  assert.equal((await proven(['secret', 'disable', 'api/stripe', '--version', '5'])).exit, 0)
  assert.equal((await proven(['secret', 'enable', 'api/stripe', '--version', '5'])).exit, 0)
  const gone = await proven(['secret', 'destroy', 'api/stripe', '--version', '2'])
  assert.equal(gone.exit, 0, gone.output)
  const { versions } = await json(['secret', 'history', 'api/stripe'])
  assert.deepEqual(
    (versions as { version: number; state: string }[])
      .map(({ version, state }) => `${version} ${state}`)
      .toSorted(),
    ['1 active', '2 destroyed', '3 active', '4 active', '5 active'],
  )
})

test('an exemption sits behind the gate itself', { skip }, async () => {
  assert.equal((await piped(['setting', 'exempt', 'secret get', 'on'])).exit, 5)
  const on = await proven(['setting', 'exempt', 'secret get', 'on'])
  assert.equal(on.exit, 0, on.output)
  assert.deepEqual((await piped(['secret', 'get', 'api/stripe'])).stdout, Buffer.from(value))
  assert.equal((await proven(['setting', 'exempt', 'secret get', 'off'])).exit, 0)
  assert.equal((await piped(['secret', 'get', 'api/stripe'])).exit, 5)
})

test('tokens are shown once', { skip }, async () => {
  const made = await provenInto(['token', 'create', 'cursor', '--json'])
  const { token } = JSON.parse(made.toString()) as { token: string }
  assert.ok(token.length > 43)
  const next = (await provenInto(['token', 'rotate'])).toString().trim()
  assert.notEqual(next, token)
  const listed = await json(['token', 'ls'])
  const [only] = listed['tokens'] as { id: string; label: string }[]
  assert.deepEqual(Object.keys(only ?? {}), ['id', 'label', 'project', 'created_at'])
  assert.equal(only?.label, 'cursor')
  assert.equal((await proven(['token', 'revoke', only.id])).exit, 0)
  assert.deepEqual(await json(['token', 'ls']), { tokens: [] })
})

test('keys rotate and are made anew; what they protect stays readable', { skip }, async () => {
  assert.equal((await json(['key', 'status']))['source'], 'keyfile')
  for (const argv of [
    ['key', 'rotate'],
    ['key', 'rekey'],
  ]) {
    const { exit, output } = await proven(argv)
    assert.equal(exit, 0, output)
  }
  assert.deepEqual(await provenInto(['secret', 'get', 'api/stripe']), Buffer.from(value))
  assert.equal((await piped(['unlock'])).exit, 2)
})

test('a backup comes back on a machine without configuration', { skip }, async () => {
  const file = join(folder, 'backup')
  const made = JSON.parse(
    (await provenInto(['backup', file, '--recovery-key', '--json'])).toString(),
  )
  const bare = { ...env, SALLYPORT_HOME: join(folder, 'bare') }
  const restored = await piped(['restore', file, '--passphrase-fd', '3'], {
    env: bare,
    fd3: `${made.recovery_key}\n`,
  })
  assert.equal(restored.exit, 0, restored.stderr)
  assert.match(restored.stderr, /no vault here yet/)
  assert.match((await piped(['secret', 'ls'], { env: bare })).stdout.toString(), /api\/stripe/)
  const again = await piped(['restore', file, '--passphrase-fd', '3'], {
    env: bare,
    fd3: `${made.recovery_key}\n`,
  })
  assert.equal(again.exit, 6)
  const read = await piped(['secret', 'get', 'api/stripe'], { env: bare })
  assert.equal(read.exit, 5)
})

test('the audit is whole, and says who did what', async () => {
  assert.equal((await json(['audit', 'verify']))['ok'], true)
  const { entries } = await json(['audit', 'query', '--path', 'api/stripe', '--limit', '1000'])
  assert.ok((entries as { actor: string }[]).some(({ actor }) => actor === 'agent:local'))
  const exported = (await piped(['audit', 'export'])).stdout.toString().trimEnd().split('\n')
  for (const line of exported) assert.equal(typeof JSON.parse(line), 'object')
  const tail = (await piped(['audit', 'tail', '-n', '2', '--json'])).stdout.toString()
  assert.equal(tail.trimEnd().split('\n').length, 2)
  assert.ok(![...exported, tail].join().includes(value))
})

test('a value that can be guessed is stored with a warning, and remembered only by the person', {
  skip,
}, async () => {
  const weak = 'hunter2-hunter2'
  const put = await piped(['secret', 'put', 'weak/one'], { stdin: weak })
  assert.deepEqual(
    [put.exit, put.stdout.toString(), put.stderr],
    [
      0,
      'Stored weak/one as version 1.\n',
      'Warning: this value can be guessed, so nothing is remembered of it and it is not redacted where it shows up. ' +
        'Use a longer random value, or have it remembered all the same: ' +
        'sallyport secret put weak/one --remember-weak\n',
    ],
  )
  assert.equal((await json(['secret', 'put', 'weak/two'], { stdin: weak }))['not_redactable'], true)
  const strong = { stdin: randomBytes(24).toString('hex') }
  assert.ok(!('not_redactable' in (await json(['secret', 'put', 'weak/three'], strong))))
  const agent = await piped(['secret', 'put', 'weak/four', '--remember-weak'], { stdin: weak })
  assert.notEqual(agent.exit, 0)
  assert.match(agent.stderr, /presence/i)
  assert.equal((await piped(['secret', 'describe', 'weak/four'])).exit, 4, 'nothing is stored')
  const file = join(folder, 'weak')
  writeFileSync(file, weak)
  const person = await proven(['secret', 'put', 'weak/one', '--file', file, '--remember-weak'])
  assert.equal(person.exit, 0, person.output)
  assert.match(person.output, /Stored weak\/one as version 2/)
  assert.doesNotMatch(person.output, /Warning/)
})

test('doctor fails on a folder that others can write', {
  skip: process.platform === 'win32',
}, async () => {
  assert.equal((await piped(['doctor'])).exit, 0)
  chmodSync(join(home, 'state'), 0o777)
  const { exit, stdout } = await piped(['doctor'])
  chmodSync(join(home, 'state'), 0o700)
  assert.equal(exit, 1)
  assert.match(stdout.toString(), /^fail {2}state directory /m)
  assert.match(stdout.toString(), /→ run: chmod go-w/)
})

test('up serves, says where, and ends with 0 on SIGTERM', async (t) => {
  const [node, launcher] = sallyport
  const child = spawn(node, [launcher, 'up', '--port', '0', '--json'], {
    cwd: project,
    env: { ...env, SALLYPORT_HOME: join(folder, 'up') },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const { url, token, presence } = JSON.parse(line.toString())
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/)
  assert.equal(typeof token, 'string')
  assert.equal(presence.set, false)
  assert.equal((await fetch(new URL('/health', url))).status, 200)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

test('up on a terminal offers what the first read needs, and Ctrl-C ends it', {
  skip,
}, async () => {
  const fresh = join(folder, 'fresh')
  mkdirSync(fresh)
  const { exit, output } = await onTerminal([...sallyport, 'up', '--port', '0'], {
    cwd: fresh,
    env: { ...env, SALLYPORT_HOME: join(folder, 'first') },
    typed: [
      [PROMPT, passphrase],
      [PROMPT, passphrase],
      [PROMPT, passphrase],
    ],
    until: /Done\./,
  })
  assert.equal(exit, 0, output)
  assert.match(output, /is open at http:\/\/127\.0\.0\.1:\d+\/mcp/)
  assert.match(output, /"mcpServers"/)
  assert.equal(existsSync(join(fresh, '.sallyport.yml')), true)
})
