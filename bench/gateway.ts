import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { homeEnvironment, LAUNCHER } from '../test/support/serving.ts'
import {
  type ByTurns,
  byTurns,
  perCall,
  perCallInMiddle,
  perSecond,
  report,
} from './gateway/by-turns.ts'
import { type Client, startClient } from './gateway/client.ts'
import { overHttp, startServer } from './gateway/http.ts'
import { largeMessages } from './gateway/large.ts'
import { installPeers } from './gateway/peers.ts'
import type { Floor } from './report.ts'

export const summary =
  'what a call costs through the gateway, beside what parses and looks up and does no more, and a bare pipe'

/** By how much a process may grow while answers of 100 MB go through it. */
const LARGE_MEMORY_KB = 65_536

/**
 * Time on a processor. On stdio: what is added to everything behind the client, divided by what the hop adds that parses
 * and looks up. Over HTTP: of everything behind the client, divided by the same with the proxy that parses and looks up.
 */
export const floors: Readonly<Record<string, Floor>> = {
  stdio_added_cpu_ratio: { maxRatio: 1.8 },
  stdio_durable_added_cpu_ratio: { maxRatio: 2.6 },
  stdio_c32_ratio: { minRatio: 0.5 },
  stdio_memory_kb: { maxRatio: 1.1 },
  http_cpu_ratio: { maxRatio: 1.25 },
  http_modern_cpu_ratio: { maxRatio: 1.25 },
  http_c32_cpu_ratio: { maxRatio: 1.25 },
  http_modern_c32_cpu_ratio: { maxRatio: 1.25 },
  http_memory_kb: { maxRatio: 1.1 },
  http_modern_memory_kb: { maxRatio: 1.1 },
  large_memory_kb: { maxValue: LARGE_MEMORY_KB },
  large_url_memory_kb: { maxValue: LARGE_MEMORY_KB },
  large_http_memory_kb: { maxValue: LARGE_MEMORY_KB },
  url_cpu_of_mcp_remote: { maxRatio: 0.333 },
  url_cpu_of_supergateway: { maxRatio: 0.333 },
}

/**
 * Long enough that processes stand where they stay. At first the system runs a client and the one it talks to on the
 * same processor, where waking costs a third: without anything between them a call takes 25 us in blocks of 2,500, 35 in
 * blocks of 5,000, and 40 in blocks of 20,000 and ever after; with the gateway between, 102 to 105 in all of them.
 */
const BLOCK = 20_000
/** Until compilers have done what they do beside the program. */
const WARM = 30_000
const CALLS = 100_000
const LARGE = 100_000
const WARM_LARGE = 300
const LARGE_CALLS = 100
const WARM_URL = 20_000
const BLOCK_URL = 5_000
const CALLS_URL = 15_000
const CALLERS = 32
const BLOCK_C32 = 20_000
const CALLS_C32 = 100_000
/** Memory after the first of these, when the heap has grown to what it needs, and after all of them. */
const SETTLED_CALLS = 100_000
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

