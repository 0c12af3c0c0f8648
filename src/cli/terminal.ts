import type { Readable, Writable } from 'node:stream'
import { type Environment, processEnvironment } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import { monotonicMs } from '../core/time.ts'
import type { Input, Io, Json, Output, Paint } from './command.ts'
import { linesOf } from './lines.ts'

const CODES: Record<Paint, readonly [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: TerminalStream
  readonly stderr: TerminalStream
}

type TerminalStream = Writable & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

// A terminal that does not know its size says that it has none.
const USUAL_COLUMNS = 80
const USUAL_ROWS = 24

/** The streams of this process. */
export function processStreams(): Streams {
  return process
}

/**
 * Input and output over any streams.
 *
 * @param signal - asked for only when a command looks at it, so that the others end on Ctrl-C without ceremony
 */
export function createIo(
  streams: Streams,
  options: {
    readonly json: boolean
    readonly env?: Environment
    readonly signal?: () => AbortSignal
  },
): Io {
  const env = options.env ?? processEnvironment()
  const stdout = output(streams.stdout, env)
  const stderr = output(streams.stderr, env)
  const signal = options.signal ?? endSignal
  return {
    stdin: input(streams.stdin),
    stdout,
    stderr,
    json: options.json,
    get signal() {
      return signal()
    },
    answer: (value: Json, human: () => string) => {
      const text = options.json ? JSON.stringify(value) : human()
      return text === '' ? Promise.resolve() : stdout.write(`${text}\n`)
    },
    say: (text: string) => stderr.write(`${text}\n`),
  }
}

function input(stream: Streams['stdin']): Input {
  return {
    isTerminal: stream.isTTY === true,
    lines(maxBytes, signal) {
      signal?.addEventListener('abort', () => stream.destroy(), { once: true })
      return linesOf(stream, maxBytes)
    },
    async read(maxBytes) {
      const chunks: Buffer[] = []
      let size = 0
      try {
        for await (const chunk of stream as AsyncIterable<Buffer | string>) {
          const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk
          chunks.push(bytes)
          size += bytes.byteLength
          if (size > maxBytes)
            throw new Fault('TOO_LARGE', `Standard input is larger than ${maxBytes} bytes.`, {
              details: { maxBytes },
            })
        }
        return Buffer.concat(chunks)
      } finally {
        // What was read may be a secret; only the one buffer that is returned keeps it.
        for (const chunk of chunks) chunk.fill(0)
      }
    },
  }
}

function output(stream: Streams['stdout'], env: Environment): Output {
  const isTerminal = stream.isTTY === true
  // https://no-color.org: present and not empty.
  const wanted = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  const colours = isTerminal && wanted
  // Without a listener a reader that left early (`| head`) would end the process with a stack trace.
  stream.on('error', () => {})
  return {
    isTerminal,
    get columns() {
      return stream.columns || USUAL_COLUMNS
    },
    get rows() {
      return stream.rows || USUAL_ROWS
    },
    onResize(listener) {
      stream.on('resize', listener)
      return () => void stream.off('resize', listener)
    },
    write: (data) =>
      new Promise((resolve, reject) => {
        stream.write(data, (error) => {
          if (error instanceof Error) reject(error)
          else resolve()
        })
      }),
    paint: (style, text) => {
      const [on, off] = CODES[style]
      return colours ? `\u001b[${on}m${text}\u001b[${off}m` : text
    },
  }
}

let ending: AbortController | undefined

/** Ctrl-C reaches the whole group, and launchers pass it on as well: so soon it is still the same one. */
const SAME_SIGNAL_MS = 500

/** Aborts on the first of SIGINT, SIGTERM and SIGHUP, with its name as the cause; a second one ends the process as usual. */
function endSignal(): AbortSignal {
  if (ending !== undefined) return ending.signal
  const controller = new AbortController()
  ending = controller
  let firstAt: number | undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      if (firstAt === undefined) {
        firstAt = monotonicMs()
        controller.abort(new Fault('INPUT_CANCELLED', 'Stopped.', { cause: name }))
      } else if (monotonicMs() - firstAt > SAME_SIGNAL_MS) {
        process.removeAllListeners(name)
        process.kill(process.pid, name)
      }
    })
  return controller.signal
}

/** True for the error of a write to a reader that has left. */
export function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE'
}
