import type { Writable } from 'node:stream'
import { Fault } from '../core/faults.ts'
import {
  countHeld,
  type HeldPlace,
  heldPlacesIn,
  mentionsHeld,
  readHeldBy,
} from '../core/held-values.ts'
import { monotonicMs } from '../core/time.ts'
import type { HeldSpan } from '../mcp/wire/large-outline.ts'
import { passed } from './large-garbage.ts'
import { Spool } from './large-spool.ts'

/** Of all that is put aside in this process, bytes. */
const MAX_BYTES = 1_073_741_824
/** What nobody touched for so long is forgotten: nobody has the message any more. */
const IDLE_MS = 600_000
/** What was sent to its server is kept for so long: one that lost its session is asked again. */
const SENT_MS = 60_000
const TICK_MS = 10_000

/** One value that lies in a spool. */
export interface HeldValue {
  readonly kind: HeldSpan['kind']
  readonly spool: Spool
  readonly start: number
  readonly end: number
  usedAt: number
  /** It went to a server, which may have to be asked again. */
  isWritten: boolean
}

/** How many values lie in a spool: with the last one it goes. */
interface Shelf {
  values: number
  readonly bytes: number
}

const values = new Map<string, HeldValue>()
const shelves = new Map<Spool, Shelf>()
/** Room that is taken by what is written and by what is being written. */
let taken = 0
let timer: NodeJS.Timeout | null = null

/** Bytes that are put aside right now. */
export function heldBytes(): number {
  return taken
}

/** @returns false when there is no room for so many more bytes; else they are taken until they are given back */
export function takeRoom(bytes: number): boolean {
  if (taken + bytes > MAX_BYTES) forgetWritten(taken + bytes - MAX_BYTES)
  if (taken + bytes > MAX_BYTES) return false
  taken += bytes
  return true
}

export function giveRoomBack(bytes: number): void {
  taken -= bytes
}

/** Keeps the values of a message, whose room was taken, for as long as somebody has its outline. */
export function hold(spool: Spool, spans: readonly HeldSpan[]): void {
  if (spans.length === 0) {
    spool.close()
    giveRoomBack(spool.size)
    return
  }
  shelves.set(spool, { values: spans.length, bytes: spool.size })
  countHeld(spans.length)
  const usedAt = monotonicMs()
  for (const { reference, kind, start, end } of spans)
    values.set(reference, { kind, spool, start, end, usedAt, isWritten: false })
  timer ??= setInterval(forgetIdle, TICK_MS).unref()
}

/** What a reference stands for. @throws {Fault} `NOT_FOUND` when it is forgotten */
export function heldValue(reference: string): HeldValue {
  const value = values.get(reference)
  if (value === undefined)
    throw new Fault('NOT_FOUND', 'A large value of the message is not there any more.', {
      details: { remedy: 'send the message again' },
    })
  value.usedAt = monotonicMs()
  return value
}

/** The bytes of a value, as they were written in the message. */
export function* heldPieces(reference: string): Generator<Buffer> {
  const value = heldValue(reference)
  for (const piece of value.spool.read(value.start, value.end)) {
    value.usedAt = monotonicMs()
    passed(piece.length)
    yield piece
  }
}

/** The bytes of a message with its large values in their places. @throws {Fault} when one is forgotten */
export function* piecesOf(text: string): Generator<Buffer> {
  let at = 0
  for (const { reference, start, end } of placesIn(text)) {
    yield Buffer.from(text.slice(at, start))
    yield* heldPieces(reference)
    at = end
  }
  yield Buffer.from(text.slice(at))
}
readHeldBy(piecesOf)

/** How many bytes `piecesOf` gives. @throws {Fault} when a value is forgotten */
export function bytesOf(text: string): number {
  let bytes = 0
  let at = 0
  for (const { reference, start, end } of placesIn(text)) {
    const value = heldValue(reference)
    bytes += Buffer.byteLength(text.slice(at, start)) + value.end - value.start
    at = end
  }
  return bytes + Buffer.byteLength(text.slice(at))
}

/** Takes pieces one after another. */
interface PieceStream {
  readonly writable: boolean
  once(event: 'close', listener: () => void): unknown
  off(event: 'close', listener: () => void): unknown
  write(piece: string | Uint8Array, done?: () => void): unknown
}

/**
 * Writes a message with its large values in their places, no faster than it is taken. Resolves when it is handed over,
 * or the stream is gone.
 *
 * @throws {Fault} before anything is written, when a value is forgotten
 */
export async function writeMessage(
  stream: PieceStream,
  text: string,
  around: { readonly head?: string; readonly tail?: string } = {},
): Promise<void> {
  const { head = '', tail = '' } = around
  bytesOf(text)
  if (head !== '') stream.write(head)
  for (const piece of piecesOf(text)) {
    if (!stream.writable) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stream.off('close', done)
        resolve()
      }
      stream.once('close', done)
      stream.write(piece, done)
    })
  }
  if (tail !== '' && stream.writable) stream.write(tail)
}

/**
 * As `writeMessage`, as one line. Never fails: a message whose values are forgotten is left out, and one that breaks off
 * ends the stream.
 *
 * @param keeps whether it may have to be written again
 */
export async function writeLine(stream: Writable, text: string, keeps: boolean): Promise<void> {
  try {
    bytesOf(text)
  } catch {
    return
  }
  try {
    await writeMessage(stream, text, { tail: '\n' })
  } catch (error) {
    stream.destroy(error instanceof Error ? error : undefined)
  } finally {
    if (keeps) sent(text)
    else release(text)
  }
}

/** The values that a text of JSON refers to are not needed any more. */
export function release(text: string): void {
  for (const { reference } of heldPlacesIn(text)) forget(reference)
}

/** The message went to its server. It is kept for a while: a server that lost its session is asked again. */
export function sent(text: string): void {
  for (const { reference } of heldPlacesIn(text)) {
    const value = values.get(reference)
    if (value !== undefined) value.isWritten = true
  }
}

/** @throws {Fault} `INTERNAL` when a reference stands where no value is: it must not leave */
function placesIn(text: string): readonly HeldPlace[] {
  const places = heldPlacesIn(text)
  let rest = ''
  let at = 0
  for (const { start, end } of places) {
    rest += `${text.slice(at, start)} `
    at = end
  }
  if (mentionsHeld(rest + text.slice(at)))
    throw new Fault('INTERNAL', 'A large value stands inside of another text.')
  return places
}

function forget(reference: string): void {
  const value = values.get(reference)
  if (value === undefined) return
  values.delete(reference)
  countHeld(-1)
  const shelf = shelves.get(value.spool)
  if (shelf === undefined) return
  shelf.values -= 1
  if (shelf.values > 0) return
  shelves.delete(value.spool)
  value.spool.close()
  taken -= shelf.bytes
  if (shelves.size > 0 || timer === null) return
  clearInterval(timer)
  timer = null
}

function forgetIdle(): void {
  const now = monotonicMs()
  for (const [reference, { usedAt, isWritten }] of values)
    if (now - usedAt > (isWritten ? SENT_MS : IDLE_MS)) forget(reference)
}

/** Makes room: what was sent goes first. */
function forgetWritten(bytes: number): void {
  const least = taken - bytes
  for (const [reference, { isWritten }] of values) {
    if (taken <= least) return
    if (isWritten) forget(reference)
  }
}
