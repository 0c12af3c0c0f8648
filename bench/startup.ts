import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { monotonicMs } from '../src/core/time.ts'
import { approvedProject } from '../test/support/approved-project.ts'
import { packInto } from '../test/support/package.ts'
import { homeEnvironment, temporaryHome } from '../test/support/serving.ts'
import { type Floor, figure } from './report.ts'

export const summary = 'from spawn to the first answer of sallyport mcp, and to the first secret'

export const floors: Readonly<Record<string, Floor>> = {
  first_answer_ratio: { maxRatio: 0.75 },
  first_get_secret_ms: { maxValue: 100 },
}

/** Filled caches are what a client meets on every start but the first. */
const WARM_UP_ROUNDS = 2
const ROUNDS = 15

const ROOT = join(import.meta.dirname, '..')
const ECHO = join(ROOT, 'test', 'support', 'echo-server.mjs')

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1' },
  },
}
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' }
const LIST = { jsonrpc: '2.0', id: 2, method: 'tools/list' }
const GET = {
  jsonrpc: '2.0',
  id: 2,
  method: 'tools/call',
  params: { name: 'get_secret', arguments: { path: 'api/key' } },
}

interface Started {
  /** Milliseconds from spawn to the answer of `initialize`. */
  readonly first: number
  /** From there to the answer of the request sent next. */
  readonly second: number
}

interface Program {
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** Starts the program, asks twice, and ends it. @throws {Error} when an answer is an error */
function start(program: Program, next: unknown): Promise<Started> {
  return new Promise((resolve, reject) => {
    const spawned = monotonicMs()
    const child = spawn(process.execPath, [...program.args], {
      cwd: program.cwd,
      env: program.env,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let text = ''
    let first: number | null = null
    let result: Started | null = null
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 1)
        const message = JSON.parse(line) as { id?: number; result?: { isError?: boolean } }
        if (message.id === undefined) continue
        if (message.result === undefined || message.result.isError === true)
          reject(new Error(`bench: ${line}`))
        if (first === null) {
          first = monotonicMs() - spawned
          child.stdin.write(`${JSON.stringify(INITIALIZED)}\n${JSON.stringify(next)}\n`)
        } else {
          result = { first, second: monotonicMs() - spawned - first }
          child.stdin.end()
        }
      }
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (result === null) reject(new Error(`bench: the server ended with ${String(code)}`))
      else resolve(result)
    })
    child.stdin.write(`${JSON.stringify(INITIALIZE)}\n`)
  })
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export async function bench(): Promise<void> {
  const { home, remove } = await temporaryHome()
  try {
    const launcher = await packInto(join(home, 'package'))
    const cwd = await approvedProject(home, { 'api/key': 'bench-value' })
    const env = homeEnvironment(home)
    const ours: Program = { args: [launcher, 'mcp'], cwd, env }
    const echo: Program = { args: [ECHO], cwd, env }
    const listed: Started[] = []
    const read: Started[] = []
    const bare: Started[] = []
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
      const measured = [await start(echo, LIST), await start(ours, LIST), await start(ours, GET)]
      if (round < 0) continue
      const [one, two, three] = measured
      if (one !== undefined) bare.push(one)
      if (two !== undefined) listed.push(two)
      if (three !== undefined) read.push(three)
    }
    const firsts = (all: readonly Started[]): number => median(all.map(({ first }) => first))
    const totals = (all: readonly Started[]): number =>
      median(all.map(({ first, second }) => first + second))
    figure({
      bench: 'startup',
      figure: 'first_answer_ratio',
      value: firsts([...listed, ...read]),
      unit: 'ms',
      baseline: firsts(bare),
    })
    figure({
      bench: 'startup',
      figure: 'first_tools_list_ms',
      value: totals(listed),
      unit: 'ms',
      baseline: totals(bare),
    })
    figure({
      bench: 'startup',
      figure: 'first_get_secret_ms',
      value: median(read.map(({ second }) => second)),
      unit: 'ms',
      baseline: null,
    })
  } finally {
    await remove()
  }
}
