import {
  errorAnswer,
  type Frames,
  type Message,
  type Part,
  type Refused,
  RPC_ERRORS,
  refusalAnswer,
} from '../mcp/wire/index.ts'
import { isObject } from './tool-call.ts'

export const OPEN_ID = 'A request with this id is not answered yet.'
/** The one revision that has batches. */
export const BATCHES_OF = '2025-03-26'
export const NO_BATCH = 'Batches are not served here: send one message at a time.'

/** Whether the revision that a server agrees on in its answer to `initialize` has batches. */
export function agreesOnBatches({ value }: Part): boolean {
  return isObject(value) && value['protocolVersion'] === BATCHES_OF
}

/** A message of a batch of a server that may send none. */
export function unbatched(message: Message | Refused): Refused {
  const isAnswer = message.kind === 'response'
  const idText = isAnswer ? message.idText : 'null'
  return { kind: 'refused', code: RPC_ERRORS.request, message: NO_BATCH, idText, isAnswer }
}

/** Gets the answers of a batch as one text, once: a list, or a refusal of the whole; null when there is nothing to say. */
export type SendBatch = (text: string | null) => void

/** The answers to the requests of one batch: they go out together, in one list, once the last is there. */
export class Batch {
  readonly #send: SendBatch
  readonly #waiting = new Set<string>()
  readonly #answers: string[] = []
  readonly #done: (() => void)[] = []
  #isSealed = false

  constructor(send: SendBatch) {
    this.#send = send
  }

  /** @param open where requests are found by `idKey` until all are answered */
  waitFor(idKey: string, open: Map<string, Batch>): void {
    this.#waiting.add(idKey)
    open.set(idKey, this)
    this.#done.push(() => open.delete(idKey))
  }

  add(idKey: string, answer: string): void {
    if (!this.#waiting.delete(idKey)) return
    this.#answers.push(answer)
    this.#finish()
  }

  /** An element that is no message has its answer, too. */
  refuse(answer: string): void {
    this.#answers.push(answer)
  }

  /** A request that was taken back has no answer. */
  without(idKey: string): void {
    if (this.#waiting.delete(idKey)) this.#finish()
  }

  /** All elements were told. */
  seal(): void {
    this.#isSealed = true
    this.#finish()
  }

  #finish(): void {
    if (!this.#isSealed || this.#waiting.size > 0) return
    for (const listener of this.#done.splice(0)) listener()
    this.#send(this.#answers.length === 0 ? null : `[${this.#answers.splice(0).join(',')}]`)
  }
}

/**
 * Takes a batch element by element. A batch without elements, and one that holds `initialize`, is refused as a whole.
 *
 * @param open where requests are found by `idKey` until all of their batch are answered
 */
export function takeBatch(
  messages: Frames['messages'],
  open: Map<string, Batch>,
  relay: {
    readonly isOpen: (idKey: string) => boolean
    readonly send: SendBatch
    readonly take: (message: Message) => void
  },
): void {
  const hasStart = messages.some((one) => one.kind === 'request' && one.method === 'initialize')
  if (messages.length === 0 || hasStart) {
    const why = 'A batch holds messages, and initialize in none.'
    relay.send(errorAnswer('null', RPC_ERRORS.request, why))
    return
  }
  const batch = new Batch(relay.send)
  for (const one of messages)
    if (one.kind === 'refused') batch.refuse(refusalAnswer(one))
    else if (one.kind === 'request' && (relay.isOpen(one.idKey) || open.has(one.idKey)))
      batch.refuse(errorAnswer(one.idText, RPC_ERRORS.request, OPEN_ID))
    else {
      if (one.kind === 'request') batch.waitFor(one.idKey, open)
      relay.take(one)
    }
  batch.seal()
}
