import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openTestVault } from './vault.ts'
import type { VaultStore } from './vault-stores.ts'

const PROCESS = fileURLToPath(new URL('./counting-process.ts', import.meta.url))

export interface Counting {
  readonly processes: number
  readonly callsEach: number
  readonly max: number
  /** So many of the processes are killed with SIGKILL once this many calls passed. */
  readonly killed?: { readonly processes: number; readonly after: number }
}

export interface Counted {
  /** Calls that were told that they pass. */
  readonly passed: number
  /** What the store has counted. */
  readonly used: number
  /** Whether the audit verifies. */
  readonly isSound: boolean
  /** What went wrong in processes that were not killed. */
  readonly problems: readonly string[]
}

/** Processes that call against one limit at once. */
export async function countTogether(store: VaultStore, how: Counting): Promise<Counted> {
  const env = await store.fresh()
  const database = env['SALLYPORT_DATABASE_URL'] ?? ''
  const home = mkdtempSync(join(tmpdir(), 'sallyport-counting-'))
  try {
    await (await openTestVault({ home, env })).close()
    const logs = Array.from({ length: how.processes }, (_, index) => join(home, `passed-${index}`))
    const children = logs.map((log) =>
      spawn(
        process.execPath,
        [PROCESS, home, database, String(how.callsEach), String(how.max), log],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      ),
    )
    const passed = (): number => logs.reduce((sum, log) => sum + sizeOf(log), 0)
    const problems: string[] = []
    const ended = Promise.all(children.map((child) => endOf(child, problems)))
    const { killed } = how
    if (killed !== undefined) {
      const timer = setInterval(() => {
        if (passed() < killed.after) return
        clearInterval(timer)
        for (const child of children.slice(0, killed.processes)) child.kill('SIGKILL')
      }, 2)
      await ended
      clearInterval(timer)
    } else await ended
    const vault = await openTestVault({ home, env })
    try {
      const row = await vault.db.read((reader) =>
        reader.get<{ used: number }>(
          "select cast(sum(used) as bigint) as used from gateway_counters where counter = 'one counter'",
        ),
      )
      const { ok } = await vault.audit.verify()
      return { passed: passed(), used: row?.used ?? 0, isSound: ok, problems }
    } finally {
      await vault.close()
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0
}

async function endOf(child: ChildProcess, problems: string[]): Promise<void> {
  let said = ''
  child.stdout?.resume()
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8')
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal !== 'SIGKILL' && code !== 0) problems.push(said.slice(-500))
}
