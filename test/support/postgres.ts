import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { MIGRATIONS, migrate, openPostgres } from '../../src/store/index.ts'
import { findProgram, programMissing } from './require.ts'

export interface TestPostgres {
  /** `postgres://…` of a superuser. */
  readonly url: string
  /** Has it crash at once, as an immediate shutdown does, and come back with what it had written to its log. */
  crash(): Promise<void>
  stop(): Promise<void>
}

/** For the `skip` of tests that need PostgreSQL. */
export function postgresMissing(): false | string {
  return programMissing('initdb', 'apt-get install postgresql')
}

const START_MS = 30_000

/**
 * Boots a throw-away PostgreSQL with its durable defaults in a temporary directory, on loopback and a unix socket.
 * It ends when this process does, however that ends, because a shell holds the other end of a pipe.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const initdb = requireProgram('initdb')
  const postgres = requireProgram('postgres')
  const account = serverAccount()
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-pg-'))
  const password = randomBytes(12).toString('hex')
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, password)
  if (account !== null)
    for (const path of [directory, passwordFile]) chownSync(path, account.uid, account.gid)
  const data = join(directory, 'data')
  await promisify(execFile)(
    initdb,
    ['-D', data, '-U', 'sallyport', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`].concat([
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ]),
    { ...account, cwd: directory },
  )
  const port = await freePort()
  const url = `postgres://sallyport:${password}@127.0.0.1:${port}/postgres`
  // Each line from the pipe starts it again; reading ends when this process stops the server or dies.
  const script =
    'start() { "$@" >>"$LOG" 2>&1 </dev/null & pid=$!; }; start "$@"; while read -r _; do wait $pid; start "$@"; done; kill -QUIT $pid; wait $pid; rm -rf "$DIRECTORY"'
  const shell = spawn(
    '/bin/sh',
    ['-c', script, 'sh', postgres, '-D', data, '-p', String(port)].concat([
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      `unix_socket_directories=${directory}`,
    ]),
    {
      ...account,
      cwd: directory,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { DIRECTORY: directory, LOG: join(directory, 'log'), PATH: '/usr/bin:/bin' },
    },
  )
  const ended = new Promise<void>((resolve) => shell.on('exit', () => resolve()))
  const pipe = shell.stdin as typeof shell.stdin & { unref(): void }
  shell.unref()
  pipe.unref()
  async function crash(): Promise<void> {
    const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
    process.kill(pid, 'SIGQUIT')
    pipe.write('\n')
    while (isThere(pid)) await sleep(5)
    await untilReady(url)
  }
  async function stop(): Promise<void> {
    shell.ref()
    pipe.end()
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await untilReady(url)
  } catch (error) {
    const log = readFileSync(join(directory, 'log'), 'utf8')
    await stop()
    throw new Error(`PostgreSQL did not start: ${log}`, { cause: error })
  }
  return { url, crash, stop }
}

let shared: Promise<TestPostgres> | undefined
let databases = 0
let withSchema: Promise<string> | undefined

/** The URL of a new, empty database in the server that the tests of this process share. */
export async function freshDatabase(): Promise<string> {
  // Sorts unlike SQLite unless the schema asks for bytes, as a database that somebody else made may.
  return madeFrom("template0 locale_provider icu icu_locale 'en-US'")
}

/** The same as the first start leaves it before it stores anything: the schema is made once, and then copied. */
export async function databaseWithSchema(): Promise<string> {
  withSchema ??= freshDatabase().then(async (url) => {
    const db = await openPostgres({ url })
    try {
      await migrate(db, MIGRATIONS)
    } finally {
      await db.close()
    }
    return new URL(url).pathname.slice(1)
  })
  return madeFrom(await withSchema)
}

async function madeFrom(template: string): Promise<string> {
  shared ??= startPostgres()
  const { url } = await shared
  const name = `test_${++databases}`
  await query(url, `create database ${name} template ${template}`)
  return url.replace(/postgres$/, name)
}

/** One statement on a connection of its own. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

async function untilReady(url: string): Promise<void> {
  const deadline = monotonicMs() + START_MS
  for (;;) {
    try {
      await query(url, 'select 1')
      return
    } catch (error) {
      if (monotonicMs() > deadline) throw error
    }
    await sleep(30)
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function requireProgram(name: string): string {
  const path = findProgram(name)
  if (path === null) throw new Error(`${name} is not installed (apt-get install postgresql)`)
  return path
}

// PostgreSQL refuses to run as root.
function serverAccount(): { uid: number; gid: number } | null {
  if (userInfo().uid !== 0) return null
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('postgres:'))
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid === undefined || gid === undefined) throw new Error('there is no user named postgres')
  return { uid: Number(uid), gid: Number(gid) }
}

/** Of loopback, free right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve(address.port)
      })
    })
  })
}
