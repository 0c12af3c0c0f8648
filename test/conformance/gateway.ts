// The suite's scenarios of a revision at a server, directly and through `sallyport up` with a policy on: the fixture,
// which passes them all, is the same behind the gateway check by check. What holds at the fixture holds for clients of
// one era when it is a server of the other one that stands behind the gateway, and what holds at a server that others
// made holds there too.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processEnvironment } from '../../src/core/config.ts'
import { startBearerProxy } from '../support/bearer-proxy.ts'
import { EVERYTHING } from '../support/everything.ts'
import { startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { type Check, checksIn, FAILED, type Results, worstOf } from './checks.ts'
import { allTools } from './fixture/tools.ts'

const MODERN = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const FIXTURE = fileURLToPath(new URL('./fixture/server.ts', import.meta.url))
const SUITE_LIMIT_MS = 120_000

/** Every kind of clause is judged on the way, and none denies what the suite does. */
const POLICY = {
  version: '1',
  default: 'deny',
  all_tools: {
    deny_if: [{ conditions: [{ path: 'args.name', op: 'eq', value: 'nobody is called that' }] }],
    on_result: {
      deny_if: [{ conditions: [{ path: 'text', op: 'contains', value: 'never said' }] }],
    },
    limits: [{ counter: 'calls', window: 'hour', max: 100_000 }],
  },
  tools: Object.fromEntries(allTools().map((name) => [name, {}])),
  methods: {
    'resources/read': {
      require: [{ conditions: [{ path: 'params.uri', op: 'regex', value: '^test://' }] }],
    },
    'resources/subscribe': {},
    'resources/unsubscribe': {},
    'tasks/*': {},
    'prompts/*': {},
    'completion/complete': {},
    'sampling/createMessage': {},
    'elicitation/create': {},
    'roots/list': {},
  },
}
const OPEN = { version: '1', default: 'allow' }

interface Started {
  readonly url: URL
  readonly child: ChildProcess
}

interface Server {
  readonly name: string
  readonly revisions: readonly string[]
  readonly policy: object
  readonly start: () => Promise<Started>
  /** Of what the results at another server are, where this one has none: it is of another era than the suite's client. */
  readonly as?: string
  /** Scenarios of what the other era does not have. */
  readonly without?: RegExp
  readonly compare: (direct: Results, behind: Results) => readonly Difference[]
}

interface Difference {
  readonly scenario: string
  /** Of the check. */
  readonly id: string
  readonly text: string
  /** Whether the check fails behind the gateway, or at the fixture itself. */
  readonly isFailure: boolean
}

const SERVERS: readonly Server[] = [
  {
    name: 'fixture',
    revisions: ['2025-11-25', '2026-07-28'],
    policy: POLICY,
    start: () => startFixture(),
    compare: differences,
  },
  {
    name: 'fixture-modern',
    revisions: ['2025-11-25'],
    policy: POLICY,
    start: () => startFixture('modern'),
    as: 'fixture',
    compare: lost,
  },
  {
    name: 'fixture-legacy',
    revisions: ['2026-07-28'],
    policy: POLICY,
    start: () => startFixture('legacy'),
    as: 'fixture',
    without: /^tasks-/,
    compare: lost,
  },
  {
    name: 'modern',
    revisions: ['2026-07-28'],
    policy: OPEN,
    start: startModern,
    compare: lost,
  },
  {
    name: 'everything',
    revisions: ['2025-11-25'],
    policy: OPEN,
    start: startEverything,
    compare: lost,
  },
]

/**
 * @param program of the suite
 * @param expected `SERVER REVISION SCENARIO` where checks may differ that do not fail, `SERVER REVISION SCENARIO:CHECK`
 *   for one that may
 * @param said for each comparison
 * @returns what fails at the fixture, what differs behind the gateway, what holds at another server and not there, and
 *   what is expected and was not seen
 */
export async function compareThroughGateway(
  program: string,
  expected: ReadonlySet<string>,
  said: (line: string) => void,
): Promise<readonly string[]> {
  const seen = new Set<string>()
  const isExpected = (where: string, { scenario, id, isFailure }: Difference): boolean => {
    const known = [`${where} ${scenario}:${id}`, ...(isFailure ? [] : [`${where} ${scenario}`])]
    const found = known.find((one) => expected.has(one))
    if (found !== undefined) seen.add(found)
    return found !== undefined
  }
  const atServers = new Map<string, Results>()
  const { home, remove } = await temporaryHome()
  const vault = await openTestVault({ home })
  const { servers, policies } = await vault.registry()
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'conformance' })
  const serving = await startServing(home)
  const failures: string[] = []
  try {
    for (const { name, revisions, policy, start, as = name, without, compare } of SERVERS) {
      const { url, child } = await start()
      try {
        await policies.set(PERSON, name, Buffer.from(JSON.stringify(policy)))
        await servers.add(PERSON, name, { kind: 'http', url: url.href, headers: [] })
        const asked = { label: name, server: name, policies: [name] }
        const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
        for (const revision of revisions) {
          const at = `${as} ${revision}`
          const direct = atServers.get(at) ?? (await suiteAt(program, url.href, revision))
          atServers.set(at, direct)
          const door = new URL(`/s/${name}/mcp`, serving.url)
          const behind = await throughGateway(program, door, bearer.reveal(), revision)
          const where = `${name} ${revision}`
          if (direct.size === 0) failures.push(`${where}: the suite said nothing`)
          const compared = [...direct].filter(([scenario]) => without?.test(scenario) !== true)
          const all = compare(new Map(compared), behind)
          const found = all.filter((one) => !isExpected(where, one))
          for (const { scenario, text } of found) failures.push(`${where} ${scenario}: ${text}`)
          const checks = compared.flatMap(([, made]) => made).length
          const noted =
            found.length === all.length ? '' : `, ${all.length - found.length} expected to differ`
          said(`${where}: ${compared.length} scenarios, ${checks} checks${noted}`)
        }
      } finally {
        child.kill('SIGKILL')
      }
    }
  } finally {
    const code = await serving.stop()
    if (code !== 0) failures.push(`sallyport up ended with ${String(code)}`)
    await vault.close()
    await remove()
  }
  for (const one of expected)
    if (!seen.has(one)) failures.push(`${one} is expected to differ and did not: remove it`)
  return failures
}

