import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/core/time.ts'
import { standingCounts } from '../../src/gateway/index.ts'
import { compiledCode } from './serving.ts'
import { openTestVault, type TestVault } from './vault.ts'
import type { VaultStore } from './vault-stores.ts'

const PROCESS = fileURLToPath(new URL('./counting-process.ts', import.meta.url))

export interface Counting {
  readonly processes: number
  readonly callsEach: number
  readonly max: number
  /** So many of the processes are killed with SIGKILL once this many calls passed. */
  readonly killed?: { readonly processes: number; readonly after: number }
  /** What is done to others once this many calls passed. */
  readonly meanwhile?: { readonly after: number; disturb(): Promise<void> }
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
export async function countTogether(
  store: Pick<VaultStore, 'fresh'>,
  how: Counting,
): Promise<Counted> {
  const env = await store.fresh()
  const home = mkdtempSync(join(tmpdir(), 'sallyport-counting-'))
  try {
    await (await openTestVault({ home, env })).close()
    const logs = Array.from({ length: how.processes }, (_, index) => join(home, `passed-${index}`))
    const children = logs.map((log) =>
      spawn(process.execPath, [PROCESS, home, String(how.callsEach), String(how.max), log], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...compiledCode(), ...env },
      }),
    )
    const passed = (): number => logs.reduce((sum, log) => sum + sizeOf(log), 0)
    const problems: string[] = []
    const ended = Promise.all(children.map((child) => endOf(child, problems)))
    const { killed, meanwhile } = how
    let disturbing: Promise<void> | undefined
    if (killed !== undefined || meanwhile !== undefined) {
      const timer = setInterval(() => {
        if (passed() < (killed ?? meanwhile)!.after) return
        clearInterval(timer)
        for (const child of children.slice(0, killed?.processes ?? 0)) child.kill('SIGKILL')
        disturbing = meanwhile?.disturb()
      }, 2)
      await ended
      clearInterval(timer)
      await disturbing
    } else await ended
    const vault = await openTestVault({ home, env })
    try {
      const { ok } = await vault.audit.verify()
      return { passed: passed(), used: await usedOf(vault), isSound: ok, problems }
    } finally {
      await vault.close()
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

async function usedOf({ db, counters }: TestVault): Promise<number> {
  const now = systemClock()
  const counts =
    counters === null
      ? await db.read((reader) => standingCounts(reader, now))
      : await (await counters()).counters.look(now)
  // There is one counter.
  return counts[0]?.used ?? 0
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
