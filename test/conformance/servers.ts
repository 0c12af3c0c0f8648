// Servers that people use, with clients of both versions of the SDK: what these see behind the gateway is what they see
// without it.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { processEnvironment } from '../../src/core/config.ts'
import {
  asLegacy,
  asModern,
  assertSame,
  context7,
  everything,
  filesystem,
  memory,
  modern,
  type RealServer,
  seenBy,
  sqlite,
} from '../support/real-servers.ts'
import { MAKERS, type Maker, type Way } from '../support/sdk-clients.ts'
import { homeEnvironment, LAUNCHER, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const SQLITE_PACKAGE = 'mcp-server-sqlite-npx@0.8.0'
const INSTALL_LIMIT_MS = 300_000
const ALLOW = '{"version":"1","default":"allow"}'

/**
 * Installs it in a folder that is removed afterwards; it is never a dependency of this repository. It is compiled for
 * the Node of the machine, whose headers are there, and started with that.
 */
function installSqlite(folder: string): RealServer {
  const prefix = join(folder, 'sqlite')
  mkdirSync(prefix)
  writeFileSync(join(prefix, 'package.json'), '{"private":true}')
  const { PATH: path = '', ...rest } = processEnvironment()
  const own = path.split(delimiter).filter((one) => !one.includes('node_modules'))
  const others = Object.entries(rest).filter(([name]) => !/^npm_/i.test(name))
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', SQLITE_PACKAGE], {
    cwd: prefix,
    env: { ...Object.fromEntries(others), PATH: own.join(delimiter) },
    stdio: ['ignore', 2, 2],
    timeout: INSTALL_LIMIT_MS,
  })
  const node = own.map((one) => join(one, 'node')).find((one) => existsSync(one))
  const [name = ''] = SQLITE_PACKAGE.split('@')
  return sqlite(node ?? process.execPath, join(prefix, 'node_modules', name, 'dist', 'index.js'))
}

type Seen = Awaited<ReturnType<typeof seenBy>>

/** The client that looks directly: where this one does not reach the server, one that does. */
function directly(maker: Maker, { eras }: RealServer): Maker {
  if (eras === 'modern') return 'v2, modern'
  return maker === 'v2, modern' && eras !== 'both' ? 'v2' : maker
}

/** What this client should see where another one had to look. */
function translated(seen: Seen, maker: Maker, { eras }: RealServer): Seen {
  if (maker === 'v2, modern' && eras === undefined) return asModern(seen)
  return maker === 'v1' && eras === 'modern' ? asLegacy(seen) : seen
}

/**
 * @param said for each comparison
 * @returns what differs
 */
export async function compareServers(said: (line: string) => void): Promise<readonly string[]> {
  const { home, remove } = await temporaryHome()
  const differences: string[] = []
  const servers = [everything, filesystem, memory, context7, modern]
  try {
    servers.push(installSqlite(home))
  } catch (error) {
    differences.push(`sqlite is not installed: ${String(error)}`)
  }
  const folderOf = ({ name }: RealServer): string => join(home, 'kept', name)
  const policy = join(home, 'allow.json')
  writeFileSync(policy, ALLOW)
  const bearers = new Map<string, string>()
  const vault = await openTestVault({ home })
  const registry = await vault.registry()
  await registry.policies.set(PERSON, 'open', Buffer.from(ALLOW))
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
  for (const server of servers) {
    const command = server.command(folderOf(server))
    await registry.servers.add(PERSON, server.name, { kind: 'stdio', command, variables: [] })
    const asked = { label: server.name, server: server.name, policies: ['open'] }
    const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
    bearers.set(server.name, bearer.reveal())
  }
  const serving = await startServing(home)
  try {
    const env = homeEnvironment(home)
    for (const server of servers) {
      const folder = folderOf(server)
      const command = server.command(folder)
      const behind: readonly (readonly [door: string, way: Way])[] = [
        [
          'wrap',
          {
            command: [process.execPath, LAUNCHER, 'wrap', '--policy', policy, '--', ...command],
            env,
          },
        ],
        [
          `/s/${server.name}/mcp`,
          {
            url: new URL(`/s/${server.name}/mcp`, serving.url),
            bearer: bearers.get(server.name) ?? '',
          },
        ],
      ]
      for (const maker of MAKERS) {
        const seenDirectly = await seenBy(directly(maker, server), { command, env }, server, folder)
        const expected = translated(seenDirectly, maker, server)
        for (const [door, way] of behind) {
          const what = `${server.name}, client ${maker}, ${door}`
          try {
            const seen = await seenBy(maker, way, server, folder)
            assertSame(seen, expected, what)
            said(`${what}: ${Object.keys(seen).length} alike`)
          } catch (error) {
            differences.push(error instanceof Error ? `${what}: ${error.message}` : what)
            said(`${what}: differs`)
          }
        }
      }
    }
  } finally {
    await serving.stop()
    await vault.close()
    rmSync(join(home, 'kept'), { recursive: true, force: true })
    await remove()
  }
  return differences
}
