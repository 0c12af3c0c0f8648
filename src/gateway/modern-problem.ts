import {
  ERA_ERRORS,
  headerMismatch,
  META,
  type Message,
  memberOf,
  type ParamHeader,
  type Request,
  RPC_ERRORS,
  readMessage,
  type ToolHeaders,
  versionNamedBy,
  withMembers,
} from '../mcp/wire/index.ts'
import { isListedByAll, type PoliciesNow } from './applied-policies.ts'
import type { DoorRequest } from './http-request.ts'
import { isObject } from './tool-call.ts'

/** The revision whose requests stand alone. */
export const MODERN = '2026-07-28'
/** Those whose clients have sessions. */
export const LEGACY: ReadonlySet<string> = new Set([
  '2024-10-07',
  '2024-11-05',
  '2025-03-26',
  '2025-06-18',
  '2025-11-25',
])

export function headerOf({ headers }: Pick<DoorRequest, 'headers'>, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

export function idTextOf(message: Message): string {
  return message.kind === 'request' ? message.idText : 'null'
}

export function rpcError(idText: string, code: number, message: string, data?: object): string {
  return `{"jsonrpc":"2.0","id":${idText},"error":${JSON.stringify({ code, message, ...(data !== undefined && { data }) })}}`
}

/**
 * Why a request of the revisions that stand alone is refused, as a message; null when it is not.
 *
 * @param tools what is known of the headers that tools ask for
 * @param policiesNow of a tool that they do not list, nothing is known; null: `tools` knows listed ones alone
 */
export function modernProblem(
  request: Pick<DoorRequest, 'headers'>,
  message: Message,
  tools: ToolHeaders,
  policiesNow: (() => PoliciesNow) | null = null,
): string | null {
  const idText = idTextOf(message)
  if (message.kind === 'response')
    return rpcError('null', RPC_ERRORS.request, 'Answers are sent in inputResponses.')
  const version = versionNamedBy(message)
  const shown = {
    get: (name: string) => headerOf(request, name),
    has: (name: string) => headerOf(request, name) !== null,
  }
  if (message.kind === 'request') {
    if (version === null)
      return rpcError(idText, RPC_ERRORS.params, `params._meta must name ${META.version}.`)
    const wanted = toolHeadersOf(message, tools, policiesNow)
    const call = wanted === null || wanted.length === 0 ? calledIn(message) : null
    const before = call === null ? undefined : agreeing.get(request.headers)
    if (before === undefined || before.version !== version || before.call !== call) {
      const mismatch = headerMismatch(shown, message, wanted)
      if (mismatch !== null) return rpcError(idText, ERA_ERRORS.headerMismatch, mismatch)
      if (call !== null && Object.isFrozen(request.headers))
        agreeing.set(request.headers, { version, call })
    }
    if (version !== MODERN) return notSupported(idText, version)
    if (capabilitiesOf(message) === null)
      return rpcError(idText, RPC_ERRORS.params, `params._meta must name ${META.capabilities}.`)
  }
  return null
}

function notSupported(idText: string, requested: string): string {
  const data = { supported: [MODERN], requested }
  return rpcError(idText, ERA_ERRORS.version, 'The protocol version is not supported.', data)
}

/** The answer to a request that names a revision of which nothing is known; null to any other. */
export function unknownRevision(request: Request): string | null {
  const version = versionNamedBy(request)
  return version === null || version === MODERN || LEGACY.has(version)
    ? null
    : notSupported(request.idText, version)
}

const TASKS = 'io.modelcontextprotocol/tasks'

/** A request whose client does not say that it takes a task in place of an answer. */
export function withoutTasks(message: Message): Message {
  const declared = capabilitiesOf(message)
  const extensions = isObject(declared) ? declared['extensions'] : undefined
  if (!isObject(extensions) || !Object.hasOwn(extensions, TASKS)) return message
  const path = ['params', '_meta', META.capabilities, 'extensions']
  const read = readMessage(withoutMember(message.text, path))
  return read.kind === 'refused' ? message : read
}

function withoutMember(text: string, [name, ...below]: readonly string[]): string {
  if (name === undefined) return withMembers(text, { [TASKS]: null })
  return withMembers(text, { [name]: withoutMember(memberOf(text, name) ?? '{}', below) })
}

/** As `modernProblem`, of a request in which all is well but what its tool asks for in headers. */
export function toolHeadersProblem(
  request: Pick<DoorRequest, 'headers'>,
  message: Request,
  tools: ToolHeaders,
): string | null {
  const wanted = toolHeadersOf(message, tools, null)
  return wanted === null || wanted.length === 0 ? null : modernProblem(request, message, tools)
}

/**
 * Of headers that many requests came with, the last call with which they agreed: without headers of its own, nothing
 * but its name has to be in them.
 */
const agreeing = new WeakMap<object, { readonly version: string; readonly call: string }>()

function calledIn({ method, params }: Request): string | null {
  const name = method === 'tools/call' && isObject(params?.value) ? params.value['name'] : null
  return typeof name === 'string' ? name : null
}

function toolHeadersOf(
  message: Request,
  tools: ToolHeaders,
  policiesNow: (() => PoliciesNow) | null,
): readonly ParamHeader[] | null {
  if (message.method !== 'tools/call' || !isObject(message.params?.value)) return null
  const { name } = message.params.value
  const wanted = tools.of(name)
  if (wanted === null || wanted.length === 0 || policiesNow === null) return wanted
  const policies = policiesNow()
  return policies.length > 0 && isListedByAll(policies, String(name)) ? wanted : null
}

/** What the client of a message declares that it can do, or null. */
export function capabilitiesOf(message: Message): object | null {
  const params = message.kind === 'response' ? null : message.params
  const meta = isObject(params?.value) ? params.value['_meta'] : undefined
  const capabilities = isObject(meta) ? meta[META.capabilities] : undefined
  return isObject(capabilities) ? capabilities : null
}
