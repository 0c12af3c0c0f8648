import type { Message, Part, Refused } from './envelope.ts'
import { membersOf, writeExactly } from './json-text.ts'

/** An error answer as a line, without its newline. */
export function errorAnswer(idText: string, code: number, message: string): string {
  return `{"jsonrpc":"2.0","id":${idText},"error":${JSON.stringify({ code, message })}}`
}

export function refusalAnswer({ idText, code, message }: Refused): string {
  return errorAnswer(idText, code, message)
}

/** Told to whoever asked under an id that an answer gives as a text in place of a number, or the other way round. */
export const UNLIKE_ID =
  "The server's answer is not valid. Its id is that of the request, but not of the same type."

/** `idKey` of the id that reads the same and is of the other type. */
export function unlikeKey(idKey: string): string {
  return `${idKey.startsWith('s') ? 'n' : 's'}${idKey.slice(1)}`
}

export function resultAnswer(idText: string, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${idText},"result":${writeExactly(result)}}`
}

/** The message with another value in one part; all else stays as it came, byte for byte. */
export function withPart({ text }: Message, { start, end }: Part, value: unknown): string {
  return `${text.slice(0, start)}${writeExactly(value)}${text.slice(end)}`
}

/** The message under another id; all else stays as it came. */
export function withId({ text }: Message, idText: string): string {
  const id = membersOf(text).find(({ key }) => key === 'id')
  return id === undefined ? text : `${text.slice(0, id.start)}${idText}${text.slice(id.end)}`
}
