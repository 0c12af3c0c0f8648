// What is the person's alone, asked for by an agent that has a shell: a child of the client that also runs the server.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { type Display, startDisplay } from '../support/display.ts'
import {
  auditAfter,
  type GuardedVault,
  guardedVault,
  protectedRows,
} from '../support/guarded-vault.ts'
import { onTerminal, type Typed } from '../support/pty.ts'
import { programMissing } from '../support/require.ts'
import { compiledCode, LAUNCHER } from '../support/serving.ts'

const noScript = programMissing('script', 'apt-get install bsdutils')
const noDisplay =
  programMissing('Xvfb', 'apt-get install xvfb') ||
  programMissing('xdotool', 'apt-get install xdotool') ||
  programMissing('zenity', 'apt-get install zenity')

let vault: GuardedVault
let seq = 0
/** The vault as the person left it. */
let rows: readonly unknown[]
let client: Client
let displays: readonly Display[] = []

before(async () => {
  vault = await guardedVault()
  seq = (await auditAfter(vault.home, 0)).entries.at(-1)?.seq ?? 0
  rows = protectedRows(vault.home)
  client = new Client({ name: 'client-with-a-shell', version: '1' })
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [LAUNCHER, 'mcp'],
      cwd: vault.project,
      env: environment(vault.home),
    }),
  )
  if (noDisplay === false) displays = await Promise.all([startDisplay(), startDisplay()])
})
after(async () => {
  await client.close()
  await Promise.all(displays.map((display) => display.stop()))
  vault.remove()
})

/** What the agent's shell sees: its own folder first in PATH, and every variable that might open a gate. */
function environment(home: string): Record<string, string> {
  return {
    ...compiledCode(),
    PATH: `${vault.fakes.folder}:${resolve(process.execPath, '..')}:/usr/bin:/bin`,
    HOME: vault.project,
    LANG: 'C.UTF-8',
    CI: '1',
    SALLYPORT_HOME: home,
    SALLYPORT_KEY_SOURCE: 'keyfile',
    SALLYPORT_YES: '1',
    SALLYPORT_PRESENCE: vault.passphrase,
    SALLYPORT_PRESENCE_PASSPHRASE: vault.passphrase,
    SALLYPORT_PASSPHRASE: vault.passphrase,
  }
}

interface Act {
  readonly argv: readonly string[]
  /** Default: the allowed project. */
  readonly cwd?: string
  /** What the person is asked after the presence passphrase. */
  readonly more?: readonly Typed[]
}

/** The prompt itself, which ends in the escape that asks for bracketed paste: what stands before it names it too. */
// oxlint-disable-next-line no-control-regex
const PROMPT = /assphrase(?: again)?: \u001b/
const OTHER = 'another passphrase of theirs'

/** What only the person may do. `restore` stands apart: onto a store in use it is refused to everybody. */
function acts(): readonly Act[] {
  return [
    { argv: ['allow'], cwd: vault.stranger },
    { argv: ['allow', '--revoke'] },
    { argv: ['secret', 'get', 'api/key'] },
    { argv: ['secret', 'get', 'db/key', '--json'] },
    { argv: ['secret', 'destroy', 'db/key'] },
    { argv: ['env', 'export'] },
    { argv: ['key', 'rotate'] },
    { argv: ['key', 'rekey'] },
    {
      argv: ['key', 'change-source', 'passphrase'],
      more: [
        [PROMPT, OTHER],
        [PROMPT, OTHER],
      ],
    },
    { argv: ['backup', 'stolen', '--recovery-key'] },
    { argv: ['token', 'create', 'mine'] },
    { argv: ['token', 'rotate'] },
    { argv: ['token', 'revoke', vault.tokenId] },
    { argv: ['setting', 'exempt', 'secret get', 'on'] },
    { argv: ['setting', 'exempt', 'env export', 'on'] },
    {
      argv: ['presence', 'set'],
      more: [
        [PROMPT, OTHER],
        [PROMPT, OTHER],
      ],
    },
  ]
}

/** Some of each sort: that a gate which stays closed stops each of them is shown in src/cli/gate.test.ts. */
const SOME = new Set(['allow', 'secret get', 'key rotate', 'token create', 'presence set'])
const isOneOfSome = ({ argv: [noun = '', verb = ''] }: Act): boolean =>
  SOME.has(noun) || SOME.has(`${noun} ${verb}`)

const nameOf = ({ argv }: Act): string => argv.join(' ')

interface Ran {
  readonly exit: number | null
  readonly output: string
}

