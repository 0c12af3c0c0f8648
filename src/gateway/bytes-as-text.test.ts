import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BytesAsText, bytesIn } from './bytes-as-text.ts'

const cases: readonly [what: string, hex: string, text: string][] = [
  ['nothing', '', ''],
  ['ASCII', '610a', 'a\n'],
  ['a mark of the order of bytes', 'efbbbf61', '\ufeffa'],
  ['characters of two, three and four bytes', 'c3b6e282acf09f9880', 'ö€😀'],
  ['bytes that begin nothing', '80bfc0c1f5ff', '\udc80\udcbf\udcc0\udcc1\udcf5\udcff'],
  ['one behind a character of two units', 'f09f988080', '😀\udc80'],
  ['a character that is written longer than it is', 'e080af', '\udce0\udc80\udcaf'],
  ['half of a pair', 'eda0bd', '\udced\udca0\udcbd'],
  ['one above all that there are', 'f4908080', '\udcf4\udc90\udc80\udc80'],
  ['one that is not whole', '61f09f98', 'a\udcf0\udc9f\udc98'],
  ['one that goes on as another one', 'c3e282ac', '\udcc3€'],
]
for (const [what, hex, text] of cases)
  test(`bytes as text: ${what}, in one piece and in any two`, () => {
    const bytes = Buffer.from(hex, 'hex')
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const reading = new BytesAsText()
      const read =
        reading.push(bytes.subarray(0, cut)) + reading.push(bytes.subarray(cut)) + reading.end()
      assert.equal(read, text)
      assert.equal(bytesIn(read).toString('hex'), hex)
    }
  })
