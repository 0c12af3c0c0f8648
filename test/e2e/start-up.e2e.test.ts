// What a start loads: an MCP client waits for it, each time a conversation begins.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { approvedProject } from '../support/approved-project.ts'
import { packInto } from '../support/package.ts'
import { homeEnvironment, temporaryHome } from '../support/serving.ts'

const ROOT = join(import.meta.dirname, '..', '..')

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'start-up', version: '1' },
  },
}
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' }
const GET = {
  jsonrpc: '2.0',
  id: 2,
  method: 'tools/call',
  params: { name: 'get_secret', arguments: { path: 'api/key' } },
}

/** Whatever a first read has no use for. */
const PACKAGES =
  'yaml ipaddr.js jose undici openid-client @simplewebauthn/server pg ioredis re2js ajv ' +
  'libphonenumber-js hono @hono/node-server @clack/prompts'
const DOMAINS = 'ask remote broker gateway api pages catalog scan clients'

const { home, remove } = await temporaryHome()
after(remove)

interface Loaded {
  readonly files: readonly string[]
  readonly kilobytes: number
  /** From the root of the repository. */
  readonly modules: readonly string[]
}

const list = join(home, 'modules.json')
const launcher = await packInto(join(home, 'package'), list)
// By file of the bundle: what the line above wrote.
const modules = JSON.parse(readFileSync(list, 'utf8')) as Record<string, readonly string[]>
const cwd = await approvedProject(home, { 'api/key': 'start-up' })

function loaded(list: string): Loaded {
  const paths = readFileSync(list, 'utf8')
    .split('\n')
    .filter((url) => url.includes('/dist/'))
    .map((url) => fileURLToPath(url))
  const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0)
  const files = paths.map((path) => basename(path))
  return {
    files,
    kilobytes: Math.ceil(bytes / 1024),
    modules: files.flatMap((file) => modules[file] ?? []),
  }
}

const NOTE = ['--import', join(ROOT, 'test', 'support', 'note-loads.ts')]

/** What a command loads. */
async function loadsOf(...argv: readonly string[]): Promise<Loaded> {
  const list = join(home, `${argv.join('-')}.txt`)
  const env = { ...homeEnvironment(home), SALLYPORT_TEST_LOADS: list }
  await promisify(execFile)(process.execPath, [...NOTE, launcher, ...argv], { cwd, env })
  return loaded(list)
}

/** Starts the server and asks it. @returns what was loaded when it had answered each question */
async function loadsAfter(requests: readonly object[]): Promise<readonly Loaded[]> {
  const list = join(home, 'loads.txt')
  const child = spawn(process.execPath, [...NOTE, launcher, 'mcp'], {
    cwd,
    env: { ...homeEnvironment(home), SALLYPORT_TEST_LOADS: list },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const loads: Loaded[] = []
  const ask = (): void => {
    const next = requests[loads.length]
    if (next === undefined) child.stdin.end()
    else child.stdin.write(`${JSON.stringify(next)}\n`)
  }
  ask()
  for await (const line of createInterface({ input: child.stdout })) {
    const answer = JSON.parse(line) as { id?: number; result?: { isError?: boolean } }
    if (answer.id === undefined) continue
    assert.ok(answer.result !== undefined && answer.result.isError !== true, line)
    loads.push(loaded(list))
    if (loads.length === 1) child.stdin.write(`${JSON.stringify(INITIALIZED)}\n`)
    ask()
  }
  assert.equal(await ended, 0)
  return loads
}

const [first, read] = await loadsAfter([INITIALIZE, GET])

test('start-up: the first answer loads a few files, and nothing of the vault', () => {
  assert.ok(first !== undefined)
  assert.deepEqual(
    first.modules.filter((id) => /^src\/(?:vault|store|audit|identity|inspect|policy)\//.test(id)),
    [],
  )
  assert.ok(first.files.length <= 8, first.files.join(' '))
  assert.ok(first.kilobytes <= 620, `${first.kilobytes} kB`)
})

test('start-up: the first get_secret loads no package and no domain that it has no use for', () => {
  assert.ok(read !== undefined)
  assert.ok(read.modules.includes('src/vault/local-vault.ts'), 'the list of modules is empty')
  const packages = read.modules.flatMap(
    (id) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? [],
  )
  const domains = read.modules.flatMap((id) => /^src\/([^/]+)\//.exec(id)?.[1] ?? [])
  const unwanted = new Set(`${PACKAGES} ${DOMAINS}`.split(' '))
  assert.deepEqual(
    [...new Set([...packages, ...domains])].filter((one) => unwanted.has(one)),
    [],
  )
})

test('start-up: the first get_secret loads a few files', () => {
  assert.ok(read !== undefined)
  assert.ok(read.files.length <= 18, read.files.join(' '))
  assert.ok(read.kilobytes <= 1_560, `${read.kilobytes} kB`)
})

test('start-up: a command loads no server and no detector', async () => {
  const { modules: listing, files } = await loadsOf('secret', 'ls')
  assert.ok(listing.includes('src/vault/local-vault.ts'), 'the list of modules is empty')
  assert.deepEqual(
    listing.filter((id) =>
      /^src\/(?:(?:mcp|secret-tools|api|gateway|pages|net)|inspect\/detectors)\/.+(?<!signature)\.ts$/.test(
        id,
      ),
    ),
    [],
  )
  assert.ok(files.length <= 14, files.join(' '))
})
