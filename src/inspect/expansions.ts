/** However short a message is, and for each unit of its texts. */
const MIN_BYTES = 8_388_608
const BYTES_PER_UNIT = 4
const MIN_TRIES = 512
const UNITS_PER_TRY = 2_048

/** What may be expanded behind the compressions of one message, all its texts together. */
export class Expansions {
  #bytes = MIN_BYTES
  #tries = MIN_TRIES

  /** A text of the message. @param units its length */
  add(units: number): void {
    this.#bytes += units * BYTES_PER_UNIT
    this.#tries += units / UNITS_PER_TRY
  }

  /** One try. @param bytes that were read and written */
  spend(bytes: number): void {
    this.#bytes -= bytes
    this.#tries -= 1
  }

  /** Bytes that may still come. */
  get left(): number {
    return this.#tries < 1 ? 0 : Math.max(0, this.#bytes)
  }
}
