import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { LineReader, readFrame } from '../mcp/wire/index.ts'
import { EraBridge } from './era-bridge.ts'
import { ListNotices } from './list-notices.ts'
import { Relay, type RelayOptions } from './relay.ts'
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
  const write = (stream: Writable, text: string): void => {
    if (stream.writable) stream.write(`${text}\n`)
  }
  const notices = new ListNotices(options.policiesNow)
  const endNotices = options.onPoliciesChanged(() => {
    for (const text of notices.changed()) write(output, text)
  })
  const relay = new Relay({
    ...options,
    toClient: (said, about) => {
      const isAnswer = about !== null && !relay.isOpen(about)
      const { text } = notices.shown(said, about, isAnswer)
      if (text !== null) write(output, text)
    },
    toServer: (text, message) => {
      if (message !== null) notices.asked(message)
      bridge.fromClient(text, message)
    },
  })
  const bridge = new EraBridge({
    toServer: (text) => write(server.stdin, text),
    hear: (message, about) => relay.heard(message, about),
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
  await fromServer()
  const ended = await server.ended
  bridge.close()
  endNotices()
  await relay.serverEnded(ended.how)
  signal.removeEventListener('abort', stop)
  input.destroy()
  await reading.catch(() => {})
  if (!isClientGone) await written(output)
  output.off('error', onOutputGone)
  output.off('close', onOutputGone)
  return ended

  async function fromClient(): Promise<void> {
    const reader = new LineReader({
      maxBytes: maxMessageBytes,
      onLine: (line) => relay.fromClient(line),
      onTooLong: () => relay.tooLongFromClient(maxMessageBytes),
    })
    try {
      for await (const chunk of input) {
        reader.push(chunk as Buffer)
        if (relay.underway > MAX_UNDERWAY) await relay.idle()
        if (server.stdin.writableNeedDrain) await drained(server.stdin)
      }
      reader.end()
      await relay.idle()
    } finally {
      server.finish()
    }
  }

  async function fromServer(): Promise<void> {
    let frames: Buffer[] = []
    const reader = new LineReader({
      maxBytes: maxMessageBytes,
      onLine: (line) => frames.push(line),
      onTooLong: () => log.error('a message of the server was too long', { maxMessageBytes }),
    })
    const pass = async (): Promise<void> => {
      const now = frames
      frames = []
      for (const frame of now) await bridge.heard(readFrame(frame), null)
      if (output.writableNeedDrain && !isClientGone) await drained(output)
    }
    try {
      for await (const chunk of server.stdout) {
        reader.push(chunk as Buffer)
        await pass()
      }
    } catch {
      // The pipe broke; what it ended with tells more.
    }
    reader.end()
    await pass()
  }
}

/** Resolves when all that was written is handed over, or the stream is gone. */
function written(stream: Writable): Promise<unknown> {
  return Promise.race([
    new Promise<void>((resolve) => {
      stream.write('', () => resolve())
    }),
    once(stream, 'close').catch(() => {}),
  ])
}

/** Resolves when the stream takes more, or is gone. */
function drained(stream: Writable): Promise<unknown> {
  return Promise.race([
    once(stream, 'drain').catch(() => {}),
    once(stream, 'close').catch(() => {}),
  ])
}
