import { createReadStream } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { Fault, isFault } from '../core/faults.ts'
import { unreadFile } from '../core/unread-file.ts'
import type { Io } from './command.ts'
import { linesOf } from './lines.ts'
import { visible } from './text.ts'

/** Checkpoints, keys and proofs are much smaller. */
const MAX_BYTES = 1_048_576

function unreadable(option: string, name: string, cause: unknown): Fault {
  return new Fault('BAD_INPUT', unreadFile(visible(name), cause), {
    details: { field: option },
    cause,
  })
}

/** @throws {Fault} `BAD_INPUT` naming the option when the file is not there, `TOO_LARGE` beyond 1 MiB */
export async function readTextFile(option: string, name: string): Promise<string> {
  return (await readBytes(option, name)).toString('utf8')
}

/** Throws as `readTextFile`. */
export async function readBytes(option: string, name: string): Promise<Buffer> {
  try {
    if ((await stat(name)).size <= MAX_BYTES) return await readFile(name)
  } catch (cause) {
    throw unreadable(option, name, cause)
  }
  throw new Fault('TOO_LARGE', `The file '${visible(name)}' is larger than ${MAX_BYTES} bytes.`, {
    details: { field: option, maxBytes: MAX_BYTES },
  })
}

/** The text of a file that a command cannot do without. @throws {Fault} `BAD_USAGE` when the option is missing */
export function neededTextFile(option: string, name: string | undefined): Promise<string> {
  if (name === undefined)
    throw new Fault('BAD_USAGE', `${option} FILE is needed.`, { details: { field: option } })
  return readTextFile(option, name)
}

/** The lines of a file as `Input.lines` gives those of standard input. */
export async function* linesOfFile(
  option: string,
  name: string,
  maxBytes: number,
): AsyncGenerator<readonly (string | null)[]> {
  try {
    yield* linesOf(createReadStream(name) as AsyncIterable<Buffer>, maxBytes)
  } catch (cause) {
    throw isFault(cause) ? cause : unreadable(option, name, cause)
  }
}

/**
 * A text that is kept: into the file, which must not exist yet, else to standard output.
 *
 * @throws {Fault} `CONFLICT` when the file exists
 */
export async function keepText(file: string | undefined, text: string, io: Io): Promise<void> {
  if (file === undefined) {
    await io.stdout.write(text)
    return
  }
  try {
    await writeFile(file, text, { flag: 'wx' })
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    throw new Fault(
      isThere ? 'CONFLICT' : 'BAD_INPUT',
      isThere
        ? `The file '${visible(file)}' exists.`
        : `The file '${visible(file)}' cannot be written.`,
      { details: { field: '--out' }, cause },
    )
  }
  await io.say(`Written to ${visible(file)}.`)
}
