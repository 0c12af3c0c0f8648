import { foldedName } from '../core/folded-name.ts'
import { judgedParams, type Refused, type Request, RPC_ERRORS } from '../mcp/wire/index.ts'

/** One call of a tool, read strictly. */
export interface ToolCall {
  readonly request: Request
  readonly tool: string
  readonly params: Readonly<Record<string, unknown>>
  readonly args: Readonly<Record<string, unknown>>
  /** Of a revision in which every answer says its type. */
  readonly isModern: boolean
}

export function readToolCall(
  request: Request,
): { readonly call: ToolCall } | { readonly refused: Refused } {
  const judged = judgedParams(request)
  if ('refused' in judged) return judged
  const { params } = judged
  const bad = (message: string): { readonly refused: Refused } => ({
    refused: { kind: 'refused', code: RPC_ERRORS.params, message, idText: request.idText },
  })
  const { name, arguments: args = {} } = params
  if (typeof name !== 'string' || name === '' || !name.isWellFormed())
    return bad("'name' must be a text.")
  if (!isObject(args)) return bad("'arguments' must be an object.")
  return { call: { request, tool: name, params, args, isModern: isModern(params) } }
}

const OF_ONE_TRY: ReadonlySet<string> = new Set(['progressToken', 'traceparent'])
/** What clients call a try by: `claudecode/toolUseId`, `vscode.requestId`. */
const ID_OF_TRY =
  /(?:^|[./_-])(?:tool[_-]?use|tool[_-]?call|call|request|turn|message|trace|span|correlation)[_-]?id$/i
/** Hardly more fits in there than a name for something. */
const ID = /^[A-Za-z0-9\-_.:/+=]{1,128}$/
/** W3C Trace Context, "tracestate Header". */
const TRACE_STATE = /^[\x20-\x7e]{1,512}$/

/**
 * Whether a member of `_meta` is another one at each try of one call, and a server does nothing otherwise by it: the
 * name by which it tells of progress, the place of the call in a trace, an id that the client gave to the try. What is
 * called one and says more than an id does is none.
 */
export function isOfOneTry(name: string, value: unknown): boolean {
  if (name === 'tracestate') return typeof value === 'string' && TRACE_STATE.test(value)
  if (!OF_ONE_TRY.has(name) && !ID_OF_TRY.test(name)) return false
  return typeof value === 'string'
    ? ID.test(value)
    : typeof value === 'number' || typeof value === 'bigint'
}

const VERSION = 'io.modelcontextprotocol/protocolVersion'

/** Requests of 2026-07-28 and later name their revision themselves. */
export function isModern(params: Readonly<Record<string, unknown>>): boolean {
  const meta = params['_meta']
  return (
    isObject(meta) && Object.keys(meta).some((key) => foldedName(key) === VERSION.toLowerCase())
  )
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const MAX_NAME = 200

/** The name of a tool or a method as it may be written down: agents choose what they ask for. */
export function shownName(name: string): string {
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME).toWellFormed()}…` : name.toWellFormed()
}
