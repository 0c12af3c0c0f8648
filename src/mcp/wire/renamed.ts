import type { Part, Request, Response } from './envelope.ts'
import { membersOf } from './json-text.ts'

/**
 * A message under another id; all else stays byte for byte, and it is not read again.
 *
 * @param idText JSON of the id @param idKey as messages with that id have it
 */
export function renamed<M extends Request | Response>(
  message: M,
  idText: string,
  idKey: string,
): M {
  const { text } = message
  const id = membersOf(text).find(({ key }) => key === 'id')
  // Only an error that is nobody's has none; it is read under no id.
  if (id === undefined) throw new TypeError('a message without an id has no other')
  const moved = (part: Part): Part => {
    const by = part.start > id.start ? idText.length - (id.end - id.start) : 0
    return { ...part, start: part.start + by, end: part.end + by }
  }
  const next = `${text.slice(0, id.start)}${idText}${text.slice(id.end)}`
  const named = { ...message, text: next, idText, idKey }
  if (named.kind === 'response') return { ...named, body: moved(named.body) }
  return { ...named, params: named.params === null ? null : moved(named.params) }
}
