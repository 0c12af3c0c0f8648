import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processEnvironment } from '../../src/core/config.ts'

/** What others put between a client on stdio and a server over HTTP, in the versions that are measured. */
const PEERS = {
  mcp_remote: {
    package: 'mcp-remote',
    version: '0.15.1',
    script: 'dist/proxy.js',
    args: (url: string): readonly string[] => [url, '--transport', 'http-only'],
  },
  supergateway: {
    package: 'supergateway',
    version: '4.0.0',
    script: 'dist/index.js',
    args: (url: string): readonly string[] => ['--streamableHttp', url, '--logLevel', 'none'],
  },
} as const

const INSTALL_MS = 180_000

export interface Peer {
  readonly name: keyof typeof PEERS
  readonly command: (url: string) => readonly string[]
}

/**
 * Installs the peers into a folder. They are never part of this package.
 *
 * @returns those that could be installed, and why the others could not
 */
export function installPeers(folder: string): {
  readonly peers: readonly Peer[]
  readonly missing: Readonly<Record<string, string>>
} {
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const peers: Peer[] = []
  const missing: Record<string, string> = {}
  for (const [name, peer] of Object.entries(PEERS)) {
    const script = join(folder, 'node_modules', peer.package, peer.script)
    try {
      execFileSync(
        'npm',
        [
          'install',
          '--no-audit',
          '--no-fund',
          '--ignore-scripts',
          `${peer.package}@${peer.version}`,
        ],
        { cwd: folder, stdio: 'pipe', timeout: INSTALL_MS, env: { ...processEnvironment() } },
      )
      if (!existsSync(script)) throw new Error(`it has no ${peer.script}`)
      peers.push({
        name: name as Peer['name'],
        command: (url) => [process.execPath, script, ...peer.args(url)],
      })
    } catch (error) {
      missing[name] = error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'unknown'
    }
  }
  return { peers, missing }
}
