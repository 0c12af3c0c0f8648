import type { Origin } from '../core/identity-port.ts'
import type { Clock } from '../core/time.ts'
import type { RefusedBy } from './refused.ts'
import type { ShownProofs } from './shown-proofs.ts'

/** Whoever binds no tokens loads nothing that checks proofs. */
const proofs = () => import('./proofs.ts')

/** Thumbprint of a key that was proved to be held, or null when no proof came. */
export type Proved = { readonly boundTo: string | null } | { readonly by: RefusedBy }

/** Proofs of possession, each counted once. */
export class RequestProofs {
  readonly #shown: ShownProofs
  readonly #clock: Clock

  constructor(shown: ShownProofs, clock: Clock) {
    this.#shown = shown
    this.#clock = clock
  }

  /** For an exchange. @param jwk a key that the client names beside a proof, or undefined. @throws {Fault} `BAD_INPUT` */
  async ofExchange(origin: Origin, jwk: unknown): Promise<Proved> {
    const named = jwk === undefined ? null : await (await proofs()).thumbprintOf(jwk)
    if (origin.proof === undefined) return { boundTo: named }
    return this.#checked(origin, null, named)
  }

  /** For a request with a token that is bound to a key. @returns null when it counts */
  async problemOf(
    origin: Origin,
    token: string,
    boundTo: string | null,
  ): Promise<RefusedBy | null> {
    if (origin.proof === undefined) return 'no-proof'
    // A proof says who holds a key, and that must be the key of this token.
    if (boundTo === null) return 'bad-proof'
    const checked = await this.#checked(origin, token, boundTo)
    return 'by' in checked ? checked.by : null
  }

  /** @param expected thumbprint of the key that it must be, or null for any */
  async #checked(
    { proof }: Origin,
    token: string | null,
    expected: string | null,
  ): Promise<Proved> {
    if (proof === undefined) return { by: 'no-proof' }
    const { checkedProof } = await proofs()
    const checked = await checkedProof(proof, token, this.#clock())
    if (checked === null) return { by: 'bad-proof' }
    if (expected !== null && checked.keyThumbprint !== expected) return { by: 'bad-proof' }
    const isFirst = await this.#shown.isFirst(checked.shown)
    return isFirst ? { boundTo: checked.keyThumbprint } : { by: 'replayed-proof' }
  }
}
