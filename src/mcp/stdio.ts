import process from 'node:process'
import type { Readable, Writable } from 'node:stream'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import type { Log } from '../core/log.ts'
import type { ServerDefinition } from './definition.ts'
import { LineTransport } from './line-transport.ts'
import { type BuiltServer, createServerBuilder } from './server.ts'

/** A value of 64 KiB in which every byte is escaped takes six times that; this leaves room for the rest. */
const MAX_LINE_BYTES = 1_048_576

const WARM_UP_AFTER_MS = 30
const LINGER_MS = 1_500

export interface StdioOptions<S> {
  /** Who calls, and from which project. Asked once per call. */
  session(): Promise<S>
  readonly log: Log
  readonly input?: Readable
  readonly output?: Writable
  readonly maxLineBytes?: number
  readonly lingerMs?: number
}

export interface StdioConnection {
  /** Resolves when the client closed its end, or `close` was called. */
  readonly closed: Promise<void>
  close(): Promise<void>
}

/** Serves one client over standard input and output, in the revisions 2024-11-05 … 2025-11-25 and 2026-07-28. */
export function serveOverStdio<S>(
  definition: ServerDefinition<S>,
  options: StdioOptions<S>,
): StdioConnection {
  const build = createServerBuilder(definition)
  const peer = { session: options.session, owner: 'stdio' }
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let current: BuiltServer | undefined
  const stopListening = definition.onResourceChange((uri) => current?.resourceChanged(uri))
  const transport = new LineTransport({
    input: options.input ?? process.stdin,
    output: options.output ?? process.stdout,
    maxLineBytes: options.maxLineBytes ?? MAX_LINE_BYTES,
    lingerMs: options.lingerMs ?? LINGER_MS,
    onFirstAnswer: () => {
      // Clients list the tools right after the handshake: that answer goes first.
      setTimeout(() => definition.warmUp(), WARM_UP_AFTER_MS).unref()
    },
    onClosed: () => {
      stopListening()
      current?.end()
      resolve()
    },
  })
  const handle = serveStdio(
    ({ era }) => {
      current = build(peer, era)
      return current.server
    },
    {
      transport,
      onerror: (error) => options.log.debug('mcp connection', { error: error.name }),
    },
  )
  return { closed, close: () => handle.close() }
}
