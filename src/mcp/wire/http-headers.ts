import type { Message } from './envelope.ts'

/** Errors of the revision 2026-07-28 that speak of the transport. */
export const ERA_ERRORS = {
  headerMismatch: -32020,
  missingCapability: -32021,
  version: -32022,
} as const

export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  client: 'io.modelcontextprotocol/clientInfo',
  logLevel: 'io.modelcontextprotocol/logLevel',
  server: 'io.modelcontextprotocol/serverInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
} as const

/** From the least: how urgent what a server logs is (RFC 5424). */
export const LOG_LEVELS: readonly string[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
]

/** From which of them on a request is told what the server logs; above all of them where it asks for none. */
export function askedLevel(meta: Readonly<Record<string, unknown>> | null): number {
  const level = meta?.[META.logLevel]
  const at = typeof level === 'string' ? LOG_LEVELS.indexOf(level) : -1
  return at === -1 ? LOG_LEVELS.length : at
}

/** An argument of a tool that is told in a header too. */
export interface ParamHeader {
  /** Names from the arguments inwards. */
  readonly path: readonly string[]
  /** `Mcp-Param-…` in lower case. */
  readonly header: string
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,200}$/
const MAX_SCHEMA_DEPTH = 64

/**
 * The headers that the schema of a tool asks for with `x-mcp-header`, on properties of plain type that are reached by
 * `properties` alone (2026-07-28, Streamable HTTP, "Schema Extension").
 *
 * @returns null when a declaration breaks the rules: such a tool is not offered over HTTP
 */
export function paramHeadersOf(inputSchema: unknown): readonly ParamHeader[] | null {
  const found = new Map<string, ParamHeader>()
  let isSound = true
  const visit = (schema: unknown, path: readonly string[], isReachable: boolean): void => {
    if (typeof schema !== 'object' || schema === null) return
    if (path.length > MAX_SCHEMA_DEPTH) {
      isSound = false
      return
    }
    if (!Array.isArray(schema) && Object.hasOwn(schema, 'x-mcp-header')) {
      const { 'x-mcp-header': name, type } = schema as Readonly<Record<string, unknown>>
      const isPlain = type === 'string' || type === 'integer' || type === 'boolean'
      const header = typeof name === 'string' ? `mcp-param-${name.toLowerCase()}` : ''
      if (
        !isReachable ||
        path.length === 0 ||
        typeof name !== 'string' ||
        !TOKEN.test(name) ||
        !isPlain ||
        found.has(header)
      )
        isSound = false
      else found.set(header, { path, header })
    }
    for (const [key, inner] of Object.entries(schema)) {
      if (key === 'properties' && !Array.isArray(schema) && isReachable) {
        if (typeof inner === 'object' && inner !== null)
          for (const [name, property] of Object.entries(inner))
            visit(property, [...path, name], true)
      } else if (!VALUES.has(key)) visit(inner, [...path, key], false)
    }
  }
  visit(inputSchema, [], true)
  return isSound ? [...found.values()] : null
}

/** Keywords of JSON Schema that hold values and no schemas: a name in there declares nothing. */
const VALUES: ReadonlySet<string> = new Set([
  'const',
  'default',
  'enum',
  'examples',
  'x-mcp-header',
])

const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/
/** What reads as Base64, whether it is any or not: with the one without the other it stands there as it is. */
const ENCODED = /^=\?base64\?(.*)\?=$/s

