import { timingSafeEqual } from 'node:crypto'
import { type Field, maxFieldsBytes, writeFields } from '../core/fields.ts'
import { DIGEST_BYTES, sha256, sha256Into, sha256Text } from './sha256.ts'

const BLOCK_BYTES = 64
const TAG_CHARACTERS = 20

/**
 * HMAC-SHA256 with the two padded key blocks kept, over one-shot hashes: the streaming objects of node:crypto cost
 * more than the hashing itself for the short messages of a row or a record.
 *
 * @see RFC 2104; checked against node:crypto's createHmac in the tests
 */
export class MacKey {
  readonly #inner = Buffer.alloc(BLOCK_BYTES, 0x36)
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, 0x5c)
  /** The inner key block and room for a message after it. */
  #scratch = Buffer.alloc(BLOCK_BYTES + 1024)

  /** @param key exactly 32 bytes */
  constructor(key: Uint8Array) {
    if (key.byteLength !== DIGEST_BYTES) throw new RangeError('a MAC key has 32 bytes')
    for (let i = 0; i < DIGEST_BYTES; i++) {
      const byte = key[i] ?? 0
      this.#inner[i] = byte ^ 0x36
      this.#outer[i] = byte ^ 0x5c
    }
    this.#inner.copy(this.#scratch)
  }

  /** @returns 32 bytes */
  sign(message: Uint8Array): Buffer {
    const scratch = this.#roomFor(message.byteLength)
    scratch.set(message, BLOCK_BYTES)
    return this.#signed(BLOCK_BYTES + message.byteLength)
  }

  /**
   * A short tag of 120 bits, for what is written too often for the second hash of an HMAC: SHA-256 of the inner key
   * block and the message, of which 136 bits are withheld. Nobody who does not know those can go on from it, which is
   * what HMAC hashes twice for. A key that makes tags makes nothing else.
   *
   * @returns 20 characters of base64url
   * @see Coron, Dodis, Malinaud, Puniya: "Merkle-Damgård Revisited" (2005), chop-MD
   */
  tag(message: Uint8Array): string {
    const scratch = this.#roomFor(message.byteLength)
    scratch.set(message, BLOCK_BYTES)
    return sha256Text(scratch.subarray(0, BLOCK_BYTES + message.byteLength)).slice(
      0,
      TAG_CHARACTERS,
    )
  }

  /** The MAC over what `encodeFields` gives for both lists one after the other, without making a buffer of it. */
  signFields(first: readonly Field[], rest: readonly Field[]): Buffer {
    const scratch = this.#roomFor(maxFieldsBytes(first) + maxFieldsBytes(rest))
    return this.#signed(writeFields(scratch, writeFields(scratch, BLOCK_BYTES, first), rest))
  }

  /** Constant-time comparison with what `sign` would return. */
  verify(message: Uint8Array, mac: Uint8Array): boolean {
    return mac.byteLength === DIGEST_BYTES && timingSafeEqual(this.sign(message), mac)
  }

  #roomFor(bytes: number): Buffer {
    if (this.#scratch.byteLength < BLOCK_BYTES + bytes) {
      this.#scratch = Buffer.alloc((BLOCK_BYTES + bytes) * 2)
      this.#inner.copy(this.#scratch)
    }
    return this.#scratch
  }

  /** @param end where the message in the scratch ends */
  #signed(end: number): Buffer {
    sha256Into(this.#outer, BLOCK_BYTES, this.#scratch.subarray(0, end))
    return sha256(this.#outer)
  }
}

/** A row as it was last signed or verified here. */
interface KnownRow {
  fields: readonly Field[]
  mac: Uint8Array
}

/** MACs over rows that carry rights. The table's name is the first field, so a row cannot pass for another table's. */
export class RowMac {
  readonly #key: MacKey
  readonly #known = new Map<string, Map<string, KnownRow>>()
  readonly #remember: number

  /** @param remember how many rows of a table that were signed or verified here are compared instead of hashed again */
  constructor(key: Uint8Array, remember = 4096) {
    this.#key = new MacKey(key)
    this.#remember = remember
  }

  /** @param id the row's primary key as text; the key of what is remembered, not authenticated by itself */
  sign(table: string, id: string, fields: readonly Field[]): Buffer {
    const mac = this.#key.signFields([table], fields)
    this.#note(table, id, fields, mac)
    return mac
  }

  /** True when `mac` is this key's MAC over exactly these fields. */
  verify(table: string, id: string, fields: readonly Field[], mac: Uint8Array | null): boolean {
    if (mac === null) return false
    const known = this.#known.get(table)?.get(id)
    if (known !== undefined && isSameBytes(known.mac, mac) && areSame(known.fields, fields))
      return true
    const own = this.#key.signFields([table], fields)
    if (mac.byteLength !== DIGEST_BYTES || !timingSafeEqual(own, mac)) return false
    this.#note(table, id, fields, own)
    return true
  }

  #note(table: string, id: string, fields: readonly Field[], mac: Uint8Array): void {
    let rows = this.#known.get(table)
    if (rows === undefined) {
      rows = new Map()
      this.#known.set(table, rows)
    }
    const known = rows.get(id)
    if (known !== undefined) {
      known.fields = kept(fields)
      known.mac = mac
      return
    }
    if (rows.size >= this.#remember) {
      const oldest = rows.keys().next()
      if (oldest.done !== true) rows.delete(oldest.value)
    }
    // A copy of its own: a small buffer keeps the whole pool that it was cut from.
    if (this.#remember > 0) rows.set(id, { fields: kept(fields), mac: Uint8Array.from(mac) })
  }
}

/** What the caller may still write to is not what was signed. */
function kept(fields: readonly Field[]): readonly Field[] {
  if (!fields.some(isBytes)) return fields.slice()
  return fields.map((field) => (isBytes(field) ? Uint8Array.from(field) : field))
}

function isBytes(field: Field | undefined): field is Uint8Array {
  return field instanceof Uint8Array
}

/** Whether two lists of fields encode alike. */
function areSame(one: readonly Field[], other: readonly Field[]): boolean {
  if (one.length !== other.length) return false
  for (let i = 0; i < one.length; i++) {
    const a = one[i]
    const b = other[i]
    if (a === b) continue
    if (!(isBytes(a) && isBytes(b) && isSameBytes(a, b))) return false
  }
  return true
}

function isSameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
