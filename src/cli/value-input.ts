import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Fault } from '../core/faults.ts'
import { SecretText } from '../core/secret-text.ts'
import { unreadFile } from '../core/unread-file.ts'
import { MAX_VALUE_BYTES } from '../core/vault-port.ts'
import type { Io } from './command.ts'
import type { CliDeps } from './deps.ts'

/** Said when a value is given as an argument: shared by the commands that take values. */
export const NOT_IN_ARGUMENTS =
  'A value on the command line can be read by every process and stays in the shell history; ' +
  'pipe it in instead: printf %s "$VALUE" | sallyport secret put PATH'

/** The options of every command that takes a value. */
export const VALUE_OPTIONS = {
  file: {
    summary: 'take the value from a file, byte for byte',
    short: 'f',
    value: 'FILE',
  },
  keepNewline: { summary: 'keep the newline that ends standard input' },
  encoding: {
    summary: 'what the pipe or the file holds: the value itself, or base64 of it',
    value: 'NAME',
    choices: ['utf8', 'base64'],
  },
} as const

export interface ValueOptions {
  readonly file: string | undefined
  readonly keepNewline: boolean
  readonly encoding: 'utf8' | 'base64' | undefined
}

/** Base64 of the largest value with line ends, and some room; what is decoded is measured again. */
const MAX_ENCODED_BYTES = 96 * 1024

/**
 * A value from `--file`, else from standard input when that is not a terminal, else from a hidden prompt. Exactly one
 * newline at the end of standard input is taken off: `echo` adds it, and it is almost never part of a key.
 *
 * @throws {Fault} `TOO_LARGE` above 64 KiB, `INPUT_EMPTY`, `BAD_INPUT` for an unreadable file or bad base64, and what
 *   the prompt throws
 */
export async function readValue(
  options: ValueOptions,
  io: Io,
  deps: Pick<CliDeps, 'promptHidden'>,
  question: string,
): Promise<SecretText> {
  const isEncoded = options.encoding === 'base64'
  const limit = isEncoded ? MAX_ENCODED_BYTES : MAX_VALUE_BYTES
  if (options.file === undefined && io.stdin.isTerminal) {
    if (isEncoded)
      throw new Fault('BAD_INPUT', 'The prompt takes text; give base64 through a pipe or --file.', {
        details: { field: '--encoding' },
      })
    return checked(await deps.promptHidden(question, io.signal))
  }
  const bytes =
    options.file === undefined
      ? await fromStdin(io, limit, options.keepNewline)
      : await fromFile(options.file, limit)
  return isEncoded ? decodeBase64(bytes) : checked(new SecretText(bytes))
}

async function fromStdin(io: Io, limit: number, keepNewline: boolean): Promise<Buffer> {
  // Room for the newline that is taken off, which does not count as part of the value.
  const bytes = await refuseLarge(io.stdin.read(limit + 2))
  return keepNewline ? bytes : withoutNewline(bytes)
}

async function refuseLarge(reading: Promise<Buffer>): Promise<Buffer> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof Fault && error.code === 'TOO_LARGE') throw tooLarge()
    throw error
  }
}

function withoutNewline(bytes: Buffer): Buffer {
  const end = bytes.length
  if (bytes[end - 1] !== 0x0a) return bytes
  return bytes.subarray(0, bytes[end - 2] === 0x0d ? end - 2 : end - 1)
}

async function fromFile(file: string, limit: number): Promise<Buffer> {
  let handle: FileHandle
  try {
    handle = await open(file, constants.O_RDONLY)
  } catch (error) {
    throw new Fault('BAD_INPUT', unreadFile(file, error), {
      details: { field: '--file' },
      cause: error,
    })
  }
  try {
    if ((await handle.stat()).isDirectory())
      throw new Fault('BAD_INPUT', `'${file}' is a folder, not a file.`, {
        details: { field: '--file' },
      })
    return await readUpTo(handle, limit)
  } finally {
    await handle.close()
  }
}

/** Reads by hand instead of by size: a pipe has none, and a file may grow. */
async function readUpTo(handle: FileHandle, limit: number): Promise<Buffer> {
  const buffer = Buffer.alloc(limit + 1)
  let size = 0
  while (size < buffer.length) {
    const { bytesRead } = await handle.read(buffer, size, buffer.length - size, null)
    if (bytesRead === 0) return buffer.subarray(0, size)
    size += bytesRead
  }
  buffer.fill(0)
  throw tooLarge()
}

function decodeBase64(encoded: Buffer): SecretText {
  const text = encoded.toString('latin1').replaceAll(/\s+/g, '')
  encoded.fill(0)
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text))
    throw new Fault('BAD_INPUT', 'The value is not base64.', { details: { field: '--encoding' } })
  return checked(new SecretText(Buffer.from(text, 'base64')))
}

function checked(value: SecretText): SecretText {
  if (value.byteLength > MAX_VALUE_BYTES) throw tooLarge()
  if (value.byteLength === 0)
    throw new Fault('INPUT_EMPTY', 'The value is empty; nothing was stored.', {
      details: { remedy: 'pipe the value in, name a --file, or run the command on a terminal' },
    })
  return value
}

function tooLarge(): Fault {
  return new Fault(
    'TOO_LARGE',
    `The value is larger than ${MAX_VALUE_BYTES} bytes; nothing was stored.`,
    { details: { maxBytes: MAX_VALUE_BYTES } },
  )
}
