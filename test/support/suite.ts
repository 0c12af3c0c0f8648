// Runs test files with node:test and tells the parent what happened. A process of its own, so that the runner can end
// a group that hangs, and whatever that group started, without ending itself.
import { writeSync } from 'node:fs'
import { run } from 'node:test'
import { inspect } from 'node:util'

/** How long one test file may take, milliseconds. */
export const FILE_LIMIT_MS = 120_000

/** The file descriptor that events are written to, one JSON line each. */
export const EVENTS_FD = 3

const LEFTOVER_MS = 10_000

type TestsStream = ReturnType<typeof run>

export interface SuiteRequest {
  readonly files: readonly string[]
  /** One process a file, two at a time; otherwise all files in the one process. */
  readonly isolated: boolean
  /** Regular expression over test names, or null for all. */
  readonly namePattern: string | null
}

export type Outcome = 'pass' | 'fail' | 'skip' | 'todo'

export type SuiteEvent =
  | { readonly kind: 'start'; readonly file: string; readonly name: string }
  | {
      readonly kind: 'test'
      readonly outcome: Outcome
      readonly file: string
      readonly name: string
      readonly durationMs: number
      readonly isTopLevel: boolean
      /** The reason of a skip or the printed error of a failure. */
      readonly text: string
    }
  | { readonly kind: 'file'; readonly file: string; readonly durationMs: number }
  | { readonly kind: 'output'; readonly file: string; readonly text: string }
  | { readonly kind: 'done' }

interface Place {
  readonly name: string
  readonly file?: string
  /** The file that was run, when the test itself is declared in one that it imports. */
  readonly entryFile?: string
}

function fileOf(place: Place): string {
  return place.entryFile ?? place.file ?? place.name
}

function isMarked(mark: string | boolean | undefined): mark is string | true {
  return mark !== undefined && mark !== false
}

function isParentOnly(error: Error): boolean {
  return 'failureType' in error && error.failureType === 'subtestsFailed'
}

async function runSuite(request: SuiteRequest, tell: (event: SuiteEvent) => void): Promise<void> {
  const stream = run({
    files: [...request.files],
    timeout: FILE_LIMIT_MS,
    ...(request.isolated
      ? { isolation: 'process', concurrency: 2, forceExit: true }
      : { isolation: 'none' }),
    ...(request.namePattern === null ? {} : { testNamePatterns: [request.namePattern] }),
  })
  if (!request.isolated) watchForLeftovers(stream, tell)
  stream.on('test:start', (test) => tell({ kind: 'start', file: fileOf(test), name: test.name }))
  stream.on('test:pass', (test) => {
    // A file that reported no test passes under its own name; that is not a test.
    if (test.name === fileOf(test)) return
    const isSkipped = isMarked(test.skip)
    // A suite is counted through its tests, unless it was skipped and they never ran.
    if (test.details.type === 'suite' && !isSkipped) return
    const mark = isSkipped ? test.skip : test.todo
    tell({
      kind: 'test',
      outcome: isSkipped ? 'skip' : isMarked(test.todo) ? 'todo' : 'pass',
      file: fileOf(test),
      name: test.name,
      durationMs: test.details.duration_ms,
      isTopLevel: test.nesting === 0,
      text: typeof mark === 'string' ? mark : '',
    })
  })
  stream.on('test:fail', (test) => {
    if (isParentOnly(test.details.error)) return
    tell({
      kind: 'test',
      outcome: 'fail',
      file: fileOf(test),
      name: test.name,
      durationMs: test.details.duration_ms,
      isTopLevel: test.nesting === 0,
      // node:test wraps what was thrown; the wrapper says nothing of its own.
      text: inspect(test.details.error.cause ?? test.details.error, { depth: 4 }),
    })
  })
  const onOutput = (said: { file?: string; message: string }): void =>
    tell({ kind: 'output', file: said.file ?? '', text: said.message })
  stream.on('test:stdout', onOutput)
  stream.on('test:stderr', onOutput)
  stream.on('test:summary', ({ file, duration_ms: durationMs }) => {
    if (file !== undefined) tell({ kind: 'file', file, durationMs })
  })
  stream.resume()
  await new Promise<void>((resolve, reject) => stream.once('end', resolve).once('error', reject))
  tell({ kind: 'done' })
}

/**
 * In one process for all files a timer or socket that a test forgot keeps node:test waiting for ever. When every test
 * that was announced has ended and nothing more comes, it is named and the suite ends.
 */
function watchForLeftovers(stream: TestsStream, tell: (event: SuiteEvent) => void): void {
  let open = 0
  const timer = setTimeout(() => {
    if (open > 0) return
    const text = `all tests have ended, but this still runs: ${process.getActiveResourcesInfo().join(', ')}`
    tell({
      kind: 'test',
      outcome: 'fail',
      file: 'pure suites',
      name: 'end',
      durationMs: LEFTOVER_MS,
      isTopLevel: true,
      text,
    })
    tell({ kind: 'done' })
  }, LEFTOVER_MS)
  timer.unref()
  stream.on('test:enqueue', () => {
    open += 1
    timer.refresh()
  })
  stream.on('test:complete', () => {
    open -= 1
    timer.refresh()
  })
}

const request = process.argv[2]
if (import.meta.main && request !== undefined) {
  // The request is what our own run.ts wrote. A plain pipe, written at once: a test that ends the process loses no event.
  await runSuite(JSON.parse(request) as SuiteRequest, (event) => {
    writeSync(EVENTS_FD, `${JSON.stringify(event)}\n`)
  })
}
