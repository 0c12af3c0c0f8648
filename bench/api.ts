import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Loaded, load } from './api/load.ts'
import type { ApiReady, ApiSetup } from './api/server.ts'
import { type Floor, figure } from './report.ts'
import { CALLERS, pathOf } from './vault/place.ts'

export const summary = 'Audited reads a second over HTTP, beside the same API without the vault.'

export const floors: Readonly<Record<string, Floor>> = {
  audited_reads_per_s: { minValue: 8_000 },
  audited_reads_p99_ms: { maxValue: 20 },
}

/** The machine is shared: what is compared takes turns, and the middle round counts. */
const ROUNDS = 3
const TIME = { warmMs: 1_000, measureMs: 2_500 }

interface Measured extends Loaded {
  readonly cpuUs: number
}

interface Served extends ApiReady {
  readonly child: ChildProcess
}

async function start(setup: ApiSetup): Promise<Served> {
  const child = fork(join(import.meta.dirname, 'api/server.ts'), [JSON.stringify(setup)])
  const [ready] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error(`the ${setup.what} server ended early`)
    }),
  ])) as [ApiReady]
  return { ...ready, child }
}

async function stop({ child }: Served): Promise<void> {
  const gone = once(child, 'exit')
  child.send('close')
  await gone
}

async function cpuOf({ child }: Served): Promise<number> {
  child.send('cpu')
  const [spent] = (await once(child, 'message')) as [number]
  return spent
}

/** One round, with the time that the server's processor spent on each request, the warming included. */
async function measured(server: Served): Promise<Measured> {
  const before = await cpuOf(server)
  const loaded = await load(server.port, requestsOf(server), TIME)
  return { ...loaded, cpuUs: ((await cpuOf(server)) - before) / loaded.answers }
}

function requestsOf({ vaultId, bearer, port }: Served): readonly string[] {
  return Array.from(
    { length: CALLERS },
    (_, caller) =>
      `GET /v1/vaults/${vaultId}/secrets/${pathOf(caller)} HTTP/1.1\r\n` +
      `Host: 127.0.0.1:${port}\r\nAuthorization: Bearer ${bearer}\r\n` +
      'Accept: application/json\r\nContent-Type: application/json\r\n\r\n',
  )
}

function median(results: readonly Measured[], key: keyof Measured): number {
  const values = results.map((one) => one[key]).toSorted((a, b) => a - b)
  return values[Math.floor(values.length / 2)] ?? Number.NaN
}

/** 64 keep-alive connections, one agent with a token, SQLite; the load runs on the same cores. */
export async function bench(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
  try {
    const servers: Served[] = []
    for (const what of ['audited', 'bare'] as const) {
      mkdirSync(join(home, what), { mode: 0o700 })
      servers.push(await start({ what, home: join(home, what) }))
    }
    const results = servers.map((): Measured[] => [])
    for (let round = 0; round < ROUNDS; round++)
      for (const [index, server] of servers.entries()) results[index]?.push(await measured(server))
    for (const server of servers) await stop(server)
    const [audited = [], bare = []] = results
    const report = (name: string, key: keyof Measured, unit: string): void =>
      figure({
        bench: 'api',
        figure: name,
        value: median(audited, key),
        unit,
        baseline: median(bare, key),
      })
    report('audited_reads_per_s', 'perSecond', '1/s')
    report('audited_reads_cpu_us', 'cpuUs', 'us')
    report('audited_reads_p50_ms', 'p50Ms', 'ms')
    report('audited_reads_p99_ms', 'p99Ms', 'ms')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}
