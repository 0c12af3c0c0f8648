import type { Readable, Writable } from 'node:stream'
import { readFrames } from '../mcp/wire/index.ts'
import { EraBridge } from './era-bridge.ts'
import { LineWriter, readLines } from './line-streams.ts'
import { ListNotices } from './list-notices.ts'
import { Relay } from './relay.ts'
import type { RelayOptions } from './relay-options.ts'
import type { ServerEnd, StdioServer } from './stdio-server.ts'

export interface WrapStdioOptions extends Omit<RelayOptions, 'toClient' | 'toServer'> {
  readonly server: StdioServer
  readonly input: Readable
  readonly output: Writable
  /** A longer message is refused; no more than this is ever held of one. */
  readonly maxMessageBytes: number
  /** Aborts when this process is asked to end. */
  readonly signal: AbortSignal
  /** Calls back when the policies may have changed. @returns ends it */
  readonly onPoliciesChanged: (listener: () => void) => () => void
}

/** Messages of the client that may be judged at once; the next are not read before. */
const MAX_UNDERWAY = 256

/**
 * One client on two streams, one server as a child, until one of them goes.
 *
 * @returns how the server ended, once all that it said was passed on
 */
export async function wrapStdio(options: WrapStdioOptions): Promise<ServerEnd> {
  const { server, input, output, maxMessageBytes, signal, log } = options
  let isClientGone = false
  const client = new LineWriter(output)
  const upstream = new LineWriter(server.stdin)
  const notices = new ListNotices(options.policiesNow)
  const endNotices = options.onPoliciesChanged(() => {
    for (const text of notices.changed()) client.write(text)
  })
  const relay = new Relay({
    ...options,
    toClient: (said, about) => {
      const isAnswer = about !== null && !relay.isOpen(about)
      const { text } = notices.shown(said, about, isAnswer)
      if (text !== null) client.write(text)
    },
    toServer: (text, message) => {
      if (message !== null) notices.asked(message)
      bridge.fromClient(text, message)
    },
  })
  const bridge = new EraBridge({
    toServer: (text) => upstream.write(text),
    hear: (message, about) => relay.hear(message, about),
    failed: (idKey, end, why) => relay.serverFailed(idKey, end, why),
    log,
  })
  const onOutputGone = (): void => {
    isClientGone = true
    server.finish()
  }
  output.on('error', onOutputGone)
  output.on('close', onOutputGone)
  const stop = (): void => server.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  const reading = fromClient()
  // The client may stay after the server went: nobody waits for its end.
  reading.catch(() => {})
  await readLines(server.stdout, {
    maxBytes: maxMessageBytes,
    onLine: (line) => {
      const read = readFrames(line)
      return read.kind === 'batch' ? relay.fromServer(line) : bridge.heard(read, null)
    },
    onTooLong: () => log.error('a message of the server was too long', { maxMessageBytes }),
    afterPiece: () => (isClientGone ? undefined : client.drained()),
  })
  const ended = await server.ended
  bridge.close()
  endNotices()
  await relay.serverEnded(ended.how)
  signal.removeEventListener('abort', stop)
  input.destroy()
  await reading.catch(() => {})
  if (!isClientGone) await client.written()
  output.off('error', onOutputGone)
  output.off('close', onOutputGone)
  return ended

  async function fromClient(): Promise<void> {
    try {
      await readLines(input, {
        maxBytes: maxMessageBytes,
        onLine: (line) => relay.fromClient(line),
        onTooLong: () => relay.tooLongFromClient(maxMessageBytes),
        afterPiece: () => {
          const drained = upstream.drained()
          if (relay.underway <= MAX_UNDERWAY) return drained
          return relay.idle().then(() => drained)
        },
      })
      await relay.idle()
    } finally {
      upstream.flush()
      server.finish()
    }
  }
}
