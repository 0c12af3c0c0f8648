import type { Db } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import { encodeFields } from '../core/fields.ts'
import { type Clock, epochMs } from '../core/time.ts'
import { MacKey } from '../crypto/index.ts'
import {
  deleteEndedRequests,
  deleteRequest,
  findRequest,
  type IdempotentRow,
  insertRequest,
  saveAnswer,
} from './idempotency-repository.ts'
import type { Answered } from './operation.ts'

export interface IdempotencyParts {
  readonly db: Db
  /** Keys of what is stored; that of the purpose `cursor`. */
  readonly key: () => Promise<Uint8Array>
  readonly clock: Clock
}

/** One request with a key: who asks, and for what. */
export interface KeyedRequest {
  /** Principal. */
  readonly who: string
  /** `Idempotency-Key`. */
  readonly key: string
  readonly method: string
  readonly target: string
  /** Header fields that change what is asked. */
  readonly conditions: string
  readonly body: Uint8Array
  /** Members of the answer that are shown once: what is stored is the answer without them. */
  readonly withheld: readonly string[]
}

const KEPT_MS = 86_400_000
const KEY = /^[\x21-\x7e]{1,255}$/
/**
 * Lets a request that comes again with the same key have the answer of the first one instead of being done twice, for
 * 24 hours and in every process of the store. What is stored is keyed, because a body may hold a value that can be
 * guessed, and holds no value and no key itself.
 */
export class Idempotency {
  readonly #parts: IdempotencyParts
  #mac: Promise<MacKey> | null = null

  constructor(parts: IdempotencyParts) {
    this.#parts = parts
  }

  /**
   * @throws {Fault} `BAD_INPUT` for a malformed key, `IDEMPOTENCY_MISMATCH` when the key came with another request,
   *   `CONFLICT` while the first one is being answered or when it ended without an answer
   */
  async once(request: KeyedRequest, work: () => Promise<Answered>): Promise<Answered> {
    if (!KEY.test(request.key))
      throw new Fault('BAD_INPUT', 'Idempotency-Key must have 1 to 255 visible characters.', {
        details: { field: 'Idempotency-Key' },
      })
    const mac = await this.#macKey()
    const { who, key, method, target, conditions, body, withheld } = request
    const id = mac.sign(encodeFields(['idempotency', who, key])).toString('base64url')
    const asked = mac.sign(encodeFields([method, target, conditions, body]))
    const before = await this.#begin(id, asked)
    if (before !== null) return this.#replayed(mac, before, asked)
    return this.#answered(mac, { id, request: asked, withheld }, work)
  }

  /** @returns what is there by this id already */
  #begin(id: string, request: Uint8Array): Promise<IdempotentRow | null> {
    const at = this.#parts.clock()
    return this.#parts.db.write(async (tx) => {
      await deleteEndedRequests(tx, at)
      const isFirst = await insertRequest(tx, { id, request }, epochMs(at + KEPT_MS))
      return isFirst ? null : findRequest(tx, id)
    })
  }

  async #answered(
    mac: MacKey,
    {
      id,
      request,
      withheld,
    }: Pick<IdempotentRow, 'id' | 'request'> & Pick<KeyedRequest, 'withheld'>,
    work: () => Promise<Answered>,
  ): Promise<Answered> {
    const { db } = this.#parts
    let answered: Answered
    try {
      answered = await work()
    } catch (error) {
      // A refusal changed nothing, so the same key may come again. Of anything else that is not known.
      if (asFault(error).code !== 'INTERNAL') await quietly(db.write((tx) => deleteRequest(tx, id)))
      throw error
    }
    const { status, body, headers } = answered
    const etag = headers?.['ETag']
    const kept: Kept = {
      ...(etag === undefined ? {} : { etag }),
      ...(body === undefined ? {} : { body: replayOf(body, withheld) }),
    }
    const answer = JSON.stringify(kept)
    const row = { id, status, answer, mac: mac.sign(fieldsOf(id, request, status, answer)) }
    await quietly(db.write((tx) => saveAnswer(tx, row)))
    return answered
  }

  #replayed(mac: MacKey, row: IdempotentRow, asked: Uint8Array): Answered {
    const { id, request, status, answer } = row
    if (!Buffer.from(request).equals(asked))
      throw new Fault(
        'IDEMPOTENCY_MISMATCH',
        'This Idempotency-Key came with another request before.',
        { details: { field: 'Idempotency-Key' } },
      )
    if (status === null || row.mac === null)
      throw new Fault(
        'CONFLICT',
        'The first request with this Idempotency-Key has not been answered.',
        {
          details: {
            field: 'Idempotency-Key',
            remedy:
              'wait for its answer; if there never was one, see what it did and use a new key',
          },
        },
      )
    if (answer === null || !mac.verify(fieldsOf(id, request, status, answer), row.mac))
      throw new Fault('STORE_TAMPERED', 'A stored answer was changed.')
    const { etag, ...shown } = JSON.parse(answer) as Kept
    return {
      status,
      headers: { 'Idempotent-Replayed': 'true', ...(etag === undefined ? {} : { ETag: etag }) },
      ...shown,
    }
  }

  #macKey(): Promise<MacKey> {
    this.#mac ??= this.#parts.key().then(
      (key) => new MacKey(key),
      (error: unknown) => {
        this.#mac = null
        throw error
      },
    )
    return this.#mac
  }
}

/** What was done is answered also when that cannot be kept: the key is then one that was never answered. */
async function quietly(kept: Promise<void>): Promise<void> {
  try {
    await kept
  } catch (error) {
    if (asFault(error).code === 'INTERNAL') throw error
  }
}

function fieldsOf(id: string, request: Uint8Array, status: number, answer: string | null): Buffer {
  return encodeFields(['idempotent-reply', id, request, status, answer])
}

/** What of an answer is given again. */
interface Kept {
  readonly etag?: string
  readonly body?: unknown
}

/** The answer as a replay gives it, which names what it leaves out. */
function replayOf(body: unknown, withheld: readonly string[]): unknown {
  if (typeof body !== 'object' || body === null) return body
  const left = withheld.filter((name) => name in body)
  if (left.length === 0) return body
  const kept = Object.entries(body).filter(([name]) => !left.includes(name))
  return { ...Object.fromEntries(kept), replayed_without: left }
}
