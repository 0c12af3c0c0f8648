import { addressBlock } from '../core/address-block.ts'
import { monotonicMs } from '../core/time.ts'

const MINUTE_MS = 60_000
const MAX_ADDRESSES = 10_000

/** How often one address may ask for what costs a row before anybody is recognised. */
export class AddressLimit {
  readonly #perMinute: number
  readonly #left = new Map<string, { left: number; at: number }>()

  constructor(perMinute: number) {
    this.#perMinute = perMinute
  }

  /** @returns whether it may */
  take(address: string | null): boolean {
    const name = addressBlock(address)
    const now = monotonicMs()
    const bucket = this.#left.get(name) ?? { left: this.#perMinute, at: now }
    const grown = bucket.left + ((now - bucket.at) * this.#perMinute) / MINUTE_MS
    const left = Math.min(this.#perMinute, grown)
    // Kept where it is dropped last.
    this.#left.delete(name)
    const oldest = this.#left.keys().next()
    if (this.#left.size >= MAX_ADDRESSES && oldest.done !== true) this.#left.delete(oldest.value)
    this.#left.set(name, { left: left >= 1 ? left - 1 : left, at: now })
    return left >= 1
  }
}
