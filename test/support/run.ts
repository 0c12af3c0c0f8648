// npm test: all *.test.ts under src and test but *.e2e.test.ts; npm run e2e: those.
//   npm test -- vault            files with "vault" in their path, of either kind
//   npm test -- --name=racing    tests whose name matches
import { spawn } from 'node:child_process'
import { globSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { processEnvironment } from '../../src/core/config.ts'
import { monotonicMs } from '../../src/core/time.ts'
import { packInto } from './package.ts'
import { scratchFolder } from './scratch.ts'
import { EVENTS_FD, type SuiteEvent, type SuiteRequest } from './suite.ts'

const root = resolve(import.meta.dirname, '../..')
const SUITE = join(import.meta.dirname, 'suite.ts')

/**
 * What drives the program from outside, as people, browsers and clients do, runs one process a file, and apart: it takes
 * minutes. The others share some: to load what they test and to boot a database costs more than most of them.
 */
const END_TO_END = /\.e2e\.test\.ts$/
/** What may start the package, and so needs it made. */
const STARTS_PACKAGE = /\.e2e\.test\.ts$|^test[/\\](?:contract|attacks|gateway)[/\\]/
const FILES_A_GROUP = 16

/** Begun before all others, the longest first: a core is idle while the other ends a long one alone. */
const LONG = ['house', 'presence', 'canary', 'mcp-inspector', 'cli', 'ask-page', 'people-pages']

const SILENCE_LIMIT_MS = 130_000
const OUTPUT_CHARACTERS = 4_000

interface Tally {
  tests: number
  pass: number
  fail: number
  skipped: number
  todo: number
}

interface Report {
  readonly tally: Tally
  readonly failures: string[]
  readonly skips: Map<string, number>
  readonly fileMs: Map<string, number>
}

type Environment = Readonly<Record<string, string | undefined>>

/** Ends each process of tests that runs, and what it started. */
const running = new Set<() => void>()

const write = (text: string): void => void process.stdout.write(`${text}\n`)
const here = (file: string): string => relative(root, resolve(root, file))

/** Every skip is a failure on a machine that claims to have all programs; another system cannot be installed. */
function isForbiddenSkip(reason: string): boolean {
  return (
    processEnvironment()['SALLYPORT_TEST_REQUIRE'] === 'all' &&
    !reason.startsWith('another operating system')
  )
}

function fail(report: Report, title: string, text: string): void {
  report.tally.tests += 1
  report.tally.fail += 1
  report.failures.push(title)
  write(`\n✖ ${title}\n${text.replaceAll(/^/gm, '    ')}`)
}

function note(report: Report, event: SuiteEvent): void {
  if (event.kind === 'file') report.fileMs.set(here(event.file), event.durationMs)
  if (event.kind !== 'test') return
  const title = `${here(event.file)} › ${event.name}`
  if (event.outcome === 'fail') {
    fail(report, title, event.text)
    return
  }
  if (event.outcome === 'skip' && isForbiddenSkip(event.text)) {
    fail(report, title, `skipped although SALLYPORT_TEST_REQUIRE=all: ${event.text}`)
    return
  }
  report.tally.tests += 1
  switch (event.outcome) {
    case 'pass':
      report.tally.pass += 1
      return
    case 'todo':
      report.tally.todo += 1
      return
    case 'skip':
      report.tally.skipped += 1
      report.skips.set(event.text, (report.skips.get(event.text) ?? 0) + 1)
  }
}

/**
 * The environment of the tests: without the person's own settings, and with no way to the person's real vault.
 *
 * @param launcher of the package that they start
 */
function testEnvironment(folder: string, temporary: string, launcher: string | null): Environment {
  const kept = Object.entries(processEnvironment()).filter(
    ([name]) =>
      name.startsWith('SALLYPORT_TEST_') ||
      !/^(?:SALLYPORT_|ONECLAW_|CLAUDE_PROJECT_DIR$|NODE_TEST_CONTEXT$)/.test(name),
  )
  return {
    ...Object.fromEntries(kept),
    TMPDIR: temporary,
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    // Hundreds of processes load the same sources: stripping their types and compiling them is most of what many do.
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
    ...(launcher !== null && { SALLYPORT_TEST_LAUNCHER: launcher }),
  }
}

function runProcess(report: Report, request: SuiteRequest, env: Environment): Promise<void> {
  const ended = new Set<string>()
  const tested = new Set<string>()
  const failed = new Set<string>()
  let output = ''
  let last = request.files.map(here).join(', ')
  let isDone = false

  function take(event: SuiteEvent): void {
    note(report, event)
    if (event.kind === 'start') last = `${here(event.file)} › ${event.name}`
    if (event.kind === 'file') {
      ended.add(event.file)
      write(`  ran ${here(event.file)} (${event.durationMs.toFixed(0)} ms)`)
    }
    if (event.kind !== 'test') return
    tested.add(event.file)
    if (event.outcome === 'fail') failed.add(event.file)
  }

  return new Promise((resolve) => {
    // A process group of its own: whatever the tests leave behind ends with it.
    const child = spawn(process.execPath, [SUITE, JSON.stringify(request)], {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-OUTPUT_CHARACTERS)
      })
    const endGroup = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // The group is empty already.
      }
    }
    running.add(endGroup)
    const watchdog = setTimeout(() => {
      fail(report, last, `nothing happened for ${SILENCE_LIMIT_MS / 1000} s`)
      isDone = true
      endGroup()
    }, SILENCE_LIMIT_MS)

    function finish(how: string): void {
      clearTimeout(watchdog)
      running.delete(endGroup)
      endGroup()
      if (!isDone) fail(report, last, `the test process ended early (${how})`)
      if (isDone)
        for (const file of request.files)
          if (!ended.has(file)) fail(report, here(file), 'its process ended before its tests')
          else if (!tested.has(file) && request.namePattern === null)
            fail(report, here(file), 'the file has no test')
      if (output !== '' && (failed.size > 0 || !isDone))
        write(
          `\n— output of ${[...failed].map(here).join(', ') || last}, or of its neighbours\n${output}`,
        )
      resolve()
    }

    const events = child.stdio[EVENTS_FD]
    if (!(events instanceof Readable)) throw new Error('the events pipe is missing')
    const lines = createInterface({ input: events })
    lines.on('line', (line) => {
      watchdog.refresh()
      // Each line is what our own suite.ts writes.
      const event = JSON.parse(line) as SuiteEvent
      if (event.kind !== 'done') return take(event)
      isDone = true
      endGroup()
    })
    const allRead = new Promise<void>((done) => lines.once('close', done))
    child.once('exit', (code, signal) => {
      // A process that outlives the group can hold the pipe open, so its end is not waited for without a limit.
      const limit = setTimeout(() => lines.close(), 1_000)
      void allRead.then(() => {
        clearTimeout(limit)
        events.destroy()
        finish(signal ?? `exit ${code}`)
      })
    })
  })
}

