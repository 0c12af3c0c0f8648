// The suite's required scenarios of a revision at a server, directly and through the gateway over HTTP: what holds at
// the server has to hold behind the gateway.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processEnvironment } from '../../src/core/config.ts'
import { startBearerProxy } from '../support/bearer-proxy.ts'
import { EVERYTHING } from '../support/everything.ts'
import { type McpDoor, serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

interface Check {
  readonly id: string
  readonly status: string
  readonly errorMessage?: string
}

/** The worst status of each check, by scenario and id. */
type Results = ReadonlyMap<string, Check>

const MODERN = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const SUITE_LIMIT_MS = 120_000
/** What counts as failed; a check that could not be made is told as information and is no failure. */
export const FAILED: ReadonlySet<string> = new Set(['FAILURE'])
const ORDER = ['FAILURE', 'WARNING', 'SUCCESS', 'INFO', 'SKIPPED']

/** @param program of the suite @returns how many checks held, and what holds at a server and not behind the gateway */
export async function compareThroughGateway(
  program: string,
): Promise<{ readonly passed: number; readonly failures: readonly string[] }> {
  const vault = await openTestVault()
  const door = await serveMcpDoor(vault)
  const failures: string[] = []
  let passed = 0
  try {
    const { servers, policies } = await vault.registry()
    await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
    const { agent } = await vault.identity.agents.create(PERSON, { name: 'conformance' })
    for (const { name, revision, start } of SERVERS) {
      const { url, child } = await start()
      try {
        await servers.add(PERSON, name, { kind: 'http', url: url.href, headers: [] })
        const asked = { label: name, server: name, policies: ['open'] }
        const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
        const direct = await suiteAt(program, url.href, revision)
        const through = await throughGateway(program, door, name, bearer.reveal(), revision)
        if (direct.size === 0) failures.push(`${name} ${revision}: the suite said nothing`)
        for (const [key, check] of direct) {
          const behind = through.get(key)
          if (FAILED.has(check.status)) continue
          if (behind !== undefined && FAILED.has(behind.status))
            failures.push(`${name} ${revision} ${key}: ${behind.errorMessage ?? behind.status}`)
          else passed += 1
        }
      } finally {
        child.kill('SIGKILL')
      }
    }
  } finally {
    await door.stop()
    await vault.dispose()
  }
  return { passed, failures }
}

const SERVERS = [
  { name: 'modern', revision: '2026-07-28', start: startModern },
  { name: 'everything', revision: '2025-11-25', start: startEverything },
] as const

interface Started {
  readonly url: URL
  readonly child: ChildProcess
}

async function startModern(): Promise<Started> {
  const child = spawn(process.execPath, [MODERN, 'http'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const port = await said(child, /^(\d+)\n/)
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), child }
}

async function startEverything(): Promise<Started> {
  const port = await freePort()
  const child = spawn(process.execPath, [EVERYTHING, 'streamableHttp'], {
    env: { ...processEnvironment(), PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await said(child, new RegExp(`(${port})`))
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), child }
}

function said(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
      const [, found] = pattern.exec(text) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(`the server ended: ${text}`)))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : 0),
      )
    })
  })
}

async function throughGateway(
  program: string,
  door: McpDoor,
  server: string,
  bearer: string,
  revision: string,
): Promise<Results> {
  // The suite sends no bearers.
  const proxy = await startBearerProxy(new URL(`${door.baseUrl}/s/${server}/mcp`), bearer)
  try {
    return await suiteAt(program, proxy.url, revision)
  } finally {
    await proxy.stop()
  }
}

async function suiteAt(program: string, url: string, revision: string): Promise<Results> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-conformance-'))
  const argv = ['server', '--url', url, '--requirements', revision, '--output-dir', folder]
  const child = spawn(process.execPath, [program, ...argv], { stdio: 'ignore' })
  const late = setTimeout(() => child.kill('SIGKILL'), SUITE_LIMIT_MS)
  await new Promise((resolve) => {
    child.once('exit', resolve)
  })
  clearTimeout(late)
  const results = await resultsIn(folder)
  await rm(folder, { recursive: true, force: true })
  return results
}

/** What the suite wrote down there. */
export async function resultsIn(folder: string): Promise<Results> {
  const results = new Map<string, Check>()
  for (const file of await readdir(folder, { recursive: true })) {
    if (basename(file) !== 'checks.json') continue
    const scenario = dirname(file).replace(/-\d{4}-\d\d-\d\dT.*$/, '')
    const text = await readFile(join(folder, file), 'utf8')
    for (const check of JSON.parse(text) as readonly Check[]) {
      const key = `${scenario}:${check.id}`
      const known = results.get(key)
      const isWorse =
        known === undefined || ORDER.indexOf(check.status) < ORDER.indexOf(known.status)
      if (isWorse) results.set(key, check)
    }
  }
  return results
}