/** From a shell without a terminal: a session of its own, answers on standard input and on a descriptor. */
async function piped(act: Act, home: string, env: Record<string, string> = {}): Promise<Ran> {
  const child = spawn(process.execPath, [LAUNCHER, ...act.argv], {
    cwd: act.cwd ?? vault.project,
    env: { ...environment(home), ...env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  for (const stream of [child.stdin, child.stdio[3]])
    if (stream !== null && stream !== undefined && 'end' in stream)
      stream.on('error', () => {}).end(`${vault.passphrase}\ny\nyes\n`)
  const [exit] = (await once(child, 'close')) as [number | null]
  return { exit, output }
}

function onScript(act: Act, home: string, typed: readonly Typed[]): Promise<Ran> {
  return onTerminal([process.execPath, LAUNCHER, ...act.argv], {
    cwd: act.cwd ?? vault.project,
    env: environment(home),
    typed,
  })
}

const AT_THE_GATE = new Set(['presence.attempt', 'presence.refused', 'presence.throttled'])

/** Nothing came out, nothing changed, and the audit holds at most that somebody tried. */
async function assertHeld(home: string, what: string, ran: Ran): Promise<void> {
  for (const value of Object.values(vault.values))
    assert.ok(!ran.output.includes(value), `${what} shows a value`)
  assert.deepEqual(protectedRows(home), rows, what)
  const { entries, isWhole } = await auditAfter(home, seq)
  assert.ok(isWhole, what)
  const others = entries.filter(
    ({ kind, action }) => kind !== 'refusal' && !AT_THE_GATE.has(action),
  )
  assert.deepEqual(others, [], what)
  assert.ok(!existsSync(join(vault.project, 'stolen')), what)
  assert.ok(!existsSync(vault.fakes.log), `${what} started a program from the caller's PATH`)
}

/** Two at a time, which of them is told: each waits for the other processes it starts. */
async function each<T>(
  all: readonly T[],
  work: (one: T, at: number) => Promise<void>,
): Promise<void> {
  const left = [...all]
  const run = async (at: number): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next, at)
  }
  await Promise.all([run(0), run(1)])
}

test('the files in PATH would open the gate, were they asked', () => {
  assert.equal(
    execFileSync('zenity', { env: environment(vault.home), encoding: 'utf8' }).trim(),
    vault.passphrase,
  )
  execFileSync('rm', [vault.fakes.log])
})

test('without a terminal and a display, answers in pipes and variables open nothing', async () => {
  await each(acts(), async (act) => {
    const { exit, output } = await piped(act, vault.home)
    assert.equal(exit, 5, `${nameOf(act)}: ${output}`)
    assert.match(output, /The presence passphrase cannot be asked for here/, nameOf(act))
    for (const value of Object.values(vault.values)) assert.ok(!output.includes(value))
  })
  assert.deepEqual((await auditAfter(vault.home, seq)).entries, [])
  assert.deepEqual(protectedRows(vault.home), rows)
  assert.ok(!existsSync(join(vault.project, 'stolen')))
  // The server beside it was not fooled either.
  const denied = await client.callTool({ name: 'get_secret', arguments: { path: 'db/key' } })
  assert.equal(denied.isError, true)
})

test('on a terminal that script makes, Enter, y and guesses open nothing', {
  skip: noScript,
}, async () => {
  await each(acts().filter(isOneOfSome), async (act) => {
    const home = vault.copy()
    const enter = await onScript(act, home, [[PROMPT, '']])
    assert.equal(enter.exit, 8, `${nameOf(act)}, Enter: ${enter.output}`)
    assert.ok(!Object.values(vault.values).some((value) => enter.output.includes(value)))
    const guess = await onScript(act, home, [[PROMPT, 'y']])
    assert.equal(guess.exit, 5, `${nameOf(act)}, y: ${guess.output}`)
    assert.match(guess.output, /That is not the presence passphrase/)
    await assertHeld(home, `${nameOf(act)}, y`, guess)
  })
})

test('guesses are throttled, also for the right one, and whoever guesses at once gains nothing', {
  skip: noScript,
}, async () => {
  const home = vault.copy()
  const get: Act = { argv: ['secret', 'get', 'db/key'] }
  const guesses = ['password', 'correct horse battery staple', 'admin', 'letmein', 'hunter2']
  const ran = await Promise.all(guesses.map((guess) => onScript(get, home, [[PROMPT, guess]])))
  for (const one of ran) assert.equal(one.exit, 5, one.output)
  await assertHeld(home, 'guesses at once', {
    exit: 5,
    output: ran.map(({ output }) => output).join('\n'),
  })
  const right = await onScript(get, home, [[PROMPT, vault.passphrase]])
  assert.equal(right.exit, 5, right.output)
  assert.match(right.output, /Too many wrong answers; try again in \d+ s/)
  await assertHeld(home, 'throttled', right)
})

test('on a display of its own, what xdotool types and presses opens nothing', {
  skip: noDisplay,
}, async () => {
  const title = 'Sallyport needs your presence passphrase'
  type Pressed = readonly [act: Act, text: string, key: string, exit: number]
  const commands = new Map(acts().map((act) => [act.argv.slice(0, 2).join(), act]))
  const some = [...commands.values()].filter(isOneOfSome)
  const get: Act = { argv: ['secret', 'get', 'db/key'] }
  const all: readonly Pressed[] = [
    ...some.map((act): Pressed => [act, 'y', 'Return', 5]),
    [get, '', 'Return', 8],
    [get, '', 'Escape', 8],
  ]
  await each(all, async ([act, text, key, exit], at) => {
    const home = vault.copy()
    const display = displays[at]!
    const running = piped(act, home, { DISPLAY: display.name })
    await display.type(title, text, key)
    const ran = await running
    assert.equal(ran.exit, exit, `${nameOf(act)}: ${ran.output}`)
    await assertHeld(home, `${nameOf(act)}, ${text} ${key}`, ran)
  })
})

test('the person, who knows the passphrase, does all of it on the same terminal', {
  skip: noScript,
}, async () => {
  await each(acts(), async (act) => {
    const home = vault.copy()
    const cwd = act.argv[0] === 'backup' ? mkdtempSync(join(home, 'cwd-')) : act.cwd
    const { exit, output } = await onScript({ ...act, ...(cwd !== undefined && { cwd }) }, home, [
      [PROMPT, vault.passphrase],
      ...(act.more ?? []),
    ])
    assert.equal(exit, 0, `${nameOf(act)}: ${output}`)
    const shows = ['get', 'export'].includes(act.argv[1] ?? '')
    if (shows)
      assert.ok(
        Object.values(vault.values).some((value) => output.includes(value)),
        output,
      )
    assert.ok(!output.includes(vault.passphrase), nameOf(act))
    const { entries, isWhole } = await auditAfter(home, seq).catch(() => ({
      // Moved to a passphrase, the vault does not open here any more.
      entries: [{ action: 'presence.proved' }],
      isWhole: act.argv[1] === 'change-source',
    }))
    assert.ok(isWhole, nameOf(act))
    assert.ok(
      entries.some(({ action }) => action === 'presence.proved'),
      nameOf(act),
    )
  })
})

test('no flag stands in for the person', async () => {
  const flags = [
    '--yes',
    '-y',
    '--force',
    '--no-gate',
    '--presence=skip',
    `--passphrase=${vault.passphrase}`,
    '--presence-fd=3',
    '--no-input',
    '--batch',
    '--as-person',
  ]
  const all = acts().filter(({ argv }) => argv[0] !== 'key' && argv[0] !== 'backup')
  await each(flags, async (flag) => {
    const act = all[flags.indexOf(flag) % all.length]!
    const { exit, output } = await piped({ ...act, argv: [...act.argv, flag] }, vault.home)
    assert.equal(exit, 2, `${nameOf(act)} ${flag}: ${output}`)
    assert.ok(!output.includes(vault.passphrase), flag)
  })
  // This one is the passphrase of the backup or of the keys; it is no answer at the gate.
  for (const argv of [
    ['backup', 'stolen', '--passphrase-fd', '3'],
    ['key', 'change-source', 'passphrase', '--passphrase-fd', '3'],
  ])
    assert.equal((await piped({ argv }, vault.home)).exit, 5, argv.join(' '))
  assert.deepEqual(protectedRows(vault.home), rows)
})

test('another home, other folders or another database do not lead around the gate', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'sallyport-elsewhere-'))
  const real = (name: string): string => join(vault.home, name)
  const tricks: readonly [what: string, env: Record<string, string>, exits: readonly number[]][] = [
    ['an empty home', { SALLYPORT_HOME: join(elsewhere, 'a') }, [5]],
    ['HOME and XDG', { SALLYPORT_HOME: '', HOME: elsewhere, XDG_DATA_HOME: elsewhere }, [5]],
    ['state elsewhere', { SALLYPORT_STATE_DIR: join(elsewhere, 's') }, [5]],
    ['keys elsewhere', { SALLYPORT_CONFIG_DIR: join(elsewhere, 'c') }, [5, 7]],
    ['another source', { SALLYPORT_KEY_SOURCE: 'passphrase' }, [5]],
    [
      'the data under other keys',
      { SALLYPORT_HOME: join(elsewhere, 'd'), SALLYPORT_DATA_DIR: real('data') },
      [5, 7],
    ],
    ['another project', { CLAUDE_PROJECT_DIR: vault.stranger }, [5]],
    ['the vault by name', { SALLYPORT_VAULT: 'default' }, [5]],
  ]
  try {
    await each(tricks, async ([what, env, exits]) => {
      for (const argv of [
        ['secret', 'get', 'db/key'],
        ['env', 'export'],
      ]) {
        const ran = await piped({ argv }, vault.home, env)
        assert.ok(exits.includes(ran.exit ?? -1), `${what}: ${ran.exit} ${ran.output}`)
        for (const value of Object.values(vault.values))
          assert.ok(!ran.output.includes(value), what)
      }
    })
    assert.deepEqual(protectedRows(vault.home), rows)
  } finally {
    execFileSync('rm', ['-r', elsewhere])
  }
})

