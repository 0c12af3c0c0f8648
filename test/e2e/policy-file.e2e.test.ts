// What takes the place of the file of a policy while `sallyport wrap` judges by it.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import { programMissing } from '../support/require.ts'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'
import { LINE_SERVER, saidBy, startWrapped, type Wrapped } from '../support/wrapped.ts'

const { home, remove } = await temporaryHome()
after(remove)

const ALLOWS = '{"version":"1","default":"allow"}'
const DENIES = '{"version":"1","default":"deny"}'

test('what is no file in the place of a policy leaves the last one in force, and holds nothing up', {
  skip: programMissing('mkfifo', 'apt-get install coreutils'),
}, async () => {
  const file = join(home, 'policy.json')
  await writeFile(file, DENIES)
  const wrapped = startWrapped(home, { flags: ['--policy', file] })
  let calls = 0
  const said = async (): Promise<string> => {
    calls += 1
    return saidBy(await wrapped.call(calls, 'echo', { text: 'a' }))
  }
  const told = (): number => wrapped.stderr().split('cannot be read: it is no regular file').length
  assert.match(await said(), /^\[POLICY DENIED\]/)
  for (const [what, put] of [
    ['a pipe', () => execFileSync('mkfifo', [`${file}.new`])],
    ['a folder', () => mkdir(`${file}.new`)],
    ['a link to a device', () => symlink('/dev/zero', `${file}.new`)],
  ] as const) {
    const before = told()
    await put()
    await rm(file, { recursive: true })
    await rename(`${file}.new`, file)
    for (let waited = 0; waited < 5_000 && told() === before; waited += 50) await sleep(50)
    assert.equal(told(), before + 1, what)
    assert.match(await said(), /^\[POLICY DENIED\]/, what)
  }
  // It is looked at after all of them as before.
  await writeFile(`${file}.new`, ALLOWS)
  await rename(`${file}.new`, file)
  let answer = ''
  for (let waited = 0; waited < 5_000 && answer !== 'a'; waited += 100) {
    answer = await said()
    await sleep(100)
  }
  assert.equal(answer, 'a')
  await rm(file)
  execFileSync('mkfifo', [file])
  const before = told()
  for (let waited = 0; waited < 5_000 && told() === before; waited += 50) await sleep(50)
  assert.equal(await Promise.race([wrapped.end(), sleep(5_000).then(() => 'still there')]), 0)
})

const STOPPED = 'before the policy was there to its end'
const ways: readonly [
  what: string,
  leave: (wrapped: Wrapped) => void,
  exit: number,
  why: RegExp,
][] = [
  ['the client leaves', ({ child }) => child.stdin?.end(), 0, /The client left/],
  ['SIGTERM', ({ child }) => child.kill('SIGTERM'), 143, /told to end/],
  ['SIGINT', ({ child }) => child.kill('SIGINT'), 130, /told to end/],
]

/** Resolves a moment after it was opened for reading. */
async function isRead(file: string, { child }: Wrapped): Promise<void> {
  const open = `/proc/${child.pid}/fd`
  const isOpen = (): boolean =>
    !existsSync(open) || readdirSync(open).some((fd) => linkOf(`${open}/${fd}`) === file)
  for (let waited = 0; waited < 10_000 && !isOpen(); waited += 20) await sleep(20)
  await sleep(existsSync(open) ? 200 : 1_500)
}

/** Null for what was closed meanwhile. */
function linkOf(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}

for (const [what, leave, exit, why] of ways)
  for (const isBegun of [false, true])
    test(`a policy that nobody ${isBegun ? 'ends' : 'writes'} is waited for until ${what}`, {
      skip: programMissing('mkfifo', 'apt-get install coreutils'),
    }, async () => {
      const file = join(home, 'silent.json')
      await rm(file, { force: true })
      execFileSync('mkfifo', [file])
      const wrapped = startWrapped(home, { flags: ['--policy', file] })
      // Opened once somebody reads.
      const writer = isBegun ? await open(file, 'w') : null
      await writer?.write('{"version":')
      await isRead(file, wrapped)
      assert.equal(wrapped.child.exitCode, null)
      leave(wrapped)
      const ended = await Promise.race([wrapped.exited, sleep(5_000).then(() => 'still there')])
      await writer?.close()
      if (ended === 'still there') wrapped.child.kill('SIGKILL')
      assert.equal(ended, exit)
      assert.match(wrapped.stderr(), why)
      assert.ok(wrapped.stderr().includes(STOPPED))
    })

