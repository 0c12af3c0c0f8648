import { Few } from '../core/few.ts'
import { errorAnswer, type Request, RPC_ERRORS, unlikeKey } from '../mcp/wire/index.ts'
import { OPEN_ID } from './batch.ts'
import { GivenUpIds } from './given-up-ids.ts'
import { type Asked, newlyAsked } from './relay-messages.ts'

/** More open requests than any client has; each is held until it is answered. */
const MAX_OPEN = 10_000

/** Why a request does not go on, as its answer. */
export interface RefusedRequest {
  readonly text: string
  /** It has the id of one that is open, whose answer this is not. */
  readonly isTwin: boolean
}

/** The requests of one client that its server has not answered, by `idKey`. */
export class OpenRequests {
  readonly #asked = new Few<Asked>()
  readonly #givenUp = new GivenUpIds()

  get size(): number {
    return this.#asked.size
  }

  has(idKey: string): boolean {
    return this.#asked.has(idKey)
  }

  get(idKey: string): Asked | undefined {
    return this.#asked.get(idKey)
  }

  keys(): readonly string[] {
    return this.#asked.keys()
  }

  delete(idKey: string): void {
    this.#asked.delete(idKey)
  }

  begin(request: Request, name: string): Asked {
    const asked = newlyAsked(request, name)
    this.#asked.set(request.idKey, asked)
    return asked
  }

  /** @returns null when it may be asked */
  refusalOf({ idKey, idText }: Request): RefusedRequest | null {
    const refused = (code: number, why: string, isTwin = false): RefusedRequest => ({
      text: errorAnswer(idText, code, why),
      isTwin,
    })
    if (this.#asked.has(idKey)) return refused(RPC_ERRORS.request, OPEN_ID, true)
    if (this.#givenUp.has(idKey)) return refused(RPC_ERRORS.request, OPEN_ID)
    return this.#givenUp.isFull || this.#asked.size >= MAX_OPEN
      ? refused(RPC_ERRORS.internal, 'Too many requests are not answered yet.')
      : null
  }

  /** The one that is meant by this id: a server may not care whether it is written as a text or a number. */
  meantBy(idKey: string): Asked | undefined {
    return this.#asked.get(idKey) ?? this.#asked.get(unlikeKey(idKey))
  }

  /** Nobody waits for it any more, and its answer may still come. */
  giveUp(idKey: string): void {
    this.#givenUp.add(idKey)
  }

  /** Its answer came, or never will. @returns whether nobody waited for it */
  wasGivenUp(idKey: string): boolean {
    return this.#givenUp.delete(idKey)
  }
}
