import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '../core/faults.ts'

const BLOCK = 65_536
const TAG = 16
const CIPHER = 'aes-256-gcm'
const { O_CREAT, O_EXCL, O_RDWR } = constants

/**
 * Bytes that are too many for memory, in a file that has no name and that nobody else can read: its key is only here,
 * and is gone with it. Written once from the beginning to the end, then read in any order.
 */
export class Spool {
  readonly #file: number
  readonly #key = randomBytes(32)
  #block = Buffer.allocUnsafe(BLOCK)
  /** A block as it lies in the file. */
  readonly #sealed = Buffer.allocUnsafe(BLOCK + TAG)
  #filled = 0
  #blocks = 0
  #size = 0
  #isClosed = false

  /** @throws {Fault} `STORE_UNAVAILABLE` when there is no room for temporary files */
  constructor() {
    const path = join(tmpdir(), `sallyport-${randomBytes(12).toString('hex')}`)
    this.#file = attempted(() => {
      const file = openSync(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
      unlinkSync(path)
      return file
    })
  }

  /** Bytes that were written. */
  get size(): number {
    return this.#size
  }

  /** @throws {Fault} `STORE_UNAVAILABLE` when the disk takes no more */
  append(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      const taken = bytes.copy(this.#block, this.#filled, at)
      this.#filled += taken
      at += taken
      if (this.#filled === BLOCK) this.#flush()
    }
    this.#size += bytes.length
  }

  /** All is written. */
  seal(): void {
    this.#flush()
    this.#block = Buffer.alloc(0)
  }

  /**
   * What was written from one byte to another, in pieces of at most 64 KiB.
   *
   * @throws {Fault} `STORE_UNAVAILABLE` when it cannot be read, or is not what was written
   */
  *read(start: number, end: number): Generator<Buffer> {
    for (let at = start; at < end; ) {
      const index = Math.floor(at / BLOCK)
      const from = index * BLOCK
      const block = this.#opened(index)
      const piece = block.subarray(at - from, Math.min(end - from, block.length))
      yield piece
      at += piece.length
    }
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#key.fill(0)
    closeSync(this.#file)
  }

  #flush(): void {
    if (this.#filled === 0) return
    const cipher = createCipheriv(CIPHER, this.#key, nonceOf(this.#blocks))
    const sealed = cipher.update(this.#block.subarray(0, this.#filled))
    cipher.final()
    const place = this.#blocks * (BLOCK + TAG)
    attempted(() => {
      writeAll(this.#file, sealed, place)
      writeAll(this.#file, cipher.getAuthTag(), place + sealed.length)
    })
    this.#blocks += 1
    this.#filled = 0
  }

  #opened(index: number): Buffer {
    if (this.#isClosed) throw unavailable(null)
    const size = Math.min(BLOCK, this.#size - index * BLOCK)
    return attempted(() => {
      const sealed = this.#sealed.subarray(0, size + TAG)
      let read = 0
      while (read < sealed.length) {
        const count = readSync(
          this.#file,
          sealed,
          read,
          sealed.length - read,
          index * (BLOCK + TAG) + read,
        )
        if (count === 0) throw new RangeError('the file is shorter than what was written')
        read += count
      }
      const decipher = createDecipheriv(CIPHER, this.#key, nonceOf(index))
      decipher.setAuthTag(sealed.subarray(size))
      const bytes = decipher.update(sealed.subarray(0, size))
      decipher.final()
      return bytes
    })
  }
}

/** The key is used for one file, and each of its blocks is written once. */
function nonceOf(index: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(index, 8)
  return nonce
}

function writeAll(file: number, bytes: Buffer, place: number): void {
  for (let at = 0; at < bytes.length; )
    at += writeSync(file, bytes, at, bytes.length - at, place + at)
}

function attempted<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw unavailable(cause)
  }
}

function unavailable(cause: unknown): Fault {
  return new Fault('STORE_UNAVAILABLE', 'A large message could not be put aside.', {
    cause,
    details: { remedy: 'see that the folder of temporary files has room and can be written' },
  })
}
