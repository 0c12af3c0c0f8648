import type { CallOutcome } from '../audit/index.ts'
import { asFault } from '../core/faults.ts'
import {
  errorAnswer,
  type Message,
  type Notification,
  type Part,
  type Request,
  type Response,
  RPC_ERRORS,
  withPart,
} from '../mcp/wire/index.ts'
import type { Judgeable } from './call-path.ts'
import type { Denial } from './denial.ts'
import { isObject } from './tool-call.ts'

export function judgeableMethod(
  message: Request | Notification,
  params: Readonly<Record<string, unknown>>,
  isFromServer: boolean,
): Judgeable {
  return { message, name: message.method, isMethod: true, isFromServer, params, args: params }
}

/** A method that is not allowed is one that is not there. */
export function methodDenial({ idText }: Request, { rule, text }: Denial): string {
  const isInspection = rule === 'INSPECTION_REFUSED'
  return errorAnswer(idText, isInspection ? RPC_ERRORS.params : RPC_ERRORS.method, text)
}

/** The message as it came when nothing was changed. */
export function textOf(
  message: Message,
  part: Part | null,
  before: unknown,
  after: unknown,
): string {
  return before === after || part === null ? message.text : withPart(message, part, after)
}

export function endOf({ outcome, body }: Response): CallOutcome {
  if (outcome === 'error') return 'refused-by-server'
  return isObject(body.value) && body.value['isError'] === true ? 'tool-error' : 'answered'
}

export function said(error: unknown): string {
  const { message, help } = asFault(error)
  return `${message} ${help}`
}
