import { asFault, type Fault, type FaultCode } from './faults.ts'
import type { Principal } from './principals.ts'

/**
 * What callers elsewhere are told of these. Their own words name files, addresses and settings of the server's machine,
 * for whoever runs it: they are in its log.
 */
const OURS: Readonly<Partial<Record<FaultCode, string>>> = {
  STORE_UNAVAILABLE: 'The server cannot use its store.',
  STORE_CORRUPT: 'The store of the server is damaged.',
  STORE_NEWER: 'The store was written by a newer version of the server.',
  STORE_TAMPERED: 'What the server needs for this was changed in its store from outside.',
  KEY_SOURCE_UNAVAILABLE: 'The server cannot get at its keys.',
  KEY_INVALID: 'The keys of the server do not open what is in its store.',
  COUNTERS_UNAVAILABLE: 'This cannot be counted right now, so it is not let through.',
  COUNTERS_LOST:
    'What was counted before is not known any more, so nothing with a limit is let through.',
  AUDIT_UNAVAILABLE: 'This could not be recorded, so nothing is released.',
}

/** A fault in the words that its caller may read. */
export interface Told {
  readonly message: string
  /** The cure for just this, where there is one; else `help` of the code. */
  readonly cure: string
  readonly details: Fault['details']
}

/** Whether what is wrong is the server's own, so that who calls from elsewhere is not told where. */
export function isOurs(fault: Fault): boolean {
  return OURS[fault.code] !== undefined
}

/**
 * @param error anything that was thrown
 * @param principal who is told; null for whoever it is. The person and the agent of this machine read all of it.
 */
export function toldTo(error: unknown, principal: Principal | null): Told {
  const fault = asFault(error)
  const ours = principal?.id === 'local' ? undefined : OURS[fault.code]
  if (ours !== undefined) return { message: ours, cure: fault.help, details: {} }
  const { message, help, details } = fault
  const { remedy } = details
  return { message, cure: typeof remedy === 'string' ? remedy : help, details }
}
