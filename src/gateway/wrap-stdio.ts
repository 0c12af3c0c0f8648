import { type Refused, readFrames } from '../mcp/wire/index.ts'
import { leftUnanswered } from './large-lines.ts'
import { LineWriter, readLines } from './line-streams.ts'
import type { ServerEnd, StdioServer } from './stdio-server.ts'
import { WrappedClient, type WrappedClientOptions } from './wrapped-client.ts'

export interface WrapStdioOptions extends WrappedClientOptions {
  readonly server: StdioServer
  /** Aborts when this process is asked to end. */
  readonly signal: AbortSignal
}

/**
 * One client on two streams, one server as a child, until one of them goes.
 *
 * @returns how the server ended, once all that it said was passed on
 */
export async function wrapStdio(options: WrapStdioOptions): Promise<ServerEnd> {
  const { server, maxMessageBytes, signal } = options
  const upstream = new LineWriter(server.stdin, true)
  const client = new WrappedClient(
    options,
    (text) => upstream.write(text),
    () => server.finish(),
  )
  const { relay, bridge } = client
  const stop = (): void => server.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  const reading = client
    .read(() => upstream.drained(), [upstream])
    .finally(() => {
      upstream.flush()
      server.finish()
    })
  // The client may stay after the server went: nobody waits for its end.
  reading.catch(() => {})
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
  const ended = await server.ended
  await client.serverEnded(ended.how)
  signal.removeEventListener('abort', stop)
  await client.end(reading)
  return ended
}
