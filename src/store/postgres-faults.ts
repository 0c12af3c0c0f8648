import { Fault } from '../core/faults.ts'
import { busyFault } from './turns.ts'

// SQLSTATE codes of https://www.postgresql.org/docs/current/errcodes-appendix.html
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK_DETECTED = '40P01'
const LOCK_NOT_AVAILABLE = '55P03'
const IDLE_IN_TRANSACTION = '25P03'
const QUERY_CANCELED = '57014'
const UNIQUE_VIOLATION = '23505'
const DISK_FULL = '53100'
const READ_ONLY_TRANSACTION = '25006'
const INSUFFICIENT_PRIVILEGE = '42501'

/** The SQLSTATE of an error, or null when it did not come from the server. */
function sqlState(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  return /^[0-9A-Z]{5}$/.test(error.code) && 'severity' in error ? error.code : null
}

/** True when Postgres undid the transaction only because of its neighbours: the same work may succeed now. */
export function isRetriable(error: unknown): boolean {
  const state = sqlState(error)
  return (
    state === SERIALIZATION_FAILURE || state === DEADLOCK_DETECTED || state === IDLE_IN_TRANSACTION
  )
}

/**
 * The fault that a caller is told, with its cure; anything else is passed through as it is.
 *
 * @param where host and database, never the password
 */
export function postgresFault(error: unknown, where: string): unknown {
  if (error instanceof Fault || error instanceof RangeError) return error
  const options = { cause: error, details: { database: where } }
  const unavailable = (why: string): Fault =>
    new Fault('STORE_UNAVAILABLE', `The PostgreSQL store at '${where}' ${why}.`, options)
  const state = sqlState(error)
  switch (state) {
    case null:
      return unavailable("can't be reached; check that it runs and that the URL is right")
    case SERIALIZATION_FAILURE:
    case DEADLOCK_DETECTED:
    case LOCK_NOT_AVAILABLE:
    case QUERY_CANCELED:
    case IDLE_IN_TRANSACTION:
      return busyFault(error)
    case UNIQUE_VIOLATION:
      return new Fault('CONFLICT', 'The store already holds a row with this key.', options)
    case DISK_FULL:
      return unavailable("can't be written: its disk is full; free some space on the server")
    case READ_ONLY_TRANSACTION:
      return unavailable('is read-only; connect to the primary server')
    case INSUFFICIENT_PRIVILEGE:
      return unavailable('refuses this user; grant it the right to create and change tables')
    default:
  }
  switch (state.slice(0, 2)) {
    case '08':
    case '53':
    case '57':
      return unavailable('does not answer; check that it runs and has connections left')
    case '28':
      return unavailable('refuses this user or password; check the URL')
    case '3D':
      return unavailable('does not exist; create the database')
    case 'XX':
      return new Fault(
        'STORE_CORRUPT',
        `The PostgreSQL store at '${where}' is damaged; restore the last backup.`,
        options,
      )
    default:
      return error
  }
}
