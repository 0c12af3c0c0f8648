import { randomBytes } from 'node:crypto'
import type { Origin } from '../core/identity-port.ts'
import type { Access, Caller, RegisteredPrincipal } from '../core/principals.ts'
import { MacKey } from '../crypto/index.ts'
import type { RefusedBy } from './refused.ts'

const MAX_BEARERS = 10_000
const MAX_ORIGINS = 64

/** A bearer that was verified, with the callers that came with it. */
export class VerifiedBearer {
  readonly principal: RegisteredPrincipal
  readonly access: Omit<Access, 'address'>
  /** Thumbprint of the key whose holder alone may show it, or null. */
  readonly boundTo: string | null
  /** Of a grant: the server of the gateway at which alone it counts. */
  readonly server: string | null
  /** Monotonic milliseconds at which the store last said that it counts. */
  confirmedAt = Number.NEGATIVE_INFINITY
  /** The count of changes made here, as of then. */
  confirmedChanges = -1
  /** Whoever comes while the store is being asked waits for the same answer. */
  confirming: { readonly changes: number; readonly answer: Promise<RefusedBy | null> } | null = null
  readonly #callers = new Map<string, Caller>()

  constructor(
    principal: RegisteredPrincipal,
    access: Omit<Access, 'address'>,
    boundTo: string | null = null,
    server: string | null = null,
  ) {
    this.principal = principal
    this.access = access
    this.boundTo = boundTo
    this.server = server
  }

  /** The same object for the same origin: what is remembered of a caller is remembered by it. */
  callerFrom({ address, channel, client }: Origin): Caller {
    const name = `${channel} ${address} ${client}`
    const known = this.#callers.get(name)
    if (known !== undefined) return known
    const caller: Caller = {
      principal: this.principal,
      channel,
      access: { ...this.access, address },
      ...(client === undefined ? {} : { client }),
    }
    if (this.#callers.size >= MAX_ORIGINS) this.#callers.clear()
    this.#callers.set(name, caller)
    return caller
  }
}

/** Verified bearers by a keyed hash under a key of this process: no bearer is kept. */
export class VerifiedBearers {
  readonly #mac = new MacKey(randomBytes(32))
  readonly #verified = new Map<string, VerifiedBearer>()

  nameOf(bearer: string): string {
    return this.#mac.sign(Buffer.from(bearer, 'utf8')).toString('latin1')
  }

  get(name: string): VerifiedBearer | undefined {
    return this.#verified.get(name)
  }

  /** Puts it where it is dropped last. */
  keep(name: string, bearer: VerifiedBearer): void {
    this.#verified.delete(name)
    const oldest = this.#verified.keys().next()
    if (this.#verified.size >= MAX_BEARERS && oldest.done !== true)
      this.#verified.delete(oldest.value)
    this.#verified.set(name, bearer)
  }

  drop(name: string): void {
    this.#verified.delete(name)
  }
}
