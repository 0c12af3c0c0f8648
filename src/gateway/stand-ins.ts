import { randomBytes } from 'node:crypto'
import { type Message, type Refused, readMessage, withPart } from '../mcp/wire/index.ts'
import type { CallAllowed } from './judging.ts'
import { inDoubtAs } from './relay-messages.ts'
import type { ToolCall } from './tool-call.ts'

/** What every server writes as it read it; all else it may escape in its own way. */
const PLAIN = /[\w.:-]+/g
const STAND_IN = /tool_[0-9a-f]{18}/g

/**
 * Calls of hidden tools on their way to the server, each under a name that nobody gives a tool: whatever the server
 * makes of a tool that it does not have, with or without an answer, is what the client sees.
 */
export class StandIns {
  /** What stands in the name as it was called, by what stands there for the server. */
  readonly #plain = new Map<string, string>()

  /** @returns the call as it goes on: its arguments are for the tool that is hidden, and stay here */
  of({ request, tool, params }: ToolCall, judged: CallAllowed): CallAllowed {
    const parts: string[] = []
    const put = (plain: string): string => {
      const part = `tool_${randomBytes(9).toString('hex')}`
      this.#plain.set(part, plain)
      parts.push(part)
      return part
    }
    const masked = tool.replace(PLAIN, put)
    const name = parts.length > 0 ? masked : `${put('')}${tool}`
    const asked = { ...params, name, ...('arguments' in params && { arguments: {} }) }
    const text = request.params === null ? request.text : withPart(request, request.params, asked)
    const sent = readMessage(text)
    return {
      ...judged,
      text,
      ...(sent.kind === 'request' && { sent }),
      settle: (end, result) => {
        for (const part of parts) this.#plain.delete(part)
        return judged.settle(end, result)
      },
    }
  }

  /** A message of the server with the names by which the client called. */
  shown(message: Message | Refused): Message | Refused {
    if (message.kind === 'refused' || this.#plain.size === 0) return message
    const text = message.text.replace(STAND_IN, (part) => this.#plain.get(part) ?? part)
    return text === message.text ? message : inDoubtAs(message, readMessage(text))
  }
}
