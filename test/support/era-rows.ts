// Rows of the translation between eras: what one side says and what the other one hears.
import assert from 'node:assert/strict'
import type { Crossing, Translator } from '../../src/mcp/eras/index.ts'
import { type Message, readMessage } from '../../src/mcp/wire/index.ts'

/** Who says it: `c` the client, `s` the server. */
export type Said = readonly [who: 'c' | 's', text: string]

function read(text: string): Message {
  const message = readMessage(text)
  assert.notEqual(message.kind, 'refused', text)
  return message as Message
}

export const shown = (one: Crossing): string =>
  one.to === 'nobody' ? `failed ${one.about} ${one.end}` : `${one.to} ${one.text}`

export function say(translator: Translator, [who, text]: Said): readonly string[] {
  const message = read(text)
  const out = who === 'c' ? translator.fromClient(message) : translator.fromServer(message, null)
  return out.map(shown)
}

export interface Row {
  readonly row: string
  readonly steps: readonly (readonly [...Said, heard: readonly string[]])[]
}

export const V = '"io.modelcontextprotocol/protocolVersion":"2026-07-28"'
export const C = '"io.modelcontextprotocol/clientCapabilities":'
export const SUB = '"io.modelcontextprotocol/subscriptionId":'
export const rpc = (rest: string): string => `{"jsonrpc":"2.0",${rest}}`

export function run(
  translator: Translator,
  before: readonly Said[],
  rows: readonly Row['steps'][number][],
): void {
  for (const said of before) say(translator, said)
  for (const [who, text, heard] of rows) assert.deepEqual(say(translator, [who, text]), heard, text)
}
