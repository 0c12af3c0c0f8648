import type { Message, Part, Refused } from './envelope.ts'
import { membersOf, writeExactly } from './json-text.ts'

/** An error answer as a line, without its newline. */
export function errorAnswer(idText: string, code: number, message: string): string {
  return `{"jsonrpc":"2.0","id":${idText},"error":${JSON.stringify({ code, message })}}`
}

export function refusalAnswer({ idText, code, message }: Refused): string {
  return errorAnswer(idText, code, message)
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
