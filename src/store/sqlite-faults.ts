import { Fault, isFault } from '../core/faults.ts'
import { integerFault } from './portable.ts'
import { busyFault } from './turns.ts'

// Primary result codes of https://www.sqlite.org/rescode.html
const PERM = 3
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26
// Extended ones.
const CONSTRAINT_PRIMARYKEY = 1555
const CONSTRAINT_UNIQUE = 2067

interface SqliteError extends Error {
  readonly code: string
  readonly errcode: number
}

function isSqliteError(error: unknown): error is SqliteError {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
}

/** True when another connection holds a lock and trying again later may work. */
export function isBusy(error: unknown): boolean {
  if (!isSqliteError(error)) return isFault(error, 'STORE_BUSY')
  return [BUSY, LOCKED].includes(error.errcode & 0xff)
}

/** The fault that a caller is told, with its cure; anything else is passed through as it is. */
export function sqliteFault(error: unknown, file: string): unknown {
  if (!isSqliteError(error)) return isInexactInteger(error) ? integerFault(error) : error
  const options = { cause: error, details: { file } }
  if (error.errcode === CONSTRAINT_UNIQUE || error.errcode === CONSTRAINT_PRIMARYKEY)
    return new Fault('CONFLICT', 'The store already holds a row with this key.', options)
  switch (error.errcode & 0xff) {
    case BUSY:
    case LOCKED:
      return busyFault(error)
    case FULL:
      return new Fault(
        'STORE_UNAVAILABLE',
        `The store can't be written: the disk is full. Free some space where '${file}' is.`,
        options,
      )
    case IOERR:
      return unwritableFault(file, error)
    case PERM:
    case READONLY:
    case CANTOPEN:
      return new Fault(
        'STORE_UNAVAILABLE',
        `The store '${file}' can't be opened for writing; make its directory and files writable for this user.`,
        options,
      )
    case CORRUPT:
    case NOTADB:
      return corruptFault(file, error)
    default:
      return error
  }
}

export function unwritableFault(file: string, cause: unknown): Fault {
  return new Fault(
    'STORE_UNAVAILABLE',
    `The store '${file}' can't be read or written; check the disk, its free space and its quota.`,
    { cause, details: { file } },
  )
}

export function corruptFault(file: string, cause?: unknown): Fault {
  return new Fault(
    'STORE_CORRUPT',
    `The store '${file}' is damaged or not a database; move it away and restore the last backup.`,
    { cause, details: { file } },
  )
}

function isInexactInteger(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE'
}