function printSummary(report: Report, elapsedMs: number): void {
  const slowest = [...report.fileMs].toSorted((a, b) => b[1] - a[1]).slice(0, 10)
  write('\nslowest files')
  for (const [file, ms] of slowest) write(`  ${ms.toFixed(0).padStart(7)} ms  ${file}`)
  if (report.skips.size > 0) write('\nskipped')
  for (const [reason, count] of report.skips) write(`  ${count} × ${reason || 'without a reason'}`)
  if (report.failures.length > 0) write('\nfailed')
  for (const title of report.failures) write(`  ✖ ${title}`)
  const { tests, pass, skipped, todo } = report.tally
  write(`\n# tests ${tests}\n# pass ${pass}\n# fail ${report.tally.fail}\n# skipped ${skipped}`)
  write(`# todo ${todo}\n# duration_ms ${elapsedMs.toFixed(0)}`)
  write(`${pass} passed, ${report.tally.fail} failed, ${skipped} skipped`)
}

/** What runs in one process each, the longest first. Neighbours of a folder share much, and take about as long. */
function processesFor(files: readonly string[]): readonly (readonly string[])[] {
  const alone = files.filter((file) => END_TO_END.test(file))
  const shared = files.filter((file) => !END_TO_END.test(file))
  const count = Math.ceil(shared.length / FILES_A_GROUP)
  const groups = Array.from({ length: count }, (_, group) =>
    shared.filter((_file, index) => Math.floor((index * count) / shared.length) === group),
  )
  const place = (file: string): number => {
    const at = LONG.indexOf(basename(file).replace(/\..*/, ''))
    return at < 0 ? LONG.length : at
  }
  const byLength = alone.toSorted((a, b) => place(a) - place(b)).map((file) => [file])
  const long = byLength.filter(([file = '']) => place(file) < LONG.length)
  return [...long, ...groups, ...byLength.slice(long.length)]
}

