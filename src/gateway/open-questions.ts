import type { Request, Response } from '../mcp/wire/index.ts'
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

/** The requests of one server that its client has not answered, by `idKey`. */
export class OpenQuestions {
  readonly #asked = new Map<string, Question>()
  #length = 0

  get size(): number {
    return this.#asked.size
  }

  /** Whether one more may be held. */
  hasRoomFor({ text }: Request): boolean {
    return this.#asked.size < MAX_QUESTIONS && this.#length + text.length <= MAX_LENGTH
  }

  add(idKey: string, question: Question): void {
    this.take(idKey)
    this.#asked.set(idKey, question)
    this.#length += question.what.message.text.length
  }

  /** @returns the one that is no longer open now; null when there was none */
  take(idKey: string): Question | null {
    const question = this.#asked.get(idKey)
    if (question === undefined) return null
    this.#asked.delete(idKey)
    this.#length -= question.what.message.text.length
    return question
  }

  delete(idKey: string): boolean {
    return this.take(idKey) !== null
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
