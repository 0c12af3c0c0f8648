import { pipeline, type Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import { failed, tooLarge } from './net-faults.ts'

/** What is offered to servers; other encodings are answers to a question that nobody asked. */
export const ACCEPT_ENCODING = 'gzip, br, deflate'

/** Made from the first byte of the body. */
const DECODERS: Readonly<Record<string, (first: number) => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  br: () => createBrotliDecompress(),
  // Meant is the zlib format, whose first byte ends in 8; some servers leave its wrapper out (RFC 9110 section 8.4.1.2).
  deflate: (first) => (first % 16 === 8 ? createInflate() : createInflateRaw()),
}

/** What undoes an encoding of a body, made from its first byte; null for one that is not known. */
export function decompressor(encoding: string): ((first: number) => Transform) | null {
  const name = encoding.trim().toLowerCase()
  return Object.hasOwn(DECODERS, name) ? (DECODERS[name] ?? null) : null
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
    yield* counted(decoder === null ? body : await decoded(body, decoder, options), options, 0)
  } finally {
    drop(body)
  }
}

async function decoded(
  body: Readable,
  decoder: (first: number) => Transform,
  options: BodyOptions,
): Promise<AsyncIterable<Buffer>> {
  const raw = counted(body, options, ENCODED_SLACK_BYTES)
  const head = await raw.next()
  if (head.done === true) return raw
  async function* whole(): AsyncGenerator<Buffer> {
    yield head.value as Buffer
    yield* raw
  }
  return pipeline(whole, decoder(head.value[0] ?? 0), () => undefined)
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

function decoderOf({ url, encoding }: BodyOptions): ((first: number) => Transform) | null {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return null
  const decoder = decompressor(name)
  if (decoder === null) throw failed(url, 'answered in an encoding that was not offered')
  return decoder
}
