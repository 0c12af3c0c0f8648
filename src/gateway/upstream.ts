import type { CallOutcome } from '../audit/index.ts'
import type { Log } from '../core/log.ts'
import {
  type Frames,
  type Message,
  type Refused,
  type Request,
  readFrames,
  refusedBatch,
} from '../mcp/wire/index.ts'
import { agreesOnBatches } from './batch.ts'
import { HttpUpstream } from './http-upstream.ts'
import type { HttpUpstreamOptions } from './http-upstream-options.ts'
import { leftUnanswered } from './large-lines.ts'
import { LineWriter, readLines } from './line-streams.ts'
import type { StdioServer } from './stdio-server.ts'

/** What is heard of a server. */
export interface UpstreamEars {
  /**
   * One message. The next of the same stream is not read before this resolves; it is done at once when there is no promise.
   *
   * @param about `idKey` of the request on whose stream it came, where the transport has such streams
   */
  hear(message: Message | Refused, about: string | null): void | Promise<void>
  /**
   * One request that nobody will answer.
   *
   * @param status of HTTP, when the server refused it with one
   */
  failed(idKey: string, end: CallOutcome, why: string, status?: number | null): void
  /** The server is another one now: it waits for no answer, and its ids are free again. */
  questionsLost?(): void
}

/** A server as a relay speaks to it, whatever carries the messages. */
export interface Upstream {
  /** @param message what `text` was made of; null for a refusal of what the server asked */
  send(text: string, message: Message | null): void
  /** Resolves when it is gone, by itself or closed, with how. */
  readonly ended: Promise<string>
  close(): Promise<void>
}

/** Starts or connects to a server, for one who hears it. */
export type OpenUpstream = (ears: UpstreamEars) => Promise<Upstream>

/** More than waits for any server that reads, large messages included. */
const MAX_UNREAD_BYTES = 67_108_864

/** A server that is our child. */
export function stdioUpstream(
  server: StdioServer,
  ears: UpstreamEars,
  { maxMessageBytes, log }: { readonly maxMessageBytes: number; readonly log: Log },
): Upstream {
  const writer = new LineWriter(server.stdin, true)
  let hello: string | null = null
  let hasBatches = false
  const unusable = (refused: Refused): void => {
    log.warn('a message of the server is refused', { reason: refused.message })
    for (const { idKey, why } of leftUnanswered(refused)) ears.failed(idKey, 'lost', why)
  }
  const hearAll = async ({ messages }: Frames): Promise<void> => {
    for (const one of messages)
      await (one.kind === 'refused' ? unusable(one) : ears.hear(one, null))
  }
  const reading = readLines(server.stdout, {
    maxBytes: maxMessageBytes,
    onLine: (line) => {
      const read = readFrames(line)
      if (read.kind === 'refused') return unusable(read)
      if (read.kind === 'batch') return hasBatches ? hearAll(read) : unusable(refusedBatch(read))
      if (hello !== null && read.kind === 'response' && read.idKey === hello) {
        hello = null
        hasBatches = read.outcome === 'result' && agreesOnBatches(read.body)
      }
      // Whoever takes no answers is asked for none: they would be kept for it.
      if (read.kind === 'request' && server.stdin.writableLength > MAX_UNREAD_BYTES)
        return undefined
      return ears.hear(read, null)
    },
    onTooLong: unusable,
  })
  const ended = (async () => {
    await reading
    return (await server.ended).how
  })()
  return {
    send(text, message) {
      if (message?.kind === 'request' && message.method === 'initialize') hello = message.idKey
      writer.write(text)
    },
    ended,
    async close() {
      writer.flush()
      server.finish()
      await ended
    },
  }
}

/** A server over HTTP. */
export function httpUpstream(
  options: Omit<HttpUpstreamOptions, 'hear' | 'failed' | 'over' | 'renewed'>,
  ears: UpstreamEars,
): Upstream {
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  const upstream = new HttpUpstream({
    ...options,
    hear: (message, about) => ears.hear(message, about),
    failed: ({ idKey }: Request, end, why, status) => ears.failed(idKey, end, why, status),
    renewed: () => ears.questionsLost?.(),
    over(why) {
      resolve(why)
      void upstream.close()
    },
  })
  return {
    send: (text, message) => upstream.send(text, message),
    ended,
    async close() {
      await upstream.close()
      resolve('closed')
    },
  }
}
