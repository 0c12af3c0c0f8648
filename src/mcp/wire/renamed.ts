import type { Part, Request, Response } from './envelope.ts'

/**
 * A message under another id; all else stays byte for byte, and it is not read again.
 *
 * @param idText JSON of the id @param idKey as messages with that id have it
 */
export function renamed<M extends Request | Response>(message: M, idText: string, idKey: string): M
export function renamed(
  message: Request | Response,
  idText: string,
  idKey: string,
): Request | Response {
  const { text: before, idText: old, idAt } = message
  // Only an error that is nobody's has none; it is read under no id.
  if (idAt < 0) throw new TypeError('a message without an id has no other')
  const by = idText.length - old.length
  const text = `${before.slice(0, idAt)}${idText}${before.slice(idAt + old.length)}`
  if (message.kind === 'response')
    return { ...message, text, idText, idKey, body: moved(message.body, idAt, by) }
  const { params } = message
  return { ...message, text, idText, idKey, params: params && moved(params, idAt, by) }
}

/** What stands behind the id stands elsewhere when that is longer or shorter. */
function moved(part: Part, idAt: number, by: number): Part {
  if (by === 0 || part.start < idAt) return part
  const { start, end, value, survey } = part
  return { start: start + by, end: end + by, value, survey }
}