async function stdio(home: string, isFromSource: boolean): Promise<void> {
  const node = process.execPath
  const wrap = (policy: string): readonly string[] => {
    const file = join(home, `${policy.length}.json`)
    writeFileSync(file, policy)
    const program = isFromSource ? SOURCE : LAUNCHER
    return [node, program, 'wrap', '--name', 'echo', '--policy', file, '--', node, UPSTREAM]
  }
  // A store each: what one writes down the other would have to read.
  let started = 0
  const start = (command: readonly string[]): Promise<Client> => {
    started += 1
    const cwd = join(home, `${started}`)
    mkdirSync(cwd)
    return startClient({ command, cwd, env: homeEnvironment(cwd) })
  }
  const direct = await start([node, UPSTREAM])
  const pipe = await start([node, join(HERE, 'hop.mjs'), 'pipe', UPSTREAM])
  const json = await start([node, join(HERE, 'hop.mjs'), 'json', UPSTREAM])
  const synced = await start([node, join(HERE, 'hop.mjs'), 'synced', UPSTREAM])
  const gateway = await start(wrap(policyOf({})))
  const durable = await start(wrap(policyOf({ audit: 'durable' })))
  const all = { direct, pipe, json, synced, gateway, durable }
  try {
    for (const client of Object.values(all)) await client.drive(WARM, 1)
    const small = await byTurns(all, { calls: CALLS, block: BLOCK })
    const added = (one: ByTurns, than: ByTurns): number =>
      perCallInMiddle(one) - perCallInMiddle(than)
    const hop = added(small.json, small.direct)
    report('stdio_pipe_added_cpu_ratio', added(small.pipe, small.direct), 'us', hop)
    report('stdio_added_cpu_ratio', added(small.gateway, small.direct), 'us', hop)
    report('stdio_durable_added_cpu_ratio', added(small.durable, small.direct), 'us', hop)
    // What the disk costs, whoever waits for it.
    const onDisk = added(small.synced, small.direct)
    report('stdio_durable_of_synced_cpu_ratio', added(small.durable, small.direct), 'us', onDisk)
    for (const client of [direct, json, gateway]) await client.drive(WARM_LARGE, 1, LARGE)
    const {
      direct: bare,
      json: parsing,
      gateway: judging,
    } = await byTurns(
      { direct, json, gateway },
      { calls: LARGE_CALLS, block: 20, characters: LARGE },
    )
    report('stdio_100kb_added_cpu_ratio', added(judging, bare), 'us', added(parsing, bare))
    for (const client of [pipe, gateway]) await client.drive(WARM, CALLERS)
    const many = await byTurns(
      { pipe, gateway },
      { calls: CALLS_C32, block: BLOCK_C32, callers: CALLERS },
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
  const server = await startServer('http-sdk-upstream.mjs')
  const clients: Record<string, Client> = {}
  try {
    const url = `http://127.0.0.1:${server.port}/mcp`
    const policy = join(home, 'url.json')
    writeFileSync(policy, policyOf({}))
    const program = isFromSource ? SOURCE : LAUNCHER
    const own = [process.execPath, program, 'wrap', '--name', 'echo', '--policy', policy]
    const start = (command: readonly string[]): Promise<Client> =>
      startClient({ command, cwd: home, env })
    clients['own'] = await start([...own, '--url', url])
    for (const { name, command } of peers) clients[name] = await start(command(url))
    for (const client of Object.values(clients)) await client.drive(WARM_URL, 1)
    const measured = await byTurns(clients, { calls: CALLS_URL, block: BLOCK_URL })
    const mine = measured['own']
    for (const { name } of peers) {
      const peer = measured[name]
      if (mine !== undefined && peer !== undefined)
        report(`url_cpu_of_${name}`, perCall(mine), 'us', perCall(peer))
    }
  } finally {
    for (const client of Object.values(clients)) await client.close()
    server.end()
  }
  return skipped
}

/** What may be measured alone. */
const PARTS = ['stdio', 'http', 'large', 'url'] as const

/**
 * `--source`: runs the gateway from its sources in place of the bundle. `stdio`, `http`, `large`, `url`: measures that alone.
 */
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
    const named = PARTS.filter((part) => args.includes(part))
    const parts = named.length === 0 ? PARTS : named
    if (parts.includes('stdio')) await stdio(home, isFromSource)
    if (parts.includes('http'))
      await overHttp(join(home, 'up'), policyOf({}), isFromSource ? SOURCE : LAUNCHER)
    if (parts.includes('large')) await largeMessages(home, isFromSource ? SOURCE : LAUNCHER)
    const skipped = parts.includes('url') ? await overUrl(home, isFromSource) : []
    const unasked = Object.keys(floors).filter(
      (name) => !parts.some((part) => name.startsWith(`${part}_`)),
    )
    return [...skipped, ...unasked]
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}
