import { Readable, Writable } from 'node:stream'
import type { Io } from '../../src/cli/index.ts'
import { createIo, type Streams } from '../../src/cli/index.ts'

export interface MemoryStreams extends Streams {
  /** What was written to stdout and stderr so far. */
  readonly written: { readonly stdout: () => Buffer; readonly stderr: () => string }
}

/** Streams in memory, with or without a terminal at their ends. */
export function memoryStreams(
  options: {
    readonly stdin?: string | Buffer
    readonly isTerminal?: boolean
    readonly columns?: number
    readonly rows?: number
  } = {},
): MemoryStreams {
  const isTTY = options.isTerminal === true
  const stdout = collector()
  const stderr = collector()
  const bytes = Buffer.from(options.stdin ?? '')
  return {
    stdin: Object.assign(Readable.from(bytes.length === 0 ? [] : [bytes]), { isTTY }),
    stdout: Object.assign(stdout.stream, {
      isTTY,
      columns: options.columns ?? 80,
      rows: options.rows ?? 24,
    }),
    stderr: Object.assign(stderr.stream, { isTTY, columns: options.columns ?? 80 }),
    written: { stdout: stdout.bytes, stderr: () => stderr.bytes().toString('utf8') },
  }
}

/** An `Io` over such streams, without colours. */
export function memoryIo(
  streams: Streams,
  options: { readonly json?: boolean; readonly signal?: AbortSignal } = {},
): Io {
  const signal = options.signal ?? new AbortController().signal
  return createIo(streams, {
    json: options.json === true,
    env: { NO_COLOR: '1' },
    signal: () => signal,
  })
}

function collector(): { readonly stream: Writable; readonly bytes: () => Buffer } {
  const chunks: Buffer[] = []
  return {
    stream: new Writable({
      write(chunk: Buffer, _, done) {
        // A copy: the writer may wipe its buffer as soon as it is told that it was taken.
        chunks.push(Buffer.from(chunk))
        done()
      },
    }),
    bytes: () => Buffer.concat(chunks),
  }
}
