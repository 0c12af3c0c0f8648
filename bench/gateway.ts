import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { homeEnvironment, LAUNCHER } from '../test/support/serving.ts'
import { type Client, type Measured, startClient } from './gateway/client.ts'
import { installPeers } from './gateway/peers.ts'
import { type Floor, figure } from './report.ts'

export const summary =
  'what a call costs through sallyport wrap, beside a hop that parses and looks up, and a bare pipe'

/** Added time on a processor of everything behind the client, divided by what the hop adds that parses and looks up. */
export const floors: Readonly<Record<string, Floor>> = {
  stdio_added_cpu_ratio: { maxRatio: 1.8 },
  stdio_durable_added_cpu_ratio: { maxRatio: 2.6 },
  stdio_c32_ratio: { minRatio: 0.5 },
  stdio_memory_kb: { maxRatio: 1.1 },
  url_cpu_of_mcp_remote: { maxRatio: 0.333 },
  url_cpu_of_supergateway: { maxRatio: 0.333 },
}

/** The machine is shared: what is compared takes turns in short blocks, in an order that turns around. */
const BLOCK = 100
const WARM = 3_000
const CALLS = 2_000
const LARGE = 100_000
const LARGE_CALLS = 100
const WARM_URL = 500
const CALLS_URL = 1_000
const CALLERS = 32
const CALLS_C32 = 10_000
/** Memory after the first of these and after all of them. */
const SETTLED_CALLS = 20_000
const MANY_CALLS = 100_000

const HERE = join(import.meta.dirname, 'gateway')
const UPSTREAM = join(import.meta.dirname, '..', 'test', 'support', 'echo-server.mjs')
const SOURCE = join(import.meta.dirname, '..', 'src', 'app', 'bin.ts')

function policyOf(more: object): string {
  const limits = [
    { counter: 'echoes', window: 'day', max: 1_000_000_000 },
    { counter: 'bursts', window: 'minute', max: 1_000_000_000 },
  ]
  return JSON.stringify({
    version: '1',
    default: 'deny',
    tools: {
      echo: {
        require: [{ conditions: [{ path: 'args.text', op: 'exists', value: true }] }],
        deny_if: [{ conditions: [{ path: 'args.text', op: 'contains', value: 'DROP TABLE' }] }],
        limits,
        ...more,
      },
      remove: { action: 'deny', reason: 'Never.' },
    },
  })
}

function add(one: Measured | undefined, more: Measured): Measured {
  if (one === undefined) return more
  return {
    calls: one.calls + more.calls,
    cpuUs: one.cpuUs + more.cpuUs,
    elapsedMs: one.elapsedMs + more.elapsedMs,
  }
}

/** Drives every client in blocks, by turns. */
async function byTurns<K extends string>(
  clients: Readonly<Record<K, Client>>,
  how: {
    readonly calls: number
    readonly block: number
    readonly callers?: number
    readonly characters?: number
  },
): Promise<Readonly<Record<K, Measured>>> {
  const sums: Record<string, Measured> = {}
  const order = Object.entries<Client>(clients)
  for (let done = 0; done < how.calls; done += how.block) {
    for (const [name, client] of order)
      sums[name] = add(sums[name], await client.drive(how.block, how.callers ?? 1, how.characters))
    order.reverse()
  }
  return sums as Readonly<Record<K, Measured>>
}

const perCall = ({ cpuUs, calls }: Measured): number => cpuUs / calls
const perSecond = ({ calls, elapsedMs }: Measured): number => (calls / elapsedMs) * 1_000

function report(name: string, value: number, unit: string, baseline: number | null): void {
  figure({ bench: 'gateway', figure: name, value, unit, baseline })
}

