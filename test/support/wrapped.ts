import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sleep } from '../../src/core/time.ts'
import { homeEnvironment, LAUNCHER } from './serving.ts'

export const LINE_SERVER = fileURLToPath(new URL('./line-server.mjs', import.meta.url))

const WAIT_MS = 20_000

export interface Wrapped {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  send(line: string): void
  /** Sends a request and waits for the answer with its id. */
  ask(id: string | number, method: string, params?: object): Promise<Answer>
  call(id: string | number, name: string, args?: object): Promise<Answer>
  /** Every line that came, in order. */
  readonly lines: readonly string[]
  lineWith(part: string): Promise<string>
  stderr(): string
  /** The same as it came. */
  stderrBytes(): Buffer
  /** What reached the server. */
  received(): string
  /** Process id of the server. */
  serverPid(): number
  end(): Promise<number | null>
}

export interface Answer {
  readonly id: string | number
  readonly result?: {
    readonly content?: readonly { readonly text: string }[]
    readonly isError?: boolean
    readonly tools?: readonly { readonly name: string }[]
    readonly [name: string]: unknown
  }
  readonly error?: { readonly code: number; readonly message: string }
}

let count = 0

/** A real `sallyport wrap` before the server of lines. */
export function startWrapped(
  home: string,
  options: {
    readonly flags?: readonly string[]
    readonly manner?: string
    readonly env?: NodeJS.ProcessEnv
    readonly cwd?: string
    /** A server that was added, in place of a name. */
    readonly server?: string
    /** Whether it is started by the command that was added with it. */
    readonly ownCommand?: true
    /** Address of a server that speaks HTTP, in place of a command. */
    readonly url?: string
    /** In place of the server of lines. */
    readonly command?: readonly string[]
  } = {},
): Wrapped {
  count += 1
  const log = join(home, `received-${process.pid}-${count}.log`)
  const server = options.command ?? [
    process.execPath,
    LINE_SERVER,
    log,
    ...(options.manner === undefined ? [] : [options.manner]),
  ]
  const child = spawn(
    process.execPath,
    [
      LAUNCHER,
      'wrap',
      ...(options.server === undefined ? ['--name', 'lines'] : ['--server', options.server]),
      ...(options.flags ?? []),
      ...(options.url === undefined ? [] : ['--url', options.url]),
      ...(options.ownCommand === true || options.url !== undefined ? [] : ['--', ...server]),
    ],
    {
      cwd: options.cwd ?? home,
      env: { ...homeEnvironment(home), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
  const lines: string[] = []
  let rest = ''
  const err: Buffer[] = []
  const stderrBytes = (): Buffer => Buffer.concat(err)
  const stderr = (): string => stderrBytes().toString('utf8')
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  child.stderr.on('data', (piece: Buffer) => void err.push(piece))
  child.stdin.on('error', () => {})
  const exited = new Promise<number | null>((resolve) => {
    child.on('close', (code) => resolve(code))
  })
  const waitFor = async <T>(look: () => T | undefined, what: string): Promise<T> => {
    for (let waited = 0; waited < WAIT_MS; waited += 10) {
      const found = look()
      if (found !== undefined) return found
      if (child.exitCode !== null && waited > 500) break
      await sleep(10)
    }
    throw new Error(`${what} did not come: ${lines.join('\n')}\n${stderr()}`)
  }
  const send = (line: string): void => void child.stdin.write(`${line}\n`)
  const ask = async (id: string | number, method: string, params?: object): Promise<Answer> => {
    send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return waitFor(() => {
      const line = lines.find((one) => (JSON.parse(one) as Answer).id === id)
      return line === undefined ? undefined : (JSON.parse(line) as Answer)
    }, `the answer to ${id}`)
  }
  const received = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '')
  return {
    child,
    exited,
    send,
    ask,
    call: (id, name, args = {}) => ask(id, 'tools/call', { name, arguments: args }),
    lines,
    lineWith: (part) => waitFor(() => lines.find((one) => one.includes(part)), part),
    stderr,
    stderrBytes,
    received,
    serverPid: () => Number(/started (\d+)/.exec(received())?.[1]),
    async end() {
      child.stdin.end()
      return exited
    },
  }
}

export const saidBy = (answer: Answer): string => answer.result?.content?.[0]?.text ?? ''