test('a restore replaces no vault, and a copy elsewhere keeps key and gate', {
  skip: noScript,
}, async () => {
  const home = vault.copy()
  const argv = ['restore', vault.backup.file]
  for (const ran of [
    await piped({ argv: [...argv, '--passphrase-fd', '3'] }, home),
    await onScript({ argv }, home, []),
  ]) {
    assert.equal(ran.exit, 6, ran.output)
    await assertHeld(home, 'restore', ran)
  }
  const elsewhere = join(home, 'elsewhere')
  mkdirSync(elsewhere, { mode: 0o700 })
  const guessed = await piped({ argv: [...argv, '--passphrase-fd', '3'] }, elsewhere)
  assert.ok(guessed.exit === 7 || guessed.exit === 2, guessed.output)
  assert.match(guessed.output, /recovery key/)
  // The agent found the recovery key: the passphrase came along in the copy.
  const found = await onScript({ argv }, elsewhere, [
    [/[Rr]ecovery key[^:]*: /, vault.backup.recoveryKey],
  ])
  assert.equal(found.exit, 0, found.output)
  const read = await piped({ argv: ['secret', 'get', 'db/key'] }, elsewhere)
  assert.equal(read.exit, 5, read.output)
  assert.match(read.output, /The presence passphrase cannot be asked for here/)
  const asked = await onScript({ argv: ['secret', 'get', 'db/key'] }, elsewhere, [[PROMPT, 'y']])
  assert.equal(asked.exit, 5, asked.output)
  for (const { output } of [guessed, found, read, asked])
    assert.ok(!output.includes(vault.values['db/key']))
})

