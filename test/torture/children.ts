// Servers are started and ended through the gateway's address, in every way they can end, and nothing of any is left.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { sleep } from '../../src/core/time.ts'
import { type McpDoor, serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'
import type { Score } from './score.ts'

/** How a server is ended. */
const ENDS = ['deleted', 'dies', 'killed', 'never answered', 'modern'] as const
type End = (typeof ENDS)[number]

const AT_ONCE = 4
/** After the last round: longer than a stubborn server is given. */
const PATIENCE_MS = 10_000

interface Place {
  readonly door: McpDoor
  /** Where servers write down what reaches them. */
  readonly log: string
  readonly headers: Readonly<Record<string, string>>
}

/** @param rounds starts of a server, spread over the ways in which it ends */
export async function tortureChildren(rounds: number): Promise<Score> {
  const before = ownChildren()
  const failures: string[] = []
  const vault = await openTestVault()
  const log = join(vault.home, 'received.log')
  const place = await placeOf(vault, log)
  let next = 0
  const work = async (): Promise<void> => {
    while (next < rounds) {
      const round = next
      next += 1
      const end = ENDS[round % ENDS.length] ?? 'deleted'
      try {
        await oneRound(place, end, round)
      } catch (error) {
        failures.push(`round ${round} (${end}): ${String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const started = startedPids(log)
  // What a session left open ends with the door.
  await place.door.stop()
  for (let waited = 0; waited < PATIENCE_MS; waited += 50) {
    if (ownChildren().length <= before.length && !started.some(isThere)) break
    await sleep(50)
  }
  const left = started.filter(isThere)
  if (left.length > 0) failures.push(`${left.length} servers still run: ${left.join(' ')}`)
  const children = ownChildren().filter((pid) => !before.includes(pid))
  if (children.length > 0)
    failures.push(`${children.length} children are left: ${children.map(stateOf).join(' ')}`)
  if (started.length < rounds) failures.push(`only ${started.length} servers were started`)
  await vault.dispose()
  return {
    passed: rounds - failures.length < 0 ? 0 : rounds - failures.length,
    failures,
    figures: { rounds, started: started.length, left: left.length, children: children.length },
  }
}

async function placeOf(
  vault: Awaited<ReturnType<typeof openTestVault>>,
  log: string,
): Promise<Place> {
  const { servers, policies } = await vault.registry()
  const { agents, grants } = vault.identity
  await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
  await servers.add(PERSON, 'lines', {
    kind: 'stdio',
    command: [process.execPath, LINE_SERVER, log],
    variables: [],
  })
  const { agent } = await agents.create(PERSON, { name: 'torture' })
  const asked = { label: 'torture', server: 'lines', policies: ['open'] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  const door = await serveMcpDoor(vault)
  return { door, log, headers: { Authorization: `Bearer ${bearer.reveal()}` } }
}

async function oneRound({ door, log, headers }: Place, end: End, round: number): Promise<void> {
  const post = (message: object, more: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(`${door.baseUrl}/s/lines/mcp`, {
      method: 'POST',
      headers: {
        ...headers,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        ...more,
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      ...(signal !== undefined && { signal }),
    })
  if (end === 'modern') {
    // Each declares something else, and so has a server of its own until it is idle.
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': { experimental: { [`r${round}`]: {} } },
    }
    const shown = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/list' }
    const answer = await post({ id: 1, method: 'tools/list', params: { _meta: meta } }, shown)
    await expected(answer, 200)
    return
  }
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  }
  const hello = await post({ id: 1, method: 'initialize', params })
  await expected(hello, 200)
  const session = { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  const call = (id: number, name: string, signal?: AbortSignal) =>
    post(
      { id, method: 'tools/call', params: { name, arguments: { text: `r${round}` } } },
      session,
      signal,
    )
  await expected(await call(2, 'echo'), 200)
  if (end === 'dies') await expected(await call(3, 'die'), 200)
  else if (end === 'killed') {
    const { result } = (await (await call(3, 'pid')).json()) as {
      result: { content: { text: string }[] }
    }
    const waiting = call(4, 'silent')
    // One that came later would begin another server, and wait for that.
    const said = `"name":"silent","arguments":{"text":"r${round}"}`
    for (let waited = 0; waited < PATIENCE_MS; waited += 5) {
      if (readFileSync(log, 'utf8').includes(said)) break
      await sleep(5)
    }
    process.kill(Number(result.content[0]?.text), 'SIGKILL')
    // Whichever came first: the call, or the end of its session.
    await expected(await waiting, 200, 404)
  } else if (end === 'never answered') {
    const gone = new AbortController()
    const waiting = call(3, 'silent', gone.signal).catch(() => null)
    gone.abort()
    await waiting
  }
  if (end === 'dies' || end === 'killed') return
  const removed = await fetch(`${door.baseUrl}/s/lines/mcp`, {
    method: 'DELETE',
    headers: { ...headers, ...session },
  })
  await expected(removed, 204)
}

async function expected(response: Response, ...statuses: readonly number[]): Promise<void> {
  const text = await response.text()
  if (!statuses.includes(response.status))
    throw new Error(`HTTP ${response.status}: ${text.slice(0, 200)}`)
}

function startedPids(log: string): readonly number[] {
  if (!existsSync(log)) return []
  return [...readFileSync(log, 'utf8').matchAll(/^started (\d+)$/gm)].map(([, pid]) => Number(pid))
}

function isThere(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}

/** Processes whose parent we are, those that nobody has asked for yet among them. */
function ownChildren(): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(
      (pid) => Number.isInteger(pid) && new RegExp(`\\) \\S ${process.pid} `).test(statOf(pid)),
    )
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}

function stateOf(pid: number): string {
  return /^\d+ \(.*\) \S/.exec(statOf(pid))?.[0] ?? String(pid)
}
