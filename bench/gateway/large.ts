import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { homeEnvironment, startServing } from '../../test/support/serving.ts'
import { report } from './by-turns.ts'
import { memoryKbOf } from './cpu.ts'
import { prepared, startServer } from './http.ts'

/** Of one answer. */
const BYTES = 100_000_000
const ANSWERS = 3
const WARM_BYTES = 3_000_000
/** How often memory is looked at while an answer goes through. */
const EVERY_MS = 5

const SERVER = join('..', '..', 'test', 'support', 'large-server.mjs')
const OPEN = '{"version":"1","default":"allow"}'
const HELLO =
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}'

function giving(id: number, bytes: number): string {
  return `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"give","arguments":{"bytes":${bytes},"kind":"escapes"}}}`
}

/** Reads to the end of a line, or of the stream. @returns how many bytes there were */
function lineOf(stream: Readable): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0
    const done = (): void => {
      stream.off('data', onData)
      resolve(bytes)
    }
    const onData = (piece: Buffer): void => {
      bytes += piece.length
      if (piece.at(-1) === 0x0a) done()
    }
    stream.on('data', onData)
    stream.once('end', done)
  })
}

/** By how much a process grows at most while answers of 100 MB go through it, in kilobytes. */
async function growth(
  pid: number,
  ask: (id: number, bytes: number) => Promise<number>,
): Promise<number> {
  await ask(1, WARM_BYTES)
  const before = memoryKbOf(pid)
  let most = before
  const watching = setInterval(() => {
    most = Math.max(most, memoryKbOf(pid))
  }, EVERY_MS)
  try {
    for (let id = 2; id < 2 + ANSWERS; id += 1) {
      const bytes = await ask(id, BYTES)
      if (bytes < BYTES) throw new Error(`the answer had ${bytes} bytes`)
    }
  } finally {
    clearInterval(watching)
  }
  return most - before
}

async function throughPipe(
  home: string,
  program: string,
  behind: readonly string[],
): Promise<number> {
  const policy = join(home, 'large.json')
  writeFileSync(policy, OPEN)
  const args = [program, 'wrap', '--name', 'large', '--policy', policy, ...behind]
  const child = spawn(process.execPath, args, {
    cwd: home,
    env: homeEnvironment(home),
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const ended = once(child, 'exit')
  const ask = (line: string): Promise<number> => {
    const answer = lineOf(child.stdout)
    child.stdin.write(`${line}\n`)
    return answer
  }
  try {
    await ask(HELLO)
    child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    return await growth(child.pid ?? Number.NaN, (id, bytes) => ask(giving(id, bytes)))
  } finally {
    child.stdin.end()
    await ended
  }
}

async function throughDoor(home: string, program: string, url: string): Promise<number> {
  const bearer = await prepared(home, url, OPEN)
  const serving = await startServing(home, {}, program)
  const door = new URL('/s/echo/mcp', serving.url)
  const post = async (
    body: string,
    session: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly bytes: number; readonly session: string }> => {
    const asked = request(door, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${bearer}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...session,
      },
    })
    asked.end(body)
    const [answer] = await once(asked, 'response')
    const id = String(answer.headers['mcp-session-id'])
    return { bytes: await lineOf(answer), session: id }
  }
  try {
    const { session } = await post(HELLO)
    const own = { 'mcp-session-id': session }
    return await growth(
      serving.pid,
      async (id, bytes) => (await post(giving(id, bytes), own)).bytes,
    )
  } finally {
    await serving.stop()
  }
}

/** @param program that is started as `PROGRAM wrap` and `PROGRAM up` */
export async function largeMessages(home: string, program: string): Promise<void> {
  const server = await startServer(SERVER, '--http')
  const url = `http://127.0.0.1:${server.port}/mcp`
  try {
    const file = join(import.meta.dirname, SERVER)
    const stdio = await throughPipe(home, program, ['--', process.execPath, file])
    report('large_memory_kb', stdio, 'kB', null)
    report('large_url_memory_kb', await throughPipe(home, program, ['--url', url]), 'kB', null)
    report('large_http_memory_kb', await throughDoor(join(home, 'large'), program, url), 'kB', null)
  } finally {
    server.end()
  }
}
