import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detectors } from './detectors/index.ts'
import { createScanner, type FoundHit, type Scanner } from './scanner.ts'

/** Short texts of ASCII, of which the first few are looked at without the automaton. */
const texts = detectors
  .flatMap((one) => [...one.catches, ...one.ignores])
  .filter((sample) => typeof sample === 'string')
  .filter((text) => text.length <= 512 && /^[ -~\t\r\n]*$/.test(text))
  .filter((_, index) => index % 4 === 0)

const scene = { kind: 'text', via: [] } as const

/** In one order: keywords that end at one place have none. */
function hitsIn(scanner: Scanner, text: string): readonly FoundHit[] {
  return scanner.scan(text, scene).hits.toSorted((a, b) => a.detector - b.detector)
}

test('the first texts are found the same things in as those after them', () => {
  assert.ok(texts.length > 300, `only ${texts.length} texts`)
  const later = createScanner(detectors)
  later.scan('long enough for the automaton to be built. '.repeat(20), scene)
  let first = createScanner(detectors)
  for (const [index, text] of texts.entries()) {
    // It goes over to the automaton after 24 texts.
    if (index % 20 === 0) first = createScanner(detectors)
    assert.deepEqual(hitsIn(first, text), hitsIn(later, text), text)
  }
})

test('a keyword of a single unit is refused, however short the text', () => {
  const [one] = detectors
  assert.ok(one !== undefined)
  const short = createScanner([{ ...one, needs: ['x'] }])
  assert.throws(() => short.scan('xyz', scene), RangeError)
})
