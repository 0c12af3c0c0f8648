import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'

/**
 * Reading from and writing to pipes and sockets without what node's streams do around it: a new buffer of 64 KiB, a
 * chunk, its events and a request for each piece. They stay the owners: they open, pause, end, fail and keep what could
 * not be written yet. What is no pipe or socket, and every system on which reads are begun before there is something to
 * read, is left to them altogether.
 *
 * Node reads into memory of the caller where a socket was made with `onread`. Those of a child process and of a server
 * are made by node itself, so it is set on them afterwards, by the same names; should a later node have others, they
 * are streams like any other.
 */
interface Handle {
  readonly fd?: number
  useUserBuffer?(buffer: Uint8Array): void
}

const PIECE_BYTES = 65_536

/** One for all: what is kept of a piece is copied before the next is read. */
let shared: Buffer | null = null

interface Names {
  readonly buffer: symbol
  readonly callback: symbol
}

let names: Names | null | undefined

function namesInSockets(): Names | null {
  const all = Object.getOwnPropertySymbols(new Socket())
  const named = (name: string): symbol | undefined => all.find((one) => one.description === name)
  const buffer = named('kBuffer')
  const callback = named('kBufferCb')
  return buffer === undefined || callback === undefined ? null : { buffer, callback }
}

/** What a descriptor of its own carries as it is. That of TLS is the one below it, on which it must not be written. */
const PLAIN: ReadonlySet<string> = new Set(['Pipe', 'TCP', 'TTY'])

function handleOf(stream: object): Handle | null {
  if (process.platform === 'win32' || !(stream instanceof Socket)) return null
  const { _handle: handle } = stream as { readonly _handle?: Handle | null }
  if (handle === undefined || handle === null) return null
  return PLAIN.has(handle.constructor.name) ? handle : null
}

/** Called with what came: `length` bytes at the beginning of `bytes`, which are others once it returns. Never throws. */
export type OnPiece = (bytes: Buffer, length: number) => void

/**
 * Gives every piece that comes to `onPiece`; 'data' is not emitted, 'end' and all else is.
 *
 * @returns makes it a stream like any other again; null when it is one that cannot be read so, and nothing was changed
 */
export function readBare(stream: Readable, onPiece: OnPiece): (() => void) | null {
  const handle = handleOf(stream)
  if (handle?.useUserBuffer === undefined || stream.readableLength > 0) return null
  if (stream.readableFlowing !== null) return null
  names ??= namesInSockets()
  if (names === null) return null
  shared ??= Buffer.allocUnsafeSlow(PIECE_BYTES)
  const from = shared
  const { buffer, callback } = names
  const socket = stream as unknown as Record<symbol, unknown>
  socket[buffer] = from
  socket[callback] = (length: number): boolean => {
    onPiece(from, length)
    return true
  }
  handle.useUserBuffer(from)
  stream.resume()
  return () => {
    socket[callback] = (length: number): boolean => stream.push(pieceOf(from, length))
  }
}

/** What came, to be kept. */
export function pieceOf(bytes: Buffer, length: number): Buffer {
  const piece = Buffer.allocUnsafe(length)
  bytes.copy(piece, 0, 0, length)
  return piece
}

/**
 * Writes what can be written at once, and leaves the rest to the stream, as all of it where something waits already. It
 * takes the text, and its bytes where they are known.
 */
export function bareWriter(stream: Writable): (text: string, bytes?: number) => void {
  const handle = handleOf(stream)
  return (text, bytes) => {
    // Asked each time: a descriptor that was closed may be that of something else.
    const fd = stream.writable && stream.writableLength === 0 ? (handle?.fd ?? -1) : -1
    if (fd < 0) {
      stream.write(text)
      return
    }
    let written: number
    try {
      written = writeSync(fd, text)
    } catch {
      // It takes no more now, or never again: the stream finds out which.
      stream.write(text)
      return
    }
    if (written < (bytes ?? Buffer.byteLength(text)))
      stream.write(Buffer.from(text).subarray(written))
  }
}
