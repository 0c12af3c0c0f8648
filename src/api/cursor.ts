import { Fault } from '../core/faults.ts'
import { encodeFields } from '../core/fields.ts'
import { MacKey } from '../crypto/index.ts'

/** Where a page of a list ended, for whoever asks for the next one. */
export class Cursors {
  readonly #key: () => Promise<Uint8Array>
  #mac: Promise<MacKey> | null = null

  /** @param key of the purpose `cursor` */
  constructor(key: () => Promise<Uint8Array>) {
    this.#key = key
  }

  /**
   * @param list which list this is, and of whom and with which filters: a cursor is good for no other
   * @param last what the page ended with
   */
  async after(list: string, last: string): Promise<string> {
    const body = Buffer.from(last, 'utf8')
    const mac = (await this.#macKey()).sign(encodeFields([list, last])).subarray(0, MAC_BYTES)
    return Buffer.concat([mac, body]).toString('base64url')
  }

  /** @throws {Fault} `BAD_INPUT` when it is not one of ours for this list */
  async read(list: string, cursor: string): Promise<string> {
    const bytes = Buffer.from(cursor.slice(0, MAX_CURSOR_CHARS), 'base64url')
    const last = bytes.subarray(MAC_BYTES).toString('utf8')
    if (bytes.byteLength <= MAC_BYTES || (await this.after(list, last)) !== cursor)
      throw new Fault('BAD_INPUT', 'cursor is not the next_cursor of this list.', {
        details: { field: 'cursor', remedy: 'begin again without a cursor' },
      })
    return last
  }

  #macKey(): Promise<MacKey> {
    this.#mac ??= this.#key().then(
      (key) => new MacKey(key),
      (error: unknown) => {
        this.#mac = null
        throw error
      },
    )
    return this.#mac
  }
}

const MAC_BYTES = 16
const MAX_CURSOR_CHARS = 2048
