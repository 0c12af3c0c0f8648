import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { processEnvironment } from '../../src/core/config.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { type Compose, stagesOf } from '../support/dockerfile.ts'
import { freshDatabase, postgresMissing, query } from '../support/postgres.ts'
import { temporaryHome } from '../support/serving.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const [build, final] = stagesOf(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))
const { services } = parse(readFileSync(join(ROOT, 'compose.yml'), 'utf8')) as Compose

const { home, remove } = await temporaryHome()
after(remove)

/** The list of an instruction in its list form. */
function list(name: string): readonly string[] {
  const text = final?.instructions.find((one) => one.name === name)?.text ?? '[]'
  return JSON.parse(text.slice(text.indexOf('['))) as string[]
}

/** Variables of the image, with its places moved into the test's folder. */
function imageVariables(): Record<string, string> {
  const text = final?.instructions.find(({ name }) => name === 'ENV')?.text ?? ''
  const variables = text.split(' ').map((pair) => pair.split('=') as [string, string])
  return Object.fromEntries(
    variables.map(([name, value]) => [name, value.startsWith('/') ? join(home, value) : value]),
  )
}

/** What the image holds: what the Dockerfile builds and copies, put together without Docker. */
async function assembled(): Promise<string> {
  const app = join(home, 'app')
  mkdirSync(app)
  const building = build?.instructions.findLast(({ name }) => name === 'RUN')?.text ?? '[]'
  const [program, ...args] = JSON.parse(building) as string[]
  assert.equal(program, 'node')
  await promisify(execFile)(process.execPath, [...args, '--out', join(app, 'dist')], { cwd: ROOT })
  for (const { name, text } of final?.instructions ?? []) {
    if (name !== 'COPY') continue
    const places = text.split(' ').filter((part) => !part.startsWith('--'))
    const into = places.pop() ?? ''
    for (const from of places.map((place) => place.replace('/app/', '')))
      if (from !== 'dist')
        cpSync(join(ROOT, from), join(app, into === './' ? from : into), { recursive: true })
  }
  return app
}

test('the commands of the image build, serve on PostgreSQL as the compose file says, and end', {
  skip: postgresMissing(),
}, async () => {
  const app = await assembled()
  assert.ok(!existsSync(join(app, 'src')) && !existsSync(join(app, 'node_modules')))
  const url = await freshDatabase()
  mkdirSync(join(home, 'secrets'), { mode: 0o700 })
  const secretFile = join(home, 'secrets', 'database_url')
  writeFileSync(secretFile, `${url}\n`, { mode: 0o400 })
  for (const place of ['data', 'tmp']) mkdirSync(join(home, place))
  const service = services['sallyport']
  const env: Record<string, string> = {
    PATH: processEnvironment()['PATH'] ?? '',
    ...imageVariables(),
    ...service?.environment,
    SALLYPORT_PUBLIC_URL: 'https://vault.example.org',
    SALLYPORT_DATABASE_URL_FILE: secretFile,
  }
  assert.equal(env['SALLYPORT_HOME'], join(home, 'data'))
  // The port of the image may be taken on this machine; everything else is as it stands there.
  const port = 20_000 + (process.pid % 20_000)
  const [entry, ...script] = list('ENTRYPOINT')
  assert.equal(entry, 'node')
  const args = [...script, ...(service?.command ?? []), '--port', String(port)]
  const server = spawn(process.execPath, args, { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((done) => server.on('exit', done))
  let said = ''
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
    })
  try {
    const [check, ...checkArgs] = list('HEALTHCHECK')
    assert.equal(check, 'node')
    const probe = checkArgs.map((part) => part.replace(':4747/', `:${port}/`))
    const isHealthy = async (): Promise<boolean> =>
      promisify(execFile)(process.execPath, probe, { env }).then(
        () => true,
        () => false,
      )
    const from = monotonicMs()
    while (!(await isHealthy())) {
      assert.ok(server.exitCode === null && monotonicMs() - from < 30_000, said)
      await sleep(100)
    }
    const ready = await fetch(`http://127.0.0.1:${port}/ready`)
    assert.equal(ready.status, 200)
    const rows = await query(url, 'select name from vaults')
    assert.deepEqual(rows, [{ name: 'default' }])
    // The key stays beside the program, the sealed rows in the database: neither place holds both.
    assert.ok(existsSync(join(home, 'data', 'config', 'keys')))
    assert.ok(!existsSync(join(home, 'data', 'data', 'vault.db')))

    // Clients are told the public name, by which they came.
    const metadata = '/.well-known/oauth-protected-resource/mcp'
    const { status, body } = await ask(port, metadata, {
      host: 'vault.example.org',
      'x-forwarded-proto': 'https',
    })
    assert.equal(status, 200)
    assert.equal((body as { resource: string }).resource, 'https://vault.example.org/mcp')
    assert.ok(!said.includes(new URL(url).password))

    server.kill('SIGTERM')
    assert.equal(await ended, 0)
    assert.equal(await isHealthy(), false)
  } finally {
    server.kill('SIGKILL')
    await ended
  }
})

async function ask(port: number, path: string, headers: Record<string, string>) {
  const { request } = await import('node:http')
  return new Promise<{ status: number; body: unknown }>((done, reject) => {
    request({ host: '127.0.0.1', port, path, headers }, (answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8')
      })
      answer.on('end', () =>
        done({ status: answer.statusCode ?? 0, body: text === '' ? null : JSON.parse(text) }),
      )
    })
      .on('error', reject)
      .end()
  })
}