async function stdio(home: string, isFromSource: boolean): Promise<void> {
  const env = homeEnvironment(home)
  const node = process.execPath
  const wrap = (policy: string): readonly string[] => {
    const file = join(home, `${policy.length}.json`)
    writeFileSync(file, policy)
    const program = isFromSource ? SOURCE : LAUNCHER
    return [node, program, 'wrap', '--name', 'echo', '--policy', file, '--', node, UPSTREAM]
  }
  const start = (command: readonly string[]): Promise<Client> =>
    startClient({ command, cwd: home, env })
  const direct = await start([node, UPSTREAM])
  const pipe = await start([node, join(HERE, 'hop.mjs'), 'pipe', UPSTREAM])
  const json = await start([node, join(HERE, 'hop.mjs'), 'json', UPSTREAM])
  const gateway = await start(wrap(policyOf({})))
  const durable = await start(wrap(policyOf({ audit: 'durable' })))
  const all = { direct, pipe, json, gateway, durable }
  try {
    for (const client of Object.values(all)) await client.drive(WARM, 1)
    const small = await byTurns(all, { calls: CALLS, block: BLOCK })
    const added = (one: Measured, than: Measured): number => perCall(one) - perCall(than)
    const hop = added(small.json, small.direct)
    report('stdio_pipe_added_cpu_ratio', added(small.pipe, small.direct), 'us', hop)
    report('stdio_added_cpu_ratio', added(small.gateway, small.direct), 'us', hop)
    report('stdio_durable_added_cpu_ratio', added(small.durable, small.direct), 'us', hop)
    const {
      direct: bare,
      json: parsing,
      gateway: judging,
    } = await byTurns(
      { direct, json, gateway },
      { calls: LARGE_CALLS, block: 20, characters: LARGE },
    )
    report('stdio_100kb_added_cpu_ratio', added(judging, bare), 'us', added(parsing, bare))
    const many = await byTurns(
      { pipe, gateway },
      { calls: CALLS_C32, block: 1_000, callers: CALLERS },
    )
    report('stdio_c32_ratio', perSecond(many.gateway), '1/s', perSecond(many.pipe))
    await gateway.drive(SETTLED_CALLS, CALLERS)
    const settled = gateway.memoryKb()
    await gateway.drive(MANY_CALLS, CALLERS)
    report('stdio_memory_kb', gateway.memoryKb(), 'kB', settled)
  } finally {
    for (const client of Object.values(all)) await client.close()
  }
}

/** A client on stdio and a server over HTTP: what stands between them, and nothing else, is measured. */
async function overUrl(home: string, isFromSource: boolean): Promise<readonly string[]> {
  const env = homeEnvironment(home)
  const folder = join(home, 'peers')
  mkdirSync(folder)
  const { peers, missing } = installPeers(folder)
  for (const [name, reason] of Object.entries(missing))
    process.stderr.write(`not measured beside ${name}: ${reason}\n`)
  const skipped = Object.keys(missing).map((name) => `url_cpu_of_${name}`)
  if (peers.length === 0) return skipped
  const server = spawn(process.execPath, [join(HERE, 'http-upstream.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const clients: Record<string, Client> = {}
  try {
    const [port] = (await once(server.stdout, 'data')) as [Buffer]
    const url = `http://127.0.0.1:${port.toString('utf8').trim()}/mcp`
    const policy = join(home, 'url.json')
    writeFileSync(policy, policyOf({}))
    const program = isFromSource ? SOURCE : LAUNCHER
    const own = [process.execPath, program, 'wrap', '--name', 'echo', '--policy', policy]
    const start = (command: readonly string[]): Promise<Client> =>
      startClient({ command, cwd: home, env })
    clients['own'] = await start([...own, '--url', url])
    for (const { name, command } of peers) clients[name] = await start(command(url))
    for (const client of Object.values(clients)) await client.drive(WARM_URL, 1)
    const measured = await byTurns(clients, { calls: CALLS_URL, block: BLOCK })
    const mine = measured['own']
    for (const { name } of peers) {
      const peer = measured[name]
      if (mine !== undefined && peer !== undefined)
        report(`url_cpu_of_${name}`, perCall(mine), 'us', perCall(peer))
    }
  } finally {
    for (const client of Object.values(clients)) await client.close()
    server.kill()
  }
  return skipped
}

/** `--source`: runs the gateway from its sources in place of the bundle. */
export async function bench(args: readonly string[]): Promise<readonly string[]> {
  if (process.platform !== 'linux') {
    process.stderr.write(
      'not measured: the time of processes is read from /proc, as Linux has it\n',
    )
    return Object.keys(floors)
  }
  const home = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
  try {
    const isFromSource = args.includes('--source')
    await stdio(home, isFromSource)
    return await overUrl(home, isFromSource)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}
