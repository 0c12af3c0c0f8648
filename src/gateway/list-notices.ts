import {
  META,
  type Message,
  memberOf,
  type Request,
  RPC_ERRORS,
  readMessage,
  withMembers,
  withPart,
} from '../mcp/wire/index.ts'
import type { PoliciesNow } from './applied-policies.ts'
import { isObject } from './tool-call.ts'

/** What a client hears in place of what the relay would have said. */
export interface Shown {
  /** Null: nothing. */
  readonly text: string | null
  /** Whether it is the answer to the request, after which nothing more is said about it. */
  readonly isAnswer: boolean
}

interface Listener {
  readonly idText: string
  readonly wantsTools: boolean
  /** Whether the server said that it will tell nothing, and so is done with the request at once. */
  isOursAlone: boolean
}

const LIST_CHANGED = 'notifications/tools/list_changed'
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
/** Their answers tell what may change. */
const GREETINGS: ReadonlySet<string> = new Set(['initialize', 'server/discover'])

/**
 * A policy that changes changes the list of tools, whether or not the server ever does: clients are told that it may,
 * and then that it did. One for a client of the revisions with sessions, or for one request of those without.
 */
export class ListNotices {
  readonly #policiesNow: () => PoliciesNow
  #policies: PoliciesNow
  readonly #greetings = new Set<string>()
  readonly #listeners = new Map<string, Listener>()
  /** Whether the client is one that is told without having asked. */
  #isSession = false

  /** Whether a request, alone, is told of anything that it does not ask for. */
  static areFor(message: Message): boolean {
    return (
      message.kind === 'request' &&
      (GREETINGS.has(message.method) || message.method === 'subscriptions/listen')
    )
  }

  constructor(policiesNow: () => PoliciesNow) {
    this.#policiesNow = policiesNow
    this.#policies = policiesNow()
  }

  /** A message of the client that goes on. */
  asked(message: Message): void {
    if (message.kind === 'request') {
      if (GREETINGS.has(message.method)) this.#greetings.add(message.idKey)
      else if (message.method === 'subscriptions/listen')
        this.#listeners.set(message.idKey, listenerOf(message))
    } else if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      const id = isObject(message.params?.value) ? message.params.value['requestId'] : undefined
      this.#listeners.delete(typeof id === 'string' ? `s${id}` : `n${String(id)}`)
    }
  }

  /**
   * @param about `idKey` of the request of the client that it belongs to, or null
   * @param isAnswer whether that request is answered with it
   */
  shown(text: string, about: string | null, isAnswer: boolean): Shown {
    if (about === null || this.#greetings.size + this.#listeners.size === 0)
      return this.#listeners.size === 0 ? { text, isAnswer } : this.#acknowledged(text, isAnswer)
    if (isAnswer && this.#greetings.delete(about)) return { text: this.#greeted(text), isAnswer }
    const listener = this.#listeners.get(about)
    if (listener === undefined || !isAnswer) return this.#acknowledged(text, isAnswer)
    if (isUnknownMethod(text)) return { text: acknowledging(listener), isAnswer: false }
    if (listener.isOursAlone && listener.wantsTools) return { text: null, isAnswer: false }
    this.#listeners.delete(about)
    return { text, isAnswer }
  }

  /** @returns what has to be said now: nothing when the policies are those of before */
  changed(): readonly string[] {
    const now = this.#policiesNow()
    const isSame =
      now.length === this.#policies.length &&
      now.every((one, index) => one.revision === this.#policies[index]?.revision)
    this.#policies = now
    if (isSame) return []
    const heard = [...this.#listeners.values()].filter(({ wantsTools }) => wantsTools)
    return [
      ...(this.#isSession ? [`{"jsonrpc":"2.0","method":"${LIST_CHANGED}"}`] : []),
      ...heard.map(({ idText }) => told(LIST_CHANGED, '', idText)),
    ]
  }

  #greeted(text: string): string {
    const answer = readMessage(text)
    if (answer.kind !== 'response' || answer.outcome !== 'result') return text
    const { value } = answer.body
    if (isObject(value) && typeof value['protocolVersion'] === 'string') this.#isSession = true
    const capabilities = isObject(value) ? value['capabilities'] : undefined
    const tools = isObject(capabilities) ? capabilities['tools'] : undefined
    if (!isObject(value) || !isObject(capabilities) || !isObject(tools)) return text
    if (tools['listChanged'] === true) return text
    return withPart(answer, answer.body, {
      ...value,
      capabilities: { ...capabilities, tools: { ...tools, listChanged: true } },
    })
  }

  /** The server may never change its list of tools, and says so; the gateway does. */
  #acknowledged(text: string, isAnswer: boolean): Shown {
    const isNotice = !isAnswer && text.includes(ACKNOWLEDGED)
    const params = isNotice ? memberOf(text, 'params') : null
    if (params === null || memberOf(text, 'method') !== `"${ACKNOWLEDGED}"`)
      return { text, isAnswer }
    const meta = memberOf(params, '_meta')
    const id = meta?.startsWith('{') === true ? memberOf(meta, META.subscription) : null
    const listener = [...this.#listeners.values()].find(({ idText }) => idText === id)
    const honoured = memberOf(params, 'notifications')
    if (listener?.wantsTools !== true || honoured?.startsWith('{') !== true)
      return { text, isAnswer }
    listener.isOursAlone = Object.keys(JSON.parse(honoured) as object).length === 0
    const notifications = withMembers(honoured, { toolsListChanged: 'true' })
    return { text: withMembers(text, { params: withMembers(params, { notifications }) }), isAnswer }
  }
}

function listenerOf({ idText, params }: Request): Listener {
  const filter = isObject(params?.value) ? params.value['notifications'] : undefined
  const wantsTools = isObject(filter) && filter['toolsListChanged'] === true
  return { idText, wantsTools, isOursAlone: false }
}

function isUnknownMethod(text: string): boolean {
  const answer = readMessage(text)
  if (answer.kind !== 'response' || answer.outcome !== 'error') return false
  return (answer.body.value as { readonly code: number }).code === RPC_ERRORS.method
}

/** The server knows no subscriptions: there is still our own policy that changes. */
function acknowledging({ idText, wantsTools }: Listener): string {
  const honoured = wantsTools ? '{"toolsListChanged":true}' : '{}'
  return told(ACKNOWLEDGED, `"notifications":${honoured},`, idText)
}

function told(method: string, params: string, idText: string): string {
  return `{"jsonrpc":"2.0","method":"${method}","params":{${params}"_meta":{"${META.subscription}":${idText}}}}`
}