test('up offers to allow the folder, and y does not allow it', { skip: noScript }, async () => {
  const home = vault.copy()
  const ran = await onTerminal([process.execPath, LAUNCHER, 'up', '--port', '0'], {
    cwd: vault.stranger,
    env: environment(home),
    typed: [[PROMPT, 'y']],
    until: /Later: sallyport allow/,
  })
  assert.equal(ran.exit, 0, ran.output)
  assert.match(ran.output, /That is not the presence passphrase/)
  await assertHeld(home, 'up', ran)
})

test('where no passphrase is set, the gate is shut and says what to set up', {
  skip: noScript,
}, async () => {
  const open = await guardedVault(false)
  try {
    const before = protectedRows(open.home)
    const run = async (act: Act): Promise<void> => {
      if (act.argv[0] === 'presence') return
      const argv = act.argv.map((word) => (word === vault.tokenId ? open.tokenId : word))
      const cwd = act.cwd === undefined ? open.project : open.stranger
      for (const ran of [
        await piped({ argv, cwd }, open.home),
        ...(isOneOfSome(act) ? [await onScript({ argv, cwd }, open.home, [])] : []),
      ]) {
        assert.equal(ran.exit, 5, `${nameOf(act)}: ${ran.output}`)
        assert.match(ran.output, /no presence passphrase is set yet: run sallyport presence set/)
        for (const value of Object.values(open.values)) assert.ok(!ran.output.includes(value))
      }
    }
    await each(acts(), run)
    assert.deepEqual(protectedRows(open.home), before)
    assert.deepEqual(readdirSync(open.project).toSorted(), ['.env', '.sallyport.yml'])
  } finally {
    open.remove()
  }
})
