import { randomBytes } from 'node:crypto'
import type { CallOutcome } from '../audit/index.ts'
import { type Response, readMessage, withId } from '../mcp/wire/index.ts'
import { type Asked, endOf } from './relay-messages.ts'
import type { ToolCall } from './tool-call.ts'

/** What a server answered to a call of a tool that it does not have, and by which name it was called. */
interface Learned {
  readonly text: string
  readonly name: string
}

/** An id that every server writes as it was written: others it may spell its own way, as `100` for `1e2`. */
const PLAIN_ID = /^(?:0|-?[1-9]\d{0,14}|"[\w.:-]{0,128}")$/

/**
 * How one server answers calls of tools that it does not have. It is asked once, by a name that nobody gives a tool,
 * so that a hidden tool can be answered in the same words, byte for byte but for the id and the name. For an id that it
 * may spell another way it is asked under that id.
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
    const { idText } = request
    const meta = isModern ? params['_meta'] : undefined
    if (!PLAIN_ID.test(idText)) {
      const own = await learned(meta, idText, ask)
      return own === null ? null : withName(own.text, own, tool)
    }
    let learning = this.#learned.get(isModern)
    if (learning === undefined) {
      learning = learned(meta, `"ask_${randomBytes(9).toString('hex')}"`, ask)
      this.#learned.set(isModern, learning)
    }
    const found = await learning
    if (found === null) {
      this.#learned.delete(isModern)
      return null
    }
    const message = readMessage(found.text)
    if (message.kind !== 'response') return null
    return withName(withId(message, idText), found, tool)
  }
}

/**
 * Asks how a call of a hidden tool is answered, and says how it would have ended had there been no such tool.
 *
 * @param isOpen whether the request is not answered yet
 * @returns without an answer where nobody waits for one or the server does not say
 */
export async function askedAsUnknown(
  tools: UnknownTools,
  call: ToolCall,
  {
    asked,
    isOpen,
    ask,
  }: {
    readonly asked: Asked
    readonly isOpen: () => boolean
    readonly ask: (text: string) => Promise<string | null>
  },
): Promise<{ readonly response: Response | null; readonly end: CallOutcome }> {
  if (!isOpen() || asked.isCancelled) return { response: null, end: 'never-sent' }
  const text = await tools.answer(call, ask)
  if (!isOpen()) return { response: null, end: 'lost' }
  if (asked.isCancelled) return { response: null, end: 'cancelled' }
  const message = text === null ? null : readMessage(text)
  return message?.kind === 'response'
    ? { response: message, end: endOf(message) }
    : { response: null, end: 'refused-by-server' }
}

function withName(text: string, { name }: Learned, tool: string): string {
  return text.replaceAll(name, () => JSON.stringify(tool).slice(1, -1))
}

async function learned(
  meta: unknown,
  idText: string,
  ask: (text: string) => Promise<string | null>,
): Promise<Learned | null> {
  const name = `tool_${randomBytes(9).toString('hex')}`
  const params = { ...(meta !== undefined && { _meta: meta }), name, arguments: {} }
  const text = await ask(
    `{"jsonrpc":"2.0","id":${idText},"method":"tools/call","params":${JSON.stringify(params)}}`,
  )
  return text === null ? null : { text, name }
}
