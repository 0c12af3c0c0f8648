import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Environment } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { SecretText } from '../core/secret-text.ts'
import { type ChildEnd, runChild } from './child.ts'
import { type EnvEntry, MAX_ENV_FILE_BYTES, parseEnvFile } from './env-file.ts'
import { type ExportFormat, renderExport } from './export.ts'
import { checkEnvName, shownName } from './names.ts'
import { describeMissing, type OnMissing, resolveEnv, type UseSecrets } from './resolve.ts'

export interface RunRequest {
  /** Env files, later ones win. None: `.env` in the directory, if there is one. */
  readonly envFiles: readonly string[]
  /** `NAME=value` each, with references; they win over the files. */
  readonly assignments: readonly string[]
  readonly onMissing: OnMissing
  readonly command: readonly string[]
  /** What the child inherits. */
  readonly environment: Environment
  /** Where relative file names begin. */
  readonly directory: string
}

export interface ExportRequest {
  readonly file: string
  readonly format: ExportFormat
  readonly onMissing: OnMissing
  readonly directory: string
}

const REMEDY = 'store the named secrets or choose --on-missing'

/** A sentence for the person; it has names and paths in it, never a value. */
export type Warn = (sentence: string) => Promise<void>

/**
 * Runs a command with the references of its env files resolved, in its environment only.
 *
 * @param use - asked once, and not at all when nothing refers to a secret
 * @throws {Fault} `MISSING_SECRETS`, `BAD_INPUT`, `NOT_FOUND` for an env file, and whatever the vault throws
 */
export async function runWithSecrets(
  request: RunRequest,
  use: UseSecrets,
  warn: Warn,
): Promise<ChildEnd> {
  const { directory, environment, command } = request
  const files: EnvEntry[] = []
  if (request.envFiles.length === 0)
    files.push(...(await readEntries(directory, '.env', warn, { isOptional: true })))
  for (const file of request.envFiles) files.push(...(await readEntries(directory, file, warn)))
  const merged = mergeEntries([...files, ...request.assignments.map(assignment)])
  const { entries, missing } = await resolveEnv(merged, use, request.onMissing, REMEDY)
  for (const one of missing) await warn(`No value for ${describeMissing(one)}.`)
  return runChild({ command, entries, environment })
}

/**
 * An env file with its references resolved, as text.
 *
 * @throws {Fault} `MISSING_SECRETS`, `BAD_INPUT`, `NOT_FOUND` for the file, and whatever the vault throws
 */
export async function exportEnv(
  request: ExportRequest,
  use: UseSecrets,
  warn: Warn,
): Promise<SecretText> {
  const file = await readEntries(request.directory, request.file, warn)
  const { entries, missing } = await resolveEnv(file, use, request.onMissing, REMEDY)
  for (const one of missing) await warn(`No value for ${describeMissing(one)}.`)
  return renderExport(entries, request.format)
}

/** The last one of a name counts, in the place of the first. */
function mergeEntries(entries: readonly EnvEntry[]): readonly EnvEntry[] {
  const merged = new Map<string, EnvEntry>()
  for (const entry of entries) merged.set(entry.name, entry)
  return [...merged.values()]
}

function assignment(text: string): EnvEntry {
  const at = text.indexOf('=')
  if (at === -1)
    // The text may be a value that was typed in the wrong place: it is not repeated.
    throw new Fault('BAD_INPUT', '--env takes NAME=value, for example KEY=secret://api/key.', {
      details: { field: '--env' },
    })
  const name = text.slice(0, at)
  checkEnvName(name)
  return { name, template: text.slice(at + 1), origin: '--env' }
}

async function readEntries(
  directory: string,
  file: string,
  warn: Warn,
  options: { readonly isOptional?: boolean } = {},
): Promise<readonly EnvEntry[]> {
  const bytes = readEnvFile(resolve(directory, file), file, options.isOptional === true)
  if (bytes === null) return []
  const { entries, warnings } = parseEnvFile(bytes, file)
  for (const warning of warnings) await warn(warning)
  return entries
}

/** Pipes are welcome (`--env-file <(…)`), and nothing is read beyond the limit. */
function readEnvFile(path: string, shown: string, isOptional: boolean): Uint8Array | null {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY)
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (isAbsent && isOptional) return null
    throw new Fault(
      isAbsent ? 'NOT_FOUND' : 'BAD_INPUT',
      `The env file ${shownName(shown)} ${isAbsent ? 'does not exist' : 'cannot be opened'}.`,
      { details: { field: 'file', file: shown }, cause: error },
    )
  }
  try {
    if (fstatSync(fd).isDirectory()) throw new Error('a directory')
    return readUpTo(fd, MAX_ENV_FILE_BYTES + 1)
  } catch (error) {
    throw new Fault('BAD_INPUT', `The env file ${shownName(shown)} cannot be read.`, {
      details: { field: 'file', file: shown },
      cause: error,
    })
  } finally {
    closeSync(fd)
  }
}

function readUpTo(fd: number, maxBytes: number): Uint8Array {
  const chunks: Buffer[] = []
  let size = 0
  while (size < maxBytes) {
    const chunk = Buffer.alloc(Math.min(65_536, maxBytes - size))
    const read = readSync(fd, chunk)
    if (read === 0) break
    chunks.push(chunk.subarray(0, read))
    size += read
  }
  return Buffer.concat(chunks)
}
