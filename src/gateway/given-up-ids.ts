const MAX_IDS = 100_000
/** Of all of them together: as many as that, of the length that they have. */
const MAX_LENGTH = 4_000_000

/**
 * Ids of requests, as `idKey`, that nobody waits for any more and whose answers may still come: an answer that comes
 * late is not that to another request, so these are not free before.
 */
export class GivenUpIds {
  #ids: Set<string> | null = null
  #length = 0

  get isFull(): boolean {
    return this.#ids !== null && (this.#ids.size >= MAX_IDS || this.#length >= MAX_LENGTH)
  }

  has(idKey: string): boolean {
    return this.#ids?.has(idKey) === true
  }

  add(idKey: string): void {
    this.#ids ??= new Set()
    if (!this.#ids.has(idKey)) this.#length += idKey.length
    this.#ids.add(idKey)
  }

  /** Its answer came, or never will. @returns whether nobody waited for it */
  delete(idKey: string): boolean {
    if (this.#ids?.delete(idKey) !== true) return false
    this.#length -= idKey.length
    return true
  }

  clear(): void {
    this.#ids = null
    this.#length = 0
  }
}
