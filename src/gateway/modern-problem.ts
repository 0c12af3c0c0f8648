import type { IncomingMessage } from 'node:http'
import {
  ERA_ERRORS,
  headerMismatch,
  META,
  type Message,
  type Request,
  RPC_ERRORS,
  type ToolHeaders,
  versionNamedBy,
} from '../mcp/wire/index.ts'
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

export function headerOf({ headers }: IncomingMessage, name: string): string | null {
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
 */
export function modernProblem(
  request: IncomingMessage,
  message: Message,
  tools: ToolHeaders,
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
    const mismatch = headerMismatch(shown, message, toolHeadersOf(message, tools))
    if (mismatch !== null) return rpcError(idText, ERA_ERRORS.headerMismatch, mismatch)
    if (version !== MODERN)
      return rpcError(idText, ERA_ERRORS.version, 'The protocol version is not supported.', {
        supported: [MODERN],
        requested: version,
      })
    if (capabilitiesOf(message) === null)
      return rpcError(idText, RPC_ERRORS.params, `params._meta must name ${META.capabilities}.`)
  }
  return null
}

function toolHeadersOf(message: Request, tools: ToolHeaders) {
  if (message.method !== 'tools/call' || !isObject(message.params?.value)) return null
  return tools.of(message.params.value['name'])
}

/** What the client of a message declares that it can do, or null. */
export function capabilitiesOf(message: Message): object | null {
  const params = message.kind === 'response' ? null : message.params
  const meta = isObject(params?.value) ? params.value['_meta'] : undefined
  const capabilities = isObject(meta) ? meta[META.capabilities] : undefined
  return isObject(capabilities) ? capabilities : null
}
