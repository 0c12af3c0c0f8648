import process from 'node:process'
import type { Readable } from 'node:stream'
import { asFault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { monotonicMs } from '../core/time.ts'
import { BytesAsText, bytesIn } from './bytes-as-text.ts'

/** Takes known values out of a text that comes in pieces. */
export interface ShownPieces {
  /** @returns what may go out now */
  push(piece: string): string
  /** @returns the rest */
  end(): string
}

/** How what a server writes to its standard error goes on to ours. */
export interface ServerErrors {
  readonly server: string
  readonly log: Log
  /** The same ones each time, as of what is known now. @throws when that cannot be read: then nothing goes on */
  shown(): Promise<ShownPieces>
}

/** What may be the beginning of a value waits so long for the rest of it. */
const WAIT_MS = 500

/** What a server writes to its standard error, on its way to ours. */
export interface PassedErrors {
  /** Resolves when it is closed and all of it was taken; never fails. */
  readonly done: Promise<void>
  /** For how long nobody has taken what is to be written now, in milliseconds. */
  untakenMs(): number
}

/** Passes on what a server writes to its standard error, byte for byte but for known values. */
export function passOnErrors(from: Readable, errors: ServerErrors): PassedErrors {
  let writingSince: number | null = null
  /** Resolves when it was taken, or nobody takes it any more: until then the server waits, as if it wrote there itself. */
  const write = async (text: string): Promise<void> => {
    if (text === '') return
    writingSince ??= monotonicMs()
    await new Promise<void>((resolve) => process.stderr.write(bytesIn(text), () => resolve()))
    writingSince = null
  }
  return {
    done: passOn(from, errors, write),
    untakenMs: () => (writingSince === null ? 0 : monotonicMs() - writingSince),
  }
}

async function passOn(
  from: Readable,
  errors: ServerErrors,
  write: (text: string) => Promise<void>,
): Promise<void> {
  const { server, log } = errors
  const decoder = new BytesAsText()
  let shown: ShownPieces | null = null
  let isWithheld = false
  let timer: NodeJS.Timeout | undefined
  const rest = (): string => {
    const text = decoder.end()
    return isWithheld || shown === null ? '' : shown.push(text) + shown.end()
  }
  try {
    for await (const piece of from as AsyncIterable<Buffer>) {
      clearTimeout(timer)
      const text = decoder.push(piece)
      try {
        shown = await errors.shown()
        isWithheld = false
      } catch (error) {
        if (!isWithheld)
          log.warn('what a server writes to its standard error is withheld', {
            server,
            reason: asFault(error).code,
          })
        isWithheld = true
        continue
      }
      await write(shown.push(text))
      timer = setTimeout(() => void write(rest()), WAIT_MS)
    }
  } catch {
    // It was closed before its end.
  }
  clearTimeout(timer)
  await write(rest())
}
