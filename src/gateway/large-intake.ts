import { asFault } from '../core/faults.ts'
import { type LargeLine, type Refused, RPC_ERRORS } from '../mcp/wire/index.ts'
import { Outline } from '../mcp/wire/large-outline.ts'
import { passed } from './large-garbage.ts'
import { giveRoomBack, hold, takeRoom } from './large-messages.ts'
import { Spool } from './large-spool.ts'

export interface LargeIntakeOptions {
  /** A longer message is refused. */
  readonly maxBytes: number
  /** Line breaks between its tokens become spaces. */
  readonly isOneLine: boolean
  /** Takes out of bytes what the server was shown, should it repeat that. */
  readonly redacted?: ((bytes: Buffer) => Buffer) | undefined
}

/** The longest that is taken out of bytes as they come, less one. */
const BACK = 16_383

/** A message that is too large for memory, taken up piece by piece. Nothing of it goes on before all of it was read. */
export class LargeIntake implements LargeLine {
  readonly #maxBytes: number
  readonly #outline: Outline
  readonly #redacted: LargeIntakeOptions['redacted']
  #tail = Buffer.alloc(0)
  #spool: Spool | null = null
  #size = 0

  constructor({ maxBytes, isOneLine, redacted }: LargeIntakeOptions) {
    this.#maxBytes = maxBytes
    this.#redacted = redacted
    this.#outline = new Outline({ isOneLine })
  }

  /** @param bytes they may be changed */
  push(bytes: Buffer): void {
    if (this.#redacted === undefined) {
      this.#take(bytes)
      return
    }
    const shown = this.#redacted(Buffer.concat([this.#tail, bytes]))
    const end = Math.max(0, shown.length - BACK)
    this.#tail = Buffer.from(shown.subarray(end))
    if (end > 0) this.#take(shown.subarray(0, end))
  }

  #take(bytes: Buffer): void {
    this.#size += bytes.length
    passed(bytes.length)
    this.#outline.push(bytes)
    if (this.#size > this.#maxBytes)
      this.#refuse(`The message is larger than ${this.#maxBytes} bytes.`)
    else if (!this.#outline.isRefused) this.#put(bytes)
    if (this.#outline.isRefused) this.drop()
  }

  /** @returns the message with references in place of its large values, or why it does not go on */
  end(): Buffer | Refused {
    if (this.#tail.length > 0) this.#take(this.#tail)
    const outlined = this.#outline.finish()
    const spool = this.#spool
    this.#spool = null
    if ('kind' in outlined || spool === null) {
      if (spool !== null) dropped(spool)
      return 'kind' in outlined ? outlined : Buffer.from(outlined.text)
    }
    try {
      spool.seal()
    } catch (error) {
      dropped(spool)
      return { ...noRoom(error), idText: this.#outline.idText }
    }
    hold(spool, outlined.spans)
    return Buffer.from(outlined.text)
  }

  /** Nobody wants it any more. */
  drop(): void {
    if (this.#spool !== null) dropped(this.#spool)
    this.#spool = null
  }

  #put(bytes: Buffer): void {
    if (!takeRoom(bytes.length)) {
      this.#refuse('Too many large messages are under way. Try again later.')
      return
    }
    try {
      this.#spool ??= new Spool()
      this.#spool.append(bytes)
    } catch (error) {
      giveRoomBack(bytes.length)
      const { code, message } = noRoom(error)
      this.#outline.refuse(code, message)
    }
  }

  #refuse(message: string): void {
    this.#outline.refuse(RPC_ERRORS.request, message)
  }
}

function noRoom(error: unknown): Refused {
  const { message } = asFault(error)
  return { kind: 'refused', code: RPC_ERRORS.internal, message, idText: 'null' }
}

function dropped(spool: Spool): void {
  giveRoomBack(spool.size)
  spool.close()
}
