// Runs test files with node:test, all in this process, and tells the parent what happened. A process of its own, so that
// the runner can end one that hangs, and whatever it started, without ending itself.
import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { run } from 'node:test'
import { inspect } from 'node:util'

/** The file descriptor that events are written to, one JSON line each. */
export const EVENTS_FD = 3

const GROUP = join(import.meta.dirname, 'group.ts')
const LEFTOVER_MS = 10_000

type TestsStream = ReturnType<typeof run>

/** Of a test that passed or failed. */
interface Told {
  readonly nesting: number
  readonly details: { readonly type?: string }
}

export interface SuiteRequest {
  readonly files: readonly string[]
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
      /** The reason of a skip or the printed error of a failure. */
      readonly text: string
    }
  | { readonly kind: 'file'; readonly file: string; readonly durationMs: number }
  | { readonly kind: 'done' }

function isMarked(mark: string | boolean | undefined): mark is string | true {
  return mark !== undefined && mark !== false
}

function isParentOnly(error: Error): boolean {
  return 'failureType' in error && error.failureType === 'subtestsFailed'
}

async function runSuite(request: SuiteRequest, tell: (event: SuiteEvent) => void): Promise<void> {
  const stream = run({
    files: [GROUP],
    isolation: 'none',
    ...(request.namePattern === null ? {} : { testNamePatterns: [request.namePattern] }),
  })
  // Suites of group.ts are told of in their order, each before its tests.
  let file = ''
  const isFile = (test: Told): boolean => test.nesting === 0 && test.details.type === 'suite'
  const onStart = ({ name, nesting }: { name: string; nesting: number }): void => {
    if (nesting > 0) return tell({ kind: 'start', file, name })
    file = request.files[Number(name.slice(1))] ?? ''
    hasLast ||= name === last
  }
  const last = `#${request.files.length - 1}`
  let hasLast = false
  watchForLeftovers(stream, tell, () => (hasLast ? file : null))
  stream.on('test:start', onStart)
  stream.on('test:pass', (test) => {
    if (isFile(test)) return tell({ kind: 'file', file, durationMs: test.details.duration_ms })
    const isSkipped = isMarked(test.skip)
    // A suite is counted through its tests, unless it was skipped and they never ran.
    if (test.details.type === 'suite' && !isSkipped) return
    const mark = isSkipped ? test.skip : test.todo
    tell({
      kind: 'test',
      outcome: isSkipped ? 'skip' : isMarked(test.todo) ? 'todo' : 'pass',
      file,
      name: test.name,
      durationMs: test.details.duration_ms,
      text: typeof mark === 'string' ? mark : '',
    })
  })
  stream.on('test:fail', (test) => {
    const { error, duration_ms: durationMs } = test.details
    if (!isParentOnly(error))
      tell({
        kind: 'test',
        outcome: 'fail',
        file,
        name: isFile(test) ? 'loading the file, or its hooks' : test.name,
        durationMs,
        // node:test wraps what was thrown; the wrapper says nothing of its own.
        text: inspect(error.cause ?? error, { depth: 4 }),
      })
    if (isFile(test)) tell({ kind: 'file', file, durationMs })
  })
  stream.resume()
  await new Promise<void>((resolve, reject) => stream.once('end', resolve).once('error', reject))
  // Whoever reads that it is done ends this process.
  flushCompileCache()
  tell({ kind: 'done' })
}

/**
 * A timer or socket that a test forgot keeps node:test waiting for ever. When every test that was announced has ended
 * and nothing more comes, it is named and the suite ends.
 *
 * @param lastFile the file whose tests ran last, or null while some have yet to
 */
function watchForLeftovers(
  stream: TestsStream,
  tell: (event: SuiteEvent) => void,
  lastFile: () => string | null,
): void {
  let open = 0
  const timer = setTimeout(() => {
    const file = lastFile()
    if (open > 0 || file === null) return
    tell({
      kind: 'test',
      outcome: 'fail',
      file,
      name: 'end',
      durationMs: LEFTOVER_MS,
      text: `all tests have ended, but this still runs: ${process.getActiveResourcesInfo().join(', ')}`,
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

if (import.meta.main) {
  // The request is what our own run.ts wrote. A plain pipe, written at once: a test that ends the process loses no event.
  await runSuite(JSON.parse(process.argv[2] ?? '') as SuiteRequest, (event) => {
    // Whoever reads lines ends them there too.
    const line = JSON.stringify(event).replaceAll(/[\u2028\u2029]/g, (end) =>
      end === '\u2028' ? '\\u2028' : '\\u2029',
    )
    writeSync(EVENTS_FD, `${line}\n`)
  })
}