/** The fixture passes everything, and so does the gateway before it, with the same checks in the same order. */
function differences(direct: Results, behind: Results): readonly Difference[] {
  const found: Difference[] = []
  for (const scenario of new Set([...direct.keys(), ...behind.keys()])) {
    const expected = direct.get(scenario) ?? []
    const actual = behind.get(scenario) ?? []
    for (const { id, status, errorMessage = status } of expected)
      if (isBad(status))
        found.push({ scenario, id, text: `${id} at the fixture: ${errorMessage}`, isFailure: true })
    for (let at = 0; at < Math.max(expected.length, actual.length); at += 1) {
      const [is, was] = [actual[at], expected[at]]
      if (is?.id === was?.id && is?.name === was?.name && is?.status === was?.status) continue
      const why = is?.errorMessage === undefined ? '' : `: ${is.errorMessage}`
      const text = `${shown(was)} directly, ${shown(is)} behind${why}`
      const isFailure = is !== undefined && isBad(is.status)
      found.push({ scenario, id: (is ?? was)?.id ?? '', text, isFailure })
    }
  }
  return found
}

const isBad = (status: string): boolean => status === 'FAILURE' || status === 'WARNING'

const shown = (check: Check | undefined): string =>
  check === undefined ? 'nothing' : `${check.id} (${check.name}) ${check.status}`

/** What does not fail at the server fails behind the gateway, or what holds there is not even tried. */
function lost(direct: Results, behind: Results): readonly Difference[] {
  return [...direct].flatMap(([scenario, checks]) => {
    const there = worstOf(behind.get(scenario) ?? [])
    return [...worstOf(checks)].flatMap(([id, { status }]): readonly Difference[] => {
      const check = there.get(id)
      if (check === undefined && status === 'SUCCESS')
        return [{ scenario, id, text: `${id} was not made`, isFailure: false }]
      if (FAILED.has(status) || check === undefined || !FAILED.has(check.status)) return []
      return [{ scenario, id, text: `${id}: ${check.errorMessage ?? '-'}`, isFailure: true }]
    })
  })
}

async function startFixture(...only: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, [FIXTURE, ...only], { stdio: ['ignore', 'ignore', 'pipe'] })
  const port = await said(child, /^(\d+)\n/)
  return { url: new URL(`http://localhost:${port}/mcp`), child }
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
  door: URL,
  bearer: string,
  revision: string,
): Promise<Results> {
  // The suite sends no bearers.
  const proxy = await startBearerProxy(door, bearer)
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
  const results = await checksIn(folder)
  await rm(folder, { recursive: true, force: true })
  return results
}
