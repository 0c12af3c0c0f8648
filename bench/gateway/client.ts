import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { cpuUsOf, familyOf, memoryKbOf } from './cpu.ts'

export interface Measured {
  readonly calls: number
  /** Of everything behind the client. */
  readonly cpuUs: number
  readonly elapsedMs: number
}

/** A client on stdio that does as little as it can, before one server or what stands in front of it. */
export interface Client {
  /** Calls `echo` with a text of so many characters, so many callers at a time. */
  drive(calls: number, callers: number, characters?: number): Promise<Measured>
  /** Of the process that the client talks to. */
  memoryKb(): number
  close(): Promise<void>
}

export interface Program {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Processes beside the program's own family whose time counts. */
  readonly beside?: readonly number[]
}

const START_MS = 60_000
/** What is put off until after the answers is done by then: calls are taken into the audit a quarter of a second later. */
export const PUT_OFF_MS = 400

export async function startClient({ command, cwd, env, beside = [] }: Program): Promise<Client> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err = (err + text).slice(-2_000)
  })
  const exited = once(child, 'exit')
  const waiting = new Map<number, (line: string) => void>()
  let failed: Error | null = null
  child.on('exit', (code) => {
    failed = new Error(`${command.join(' ')} ended with ${String(code)}: ${err}`)
    for (const answered of waiting.values()) answered('')
  })
  child.stdin.on('error', () => {})
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const id = Number(/"id":(\d+)/.exec(line)?.[1])
      waiting.get(id)?.(line)
    }
  })
  let last = 0
  function ask(method: string, params: string): Promise<string> {
    last += 1
    const id = last
    child.stdin.write(`{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}\n`)
    return new Promise((resolve, reject) => {
      waiting.set(id, (line) => {
        waiting.delete(id)
        if (failed === null) resolve(line)
        else reject(failed)
      })
    })
  }
  const late = setTimeout(() => child.kill('SIGKILL'), START_MS)
  await ask(
    'initialize',
    '{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}',
  )
  child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
  clearTimeout(late)
  const pid = child.pid ?? Number.NaN
  return {
    async drive(calls, callers, characters = 64) {
      const text = wordsOf(characters)
      const params = `{"name":"echo","arguments":{"text":"${text}"}}`
      const family = [...familyOf(pid), ...beside]
      const cpu = cpuUsOf(family)
      const begun = monotonicMs()
      let left = calls
      async function caller(): Promise<void> {
        while (left > 0) {
          left -= 1
          const line = await ask('tools/call', params)
          if (!line.includes(text)) throw new Error(`not the answer: ${line.slice(0, 300)}`)
        }
      }
      await Promise.all(Array.from({ length: callers }, caller))
      const elapsedMs = monotonicMs() - begun
      await sleep(PUT_OFF_MS)
      return { calls, cpuUs: cpuUsOf(family) - cpu, elapsedMs }
    },
    memoryKb: () => memoryKbOf(pid),
    async close() {
      child.stdin.end()
      await exited
    },
  }
}

const WORDS =
  'the quarterly report lists 12 invoices and 3 open orders of customers in the north region '

/** Text as an agent writes it. */
export function wordsOf(characters: number): string {
  return WORDS.repeat(Math.ceil(characters / WORDS.length)).slice(0, characters)
}
