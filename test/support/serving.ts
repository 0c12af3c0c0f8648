import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processEnvironment } from '../../src/core/config.ts'
import { sleep } from '../../src/core/time.ts'

/** Of the package that the run of the tests made, else of the checkout. */
export const LAUNCHER =
  processEnvironment()['SALLYPORT_TEST_LAUNCHER'] ??
  fileURLToPath(new URL('../../bin/sallyport.mjs', import.meta.url))

/** Where a run of the tests keeps compiled code: a home of its own would have each process compile all anew. */
export function compiledCode(): Record<string, string> {
  const { NODE_COMPILE_CACHE } = processEnvironment()
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }
}

/** First start of a bundle on a busy machine, with a new store to make. */
const START_MS = 30_000
const STOP_MS = 10_000

export interface Serving {
  /** Folder that holds data, state and configuration. */
  readonly home: string
  /** `http://127.0.0.1:PORT/mcp` */
  readonly url: URL
  /** Bearer of the first run, or null when this home has had one before. */
  readonly token: string | null
  /** Where the first account is made, in the run that made the store. */
  readonly setup: string | null
  readonly pid: number
  /** What it wrote to standard error so far. */
  log(): string
  /** Ends it with SIGTERM. @returns its exit code */
  stop(): Promise<number | null>
  /** Ends it with SIGKILL. */
  kill(): Promise<void>
}

/** A folder of its own, removed when the test is over. */
export async function temporaryHome(): Promise<{ home: string; remove(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'sallyport-home-'))
  return { home, remove: () => rm(home, { recursive: true, force: true }) }
}

/** The environment of a process that keeps everything under `home` and asks no keychain. */
export function homeEnvironment(home: string): Record<string, string> {
  const { PATH = '' } = processEnvironment()
  return {
    ...compiledCode(),
    PATH,
    HOME: home,
    SALLYPORT_HOME: home,
    SALLYPORT_KEY_SOURCE: 'keyfile',
  }
}

/** Starts `sallyport up` on a free port of loopback and waits until it serves. */
export async function startServing(
  home: string,
  env: Readonly<Record<string, string>> = {},
  program = LAUNCHER,
): Promise<Serving> {
  const child = spawn(process.execPath, [program, 'up', '--json', '--port', '0'], {
    cwd: home,
    env: { ...homeEnvironment(home), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8')
  })
  const exited = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => resolve(code))
  })
  const answered = new Promise<unknown>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('utf8')
      try {
        resolve(JSON.parse(out))
      } catch {
        // Not the whole answer yet.
      }
    })
  })
  const abort = new AbortController()
  const answer = await Promise.race([
    answered,
    exited.then((code) => {
      throw new Error(`sallyport up ended with ${String(code)}: ${err}`)
    }),
    sleep(START_MS, abort.signal).then(() => {
      child.kill('SIGKILL')
      throw new Error(`sallyport up did not answer: ${err}`)
    }),
  ]).finally(() => abort.abort())
  const { url, token, setup } = answer as {
    url: string
    token: string | null
    setup: string | null
  }
  return {
    home,
    url: new URL(url),
    token,
    setup,
    pid: child.pid ?? Number.NaN,
    log: () => err,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async stop() {
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      child.kill('SIGTERM')
      const code = await exited
      clearTimeout(late)
      return code
    },
  }
}
