import { type Refused, readFrames } from '../mcp/wire/index.ts'
import { leftUnanswered } from './large-lines.ts'
import { LineWriter, readLines } from './line-streams.ts'
import type { ServerEnd, StdioServer } from './stdio-server.ts'
import { WrappedClient, type WrappedClientOptions } from './wrapped-client.ts'

export interface WrapStdioOptions extends WrappedClientOptions {
  /** Starts the server; called once more when it ends on the first word of a newer era than its own. */
  readonly start: () => Promise<StdioServer>
  /** Aborts when this process is asked to end. */
  readonly signal: AbortSignal
}

/**
 * One client on two streams, one server as a child, until one of them goes.
 *
 * @returns how the server ended, once all that it said was passed on
 * @throws {Fault} when it cannot be started
 */
export async function wrapStdio(options: WrapStdioOptions): Promise<ServerEnd> {
  const { start, signal } = options
  let server = await start()
  let upstream = new LineWriter(server.stdin, true)
  /** Nobody wants another one. */
  let isLeaving = false
  const finish = (): void => {
    isLeaving = true
    upstream.flush()
    server.finish()
  }
  const stop = (): void => {
    isLeaving = true
    server.stop()
  }
  const client = new WrappedClient(options, (text) => upstream.write(text), finish)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  const reading = client
    .read(
      () => upstream.drained(),
      [{ hold: () => upstream.hold(), release: () => upstream.release() }],
    )
    .finally(finish)
  // The client may stay after the server went: nobody waits for its end.
  reading.catch(() => {})
  let ended = await endOf(server, upstream, client, options)
  const again = isLeaving || !client.bridge.mayBeOlder() ? null : await start().catch(() => null)
  if (again !== null) {
    server = again
    upstream = new LineWriter(server.stdin, true)
    // Whoever left meanwhile ended the other one.
    if (signal.aborted) stop()
    else if (isLeaving) finish()
    client.bridge.startedAgain()
    ended = await endOf(server, upstream, client, options)
  }
  await client.serverEnded(ended.how)
  signal.removeEventListener('abort', stop)
  await client.end(reading)
  return ended
}

/** Passes on all that the server says until it ends. */
async function endOf(
  server: StdioServer,
  upstream: LineWriter,
  client: WrappedClient,
  { maxMessageBytes }: WrapStdioOptions,
): Promise<ServerEnd> {
  const { relay, bridge } = client
  const unusable = (refused: Refused): void => {
    void bridge.heard(refused, null)
    for (const { idKey, why } of leftUnanswered(refused)) bridge.failed(idKey, 'lost', why)
  }
  await readLines(server.stdout, {
    maxBytes: maxMessageBytes,
    writers: [client.writer, upstream],
    onLine: (line) => {
      const read = readFrames(line)
      if (read.kind === 'refused') return unusable(read)
      return read.kind === 'batch' ? relay.fromServer(line) : bridge.heard(read, null)
    },
    onTooLong: unusable,
    afterPiece: () => client.drained(),
  })
  return server.ended
}
