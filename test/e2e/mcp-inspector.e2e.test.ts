import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { registerAgent } from '../support/api.ts'
import { homeEnvironment, LAUNCHER, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault } from '../support/vault.ts'

const { home, remove } = await temporaryHome()
const serving = await startServing(home)
after(async () => {
  await serving.stop()
  await remove()
})

const store = await openTestVault({ home })
after(() => store.close())
const agent = await registerAgent(store, [['inspected/**', ['list', 'read', 'write']]])
const { token } = await store.identity.authentication.exchange(agent.key, null, {
  address: '127.0.0.1',
  channel: 'http',
})

const manifest = createRequire(import.meta.url).resolve(
  '@modelcontextprotocol/inspector/package.json',
)
const INSPECTOR = join(dirname(manifest), 'clients', 'launcher', 'build', 'index.js')

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))

interface Inspected {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function inspect(args: readonly string[]): Promise<Inspected> {
  const child = spawn(process.execPath, [INSPECTOR, '--cli', ...args, '--format', 'json'], {
    cwd: home,
    env: homeEnvironment(home),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8')
  })
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

function overHttp(bearer: string, ...headers: readonly string[]): readonly string[] {
  const all = [`Authorization: Bearer ${bearer}`, ...headers]
  return [serving.url.href, '--transport', 'http', ...all.flatMap((header) => ['--header', header])]
}

function callOf(tool: string, args: object): readonly string[] {
  const json = JSON.stringify(args)
  return ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', json]
}

type Era = 'legacy' | 'modern'

const STDIO = [process.execPath, LAUNCHER, 'mcp']
const HTTP = overHttp(serving.token ?? '')

/** An agent's key and token open the door of the local bearer, which both eras go through. */
const doors: readonly [name: string, target: readonly string[], eras: readonly Era[]][] = [
  ['stdio', STDIO, ['legacy', 'modern']],
  ['HTTP', HTTP, ['legacy', 'modern']],
  ['HTTP-key', overHttp(agent.key, 'X-Vault-ID: default'), ['legacy']],
  ['HTTP-token', overHttp(token.reveal(), 'X-Vault-ID: default'), ['modern']],
]
for (const [name, target, eras] of doors)
  for (const era of eras)
    test(`the Inspector calls a tool that it finds in the list over ${name}, ${era}`, async () => {
      const path = `inspected/${name}-${era}`.toLowerCase()
      const put = await inspect([
        ...target,
        '--protocol-era',
        era,
        ...callOf('put_secret', { path, value: 'x' }),
      ])
      assert.equal(put.code, 0, put.err)
      assert.ok(put.out.includes(`Secret stored at '${path}' (version 1, type: api_key).`), put.out)
    })

// What an answer holds does not depend on the door: each era at one of them.
for (const [name, target, era] of [
  ['stdio', STDIO, 'legacy'],
  ['HTTP', HTTP, 'modern'],
] as const)
  test(`the Inspector lists the tools, and tells of one that fails, over ${name}, ${era}`, async () => {
    const common = [...target, '--protocol-era', era]
    const listed = await inspect([...common, '--method', 'tools/list'])
    assert.equal(listed.code, 0, listed.err)
    for (const tool of ['list_secrets', 'get_secret', 'put_secret', 'input_secret'])
      assert.ok(listed.out.includes(`"${tool}"`), tool)

    const missing = await inspect([
      ...common,
      ...callOf('describe_secret', { path: 'inspected/no-such' }),
    ])
    assert.equal(missing.code, 5, missing.err)
    // Not listed would be 5 as well.
    assert.ok(missing.out.includes('SECRET_NOT_FOUND'), missing.out + missing.err)
  })

test('the Inspector says why an agent without a vault, or a bearer that nobody has, is refused', async () => {
  for (const [target, what] of [
    [overHttp(agent.key), /X-Vault-ID/],
    [overHttp('ocv_nobody', 'X-Vault-ID: default'), /auth_required/],
  ] as const) {
    const listed = await inspect([...target, '--protocol-era', 'legacy', '--method', 'tools/list'])
    assert.notEqual(listed.code, 0)
    assert.match(listed.err + listed.out, what)
  }
})

for (const era of ['legacy', 'modern'] as const)
  test(`the Inspector sees a server behind a policy, ${era}`, async () => {
    const policy = join(home, `policy-${era}.json`)
    const rule = { deny_if: [{ conditions: [{ path: 'args.text', op: 'eq', value: 'no' }] }] }
    await writeFile(
      policy,
      JSON.stringify({ version: '1', default: 'deny', tools: { echo: rule } }),
    )
    const config = join(home, `behind-${era}.json`)
    const args = [LAUNCHER, 'wrap', '--policy', policy, '--', process.execPath, ECHO]
    const server = { command: process.execPath, args }
    await writeFile(config, JSON.stringify({ mcpServers: { behind: server } }))
    const behind = ['--config', config, '--server', 'behind', '--protocol-era', era]
    const echo = (text: string) => inspect([...behind, ...callOf('echo', { text })])
    const passed = await echo('hello')
    assert.ok(passed.out.includes('hello'), passed.err)
    const denied = await echo('no')
    assert.ok(denied.out.includes('[POLICY DENIED] '), denied.out + denied.err)
  })
