import { Fault } from '../core/faults.ts'
import type { Message } from '../mcp/wire/index.ts'
import { META, readMessage } from '../mcp/wire/index.ts'
import type { ListedTool } from '../policy/tool-policy/texts.ts'
import { isObject } from './tool-call.ts'

const LEGACY = '2025-11-25'
const MODERN = '2026-07-28'
/** More pages than any server has; one that never ends is left. */
const MAX_PAGES = 100
const MAX_TOOLS = 10_000

type Answer = Extract<Message, { readonly kind: 'response' }>

/**
 * A client that wants to know one thing: which tools there are. It is told what the server says in `heard`, and sends
 * through `send`, whatever there is between them.
 */
export class ToolsClient {
  readonly #send: (text: string, message: Message) => void
  readonly #client: { readonly name: string; readonly version: string }
  readonly #waiting = new Map<string, (answer: Answer) => void>()
  #ids = 0

  constructor(
    send: (text: string, message: Message) => void,
    client: { readonly name: string; readonly version: string },
  ) {
    this.#send = send
    this.#client = client
  }

  heard(message: Message): void {
    if (message.kind !== 'response' || message.idKey === null) return
    this.#waiting.get(message.idKey)?.(message)
    this.#waiting.delete(message.idKey)
  }

  /** @throws {Fault} `NET_FAILED` when the server answers with an error, or with what is no list */
  async tools(): Promise<readonly ListedTool[]> {
    const hello = await this.#ask('initialize', {
      protocolVersion: LEGACY,
      capabilities: {},
      clientInfo: this.#client,
    })
    if (hello.outcome === 'result') {
      this.#tell('notifications/initialized')
      return this.#pages({})
    }
    return this.#pages({
      _meta: {
        [META.version]: MODERN,
        [META.capabilities]: {},
        [META.client]: this.#client,
      },
    })
  }

  async #pages(params: object): Promise<readonly ListedTool[]> {
    const tools: ListedTool[] = []
    let cursor: string | undefined
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const answer = await this.#ask('tools/list', {
        ...params,
        ...(cursor !== undefined && { cursor }),
      })
      const { value } = answer.body
      const listed = answer.outcome === 'result' && isObject(value) ? value['tools'] : undefined
      if (!Array.isArray(listed)) throw unanswered(value)
      for (const one of listed as readonly unknown[]) {
        const tool = toolOf(one)
        if (tool !== null) tools.push(tool)
      }
      const next = isObject(value) ? value['nextCursor'] : undefined
      if (typeof next !== 'string' || tools.length > MAX_TOOLS) return tools
      cursor = next
    }
    return tools
  }

  #ask(method: string, params: object): Promise<Answer> {
    this.#ids += 1
    const message = readMessage(JSON.stringify({ jsonrpc: '2.0', id: this.#ids, method, params }))
    if (message.kind !== 'request') throw unanswered(null)
    return new Promise((resolve) => {
      this.#waiting.set(message.idKey, resolve)
      this.#send(message.text, message)
    })
  }

  #tell(method: string): void {
    const message = readMessage(JSON.stringify({ jsonrpc: '2.0', method }))
    if (message.kind === 'notification') this.#send(message.text, message)
  }
}

function unanswered(body: unknown): Fault {
  const said = isObject(body) && typeof body['message'] === 'string' ? body['message'] : null
  return new Fault(
    'NET_FAILED',
    said === null
      ? 'The server did not list its tools.'
      : `The server did not list its tools: ${said.slice(0, 200).toWellFormed()}`,
  )
}

function toolOf(value: unknown): ListedTool | null {
  if (!isObject(value) || typeof value['name'] !== 'string' || value['name'] === '') return null
  const { name, description, annotations, inputSchema } = value
  const schema = isObject(inputSchema) ? inputSchema : {}
  const properties = isObject(schema['properties']) ? Object.keys(schema['properties']) : []
  const needed = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  return {
    name,
    description: typeof description === 'string' ? description : null,
    annotations: isObject(annotations) ? annotations : {},
    parameters: properties
      .map((one) => ({ name: one, isNeeded: needed.has(one) }))
      .toSorted((a, b) => Number(b.isNeeded) - Number(a.isNeeded)),
  }
}
