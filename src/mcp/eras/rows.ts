import { isHeld } from '../../core/held-values.ts'
import {
  elementsOf,
  META,
  type Message,
  memberOf,
  type Notification,
  type Part,
  type Request,
  type Response,
  RPC_ERRORS,
  withMembers,
} from '../wire/index.ts'

/** The revision without sessions. */
export const MODERN_VERSION = '2026-07-28'

/** Those with `initialize`, the newest first. */
export const LEGACY_VERSIONS: readonly string[] = [
  '2025-11-25',
  '2025-06-18',
  '2025-03-26',
  '2024-11-05',
  '2024-10-07',
]

/** What a translator has to be carried. */
export type Crossing =
  | { readonly to: 'server'; readonly text: string }
  | {
      readonly to: 'client'
      readonly text: string
      /** `idKey` of the client's request that it answers or came with; null for what stands alone. */
      readonly about: string | null
    }
  | {
      /** The request of the client will not be answered. */
      readonly to: 'nobody'
      readonly about: string
      readonly end: 'never-sent' | 'refused-by-server' | 'lost'
      readonly why: string
    }

/** Speaks one era to a client and another one to its server. Pure: messages in, messages out. */
export interface Translator {
  fromClient(message: Message): readonly Crossing[]
  /** @param about `idKey` of the request to the server on whose stream it came, where there are such streams */
  fromServer(message: Message, about: string | null): readonly Crossing[]
  /** A request to the server will not be answered. */
  failed(
    idKey: string,
    end: 'never-sent' | 'refused-by-server' | 'lost',
    why: string,
  ): readonly Crossing[]
  /** Lets go of what nobody came back for. @param now milliseconds of any clock that only moves forward */
  tidy(now: number): readonly Crossing[]
  /** The server will not say its first word: whoever waits in here for that is told why. */
  giveUp?(why: string): readonly Crossing[]
  /** Whether something that the client said waits for the first word of the server. */
  readonly isHolding: boolean
}

export type Fields = Readonly<Record<string, unknown>>

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {}
}

/** One member of a part, as it was written; null when it is not there. */
export function memberText(message: Message, part: Part | null, name: string): string | null {
  if (part === null || !Object.hasOwn(fieldsOf(part.value), name)) return null
  return memberOf(partText(message, part), name)
}

export function partText({ text }: Message, part: Part): string {
  return text.slice(part.start, part.end)
}

export function request(idText: string, method: string, paramsText: string | null): string {
  const params = paramsText === null ? '' : `,"params":${paramsText}`
  return `{"jsonrpc":"2.0","id":${idText},"method":${JSON.stringify(method)}${params}}`
}

