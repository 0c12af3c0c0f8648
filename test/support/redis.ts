import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { findProgram, programMissing } from './require.ts'

/** A server of counters that tests can be run with. */
export interface RedisProgram {
  readonly name: 'redis' | 'valkey'
  readonly program: string
  readonly skip: false | string
}

export const REDIS: RedisProgram = {
  name: 'redis',
  program: 'redis-server',
  skip: programMissing('redis-server', 'apt-get install redis-server'),
}

/** Not in every distribution, so that a test may do without it even where all programs have to be there. */
export const VALKEY: RedisProgram = {
  name: 'valkey',
  program: 'valkey-server',
  skip: findProgram('valkey-server') === null ? 'valkey-server is not installed' : false,
}

export interface TestRedis {
  /** What `SALLYPORT_COUNTERS_URL` would be: a unix socket, or a port where one was asked for. */
  readonly url: string
  readonly folder: string
  /** A client of its own, for looking and for breaking things. */
  client(): Redis
  /** As a crash does. */
  kill(): Promise<void>
  /** On the data that is there. */
  start(): Promise<void>
  /** Stops answering, and goes on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  stop(): Promise<void>
}

export interface RedisStart {
  readonly program?: RedisProgram
  /** Every answered write is on the disk. Default: nothing is kept. */
  readonly isKept?: boolean
  /** Listens on a port of loopback instead of a socket. */
  readonly port?: number
  /** Further options, as on the command line. */
  readonly options?: readonly string[]
}

const START_MS = 10_000

/** A server in a folder of its own, that ends when this process does, because a shell holds the other end of a pipe. */
export async function startRedis(how: RedisStart = {}): Promise<TestRedis> {
  const { program = REDIS, isKept = false, port, options = [] } = how
  const path = findProgram(program.program)
  if (path === null) throw new Error(`${program.program} is not installed`)
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-redis-'))
  const socket = join(folder, 'socket')
  const own = `--dir ${folder} --unixsocket ${socket} --unixsocketperm 700 --logfile ${folder}/log`
  const kept = `--appendonly ${isKept ? 'yes' : 'no'} --appendfsync always --daemonize no --port 0`
  const listening = port === undefined ? [] : ['--port', String(port), '--bind', '127.0.0.1']
  const server = [path, ...own.split(' '), ...kept.split(' '), '--save', '', ...listening].concat(
    options,
  )
  const clients: Redis[] = []
  let shell: ChildProcess | null = null
  let pid = 0

  async function start(): Promise<void> {
    // A line ends the server alone; that nobody is there any more ends its folder, too.
    const script =
      '"$@" </dev/null & pid=$!; echo $pid; read -r _ && kept=1; kill -9 $pid 2>/dev/null; wait; ' +
      '[ -n "$kept" ] || rm -rf "$FOLDER"'
    const started = spawn('/bin/sh', ['-c', script, 'sh', ...server], {
      detached: true,
      env: { PATH: '/usr/bin:/bin', FOLDER: folder },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    shell = started
    const [line] = (await once(started.stdout, 'data')) as [Buffer]
    pid = Number(line.toString('utf8'))
    started.stdout.destroy()
    started.unref()
    ;(started.stdin as typeof started.stdin & { unref(): void }).unref()
    const probe = new Redis({ path: socket, lazyConnect: true, retryStrategy: () => null })
    probe.on('error', () => {})
    const deadline = monotonicMs() + START_MS
    for (;;) {
      try {
        await probe.connect()
        probe.disconnect()
        return
      } catch (error) {
        if (monotonicMs() > deadline)
          throw new Error(readFileSync(join(folder, 'log'), 'utf8'), { cause: error })
        await sleep(5)
      }
    }
  }

  async function kill(): Promise<void> {
    const running = shell
    if (running === null) return
    shell = null
    running.ref()
    const ended = once(running, 'exit')
    running.stdin?.end('\n')
    await ended
  }

  await start()
  return {
    url: port === undefined ? `unix://${socket}` : `redis://127.0.0.1:${port}`,
    folder,
    client() {
      const client = new Redis({ path: socket })
      client.on('error', () => {})
      clients.push(client)
      return client
    },
    kill,
    start,
    signal: (name) => void process.kill(pid, name),
    async stop() {
      for (const client of clients) client.disconnect()
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
