import { ExactNumber } from '../../core/decimal.ts'

/** What the protocol calls the parts of an answer: in its places these names are nothing that the answer says. */
const NAMES: ReadonlySet<string> = new Set(
  `_meta resultType ttlMs cacheScope nextCursor content structuredContent isError type text data mimeType annotations
  audience priority lastModified uri blob name title description size resource icons src sizes theme messages role
  contents resources resourceTemplates uriTemplate prompts arguments required tools inputSchema outputSchema execution
  taskSupport readOnlyHint destructiveHint idempotentHint openWorldHint completion values total hasMore task tasks
  taskId status statusMessage createdAt lastUpdatedAt ttl pollInterval pollIntervalMs result error code message
  progress progressToken inputRequests requestState version websiteUrl io.modelcontextprotocol/serverInfo
  io.modelcontextprotocol/subscriptionId io.modelcontextprotocol/related-task`.split(/\s+/),
)
/** Those of them behind which a server puts what it likes. */
const FREE: ReadonlySet<string> = new Set(
  'structuredContent data inputSchema outputSchema inputRequests'.split(' '),
)
const KINDS: ReadonlySet<unknown> = new Set(['text', 'image', 'audio', 'resource', 'resource_link'])

interface Part {
  readonly value: unknown
  /** It is in the form that its server gives it, not in that of the protocol. */
  readonly isFree: boolean
}

/**
 * Every text in an answer, one a line, and what its members are called: whoever reads the answer may read all of that.
 * Not what pictures, sounds and files are made of, nor the words of the protocol itself.
 *
 * @param method - that is answered; null for a call of a tool
 */
export function textOfAnswer(result: unknown, method: string | null): string {
  const texts: string[] = []
  const media = mediaIn(result, method)
  // No recursion: servers choose how deep their answers are.
  const rest: Part[] = [{ value: result, isFree: false }]
  for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
    const { value, isFree } = part
    if (typeof value === 'string') texts.push(value)
    else if (Array.isArray(value))
      for (const one of value.toReversed()) rest.push({ value: one, isFree })
    else if (typeof value === 'object' && value !== null && !(value instanceof ExactNumber))
      for (const [name, inner] of Object.entries(value).toReversed()) {
        const isNamed = !isFree && NAMES.has(name)
        const isMedia = typeof inner === 'string' && media.get(value) === name
        if (isMedia || (isNamed && isKind(name, inner))) continue
        rest.push({ value: inner, isFree: !isNamed || FREE.has(name) })
        if (!isNamed) rest.push({ value: name, isFree })
      }
  }
  return texts.join('\n')
}

/** What the protocol calls a part of an answer is nothing that the answer says. */
function isKind(name: string, value: unknown): boolean {
  return (name === 'type' && KINDS.has(value)) || (name === 'resultType' && value === 'complete')
}

/** The objects in an answer that hold a picture, a sound or a file, and the member in which they do. */
function mediaIn(result: unknown, method: string | null): ReadonlyMap<unknown, string> {
  switch (method) {
    case null:
    case 'tasks/result':
      return mediaOf(listIn(result, 'content'))
    case 'prompts/get':
      return mediaOf(listIn(result, 'messages').flatMap((one) => listIn(one, 'content')))
    case 'resources/read':
      return new Map(listIn(result, 'contents').map((one) => [one, 'blob']))
    default:
      // What is said of a task may hold the answer to the call that made it.
      return mediaOf(
        /^(?:notifications\/)?tasks(?:\/|$)/.test(method)
          ? listIn(memberOf(result, 'result'), 'content')
          : [],
      )
  }
}

function mediaOf(blocks: readonly unknown[]): ReadonlyMap<unknown, string> {
  return new Map(
    blocks.flatMap((block): readonly [unknown, string][] => {
      const type = memberOf(block, 'type')
      if (type === 'image' || type === 'audio') return [[block, 'data']]
      return type === 'resource' ? [[memberOf(block, 'resource'), 'blob']] : []
    }),
  )
}

/** A list of the protocol, or the one thing that stands in its place. */
function listIn(value: unknown, name: string): readonly unknown[] {
  const inner = memberOf(value, name)
  return Array.isArray(inner) ? inner : [inner]
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}