/** The launcher of the package that tests start; null, and a failure, when sources can't be bundled: then they start those. */
async function packed(report: Report, folder: string): Promise<string | null> {
  try {
    return await packInto(folder)
  } catch (error) {
    fail(report, 'the package that tests start', String(error))
    return null
  }
}

function newReport(): Report {
  return {
    tally: { tests: 0, pass: 0, fail: 0, skipped: 0, todo: 0 },
    failures: [],
    skips: new Map(),
    fileMs: new Map(),
  }
}

/** More than this is no accident of a busy machine. */
const MOST_AGAIN = 3

/**
 * Tests race with clocks and with other processes. What failed in a few files is run again, each file with the machine
 * to itself; what holds then is named as not steady, and is no failure of the run.
 */
async function tryAgain(
  report: Report,
  files: readonly string[],
  run: (again: Report, file: string) => Promise<void>,
): Promise<void> {
  const failed = files.filter((file) =>
    report.failures.some((title) => title === file || title.startsWith(`${file} › `)),
  )
  const areAllOfFiles = report.failures.every((title) =>
    failed.some((file) => title === file || title.startsWith(`${file} › `)),
  )
  if (failed.length === 0 || failed.length > MOST_AGAIN || !areAllOfFiles) return
  write(`\nagain, alone: ${failed.join(', ')}`)
  const again = newReport()
  for (const file of failed) await run(again, file)
  if (again.tally.fail > 0) return
  for (const title of report.failures.splice(0)) write(`  not steady: ${title}`)
  report.tally.pass += report.tally.fail
  report.tally.fail = 0
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { name: { type: 'string' }, e2e: { type: 'boolean' } },
    allowPositionals: true,
  })
  const isEndToEnd = values.e2e === true
  const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root })
    .filter((file) =>
      positionals.length === 0
        ? END_TO_END.test(file) === isEndToEnd
        : positionals.some((word) => file.includes(word)) && (!isEndToEnd || END_TO_END.test(file)),
    )
    .toSorted()
  if (files.length === 0) {
    write(`no test file has ${positionals.map((word) => `'${word}'`).join(' or ')} in its path`)
    return 1
  }
  const report = newReport()
  const start = monotonicMs()
  const { folder, temporary } = scratchFolder()
  const namePattern = values.name ?? null
  const stop = (signal: NodeJS.Signals): void => {
    for (const end of running) end()
    rmSync(folder, { recursive: true, force: true })
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    const startsPackage = files.some((file) => STARTS_PACKAGE.test(file))
    const launcher = startsPackage ? await packed(report, join(folder, 'package')) : null
    const env = testEnvironment(folder, temporary, launcher)
    const left = processesFor(files).map((each) => each.map((file) => join(root, file)))
    // More than there are cores: many tests wait, for a process that ends or a time that passes.
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift())
        await runProcess(report, { files: next, namePattern }, env)
    }
    await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker))
    await tryAgain(report, files, (again, file) =>
      runProcess(again, { files: [join(root, file)], namePattern }, env),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (report.tally.tests === 0) fail(report, isEndToEnd ? 'npm run e2e' : 'npm test', 'no test ran')
  printSummary(report, monotonicMs() - start)
  return report.tally.fail === 0 ? 0 : 1
}

process.exitCode = await main()