test('who says all at once and ends is answered by a policy that comes a moment later, and is not waited for long', {
  skip: programMissing('mkfifo', 'apt-get install coreutils'),
}, async () => {
  const file = join(home, 'late.json')
  const asked =
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}}'
  const begin = async (): Promise<Wrapped> => {
    const wrapped = startWrapped(home, { flags: ['--policy', file] })
    await isRead(file, wrapped)
    wrapped.send(asked)
    wrapped.child.stdin?.end()
    return wrapped
  }
  execFileSync('mkfifo', [file])
  const answered = await begin()
  await sleep(500)
  assert.equal(answered.child.exitCode, null)
  await writeFile(file, ALLOWS)
  assert.equal(await answered.exited, 0)
  assert.match(answered.lines.join(), /"id":1,"result"/)
  const left = await begin()
  const ended = await Promise.race([left.exited, sleep(15_000).then(() => 'still there')])
  if (ended === 'still there') left.child.kill('SIGKILL')
  assert.equal(ended, 1)
  assert.ok(left.stderr().includes(STOPPED))
})

test('a policy of a process that had nothing to write is none', {
  skip: programMissing('bash', 'apt-get install bash'),
}, () => {
  const wrap = `"$0" "$1" wrap --policy <(true) -- "$0" -v`
  const { status, stderr } = spawnSync('bash', ['-c', wrap, process.execPath, LAUNCHER], {
    cwd: home,
    env: homeEnvironment(home),
    encoding: 'utf8',
    timeout: 15_000,
  })
  assert.equal(status, 2, stderr)
})

test('a policy that is written in pieces holds as a whole, though its beginning is a policy too', async () => {
  const file = join(home, 'policy.yaml')
  const head = 'version: "1"\ndefault: allow\n'
  const rest = 'tools:\n  echo: {action: deny, reason: As a whole.}\n'
  await writeFile(file, head + rest)
  const wrapped = startWrapped(home, { flags: ['--policy', file] })
  const said = async (id: number | string): Promise<string> =>
    saidBy(await wrapped.call(id, 'echo', { text: 'a' }))
  assert.match(await said(1), /As a whole/)
  // As many programs write: what was there is cut off, and the new comes bit by bit.
  const written = await open(file, 'w')
  for (const [id, piece] of [...`${head}# More of it.\n`, rest].entries()) {
    await written.write(piece)
    await sleep(60)
    if (id % 5 === 0) assert.match(await said(id + 2), /As a whole/)
  }
  await written.close()
  for (let waited = 0; !wrapped.stderr().includes('read anew'); waited += 50) {
    assert.ok(waited < 5_000, 'it was not read anew')
    await sleep(50)
  }
  assert.match(await said('last'), /As a whole/)
  assert.equal(wrapped.stderr().split('read anew').length, 2)
  assert.doesNotMatch(wrapped.stderr(), /not valid/)
  await wrapped.end()
})

test('a policy may be what another process writes as this one starts', {
  skip: programMissing('bash', 'apt-get install bash'),
}, () => {
  const call = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'echo', arguments: { text: 'a' } },
  }
  const { stdout, stderr } = spawnSync(
    'bash',
    [
      '-c',
      'exec "$1" "$2" wrap --policy <(printf %s "$3") -- "$1" "$4"',
      'bash',
      process.execPath,
      LAUNCHER,
      DENIES,
      LINE_SERVER,
    ],
    { env: homeEnvironment(home), input: `${JSON.stringify(call)}\n`, encoding: 'utf8' },
  )
  assert.match(stdout, /\[POLICY DENIED\]/, stderr)
  assert.doesNotMatch(stderr, /last one stays/)
})
