import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cursorOf, either, far, inOrder, near, rest, type Search, startingWith } from './search.ts'

function allOf(search: Search, text: string): readonly string[] {
  const found: string[] = []
  const next = cursorOf(search, text)
  for (let match = next(0); match !== null; ) {
    found.push(`${match.index}:${match[0]}`)
    match = next(match.index + Math.max(1, match[0].length))
  }
  return found
}

/** Searches and the pattern that says the same. */
const SAME: readonly (readonly [name: string, search: Search, pattern: RegExp])[] = [
  [
    'parts in order, the farthest, the nearest and the rest',
    inOrder(/a/g, far(3, '.', /b/g), near(2, '.!', /c/g), rest(2, '.')),
    /a[^.]{0,3}b[^.!]{0,2}?c[^.]{0,2}/g,
  ],
  [
    'two nearest parts',
    inOrder(/a/g, near(4, '', /b/g), near(4, '.', /a/g)),
    /a[^]{0,4}?b[^.]{0,4}?a/g,
  ],
  [
    'two farthest parts',
    inOrder(/a/g, far(5, '.', /[bc]/g), far(2, '', /b/g)),
    /a[^.]{0,5}[bc][^]{0,2}b/g,
  ],
  ['a list of which two begin at one place', either(/ab/g, /a[bc]x/g, /a/g), /ab|a[bc]x|a/g],
  ['a list', either(/ab?/g, /bc/g, /c\./g), /ab?|bc|c\./g],
  ['a list with parts in order', either(inOrder(/a/g, far(2, '.', /b/g)), /c/g), /a[^.]{0,2}b|c/g],
  ['a beginning', startingWith(/a/g, /a[bc]{1,3}\./y), /a[bc]{1,3}\./g],
]

for (const [name, search, pattern] of SAME)
  test(`${name}: the same as the pattern`, () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', '.', '!', 'x'), { maxLength: 30 })
    fc.assert(
      fc.property(text, (units) => {
        const said = units.join('')
        assert.deepEqual(
          allOf(search, said),
          [...said.matchAll(pattern)].map((match) => `${match.index}:${match[0]}`),
        )
      }),
      { numRuns: 2_000, seed: 7 },
    )
  })

test('a pattern that begins with a pair of units ends its search', () => {
  assert.deepEqual(allOf(inOrder(/[^x]a/gu, far(2, '', /[^y]b/gu)), '😀a😀b'), ['0:😀a😀b'])
})

test('parts in order take linear time where the first of them is everywhere', () => {
  const search = inOrder(/a/g, far(100_000, '.', /b/g), far(100_000, '.', /c/g))
  const text = 'ab'.repeat(200_000)
  const start = process.cpuUsage()
  assert.deepEqual(allOf(search, text), [])
  const { user, system } = process.cpuUsage(start)
  assert.ok(user + system < 1_500_000, `${user + system} µs`)
})
