import { judgedPart, type Message, type Refused, readMessage, withPart } from '../mcp/wire/index.ts'
import { isObject } from './tool-call.ts'

const PREFIX = /^mcp:\/\/([^/]{1,64})\//i

/** The address of a resource of one server among those of all: `mcp://SERVER/` and the address it has there. */
export function uriOfAll(server: string, uri: string): string {
  return `mcp://${server}/${uri}`
}

/** @returns null for what is no address of `uriOfAll` */
export function uriAtServer(
  uri: unknown,
): { readonly server: string; readonly uri: string } | null {
  const [prefix, server] = typeof uri === 'string' ? (PREFIX.exec(uri) ?? []) : []
  return prefix === undefined || server === undefined || typeof uri !== 'string'
    ? null
    : { server, uri: uri.slice(prefix.length) }
}

/**
 * An answer of a server with the addresses and the ids of elicitations in it as they are among those of all. Everything
 * else stays as it was written.
 */
export function answerOfAll(text: string, server: string): string {
  if (!text.includes('"uri') && !text.includes(URL_REQUIRED)) return text
  const answer = readMessage(text)
  if (answer.kind !== 'response') return text
  const { value, problem } = judgedPart(answer, answer.body)
  if (problem !== null) return text
  const renamed =
    answer.outcome === 'result' ? resultOfAll(value, server) : errorOfAll(value, server)
  return renamed === value ? text : withPart(answer, answer.body, renamed)
}

/** The code of an error that sends the person elsewhere, as it is written in it. */
const URL_REQUIRED = '-32042'

/** The address of what is not there, and the places where the person has to go. */
function errorOfAll(error: unknown, server: string): unknown {
  if (!isObject(error) || !isObject(error['data'])) return error
  const data = withUri(error['data'], server)
  if (!isObject(data)) return error
  const { elicitations } = data
  const named = changed(data, {
    elicitations: each(elicitations, (one) => withElicitation(one, server)),
  })
  return changed(error, { data: named })
}

/**
 * What a server asks or tells with the id of its elicitation as it is among those of all: two servers may give the same.
 */
export function wordOfAll(message: Message, server: string): Message | Refused {
  if (message.kind === 'response' || message.params === null || !ELICITING.has(message.method))
    return message
  const { value, problem } = judgedPart(message, message.params)
  const named = problem === null ? withElicitation(value, server) : value
  return named === value ? message : readMessage(withPart(message, message.params, named))
}

const ELICITING: ReadonlySet<string> = new Set([
  'elicitation/create',
  'notifications/elicitation/complete',
])

function withElicitation(value: unknown, server: string): unknown {
  if (!isObject(value) || typeof value['elicitationId'] !== 'string') return value
  return { ...value, elicitationId: `${server}.${value['elicitationId']}` }
}

/** `contents` of what is read, `content` of what a tool says, and that of the messages of a prompt. */
function resultOfAll(result: unknown, server: string): unknown {
  if (!isObject(result)) return result
  const { contents, content, messages } = result
  return changed(result, {
    contents: each(contents, (one) => withUri(one, server)),
    content: each(content, (one) => blockOfAll(one, server)),
    messages: each(messages, (one) =>
      isObject(one) ? changed(one, { content: blockOfAll(one['content'], server) }) : one,
    ),
  })
}

function blockOfAll(block: unknown, server: string): unknown {
  if (!isObject(block)) return block
  if (block['type'] === 'resource_link') return withUri(block, server)
  if (block['type'] !== 'resource') return block
  return changed(block, { resource: withUri(block['resource'], server) })
}

function withUri(value: unknown, server: string): unknown {
  if (!isObject(value) || typeof value['uri'] !== 'string') return value
  return { ...value, uri: uriOfAll(server, value['uri']) }
}

function each(list: unknown, change: (one: unknown) => unknown): unknown {
  if (!Array.isArray(list)) return list
  const all: readonly unknown[] = list
  const now = all.map(change)
  return now.every((one, index) => one === all[index]) ? list : now
}

/** The same object where nothing differs, and no member that was not there. */
function changed(
  value: Readonly<Record<string, unknown>>,
  edits: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const differing = Object.entries(edits).filter(
    ([name, one]) => Object.hasOwn(value, name) && value[name] !== one,
  )
  return differing.length === 0 ? value : { ...value, ...Object.fromEntries(differing) }
}
