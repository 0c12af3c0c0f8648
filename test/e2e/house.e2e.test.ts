import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { processEnvironment } from '../../src/core/config.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'sallyport-house-'))
const clone = join(folder, 'clone')
after(() => rmSync(folder, { recursive: true, force: true }))

/** Without what the surrounding npm passes on: a person's shell has none of it. */
function shellEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const entries = Object.entries(processEnvironment()).filter(([name]) => !/^npm_/i.test(name))
  const { PATH: path = '', ...rest } = Object.fromEntries(entries)
  const withoutOurs = path.split(delimiter).filter((one) => !one.includes('node_modules'))
  return { ...rest, PATH: withoutOurs.join(delimiter), ...more }
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = shellEnvironment(),
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(command, [...args], { cwd, env, encoding: 'utf8', timeout: 110_000 })
}

/** What is started and bundled here: small, so that the launcher and the bundler are what is tested. */
const PROGRAM = `import { packageVersion } from '../core/config.ts'
const args = process.argv.slice(2)
if (args.at(-1) === 'wait') {
  const timer = setInterval(() => {}, 1000)
  let isStopping = false
  // npm passes the signal on, so a group that is told gets it twice; the second may come while the first is obeyed.
  process.on('SIGTERM', () => {
    if (isStopping) return
    isStopping = true
    process.stdout.write('stopped\\n')
    setTimeout(() => clearInterval(timer), 200)
  })
  process.stdout.write('waiting\\n')
} else {
  process.stdout.write(JSON.stringify(args) + ' ' + process.versions.node + ' ' + packageVersion() + '\\n')
  process.exitCode = 3
}
`

/** What the program and the bundler need: that all of the lock file can be installed is seen wherever tests run. */
const NEEDED = ['node', 'rolldown', 're2js', 'zod']

interface Packages {
  [group: string]: Record<string, string> | undefined
}

function narrow(manifest: Packages): void {
  for (const group of ['dependencies', 'devDependencies', 'optionalDependencies'])
    manifest[group] = Object.fromEntries(
      Object.entries(manifest[group] ?? {}).filter(([name]) => NEEDED.includes(name)),
    )
}

/** Leaves the packages that are needed, and what these need, in both files of the clone. */
function narrowClone(): void {
  const read = (name: string) => JSON.parse(readFileSync(join(clone, name), 'utf8')) as unknown
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(clone, name), `${JSON.stringify(value, null, 2)}\n`)
  const manifest = read('package.json') as Packages
  narrow(manifest)
  write('package.json', manifest)
  const lock = read('package-lock.json') as { packages: Record<string, Packages> }
  const kept: Record<string, Packages> = {}
  const keep = (place: string): void => {
    const one = lock.packages[place]
    if (one === undefined || place in kept) return
    kept[place] = one
    if (place === '') narrow(one)
    const { dependencies, devDependencies, optionalDependencies } = one
    for (const name of Object.keys({
      ...dependencies,
      ...optionalDependencies,
      ...(place === '' && devDependencies),
    })) {
      // As Node resolves it: the nearest folder of modules that has one.
      let base = place
      while (base !== '' && !(`${base}/node_modules/${name}` in lock.packages))
        base = base.replace(/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+$/, '')
      keep(`${base === '' ? '' : `${base}/`}node_modules/${name}`)
    }
  }
  keep('')
  write('package-lock.json', { ...lock, packages: kept })
}

function makeClone(): void {
  if (existsSync(clone)) return
  const { status, stderr } = run('git', ['clone', '--quiet', root, clone], folder)
  assert.equal(status, 0, stderr)
  narrowClone()
  const author = ['-c', 'user.name=house', '-c', 'user.email=house@example.org']
  const commit = run('git', [...author, 'commit', '--quiet', '--all', '-m', 'narrowed'], clone)
  assert.equal(commit.status, 0, commit.stderr)
  mkdirSync(join(clone, 'src', 'app'), { recursive: true })
  writeFileSync(join(clone, 'src', 'app', 'bin.ts'), PROGRAM)
}

test('house: set-up without npm says so', () => {
  makeClone()
  const bare = join(folder, 'bare-bin')
  mkdirSync(bare)
  const env = shellEnvironment({ PATH: bare })
  const { status, stderr } = run(process.execPath, ['scripts/setup.mjs'], clone, env)
  assert.equal(status, 1)
  assert.match(stderr, /^setup: npm was not found; install npm \(it comes with Node\)/m)
})

test('house: two set-ups of a fresh clone at once install and bundle once, and a third does nothing', async () => {
  makeClone()
  const dead = spawnSync(process.execPath, ['-e', '0'])
  // Left by a set-up that was killed: nobody is behind it.
  writeFileSync(
    join(clone, '.setup-lock'),
    `${dead.pid} ${run('hostname', [], folder).stdout.trim()}`,
  )
  const both = await Promise.all(
    [1, 2].map(
      () =>
        new Promise<{ code: number | null; said: string }>((done, failed) => {
          const child = spawn('node', ['scripts/setup.mjs', '--build'], {
            cwd: clone,
            env: shellEnvironment(),
            stdio: ['ignore', 'ignore', 'pipe'],
          })
          let said = ''
          child.stderr.on('data', (chunk: Buffer) => {
            said += chunk.toString()
          })
          child.once('error', failed)
          child.once('close', (code) => done({ code, said }))
        }),
    ),
  )
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
    both.map(({ said }) => said).join('\n'),
  )
  const said = both.map((one) => one.said).join('')
  assert.equal(said.match(/installing packages .*: done in/g)?.length, 1)
  assert.equal(said.match(/bundling: done in/g)?.length, 1)
  assert.equal(existsSync(join(clone, '.setup-lock')), false)

  const third = run('node', ['scripts/setup.mjs', '--build'], clone)
  assert.deepEqual([third.status, third.stdout, third.stderr], [0, '', ''])
  const changed = run('git', ['status', '--porcelain'], clone).stdout.trim().split('\n')
  assert.deepEqual(
    changed.filter((line) => !line.includes('src/app')),
    [],
  )
})

