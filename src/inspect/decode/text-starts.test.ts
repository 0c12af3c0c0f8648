import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { textOfBytes } from './bytes.ts'
import { textStarts } from './text-starts.ts'

/** What the decoders take for another thing than it looks like, or refuse. */
const pieces = [
  '41 0a 01 7f 00 80 ff c285 c2a0 efbbbf efbfbd e282ac',
  // Overlong, surrogates, beyond Unicode, cut off.
  'c080 e08080 f0808080 eda080 f4908080 f48fbfbf f09f9880 e282 f09f98',
  // Units of UTF-16, of either order: U+FEFF, surrogates, U+FFFD.
  'fffe feff 3dd8 d83d 00de de00 fdff fffd 0100 0001',
].flatMap((line) => line.split(' '))
const swapped = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16()
const piece = fc.oneof(
  fc.constantFrom(...pieces).map((hex) => Buffer.from(hex, 'hex')),
  fc.constantFrom('plain words, ', 'zażółć €urö '.repeat(4)).map((text) => Buffer.from(text)),
  fc.constantFrom('wide ', 'wide words '.repeat(5)).map((text) => Buffer.from(text, 'utf16le')),
  fc.constantFrom('wide ', 'wide words '.repeat(5)).map(swapped),
)

test('textStarts: each place at which textOfBytes finds text up to the end, and no other', () => {
  const seen = new Set<boolean>()
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (parts) => {
      const bytes = new Uint8Array(Buffer.concat(parts))
      const places = Array.from(bytes.keys())
      const texts = places.filter((place) => textOfBytes(bytes.subarray(place)) !== null)
      seen.add(texts.length > 0)
      assert.deepEqual(
        [...textStarts(bytes, places)].toSorted((one, two) => one - two),
        texts,
      )
      const some = places.filter((place) => place % 3 === 1)
      const starts = textStarts(bytes, some)
      for (const place of some) assert.equal(starts.has(place), texts.includes(place))
    }),
    { numRuns: 3_000 },
  )
  assert.equal(seen.size, 2)
})
