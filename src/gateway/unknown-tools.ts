import { randomBytes } from 'node:crypto'
import { readMessage, withId } from '../mcp/wire/index.ts'
import type { ToolCall } from './tool-call.ts'

/** What a server answered to a call of a tool that it does not have, and by which name it was called. */
interface Learned {
  readonly text: string
  readonly name: string
}

/**
 * How one server answers calls of tools that it does not have. It is asked once, by a name that nobody gives a tool,
 * so that a hidden tool can be answered in the same words, byte for byte but for the id and the name.
 */
export class UnknownTools {
  /** By era: its answers look different. */
  readonly #learned = new Map<boolean, Promise<Learned | null>>()

  /**
   * @param ask sends a request to the server and resolves with the text of its answer, null when none came
   * @returns the message for the client, or null when the server does not say
   */
  async answer(
    { request, tool, isModern, params }: ToolCall,
    ask: (text: string) => Promise<string | null>,
  ): Promise<string | null> {
    let learning = this.#learned.get(isModern)
    if (learning === undefined) {
      learning = learned(isModern ? params['_meta'] : undefined, ask)
      this.#learned.set(isModern, learning)
    }
    const found = await learning
    if (found === null) {
      this.#learned.delete(isModern)
      return null
    }
    const message = readMessage(found.text)
    if (message.kind !== 'response') return null
    const own = withId(message, request.idText)
    return own.replaceAll(found.name, () => JSON.stringify(tool).slice(1, -1))
  }
}

async function learned(
  meta: unknown,
  ask: (text: string) => Promise<string | null>,
): Promise<Learned | null> {
  const name = `tool_${randomBytes(9).toString('hex')}`
  const text = await ask(
    JSON.stringify({
      jsonrpc: '2.0',
      id: `ask_${randomBytes(9).toString('hex')}`,
      method: 'tools/call',
      params: { ...(meta !== undefined && { _meta: meta }), name, arguments: {} },
    }),
  )
  return text === null ? null : { text, name }
}
