import {
  errorAnswer,
  memberOf,
  type Notification,
  type Request,
  type Response,
  RPC_ERRORS,
  refusalAnswer,
  withMembers,
} from '../mcp/wire/index.ts'
import type { Way } from './all-member.ts'
import { cancelledBy, tokenRefused, unanswered } from './relay-messages.ts'
import { isObject } from './tool-call.ts'

/** What a client with a session said of itself. */
export interface AllIntroduction {
  /** What servers are told of it: `sampling`, `elicitation`, `roots`. */
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly clientInfo: unknown
  /** The revision that was agreed on. */
  readonly version: string
}

/** A server that asks. */
export interface Asker {
  /** Takes what the client says to it, with the id that the server gave. */
  heard(text: string): void
  /** Takes what it is told in the client's place. */
  answered(idKey: string, text: string): void
}

/** What a server asks the client of a session. */
interface Question {
  /** As the server wrote it. */
  readonly idText: string
  readonly idKey: string
  /** By which the client tells how far it is; null when it need not. */
  readonly tokenText: string | null
  /** On which it went: that of a request, or the one that is kept open. */
  readonly way: Way
  readonly server: Asker
}

/** What a client has to declare before it is asked. */
const DECLARED: Readonly<Record<string, string>> = {
  'sampling/createMessage': 'sampling',
  'elicitation/create': 'elicitation',
  'roots/list': 'roots',
}
const MAX_QUESTIONS = 1_000

/**
 * What the servers of one session say of their own accord, and what its client answers them. Their ids may be the same:
 * to the client they are ours.
 */
export class AllWords {
  readonly introduction: AllIntroduction
  readonly #stream: () => Way | null
  readonly #questions = new Map<string, Question>()
  /** Of requests that are not answered, the oldest first. */
  readonly #ways = new Set<Way>()
  #count = 0

  /** @param stream the one that the client keeps open; null when it keeps none */
  constructor(introduction: AllIntroduction, stream: () => Way | null) {
    this.introduction = introduction
    this.#stream = stream
  }

  /** A request of the client can carry what servers say. */
  opened(way: Way): void {
    this.#ways.add(way)
  }

  /** It is answered, or its client left: then nobody answers what was asked on its stream. */
  closed(way: Way, isAnswered: boolean): void {
    this.#ways.delete(way)
    if (isAnswered) return
    for (const [key, one] of this.#questions) if (one.way === way) this.#unanswered(key, one)
  }

  /**
   * A server asks the client.
   *
   * @param server who asks
   * @param way of the request that it belongs to, when that is known
   * @returns on which it went
   */
  ask(server: Asker, question: Request, way: Way | null): Way | null {
    const { idText, idKey, method, text } = question
    const reply = (answer: string): void => server.answered(idKey, answer)
    const declared = DECLARED[method]
    if (declared === undefined || !isObject(this.introduction.capabilities[declared])) {
      reply(errorAnswer(idText, RPC_ERRORS.method, 'Method not found'))
      return null
    }
    if (this.#questions.size >= MAX_QUESTIONS) {
      reply(errorAnswer(idText, RPC_ERRORS.internal, 'Too many questions are not answered yet.'))
      return null
    }
    const refused = tokenRefused(question)
    if (refused !== null) {
      reply(refusalAnswer(refused))
      return null
    }
    this.#count += 1
    const id = `sallyport-${this.#count}`
    const { shown, tokenText } = asOurs(text, JSON.stringify(id))
    const open = this.#openWay(way)
    if (open === null) {
      reply(unanswered(idText))
      return null
    }
    this.#questions.set(`s${id}`, {
      idText: apart(idText),
      idKey,
      tokenText: tokenText && apart(tokenText),
      way: open,
      server,
    })
    open.event(shown)
    return open
  }

  /** A server tells the client something. @returns on which it went */
  tell(text: string, way: Way | null): Way | null {
    const open = this.#openWay(way)
    open?.event(text)
    return open
  }

  /** A server does not want to know any more. */
  withdrawn(server: Asker, notification: Notification): void {
    const asked = cancelledBy(notification)
    if (asked === null) return
    for (const [key, one] of this.#questions)
      if (one.server === server && one.idKey === asked) {
        this.#questions.delete(key)
        const requestId = JSON.stringify(key.slice(1))
        this.#openWay(one.way)?.event(withParams(notification.text, { requestId }))
      }
  }

  /** Nothing that a server asked is answered any more. */
  gone(server: Asker): void {
    for (const [key, one] of this.#questions) if (one.server === server) this.#unanswered(key, one)
  }

  /** The client answers. */
  answered({ idKey, text }: Response): void {
    const one = idKey === null ? undefined : this.#questions.get(idKey)
    if (idKey === null || one === undefined) return
    this.#questions.delete(idKey)
    one.server.heard(withMembers(text, { id: one.idText }))
  }

  /** The folders of the client are others now. */
  rootsChanged(servers: { readonly told: (text: string) => void }): void {
    if (isObject(this.introduction.capabilities['roots']))
      servers.told('{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}')
  }

  /** The client tells how far it is with what a server asked. */
  progressed({ params, text }: Notification): void {
    const token = isObject(params?.value) ? params.value['progressToken'] : undefined
    const one = typeof token === 'string' ? this.#questions.get(`s${token}`) : undefined
    if (one?.tokenText == null) return
    one.server.heard(withParams(text, { progressToken: one.tokenText }))
  }

  #unanswered(key: string, { idText, idKey, server }: Question): void {
    this.#questions.delete(key)
    server.answered(idKey, unanswered(idText))
  }

  /** What belongs to no request, or to none that is open, goes on the stream that is kept open, if there is one. */
  #openWay(way: Way | null): Way | null {
    if (way !== null && this.#ways.has(way)) return way
    return this.#stream() ?? [...this.#ways].at(-1) ?? null
  }
}

/** A piece of a text holds on to all of it. */
function apart(piece: string): string {
  return Buffer.from(piece).toString()
}

/** @param id our own, which is the token too */
function asOurs(
  text: string,
  id: string,
): { readonly shown: string; readonly tokenText: string | null } {
  const named = withMembers(text, { id })
  const params = memberOf(named, 'params')
  const meta = params?.startsWith('{') === true ? memberOf(params, '_meta') : null
  const tokenText = meta?.startsWith('{') === true ? memberOf(meta, 'progressToken') : null
  if (params === null || meta === null || tokenText === null)
    return { shown: named, tokenText: null }
  const told = withMembers(params, { _meta: withMembers(meta, { progressToken: id }) })
  return { shown: withMembers(named, { params: told }), tokenText }
}

function withParams(text: string, edits: Readonly<Record<string, string>>): string {
  const params = memberOf(text, 'params')
  return params === null ? text : withMembers(text, { params: withMembers(params, edits) })
}
