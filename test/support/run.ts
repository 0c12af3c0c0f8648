// npm test: all *.test.ts under src and test, or those whose path contains one of the given words.
//   npm test -- vault            files with "vault" in their path
//   npm test -- --name=racing    tests whose name matches
import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { processEnvironment } from '../../src/core/config.ts'
import { monotonicMs } from '../../src/core/time.ts'
import { packInto } from './package.ts'
import { EVENTS_FD, FILE_LIMIT_MS, type SuiteEvent, type SuiteRequest } from './suite.ts'

const root = resolve(import.meta.dirname, '../..')
const SUITE = join(import.meta.dirname, 'suite.ts')

/** What starts processes or boots databases runs one process a file; isolation costs ten times the time. */
const ISOLATED = /\.e2e\.test\.ts$|^test[/\\](?:e2e|contract|attacks)[/\\]/

const SILENCE_LIMIT_MS = FILE_LIMIT_MS + 10_000
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
function testEnvironment(
  folder: string,
  launcher: string | null,
): Record<string, string | undefined> {
  const kept = Object.entries(processEnvironment()).filter(
    ([name]) =>
      name.startsWith('SALLYPORT_TEST_') ||
      !/^(?:SALLYPORT_|ONECLAW_|CLAUDE_PROJECT_DIR$|NODE_TEST_CONTEXT$)/.test(name),
  )
  return {
    ...Object.fromEntries(kept),
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    // Hundreds of processes load the same sources: stripping their types and compiling them is most of what many do.
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
    ...(launcher !== null && { SALLYPORT_TEST_LAUNCHER: launcher }),
  }
}

function runGroup(
  report: Report,
  request: SuiteRequest,
  folder: string,
  launcher: string | null = null,
): Promise<void> {
  if (request.files.length === 0) return Promise.resolve()
  const output = new Map<string, string>()
  const failed = new Set<string>()
  const ended = new Set<string>()
  const perFile = new Map<string, number>()
  let last = 'before the first test'
  let isDone = false

  function take(event: SuiteEvent): void {
    note(report, event)
    if (event.kind === 'start') last = `${here(event.file)} › ${event.name}`
    if (event.kind === 'file') {
      ended.add(event.file)
      write(`  ran ${here(event.file)} (${event.durationMs.toFixed(0)} ms)`)
    }
    if (event.kind === 'output') {
      const said = (output.get(event.file) ?? '') + event.text
      output.set(event.file, said.slice(-OUTPUT_CHARACTERS))
    }
    if (event.kind === 'test') {
      if (event.outcome === 'fail') failed.add(event.file)
      if (event.isTopLevel && !request.isolated)
        perFile.set(event.file, (perFile.get(event.file) ?? 0) + event.durationMs)
    }
  }

  return new Promise((resolve) => {
    // A process group of its own: whatever the tests leave behind ends with it.
    const child = spawn(process.execPath, [SUITE, JSON.stringify(request)], {
      cwd: root,
      env: testEnvironment(folder, launcher),
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    })
    const endGroup = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // The group is empty already.
      }
    }
    const onSignal = (signal: NodeJS.Signals): void => {
      endGroup()
      rmSync(folder, { recursive: true, force: true })
      process.exit(signal === 'SIGINT' ? 130 : 143)
    }
    process.once('SIGINT', onSignal)
    process.once('SIGTERM', onSignal)
    const watchdog = setTimeout(() => {
      fail(report, last, `nothing happened for ${SILENCE_LIMIT_MS / 1000} s`)
      isDone = true
      endGroup()
    }, SILENCE_LIMIT_MS)

    function finish(how: string): void {
      clearTimeout(watchdog)
      process.removeListener('SIGINT', onSignal)
      process.removeListener('SIGTERM', onSignal)
      endGroup()
      if (!isDone) fail(report, last, `the test process ended early (${how})`)
      if (isDone && request.isolated)
        for (const file of request.files)
          if (!ended.has(file) && !failed.has(file))
            fail(report, here(file), 'the file has no test, or its process ended before its tests')
      for (const [file, ms] of perFile) report.fileMs.set(here(file), ms)
      for (const file of failed) {
        const said = output.get(file)
        if (said !== undefined) write(`\n— output of ${here(file)}\n${said}`)
      }
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

/** Every other file: neighbours in a folder take about as long as each other. */
function halves(files: readonly string[]): readonly string[][] {
  return [0, 1].map((rest) => files.filter((_, index) => index % 2 === rest))
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

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { name: { type: 'string' } },
    allowPositionals: true,
  })
  const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root })
    .filter((file) => positionals.length === 0 || positionals.some((word) => file.includes(word)))
    .toSorted()
  if (files.length === 0) {
    write(`no test file has ${positionals.map((word) => `'${word}'`).join(' or ')} in its path`)
    return 1
  }
  const report: Report = {
    tally: { tests: 0, pass: 0, fail: 0, skipped: 0, todo: 0 },
    failures: [],
    skips: new Map(),
    fileMs: new Map(),
  }
  const start = monotonicMs()
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  const namePattern = values.name ?? null
  const absolute = (wanted: boolean): string[] =>
    files.filter((file) => ISOLATED.test(file) === wanted).map((file) => join(root, file))
  try {
    const quick = absolute(false)
    // One process each for both cores: what shares a process shares its one thread.
    await Promise.all(
      halves(quick).map((half) =>
        runGroup(report, { files: half, isolated: false, namePattern }, folder),
      ),
    )
    const isolated = absolute(true)
    if (isolated.length > 0) {
      const launcher = await packed(report, join(folder, 'package'))
      await runGroup(report, { files: isolated, isolated: true, namePattern }, folder, launcher)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (report.tally.tests === 0) fail(report, 'npm test', 'no test ran')
  printSummary(report, monotonicMs() - start)
  return report.tally.fail === 0 ? 0 : 1
}

process.exitCode = await main()