test('house: a source newer than the bundle is bundled again', () => {
  const bundle = join(clone, 'dist', 'sallyport.js')
  const newer = statSync(bundle).mtimeMs / 1000 + 60
  utimesSync(join(clone, 'src', 'app', 'bin.ts'), newer, newer)
  const again = run('node', ['scripts/setup.mjs', '--build'], clone)
  assert.match(again.stderr, /^setup: bundling: done in/m)
  utimesSync(join(clone, 'src', 'app', 'bin.ts'), 0, 0)
})

const launcher = join(clone, 'bin', 'sallyport.mjs')

/** Starts the program through the launcher; a signal is sent once it has said something. */
async function launched(
  node: string,
  args: readonly string[],
  signal?: NodeJS.Signals,
): Promise<{ stdout: string; code: number | null; signal: NodeJS.Signals | null }> {
  const child = spawn(node, [launcher, ...args], {
    cwd: clone,
    env: shellEnvironment({ XDG_CACHE_HOME: join(folder, 'cache') }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (signal !== undefined && stdout === 'waiting\n') child.kill(signal)
  })
  return new Promise((done, failed) => {
    child.once('error', failed)
    child.once('close', (code, ended) => done({ stdout, code, signal: ended }))
  })
}

test('house: the launcher passes arguments, exit code and the place of package.json, bundled or not', async () => {
  const expected = `["a","b c"] ${process.versions.node} 0.1.0\n`
  for (const isBundled of [true, false]) {
    if (!isBundled) rmSync(join(clone, 'dist'), { recursive: true })
    const { stdout, code } = await launched(process.execPath, ['a', 'b c'])
    assert.deepEqual([stdout, code], [expected, 3])
  }
})

/** The machine's own Node, when it is one that Sallyport does not run on. */
const tooOld = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  if (!existsSync(path)) return false
  const version = run(path, ['-p', 'process.versions.node'], folder).stdout
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < 24 || (major === 24 && minor < 15)
})

test('house: on a Node that is too old a checkout goes on with its own', async (t) => {
  if (tooOld === undefined) return t.skip('another operating system: its Node is new enough')
  const { stdout, code } = await launched(tooOld, ['a', 'b c'])
  assert.deepEqual([stdout, code], [`["a","b c"] ${process.versions.node} 0.1.0\n`, 3])
  const stopped = await launched(tooOld, ['wait'], 'SIGTERM')
  assert.deepEqual([stopped.stdout, stopped.code], ['waiting\nstopped\n', 0])
})

test('house: on a Node that is too old an installed package says in one line what to install', (t) => {
  if (tooOld === undefined) return t.skip('another operating system: its Node is new enough')
  const installed = join(folder, 'installed')
  mkdirSync(join(installed, 'bin'), { recursive: true })
  cpSync(launcher, join(installed, 'bin', 'sallyport.mjs'))
  const { status, stdout, stderr } = run(tooOld, [join(installed, 'bin', 'sallyport.mjs')], folder)
  assert.deepEqual([status, stdout], [1, ''])
  assert.match(
    stderr,
    /^sallyport needs Node 24\.15 or newer and this is [\d.]+; install it from .+\n$/,
  )
})

test('house: npm start ends with 0 on SIGTERM, whether npm alone or all of its group is told', async () => {
  for (const isGroup of [false, true]) {
    const child = spawn('npm', ['start', '--silent', '--', 'wait'], {
      cwd: clone,
      env: shellEnvironment({ XDG_CACHE_HOME: join(folder, 'cache') }),
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    let stdout = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      if (stdout === 'waiting\n' && child.pid !== undefined)
        process.kill(isGroup ? -child.pid : child.pid, 'SIGTERM')
    })
    const code = await new Promise((done) => child.once('close', done))
    assert.deepEqual([stdout, code], ['waiting\nstopped\n', 0], `group: ${isGroup}`)
  }
})

// The last of the file: npm ci empties node_modules before it finds that it cannot go on.
test('house: a changed lock file is installed again, and without a network one line says what to do', () => {
  const lock = join(clone, 'package-lock.json')
  const changed = readFileSync(lock, 'utf8').replace(
    /("node_modules\/zod": \{\s*"version": )"[^"]+"/,
    '$1"4.6.6"',
  )
  writeFileSync(lock, changed)
  writeFileSync(
    join(clone, 'package.json'),
    readFileSync(join(clone, 'package.json'), 'utf8').replace(/"zod": "[^"]+"/, '"zod": "4.6.6"'),
  )
  const npmrc = join(folder, 'npmrc')
  writeFileSync(npmrc, 'registry=http://127.0.0.1:9/\nfetch-retries=0\n')
  const env = shellEnvironment({
    npm_config_userconfig: npmrc,
    npm_config_cache: join(folder, 'empty-cache'),
  })
  const { status, stderr } = run('node', ['scripts/setup.mjs'], clone, env)
  assert.equal(status, 1)
  assert.equal(
    stderr.trimEnd().split('\n').at(-1),
    'setup: the package registry could not be reached; connect to the network (or set the npm proxy) and run this again.',
  )
  assert.equal(existsSync(join(clone, '.setup-lock')), false)
})
