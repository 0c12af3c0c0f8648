import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { LAUNCHER, startServing } from '../../test/support/serving.ts'
import { openTestVault, PERSON } from '../../test/support/vault.ts'
import { byTurns, perCall, perCallInMiddle, report } from './by-turns.ts'
import type { Client } from './client.ts'
import { startHttpClient } from './http-client.ts'

/** As on stdio: so long that how a process wakes up after the others had their turn says little. */
const BLOCK = 5_000
const WARM = 30_000
const CALLS = 25_000
const CALLERS = 32
const CALLS_C32 = 12_000
const BLOCK_C32 = 3_000
const LARGE = 100_000
const WARM_LARGE = 300
const LARGE_CALLS = 100
/** Memory after the first of these and after all of them. */
const SETTLED_CALLS = 20_000
const MANY_CALLS = 100_000

interface Started {
  readonly port: number
  readonly pid: number
  end(): void
}

/** A program that prints the port on which it listens. */
export async function startServer(file: string, ...args: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    port: Number(port.toString('utf8')),
    pid: child.pid ?? Number.NaN,
    end: () => void child.kill(),
  }
}

/** A store with one server behind the gateway, one policy and a grant for it. @returns the bearer of the grant */
export async function prepared(home: string, url: string, policy: string): Promise<string> {
  const vault = await openTestVault({ home })
  try {
    const { servers, policies } = await vault.registry()
    await servers.add(PERSON, 'echo', { kind: 'http', url, headers: [] })
    await policies.set(PERSON, 'open', Buffer.from(policy))
    const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
    const { bearer } = await vault.identity.grants.create(PERSON, agent.id, {
      label: 'bench',
      server: 'echo',
      policies: ['open'],
    })
    return bearer.reveal()
  } finally {
    await vault.close()
  }
}

/**
 * A client and a server over HTTP, and between them `sallyport up`, or a proxy that parses and looks up. What is counted
 * is the time of everything behind the client, the server among it.
 *
 * @param program that is started as `PROGRAM up`
 */
export async function overHttp(home: string, policy: string, program = LAUNCHER): Promise<void> {
  const server = await startServer('http-upstream.mjs')
  const url = `http://127.0.0.1:${server.port}/mcp`
  const proxy = await startServer('http-proxy.mjs', url)
  const bearer = await prepared(home, url, policy)
  const gateway = await startServing(home, {}, program)
  const clients: Record<string, Client> = {}
  try {
    const places = {
      direct: { url: new URL(url), pid: server.pid, beside: [] },
      proxy: {
        url: new URL(`http://127.0.0.1:${proxy.port}/mcp`),
        pid: proxy.pid,
        beside: [server.pid],
      },
      gateway: { url: new URL('/s/echo/mcp', gateway.url), pid: gateway.pid, beside: [server.pid] },
    }
    const headers = { Authorization: `Bearer ${bearer}` }
    for (const [name, place] of Object.entries(places))
      for (const isModern of [false, true])
        clients[`${isModern ? 'modern_' : ''}${name}`] = await startHttpClient({
          ...place,
          headers,
          isModern,
        })
    for (const client of Object.values(clients)) await client.drive(WARM, 1)
    for (const era of ['', 'modern_']) {
      const now = Object.fromEntries(
        Object.keys(places).map((name) => [name, clients[`${era}${name}`] as Client]),
      ) as Readonly<Record<keyof typeof places, Client>>
      const lone = await byTurns(now, { calls: CALLS, block: BLOCK })
      const direct = perCallInMiddle(lone.direct)
      const proxied = perCallInMiddle(lone.proxy)
      const judged = perCallInMiddle(lone.gateway)
      report(`http_${era}cpu_ratio`, judged, 'us', proxied)
      report(`http_${era}added_cpu_ratio`, judged - direct, 'us', proxied - direct)
      for (const client of Object.values(now)) await client.drive(WARM, CALLERS)
      const many = await byTurns(now, { calls: CALLS_C32, block: BLOCK_C32, callers: CALLERS })
      report(`http_${era}c32_cpu_ratio`, perCall(many.gateway), 'us', perCall(many.proxy))
      for (const client of Object.values(now)) await client.drive(WARM_LARGE, 1, LARGE)
      const large = await byTurns(now, { calls: LARGE_CALLS, block: 20, characters: LARGE })
      report(`http_${era}100kb_cpu_ratio`, perCall(large.gateway), 'us', perCall(large.proxy))
    }
    for (const era of ['', 'modern_']) {
      const client = clients[`${era}gateway`] as Client
      await client.drive(SETTLED_CALLS, CALLERS)
      const settled = client.memoryKb()
      await client.drive(MANY_CALLS, CALLERS)
      report(`http_${era}memory_kb`, client.memoryKb(), 'kB', settled)
    }
  } finally {
    for (const client of Object.values(clients)) await client.close()
    await gateway.stop()
    proxy.end()
    server.end()
  }
}
