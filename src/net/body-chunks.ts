import { pipeline, type Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip } from 'node:zlib'
import { failed, tooLarge } from './net-faults.ts'

/** What is offered to servers; other encodings are answers to a question that nobody asked. */
export const ACCEPT_ENCODING = 'gzip, br'

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  br: createBrotliDecompress,
}

/** A stream of empty gzip members grows without ever giving a byte; what came in is counted too. */
const ENCODED_SLACK_BYTES = 1024

export interface BodyOptions {
  readonly url: URL
  /** `content-encoding`, or `null` where there is no body that could have one. */
  readonly encoding: string | null
  /** Counted after decompression; `null` for no limit. */
  readonly maxBytes: number | null
}

/** Leaves a body unread and closes what it came over. */
export function drop(body: Readable): void {
  body.on('error', () => undefined).destroy()
}

/**
 * The body as it is read, decompressed; at most one chunk of 64 KiB ahead of the reader.
 *
 * @throws {Fault} `NET_TOO_LARGE` with the first byte beyond the limit, `NET_FAILED` for an unknown encoding
 */
export async function* bodyChunks(body: Readable, options: BodyOptions): AsyncGenerator<Buffer> {
  try {
    const decoder = decoderOf(options)
    const source =
      decoder === null
        ? body
        : pipeline(
            body,
            (raw: AsyncIterable<Buffer>) => counted(raw, options, ENCODED_SLACK_BYTES),
            decoder,
            () => undefined,
          )
    yield* counted(source, options, 0)
  } finally {
    drop(body)
  }
}

async function* counted(
  chunks: AsyncIterable<Buffer>,
  { url, maxBytes }: BodyOptions,
  slack: number,
): AsyncGenerator<Buffer> {
  let total = 0
  for await (const chunk of chunks) {
    total += chunk.byteLength
    if (maxBytes !== null && total > maxBytes + slack) throw tooLarge(url, maxBytes)
    yield chunk
  }
}

function decoderOf({ url, encoding }: BodyOptions): Transform | null {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return null
  const decoder = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined
  if (decoder === undefined) throw failed(url, 'answered in an encoding that was not offered')
  return decoder()
}
