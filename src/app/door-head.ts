import type { IncomingHttpHeaders } from 'node:http'

/** The head of one request that a door reads by itself. */
export interface DoorHead {
  /** Path; there is no query. */
  readonly target: string
  /** Names in lower case, each once. Frozen: what was made of it may be remembered by it. */
  readonly headers: IncomingHttpHeaders
  /** Bytes of the body. */
  readonly bodyBytes: number
}

/** What is longer goes another way, in pieces. */
export const MAX_BODY_BYTES = 1_048_576
const MAX_FIELDS = 64
const LINE = /^POST (\/s\/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\/mcp) HTTP\/1\.1$/
const FIELD =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t ]*((?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?)[\t ]*$/
const LENGTH = /^(?:0|[1-9]\d{0,6})$/
/** Whatever these say is for the reader that knows all of HTTP. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'trailer',
  'te',
  'http2-settings',
  'proxy-connection',
  'keep-alive',
])

/**
 * Reads the head of a POST to the address of a server, when there is but one way to read it and nothing in it asks for
 * more than an answer: every field once, a length, nothing folded, no byte outside of visible ASCII. What is any other
 * way is not refused, for there are more ways in HTTP than here; it is for a reader that knows them.
 *
 * @param text up to the empty line, without it
 * @returns null for what somebody else has to read
 */
export function readDoorHead(text: string): DoorHead | null {
  const [line = '', ...fields] = text.split('\r\n')
  const target = LINE.exec(line)?.[1]
  if (target === undefined || fields.length > MAX_FIELDS) return null
  const headers = Object.create(null) as Record<string, string>
  for (const field of fields) {
    const [, written, value] = FIELD.exec(field) ?? []
    const name = written?.toLowerCase()
    if (name === undefined || value === undefined || name in headers || ELSEWHERE.has(name))
      return null
    headers[name] = value
  }
  const { host, connection, 'content-length': length } = headers
  if (host === undefined || host === '' || length === undefined || !LENGTH.test(length)) return null
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return null
  const bodyBytes = Number(length)
  return bodyBytes > MAX_BODY_BYTES ? null : { target, headers: Object.freeze(headers), bodyBytes }
}
