// Runs the protocol's own conformance scenarios against `sallyport up`: npm run conformance [-- --smoke]
// npm run conformance -- gateway: what two revisions require of servers, at a fixture that has it all and at servers of
//   the SDK, directly and through the gateway, compared check by check
// npm run conformance -- servers: servers that people use, to clients of both versions of the SDK
// npm run conformance -- logins: the gateway as a client that logs in
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { registerAgent } from '../support/api.ts'
import { startBearerProxy } from '../support/bearer-proxy.ts'
import { startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault } from '../support/vault.ts'
import { type Check, checksIn, worstOf } from './checks.ts'

/** The revisions a scenario exists in; the suite skips it elsewhere. */
const SCENARIOS: readonly (readonly [name: string, revisions: readonly string[]])[] = [
  ['server-initialize', ['2025-06-18', '2025-11-25']],
  ['ping', ['2025-06-18', '2025-11-25']],
  ['tools-list', ['2025-06-18', '2025-11-25', '2026-07-28']],
  ['dns-rebinding-protection', ['2025-11-25', '2026-07-28']],
  ['http-header-validation', ['2026-07-28']],
  ['server-stateless', ['2026-07-28']],
]
/** What the short run leaves out: every scenario runs once, in its newest revision. */
const newest = (revisions: readonly string[]): readonly string[] => revisions.slice(-1)

const SCENARIO_LIMIT_MS = 60_000

async function main(): Promise<number> {
  const isSmoke = process.argv.includes('--smoke')
  const expected = await expectedOf('server')
  const seenFailing = new Set<string>()
  const { home, remove } = await temporaryHome()
  const results = await mkdtemp(join(tmpdir(), 'sallyport-conformance-'))
  const serving = await startServing(home)
  const proxies = await Promise.all(
    (await callers(home, serving.token ?? '')).map(async ({ who, bearer, headers }) => ({
      who,
      ...(await startBearerProxy(serving.url, bearer, headers)),
    })),
  )
  let passed = 0
  let failed = 0
  const complain = (line: string): void => {
    failed += 1
    print(`  ✗ ${line}`)
  }
  try {
    for (const { who, url, name, revision } of rounds(proxies, isSmoke)) {
      const checks = await runScenario(name, revision, url, join(results, who.replaceAll(' ', '-')))
      const counts = { passed: 0, expected: 0 }
      if (checks.length === 0) complain(`${name} ${revision}, ${who}: no result`)
      for (const [id, worst] of worstOf(checks)) {
        const key = `${name}:${id}`
        if (worst.status === 'SUCCESS') counts.passed += 1
        else if (worst.status === 'FAILURE' || worst.status === 'WARNING') {
          seenFailing.add(key)
          if (expected.has(key)) counts.expected += 1
          else complain(`${name} ${revision} ${id}, ${who}: ${worst.errorMessage ?? worst.status}`)
        }
      }
      passed += counts.passed
      const noted = counts.expected === 0 ? '' : `, ${counts.expected} expected to fail`
      print(`${name} ${revision}, ${who}: ${counts.passed} passed${noted}`)
    }
    for (const key of expected)
      if (!seenFailing.has(key)) complain(`${key} is expected to fail and did not: remove it`)
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.stop()))
    const code = await serving.stop()
    if (code !== 0) complain(`sallyport up ended with ${String(code)}`)
    await rm(results, { recursive: true, force: true })
    await remove()
  }
  print(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

/** The local bearer, and an agent with a token of its own. */
async function callers(home: string, local: string) {
  const store = await openTestVault({ home })
  try {
    const { key } = await registerAgent(store, [['**', ['list', 'read', 'write']]])
    const from = { address: '127.0.0.1', channel: 'http' } as const
    const { token } = await store.identity.authentication.exchange(key, null, from)
    return [
      { who: 'local bearer', bearer: local, headers: {} },
      { who: 'token of an agent', bearer: token.reveal(), headers: { 'x-vault-id': 'default' } },
    ]
  } finally {
    await store.close()
  }
}

/** Every scenario in its revisions, for every caller. */
function rounds(proxies: readonly { who: string; url: string }[], isSmoke: boolean) {
  return proxies.flatMap((proxy) =>
    SCENARIOS.flatMap(([name, revisions]) =>
      (isSmoke ? newest(revisions) : revisions).map((revision) => ({ ...proxy, name, revision })),
    ),
  )
}

async function expectedOf(part: 'server' | 'gateway'): Promise<ReadonlySet<string>> {
  const text = await readFile(new URL('expected-failures.yml', import.meta.url), 'utf8')
  const expected = parse(text) as Readonly<Record<string, readonly string[]>>
  return new Set(expected[part])
}

/** @returns the checks of the scenario; none when the suite did not run it */
async function runScenario(
  scenario: string,
  revision: string,
  url: string,
  results: string,
): Promise<readonly Check[]> {
  const folder = join(results, `${scenario}-${revision}`)
  const child = spawn(
    process.execPath,
    [
      conformanceProgram(),
      'server',
      '--url',
      url,
      '--scenario',
      scenario,
      '--spec-version',
      revision,
      '--output-dir',
      folder,
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  )
  const late = setTimeout(() => child.kill('SIGKILL'), SCENARIO_LIMIT_MS)
  await new Promise((resolve) => {
    child.on('exit', resolve)
  })
  clearTimeout(late)
  return [...(await checksIn(folder)).values()].flat()
}

/** Its package exports nothing; the program stands beside the package.json. */
function conformanceProgram(): string {
  const manifest = createRequire(import.meta.url).resolve(
    '@modelcontextprotocol/conformance/package.json',
  )
  return join(dirname(manifest), 'dist', 'index.js')
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What holds at a server and not behind the gateway. */
async function gateway(): Promise<number> {
  const { compareThroughGateway } = await import('./gateway.ts')
  const expected = await expectedOf('gateway')
  const failures = await compareThroughGateway(conformanceProgram(), expected, print)
  for (const failure of failures) print(`  ✗ ${failure}`)
  print(`gateway: ${failures.length} checks differ`)
  return failures.length === 0 ? 0 : 1
}

/** What the suite wants of a client that logs in. */
async function logins(): Promise<number> {
  const { loginScenarios } = await import('./logins.ts')
  const { passed, failures } = await loginScenarios(conformanceProgram())
  for (const failure of failures) print(`  ✗ ${failure}`)
  print(`logins: ${passed} checks passed, ${failures.length} failed`)
  return failures.length === 0 ? 0 : 1
}

/** What clients see of servers that people use, and do not see behind the gateway. */
async function servers(): Promise<number> {
  const { compareServers } = await import('./servers.ts')
  const differences = await compareServers(print)
  for (const difference of differences) print(`  ✗ ${difference}`)
  print(`servers: ${differences.length} differ`)
  return differences.length === 0 ? 0 : 1
}

const other = [gateway, logins, servers].find(({ name }) => process.argv.includes(name))
process.exitCode = await (other ?? main)()
