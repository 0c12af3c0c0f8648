import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Fault } from '../core/faults.ts'
import { MAX_PROJECT_FILE_BYTES, PROJECT_FILES, type ProjectFileName } from './project-list.ts'
import { quoted } from './quoted.ts'

export interface FoundProject {
  /** Real path of the folder: the identity of the project. */
  readonly project: string
  /** Real path of the file, elsewhere when `name` is a symbolic link. */
  readonly file: string
  readonly name: ProjectFileName
  /** Real path of a `.claude/secrets.yml` that does not count because `.sallyport.yml` stands beside it. */
  readonly ignoredFile: string | null
  /** What the file held when it was opened: judge and approve these, not what a second read brings. */
  readonly bytes: Uint8Array
}

interface Opened {
  readonly file: string
  readonly bytes: Uint8Array
}

/**
 * Finds the project of a directory: the nearest ancestor, itself included, that has `.sallyport.yml` or
 * `.claude/secrets.yml`. The person's home folder is no exception. A file that is there but cannot be read is an error
 * and never a reason to look further up, where another list might allow more.
 *
 * @returns null when there is none up to the root of the file system
 * @throws {Fault} `BAD_INPUT`: no such directory, or a file that is not a readable regular file of at most 64 KiB
 */
export function findProject(directory: string): FoundProject | null {
  let folder = realDirectory(directory)
  for (;;) {
    const found = projectIn(folder)
    if (found !== null) return found
    const parent = dirname(folder)
    if (parent === folder) return null
    folder = parent
  }
}

function realDirectory(directory: string): string {
  try {
    return realpathSync.native(directory)
  } catch (error) {
    throw new Fault('BAD_INPUT', `The directory ${quoted(directory)} cannot be opened.`, {
      details: { field: 'directory' },
      cause: error,
    })
  }
}

function projectIn(folder: string): FoundProject | null {
  for (const name of PROJECT_FILES) {
    const path = join(folder, name)
    const opened = openFile(path)
    if (opened === null) continue
    const ignoredFile = name === '.sallyport.yml' ? ignoredIn(folder) : null
    return { project: folder, file: opened.file, name, ignoredFile, bytes: opened.bytes }
  }
  return null
}

function ignoredIn(folder: string): string | null {
  const path = join(folder, '.claude/secrets.yml')
  try {
    lstatSync(path)
  } catch {
    return null
  }
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}

/** One open; everything said about the file is asked of the open file. @returns null when nothing is there */
function openFile(path: string): Opened | null {
  let fd: number
  try {
    // Non-blocking: a pipe with this name must not hang the program.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (isAbsent(path, error)) return null
    return refuse(path, 'cannot be opened', error)
  }
  try {
    const stat = fstatSync(fd, { bigint: true })
    if (!stat.isFile()) refuse(path, 'is not a regular file')
    const file = realpathSync.native(path)
    const real = statSync(file, { bigint: true })
    if (real.ino !== stat.ino || real.dev !== stat.dev) refuse(path, 'changed while it was read')
    return { file, bytes: readAll(fd, path) }
  } catch (error) {
    if (error instanceof Fault) throw error
    return refuse(path, 'cannot be read', error)
  } finally {
    closeSync(fd)
  }
}

function readAll(fd: number, path: string): Uint8Array {
  const buffer = new Uint8Array(MAX_PROJECT_FILE_BYTES + 1)
  let size = 0
  while (size < buffer.byteLength) {
    const read = readSync(fd, buffer, size, buffer.byteLength - size, null)
    if (read === 0) return buffer.slice(0, size)
    size += read
  }
  return refuse(path, `is larger than ${MAX_PROJECT_FILE_BYTES} bytes`)
}

/** ENOTDIR: `.claude` is a file here. A symbolic link that points nowhere is there all the same. */
function isAbsent(path: string, error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOTDIR') return true
  if (code !== 'ENOENT') return false
  try {
    lstatSync(path)
    return false
  } catch {
    return true
  }
}

function refuse(path: string, problem: string, cause?: unknown): never {
  throw new Fault('BAD_INPUT', `The project file ${quoted(path)} ${problem}.`, {
    details: { field: 'file', file: path },
    cause,
  })
}
