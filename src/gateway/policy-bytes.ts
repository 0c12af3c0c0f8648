import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { sleep } from '../core/time.ts'

/** What is to be known of a pipe that nobody has written to yet. */
export interface PipeWait {
  /** Aborts when the text is not wanted any more. */
  readonly signal: AbortSignal
  /** Called once, when it is waited for. */
  onWait(): void
}

const LOOK_MS = 20
const PIECE_BYTES = 65_536
/** Of a process that has it open already, as `<(…)` names it: what has no writer there has had one. */
const OPEN_ALREADY = /^\/(?:dev\/fd|proc\/[^/]+\/fd)\//

/**
 * What is there, to its end, a pipe as well. It is asked again and again whether somebody writes to a pipe: a thread that
 * waits for that cannot be called off, and would hold this process for as long as nobody does.
 *
 * @throws the reason of the signal
 */
export async function wholeFile(file: string, wait: PipeWait): Promise<Buffer> {
  return opened(file, (handle, stats) =>
    stats.isFIFO() ? pipe(handle, OPEN_ALREADY.test(file), wait) : handle.readFile(),
  )
}

/**
 * What stands in a file that has an end: a pipe that took its place may have no writer, and would be waited for without
 * one. It is looked at when it is open, so that nothing takes its place in between.
 *
 * @returns null for whatever is no regular file
 */
export function regularFile(file: string): Promise<Buffer | null> {
  return opened(file, async (handle, stats) => (stats.isFile() ? handle.readFile() : null))
}

async function opened<T>(
  file: string,
  read: (handle: FileHandle, stats: Stats) => Promise<T>,
): Promise<T> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return await read(handle, await handle.stat())
  } finally {
    await handle.close()
  }
}

/** @param hadWriter whether somebody has written to it by now, or never will */
async function pipe(handle: FileHandle, hadWriter: boolean, wait: PipeWait): Promise<Buffer> {
  const pieces: Buffer[] = []
  let isWaiting = false
  let hasWriter = hadWriter
  for (;;) {
    const piece = await nextPiece(handle)
    if (piece !== null && piece.length > 0) {
      pieces.push(piece)
      hasWriter = true
      continue
    }
    if (piece !== null && hasWriter) return Buffer.concat(pieces)
    hasWriter ||= piece === null
    if (!isWaiting) wait.onWait()
    isWaiting = true
    await sleep(LOOK_MS, wait.signal)
  }
}

/** @returns empty: nobody has it open for writing; null: nothing was written since */
async function nextPiece(handle: FileHandle): Promise<Buffer | null> {
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(PIECE_BYTES))
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return null
    throw error
  }
}