/** A text as the value of a header: in Base64 where it could not stand there as it is. */
export function headerValue(text: string): string {
  return PLAIN.test(text) && !ENCODED.test(text)
    ? text
    : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`
}

/** @returns null when it is in Base64 and not in its one form */
export function textOfHeader(value: string): string | null {
  const encoded = ENCODED.exec(value)?.[1]
  if (encoded === undefined) return value
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  const isOneForm = bytes.toString('base64') === encoded && Buffer.from(text).equals(bytes)
  return isOneForm ? text : null
}

type Fields = Readonly<Record<string, unknown>>

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {}
}

/** The revision that a message of 2026-07-28 or later names itself; null for all older ones. */
export function versionNamedBy(message: Message): string | null {
  if (message.kind === 'response') return null
  const version = fields(fields(message.params?.value)['_meta'])[META.version]
  return typeof version === 'string' ? version : null
}

const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  // Of the extension for tasks.
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
}

/**
 * What is told of a modern message in headers, made from its body: version, method, name, and the arguments that the
 * tool's schema wants there.
 *
 * @returns names in lower case; nothing for a message that names no revision
 */
export function mirroredHeaders(
  message: Message,
  paramHeaders: readonly ParamHeader[],
): Readonly<Record<string, string>> {
  const version = versionNamedBy(message)
  if (version === null || message.kind === 'response') return {}
  const params = fields(message.params?.value)
  const headers: Record<string, string> = {
    'mcp-protocol-version': headerValue(version),
    'mcp-method': headerValue(message.method),
  }
  const named = NAMED[message.method]
  const name = named === undefined ? undefined : params[named]
  if (typeof name === 'string') headers['mcp-name'] = headerValue(name)
  if (message.method === 'tools/call')
    for (const { path, header } of paramHeaders) {
      const text = plainText(path.reduce<unknown>((at, key) => own(at, key), params['arguments']))
      if (text !== null) headers[header] = headerValue(text)
    }
  return headers
}

function own(value: unknown, key: string): unknown {
  return Object.hasOwn(fields(value), key) ? fields(value)[key] : undefined
}

/** @returns null for what has no header */
function plainText(value: unknown): string | null {
  if (typeof value === 'string' || typeof value === 'boolean') return String(value)
  const isKept =
    typeof value === 'number' && (!Number.isInteger(value) || Number.isSafeInteger(value))
  return isKept ? String(value) : null
}

/**
 * Holds the headers of a modern request against its body.
 *
 * @param shown the request's headers; several of one name joined, as `Headers` gives them
 * @param paramHeaders what the tool's schema asks for; null when the schema is not known, then those are not checked
 * @returns what does not agree, for an answer 400 with −32020; null when all does
 */
export function headerMismatch(
  shown: Pick<Headers, 'get' | 'has'>,
  message: Message,
  paramHeaders: readonly ParamHeader[] | null,
): string | null {
  const wanted = mirroredHeaders(message, paramHeaders ?? [])
  for (const [name, value] of Object.entries(wanted)) {
    const got = shown.get(name)
    if (got === null) return `The header ${name} is missing.`
    const text = textOfHeader(got)
    if (text === null || !isSame(text, textOfHeader(value) ?? value, name))
      return `The header ${name} does not say what the body says.`
  }
  if (!('mcp-name' in wanted) && shown.has('mcp-name') && message.kind === 'request')
    return 'The header mcp-name has nothing in the body.'
  for (const { header } of paramHeaders ?? [])
    if (shown.has(header) && !(header in wanted))
      return `The header ${header} has nothing in the body.`
  return null
}

/** Numbers may be written in several ways. */
function isSame(got: string, wanted: string, name: string): boolean {
  if (got === wanted) return true
  const isNumber = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/
  return (
    name.startsWith('mcp-param-') &&
    isNumber.test(got) &&
    isNumber.test(wanted) &&
    Number(got) === Number(wanted)
  )
}

/** What tools told of their schemas in the answers to `tools/list`. */
export class ToolHeaders {
  readonly #tools = new Map<string, readonly ParamHeader[]>()

  /** @param result of `tools/list`, one page */
  learn(result: unknown): void {
    const tools = fields(result)['tools']
    if (!Array.isArray(tools)) return
    for (const tool of tools as readonly unknown[]) {
      const { name, inputSchema } = fields(tool)
      if (typeof name === 'string') this.#tools.set(name, paramHeadersOf(inputSchema) ?? [])
    }
  }

  /** @returns null for a tool that no list named */
  of(tool: unknown): readonly ParamHeader[] | null {
    return typeof tool === 'string' ? (this.#tools.get(tool) ?? null) : null
  }
}
