import { STATUS_CODES } from 'node:http'
import { asFault, type Fault } from '../core/faults.ts'
import { toldTo } from '../core/told.ts'

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

/** @param isConditional the request named the version that must be current, so another one is 412 by RFC 9110 */
export function problemOf(error: unknown, requestId: string, isConditional: boolean): Problem {
  const fault = asFault(error)
  const isUnmet = isConditional && fault.code === 'VERSION_CONFLICT'
  return problemAs(fault, isUnmet ? 412 : fault.http, requestId)
}

/** @param status another one than that of the fault, where HTTP has its own for it */
export function problemAs(fault: Fault, status: number, requestId: string): Problem {
  const { message, cure, details } = toldTo(fault, null)
  const { field, approval, url } = details
  return {
    type: TYPES[fault.code] ?? 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    code: fault.code,
    help: cure,
    request_id: requestId,
    ...(typeof field === 'string' ? { field } : {}),
    ...(typeof approval === 'string' ? { approval_request_id: approval } : {}),
    ...(typeof url === 'string' ? { approval_url: url } : {}),
  }
}
