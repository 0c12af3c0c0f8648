/** Keyed hash of a message, 32 bytes or more. Whoever uses this domain hands it in; the key stays with them. */
export type Hmac = (message: Uint8Array) => Uint8Array

/** Characters of the window by which a value is recognised. */
export const WINDOW = 8

/**
 * Hashes the last eight units of a text while it is read: four bits are shifted out for each unit that comes in, so
 * nothing has to be taken away. Two tables of random words under a key: one rolls, the other checks what it finds.
 */
export interface RollingHash {
  readonly roll: Int32Array
  readonly check: Int32Array
}

const WORDS = 512
const CHECK_BITS = 20

export function rollingHash(hmac: Hmac): RollingHash {
  const words = new Int32Array(WORDS)
  for (let filled = 0; filled < WORDS; ) {
    const block = hmac(Uint8Array.of(0x77, filled >>> 8, filled & 0xff))
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
    for (let at = 0; at + 4 <= block.byteLength && filled < WORDS; at += 4)
      words[filled++] = view.getInt32(at)
  }
  return { roll: words.subarray(0, WORDS / 2), check: words.subarray(WORDS / 2) }
}

/** The rolling part of a window's hash. */
export function rolled(table: Int32Array, units: Uint16Array, from: number): number {
  let hash = 0
  for (let i = from; i < from + WINDOW; i++)
    hash = ((hash << 4) + (table[(units[i] ?? 0) & 0xff] ?? 0)) | 0
  return hash
}

/** 20 bits over the same window, every unit with all of its bits. */
export function checkOf({ check }: RollingHash, units: Uint16Array, from: number): number {
  return checked(check, units, from, from + WINDOW)
}

function checked(table: Int32Array, units: Uint16Array, from: number, to: number): number {
  let hash = 0x2545
  for (let i = from; i < to; i++) {
    const unit = units[i] ?? 0
    hash = (Math.imul(hash, 0x01000193) ^ (table[unit & 0xff] ?? 0) ^ (unit >>> 8)) | 0
  }
  return (hash ^ (hash >>> 15)) & ((1 << CHECK_BITS) - 1)
}

/** 52 bits of the window at `from`: 32 that roll and 20 that check. A safe integer. */
export function windowHash(hash: RollingHash, units: Uint16Array, from: number): number {
  return joined(rolled(hash.roll, units, from), checkOf(hash, units, from))
}

function joined(rolling: number, check: number): number {
  return (rolling >>> 0) * 2 ** CHECK_BITS + check
}

/** The rolling part of what `windowHash` gave. */
export function rollingPart(window: number): number {
  return Math.floor(window / 2 ** CHECK_BITS) | 0
}

/** The checking part of what `windowHash` gave. */
export function checkPart(window: number): number {
  return window % 2 ** CHECK_BITS
}
