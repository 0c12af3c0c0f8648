import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { act, request } from '../support/approvals.ts'
import { serve } from '../support/outgoing.ts'
import { onTerminal } from '../support/pty.ts'
import { programMissing } from '../support/require.ts'
import { agentIn, openTestVault, PERSON, type TestVault } from '../support/vault.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-approvals-')))
after(() => rmSync(folder, { recursive: true, force: true }))

const home = join(folder, 'home')
const project = join(folder, 'project')
mkdirSync(project)
const passphrase = `correct ${randomBytes(6).toString('hex')} staple`
const skip = programMissing('script', 'apt-get install bsdutils')

/** No display, no session bus, no colours. */
const env = {
  PATH: `${resolve(process.execPath, '..')}:/usr/bin:/bin`,
  HOME: folder,
  LANG: 'C.UTF-8',
  SALLYPORT_HOME: home,
  SALLYPORT_KEY_SOURCE: 'keyfile',
}
const sallyport = [process.execPath, join(root, 'bin/sallyport.mjs')] as const

/** Runs a command as an agent's shell would, with no terminal that could be reached. */
async function piped(argv: readonly string[]) {
  const [node, launcher] = sallyport
  const child = spawn(node, [launcher, ...argv], { cwd: project, env, detached: true })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  child.stdin.end()
  const [exit] = (await once(child, 'close')) as [number]
  return {
    exit,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  }
}

// oxlint-disable-next-line no-control-regex
const PROMPT = /assphrase(?: again)?: \u001b/

/** Runs a command on a terminal, where the person types the presence passphrase. */
async function proven(argv: readonly string[]): Promise<{ stdout: string; terminal: string }> {
  const file = join(folder, 'out')
  const { exit, output } = await onTerminal(
    ['sh', '-c', `"$@" > '${file}'`, 'sh', ...sallyport, ...argv],
    { cwd: project, env, typed: [[PROMPT, passphrase]] },
  )
  assert.equal(exit, 0, output)
  return { stdout: readFileSync(file, 'utf8'), terminal: output }
}

/** The store that the commands work on, opened beside them as another process does. */
async function beside<T>(work: (vault: TestVault) => Promise<T>): Promise<T> {
  const vault = await openTestVault({ home })
  try {
    return await work(vault)
  } finally {
    await vault.close()
  }
}

const agent = agentIn(project)

test('what an agent asks for is seen by everybody and decided by the person', {
  skip,
}, async () => {
  await onTerminal([...sallyport, 'presence', 'set'], {
    cwd: project,
    env,
    typed: [
      [PROMPT, passphrase],
      [PROMPT, passphrase],
    ],
  })
  const received: string[] = []
  const port = await serve((incoming, outgoing) => {
    received.push(String(incoming.headers['x-sallyport-event']))
    outgoing.writeHead(204).end()
  })
  const url = `http://127.0.0.1:${port}/`
  const added = await proven(['webhook', 'add', url, '--event', 'approval.approved', '--json'])
  const webhook = JSON.parse(added.stdout) as { id: string; secret: string }
  assert.match(webhook.secret, /^whsec_/)
  const { id } = await beside(({ approvals: { approvals: desk } }) =>
    desk.request(agent, request('one', { reason: 'for the notes' })),
  )
  const listed = await piped(['approvals', 'list', '--json'])
  const { approvals } = JSON.parse(listed.stdout) as {
    approvals: { id: string; status: string }[]
  }
  assert.deepEqual(
    approvals.map((one) => [one.id, one.status]),
    [[id, 'pending']],
  )
  const shown = (await piped(['approvals', 'show', id])).stdout
  for (const part of [
    /^asked by {4}agent:local in .*project$/m,
    /^what {8}Write a file$/m,
    /^ {2}path {6}notes\/today$/m,
    /^its reason {2}for the notes$/m,
  ])
    assert.match(shown, part)

  const refused = await piped(['approvals', 'approve', id])
  assert.deepEqual([refused.exit, refused.stdout], [5, ''])
  const { stdout, terminal } = await proven(['approvals', 'approve', id, '--reason', 'go on'])
  assert.equal(stdout, 'Approved.\n')
  assert.match(terminal, /approve for agent:local in \S+: Write a file/)
  // The command has told the webhook before it ended.
  assert.deepEqual(received, ['approval.approved'])
  await beside(async ({ approvals: { approvals: desk } }) => {
    assert.equal((await desk.consume(agent, act())).outcome, 'granted')
    assert.equal((await desk.consume(agent, act())).outcome, 'none')
    await desk.request(agent, request('two'))
  })
  const [second] = await beside(({ approvals: { approvals: desk } }) =>
    desk.list(PERSON, { status: 'pending' }),
  )
  const denied = await proven(['approvals', 'deny', second?.id ?? '', '--json'])
  assert.equal((JSON.parse(denied.stdout) as { status: string }).status, 'denied')
  assert.equal((await piped(['approvals', 'ls'])).stdout, '')
  assert.equal(
    (await proven(['webhook', 'rm', webhook.id, '--json'])).stdout.includes('true'),
    true,
  )
})