export function notification(method: string, paramsText: string | null): string {
  const params = paramsText === null ? '' : `,"params":${paramsText}`
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${params}}`
}

export function result(idText: string, resultText: string): string {
  return `{"jsonrpc":"2.0","id":${idText},"result":${resultText}}`
}

export function error(idText: string, code: number, message: string, dataText?: string): string {
  const data = dataText === undefined ? '' : `,"data":${dataText}`
  return `{"jsonrpc":"2.0","id":${idText},"error":{"code":${code},"message":${JSON.stringify(message)}${data}}}`
}

/** The parameters of a message with other members in `_meta`; without one that would be empty. */
export function withMeta(
  message: Request | Notification,
  edits: Readonly<Record<string, string | null>>,
): string | null {
  const { params } = message
  const text = params === null ? '{}' : partText(message, params)
  const meta = withMembers(memberText(message, params, '_meta') ?? '{}', edits)
  if (meta === '{}') {
    const without = withMembers(text, { _meta: null })
    return without === '{}' && params === null ? null : without
  }
  return withMembers(text, { _meta: meta })
}

/** What a modern client says of itself with every request. */
export interface Introduction {
  readonly capabilitiesText: string
  readonly clientText: string | null
  readonly logLevelText: string | null
}

/** Row: session capabilities → `_meta` of each request; `logging/setLevel` → `_meta` log level. */
export function toModernParams(message: Request, introduction: Introduction): string {
  const { capabilitiesText, clientText, logLevelText } = introduction
  return (
    withMeta(message, {
      [META.version]: JSON.stringify(MODERN_VERSION),
      [META.capabilities]: capabilitiesText,
      [META.client]: clientText,
      [META.logLevel]: logLevelText,
    }) ?? '{}'
  )
}

/** Row: `_meta` of each request → what the session has. */
export function toLegacyParams(message: Request | Notification): string | null {
  return withMeta(message, {
    [META.version]: null,
    [META.capabilities]: null,
    [META.client]: null,
    [META.logLevel]: null,
  })
}

/** Results of these may be kept for a while in the modern era. */
const KEPT: ReadonlySet<string> = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
])

/** Row: `resultType`, `ttlMs` and `cacheScope` are added. */
export function toModernResult(method: string, resultText: string): string {
  return withMembers(resultText, {
    resultType: '"complete"',
    ...(KEPT.has(method) ? { ttlMs: '0', cacheScope: '"private"' } : {}),
  })
}

/** Row: `resultType`, `ttlMs` and `cacheScope` are dropped, and what clients with sessions take for a broken answer. */
export function toLegacyResult(method: string, resultText: string): string {
  return withMembers(resultText, {
    resultType: null,
    ttlMs: null,
    cacheScope: null,
    ...(method === 'tools/list' ? withoutOddSchemas(resultText) : {}),
    ...(method === 'tools/call' ? withStructureInObject(resultText) : {}),
  })
}

/** Row: a tool whose results are no objects → one that says nothing of them. */
function withoutOddSchemas(resultText: string): Readonly<Record<string, string>> {
  const text = memberOf(resultText, 'tools')
  const tools: unknown = text === null ? null : JSON.parse(text)
  if (text === null || !Array.isArray(tools)) return {}
  const isOdd = (tool: unknown): boolean => {
    const { outputSchema } = fieldsOf(tool)
    return outputSchema !== undefined && fieldsOf(outputSchema)['type'] !== 'object'
  }
  if (!tools.some(isOdd)) return {}
  const shown = elementsOf(text).map(({ start, end }, index) => {
    const tool = text.slice(start, end)
    return isOdd(tools[index]) ? withMembers(tool, { outputSchema: null }) : tool
  })
  return { tools: `[${shown.join(',')}]` }
}

/** Row: `structuredContent` that is no object → one that holds it as `result`. */
function withStructureInObject(resultText: string): Readonly<Record<string, string>> {
  const text = memberOf(resultText, 'structuredContent')
  if (text === null || text.startsWith('{') || isHeld(JSON.parse(text))) return {}
  return { structuredContent: withMembers('{}', { result: text }) }
}

const NOT_FOUND = -32002
const PARAMS = -32602
/** Of 2025-11-25: the request can be made again once the person was at the addresses in it. */
export const URL_REQUIRED = -32042

export function codeOf(response: Response): unknown {
  return response.outcome === 'error' ? fieldsOf(response.body.value)['code'] : undefined
}

/** Row: −32002 → −32602, and −32042 that asks nothing → −32603: this revision has neither. */
export function toModernError(errorText: string): string {
  const code = Number(memberOf(errorText, 'code'))
  if (code === NOT_FOUND) return withMembers(errorText, { code: String(PARAMS) })
  return code === URL_REQUIRED
    ? withMembers(errorText, { code: String(RPC_ERRORS.internal) })
    : errorText
}

/** Row: −32602 of a resource that is not there, which says its address and nothing else, → −32002. */
export function toLegacyError(method: string, response: Response, errorText: string): string {
  const { code, data } = fieldsOf(response.body.value)
  const isMissing =
    method === 'resources/read' &&
    code === PARAMS &&
    typeof fieldsOf(data)['uri'] === 'string' &&
    Object.keys(fieldsOf(data)).length === 1
  return isMissing ? withMembers(errorText, { code: String(NOT_FOUND) }) : errorText
}

/** Row: `server/discover` → the result of `initialize`. @returns null when the server speaks no revision that we do */
export function toInitializeResult(response: Response, askedVersion: unknown): string | null {
  const { supportedVersions, instructions } = fieldsOf(response.body.value)
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(MODERN_VERSION)) return null
  const version =
    typeof askedVersion === 'string' && LEGACY_VERSIONS.includes(askedVersion)
      ? askedVersion
      : (LEGACY_VERSIONS[0] ?? '')
  const capabilities = memberText(response, response.body, 'capabilities') ?? '{}'
  const meta = memberText(response, response.body, '_meta') ?? '{}'
  return withMembers('{}', {
    protocolVersion: JSON.stringify(version),
    capabilities,
    serverInfo: memberOf(meta, META.server) ?? '{"name":"server","version":"0"}',
    instructions: typeof instructions === 'string' ? JSON.stringify(instructions) : null,
  })
}

/** Row: the result of `initialize` → `server/discover`. */
export function toDiscoverResult(initialized: Response): string {
  const { body } = initialized
  const capabilities = memberText(initialized, body, 'capabilities') ?? '{}'
  const server = memberText(initialized, body, 'serverInfo')
  return withMembers('{}', {
    resultType: '"complete"',
    supportedVersions: JSON.stringify([MODERN_VERSION]),
    // Tasks became an extension of their own, which is not the tasks that the server means.
    capabilities: withMembers(capabilities, { tasks: null }),
    instructions: memberText(initialized, body, 'instructions'),
    ttlMs: '0',
    cacheScope: '"private"',
    _meta: server === null ? null : withMembers('{}', { [META.server]: server }),
  })
}

/** Row: what a modern client declares with a request → what a session is begun with. */
export function toLegacyCapabilities(capabilitiesText: string): string {
  const roots = memberOf(capabilitiesText, 'roots')
  return withMembers(capabilitiesText, { roots: roots === null ? null : '{}' })
}

/** Row: what a session was begun with → what each modern request declares. */
export function toModernCapabilities(capabilitiesText: string): string {
  const roots = memberOf(capabilitiesText, 'roots')
  return withMembers(capabilitiesText, { roots: roots === null ? null : '{}', tasks: null })
}

/** What may be asked of a client in the middle of a call, and the capability that allows it. */
export const QUESTIONS: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
}

/** Calls whose result may be a question (2026-07-28, "Multi Round-Trip Requests"). */
export const ROUNDS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** Row: a request of a legacy server → one of `inputRequests`; `elicitationId` is retired. */
export function toInputRequest(question: Request): string {
  const params =
    question.params === null
      ? null
      : withMembers(withMeta(question, {}) ?? '{}', { elicitationId: null, task: null })
  return withMembers('{}', { method: JSON.stringify(question.method), params })
}

/** The method of one of `inputRequests`, and its parameters as they were written. */
export function inputRequestOf(
  text: string,
): { readonly method: string; readonly paramsText: string | null } | null {
  const { method } = fieldsOf(JSON.parse(text))
  if (typeof method !== 'string' || !Object.hasOwn(QUESTIONS, method)) return null
  return { method, paramsText: memberOf(text, 'params') }
}

/** Whether a client that declares this may be asked that. */
export function mayBeAsked(capabilities: unknown, method: string, params: unknown): boolean {
  const name = QUESTIONS[method]
  const declared = name === undefined ? undefined : fieldsOf(capabilities)[name]
  if (typeof declared !== 'object' || declared === null) return false
  if (method !== 'elicitation/create') return true
  const isUrl = fieldsOf(params)['mode'] === 'url'
  // `{}` means forms, as it did before there was anything else.
  return isUrl ? 'url' in declared : 'form' in declared || !('url' in declared)
}

export const LISTS: readonly [kind: string, capability: string, method: string][] = [
  ['toolsListChanged', 'tools', 'notifications/tools/list_changed'],
  ['promptsListChanged', 'prompts', 'notifications/prompts/list_changed'],
  ['resourcesListChanged', 'resources', 'notifications/resources/list_changed'],
]

/** The key of an id, as an envelope has it. */
export function keyOf(id: unknown): string | null {
  if (typeof id === 'string') return `s${id}`
  return typeof id === 'number' ? `n${id}` : null
}
