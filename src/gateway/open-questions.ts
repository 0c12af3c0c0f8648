import { Few } from '../core/few.ts'
import { errorAnswer, type Request, type Response, RPC_ERRORS } from '../mcp/wire/index.ts'
import { OPEN_ID } from './batch.ts'
import { GivenUpIds } from './given-up-ids.ts'
import type { ClientAnswer, Judgeable } from './judging.ts'
import type { Paid } from './rounds.ts'
import { isObject } from './tool-call.ts'

/** Of the texts of all of one server's, in characters: each is held until it is answered. */
const MAX_LENGTH = 67_108_864
/** Whoever answers nothing is asked no more. */
const MAX_QUESTIONS = 1_000

/** What a server asked its client, as it was judged. */
export interface Question {
  readonly what: Judgeable
  readonly paid: Paid
}

interface Open {
  readonly request: Request
  readonly question: Question
}

/** The requests of one server that its client has not answered, by `idKey`. */
export class OpenQuestions {
  readonly #asked = new Few<Open>()
  #length = 0
  /** The server took them back, and the client may answer them all the same. */
  readonly #withdrawn = new GivenUpIds()

  get size(): number {
    return this.#asked.size
  }

  /**
   * An answer is judged as the question that has its id: no other one may take that place.
   *
   * @returns null when it may be asked, else what the server is told
   */
  refusalOf({ idKey, idText, text }: Request): string | null {
    if (this.#asked.has(idKey) || this.#withdrawn.has(idKey))
      return errorAnswer(idText, RPC_ERRORS.request, OPEN_ID)
    const hasRoom =
      this.#asked.size < MAX_QUESTIONS &&
      this.#length + text.length <= MAX_LENGTH &&
      !this.#withdrawn.isFull
    const why = 'Too many questions are not answered yet.'
    return hasRoom ? null : errorAnswer(idText, RPC_ERRORS.internal, why)
  }

  add(request: Request, question: Question): void {
    this.#asked.set(request.idKey, { request, question })
    this.#length += request.text.length
  }

  /** Its answer came, or never will. @returns null when nobody waited for one */
  take(idKey: string): Question | null {
    const open = this.#asked.get(idKey)
    if (open === undefined) {
      this.#withdrawn.delete(idKey)
      return null
    }
    this.#asked.delete(idKey)
    this.#length -= open.request.text.length
    return open.question
  }

  /** The server waits for its answer no longer. */
  withdraw(idKey: string): void {
    if (!this.#asked.has(idKey)) return
    this.take(idKey)
    this.#withdrawn.add(idKey)
  }

  /** The server is gone, and another may use the same ids. @returns what it was not answered */
  clear(): readonly Request[] {
    const requests = this.#asked.values().map(({ request }) => request)
    this.#asked.clear()
    this.#length = 0
    this.#withdrawn.clear()
    return requests
  }
}

/** The question once more, with what the client says to it. @param value of the answer's body */
export function judgeableAnswer({ what }: Question, message: Response, value: unknown): Judgeable {
  const answer: ClientAnswer = {
    message,
    value,
    names: isObject(value) ? Object.keys(value) : [],
  }
  return { ...what, answer }
}
