import type { AskPeople } from '../core/approval-port.ts'
import type { Caller } from '../core/principals.ts'
import {
  META,
  type Request,
  type Response,
  resultAnswer,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import { progressTokenOf } from './relay-messages.ts'
import { MAY_PAUSE } from './relay-rounds.ts'
import { APPROVAL_STATE } from './rounds.ts'
import { isObject } from './tool-call.ts'

/** A call that waits for a person. */
export interface PendingApproval {
  readonly id: string
  /** Page on which it is decided, or null. */
  readonly url: string | null
  readonly title: string
}

/**
 * What becomes of the call: it is judged again, it is answered with the refusal, nobody decided as long as that could be
 * done, or it was answered with this question, and its client comes back with the same call.
 */
export type Waited = 'again' | 'refused' | 'expired' | { readonly question: string }

export interface ApprovalWaitsOptions {
  readonly people: () => Promise<Pick<AskPeople, 'state' | 'decided'>>
  /** To the client, on the way to the answer of a request. */
  readonly tell: (text: string, about: string) => void
}

/** Clients give up after 60 s, and not all of them wait longer for being told that something goes on. */
const WAIT_MS = 50_000
/** Of who has the page open: to sign in and to read takes its time. */
const WAIT_AT_PAGE_MS = 300_000

/**
 * Calls of one client that wait for a person. A client that can open pages is sent to the one where it is decided; one
 * that asked for progress is told what the person has to do. Who can do neither gets the refusal at once, which says it.
 */
export class ApprovalWaits {
  readonly #options: ApprovalWaitsOptions
  /** By request of the client. */
  readonly #waiting = new Map<string, AbortController>()
  /** Questions to the client that it has not answered, by their id. */
  readonly #visits = new Map<string, (response: Response) => void>()
  #count = 0

  constructor(options: ApprovalWaitsOptions) {
    this.#options = options
  }

  /**
   * @param capabilities what the client of a session declared
   * @param visit what it answered when it was sent to the page; null when it was not
   */
  async wait(
    request: Request,
    approval: PendingApproval,
    caller: Caller,
    capabilities: unknown,
    visit: string | null,
  ): Promise<Waited> {
    const isModern = versionNamedBy(request) !== null
    const canVisit = visit === null && mayVisit(isModern ? capabilitiesIn(request) : capabilities)
    const token = progressTokenOf(request)
    if (!canVisit && token === undefined && visit !== 'accept') return 'refused'
    const stop = new AbortController()
    this.#waiting.set(request.idKey, stop)
    try {
      if (visit === 'accept') return await this.#decided(caller, approval, WAIT_AT_PAGE_MS, stop)
      if (visit !== null) return 'refused'
      const people = await this.#options.people()
      const url = approval.url ?? (await people.state(caller, approval.id)).url
      const { id, title } = approval
      if (canVisit && url !== null) {
        const message = `${title}: a person has to sign in and approve or deny it on this page (${id}).`
        if (isModern && MAY_PAUSE.has(request.method))
          return { question: pauseOf(request, { id, url, message }) }
        const isAtPage = await this.#visited(request, { id, url, message }, stop.signal)
        if (!isAtPage) return 'refused'
        const waited = await this.#decided(caller, approval, WAIT_AT_PAGE_MS, stop)
        this.#tell(request, 'notifications/elicitation/complete', { elicitationId: id })
        return waited
      }
      if (token === undefined) return 'refused'
      const message = `${title} waits for a person: ${url ?? `sallyport approvals approve ${id}`}`
      this.#tell(request, 'notifications/progress', { progressToken: token, progress: 0, message })
      return await this.#decided(caller, approval, WAIT_MS, stop)
    } finally {
      this.#waiting.delete(request.idKey)
    }
  }

  /** Whether an answer of the client is to one of our questions. */
  answered(response: Response): boolean {
    const visit = this.#visits.get(response.idKey ?? '')
    visit?.(response)
    return visit !== undefined
  }

  /** Nobody waits any more. @param idKey of the request; without it, of none */
  stop(idKey?: string): void {
    if (idKey === undefined) for (const one of this.#waiting.values()) one.abort()
    else this.#waiting.get(idKey)?.abort()
  }

  /** Until people have decided, or for so long; what they said is found by judging again. */
  async #decided(
    caller: Caller,
    { id }: PendingApproval,
    ms: number,
    stop: AbortController,
  ): Promise<Waited> {
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(ms)])
    try {
      const people = await this.#options.people()
      if ((await people.decided(caller, id, signal)).status === 'expired') return 'expired'
    } catch (error) {
      if (!signal.aborted) throw error
    }
    return stop.signal.aborted ? 'refused' : 'again'
  }

  /** Sends the client of a session to the page. @returns whether the person went there */
  #visited(
    request: Request,
    page: { readonly id: string; readonly url: string; readonly message: string },
    stopped: AbortSignal,
  ): Promise<boolean> {
    this.#count += 1
    const id = `sallyport-visit-${this.#count}`
    const params = { mode: 'url', elicitationId: page.id, url: page.url, message: page.message }
    const asked = { jsonrpc: '2.0', id, method: 'elicitation/create', params }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const signal = AbortSignal.any([stopped, AbortSignal.timeout(WAIT_AT_PAGE_MS)])
    signal.addEventListener('abort', () => resolve(false), { once: true })
    this.#visits.set(`s${id}`, ({ outcome, body }) =>
      resolve(outcome === 'result' && isObject(body.value) && body.value['action'] === 'accept'),
    )
    this.#options.tell(JSON.stringify(asked), request.idKey)
    return promise.finally(() => this.#visits.delete(`s${id}`))
  }

  #tell({ idKey }: Request, method: string, params: object): void {
    this.#options.tell(JSON.stringify({ jsonrpc: '2.0', method, params }), idKey)
  }
}

/** The answer that sends a client without a session to the page; our state around it is the caller's to make. */
function pauseOf(
  { idText }: Request,
  { id, url, message }: { readonly id: string; readonly url: string; readonly message: string },
): string {
  return resultAnswer(idText, {
    resultType: 'input_required',
    inputRequests: {
      approval: { method: 'elicitation/create', params: { mode: 'url', url, message } },
    },
    requestState: `${APPROVAL_STATE}${id}`,
  })
}

function capabilitiesIn(request: Request): unknown {
  const params = request.params?.value
  const meta = isObject(params) ? params['_meta'] : undefined
  return isObject(meta) ? meta[META.capabilities] : undefined
}

function mayVisit(capabilities: unknown): boolean {
  const elicitation = isObject(capabilities) ? capabilities['elicitation'] : undefined
  return isObject(elicitation) && isObject(elicitation['url'])
}
