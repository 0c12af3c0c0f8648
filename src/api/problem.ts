import { STATUS_CODES } from 'node:http'
import { asFault, type Fault, type FaultCode } from '../core/faults.ts'

/** RFC 9457, with the fault's code and cure beside the four members that clients of the older API know. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly help: string
  readonly request_id: string
  readonly field?: string
  /** What a person has to decide before the same call passes, or has denied. */
  readonly approval_request_id?: string
  /** Page on which the person decides. */
  readonly approval_url?: string
}

/** Words that clients of the older API look for in `type`. */
const TYPES: Readonly<Record<string, string>> = {
  QUOTA_EXHAUSTED: 'resource_limit_exceeded',
  APPROVAL_REQUIRED: 'approval_required',
}

/**
 * What is said of these to callers. Their own words name files, addresses and settings of the server's machine, for whoever
 * runs it: they are in its log, beside the id of the request.
 */
const OURS: Readonly<Partial<Record<FaultCode, string>>> = {
  STORE_UNAVAILABLE: 'The server cannot use its store.',
  STORE_CORRUPT: 'The store of the server is damaged.',
  STORE_NEWER: 'The store was written by a newer version of the server.',
  STORE_TAMPERED: 'What the server needs for this was changed in its store from outside.',
  KEY_SOURCE_UNAVAILABLE: 'The server cannot get at its keys.',
  KEY_INVALID: 'The keys of the server do not open what is in its store.',
  AUDIT_UNAVAILABLE: 'This could not be recorded, so nothing is released.',
}

/** @param isConditional the request named the version that must be current, so another one is 412 by RFC 9110 */
export function problemOf(error: unknown, requestId: string, isConditional: boolean): Problem {
  const fault = asFault(error)
  const isUnmet = isConditional && fault.code === 'VERSION_CONFLICT'
  return problemAs(fault, isUnmet ? 412 : fault.http, requestId)
}

/** @param status another one than that of the fault, where HTTP has its own for it */
export function problemAs(fault: Fault, status: number, requestId: string): Problem {
  const { field, remedy, approval, url } = fault.details
  const ours = OURS[fault.code]
  return {
    type: TYPES[fault.code] ?? 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: ours ?? fault.message,
    code: fault.code,
    help: typeof remedy === 'string' && ours === undefined ? remedy : fault.help,
    request_id: requestId,
    ...(typeof field === 'string' ? { field } : {}),
    ...(typeof approval === 'string' ? { approval_request_id: approval } : {}),
    ...(typeof url === 'string' ? { approval_url: url } : {}),
  }
}
