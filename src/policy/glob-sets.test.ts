import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFault } from '../core/faults.ts'
import { monotonicMs } from '../core/time.ts'
import { compileGlob } from './glob.ts'
import { globCovers, globsMeet } from './glob-sets.ts'

const covered: readonly [outer: string, inner: string, yes: boolean][] = [
  ['**', '**', true],
  ['**', 'a', true],
  ['**', '*', true],
  ['**', 'a/**', true],
  ['*', '**', false],
  ['*', '*', true],
  ['*', 'a*', true],
  ['a*', '*', false],
  ['?*', '*', true],
  ['*', '*?', true],
  ['*?', '?*', true],
  ['??*', '*', false],
  ['a/**', 'a', false],
  ['a/**', 'a/b', true],
  ['a/**', 'a/*/c', true],
  ['a/**', 'a/**', true],
  ['a/**', 'a/**/c', true],
  ['a/**', '**', false],
  ['a/**', 'ab/**', false],
  ['a/*', 'a/**', false],
  ['a/*', 'a/b/c', false],
  ['a/*', 'a/?', true],
  ['**/a', 'a', true],
  ['**/a', 'x/a', true],
  ['**/a', '**/b/a', true],
  ['**/b/a', '**/a', false],
  ['a/**/b', 'a/b', true],
  ['a/**/b', 'a/*/b', true],
  ['a/**/b', 'a/**/x/**/b', true],
  ['a/**/b', 'a/**', false],
  ['*/**', '**', false],
  ['*/**', '**/*/**', true],
  ['**/*/**', '*/**', true],
  ['**/*', '**', true],
  ['**', '**/*', true],
  ['**/**', '**', true],
  ['a*', 'a?', true],
  ['a?', 'a*', false],
  ['a?', 'ab', true],
  ['ab', 'a?', false],
  ['a*c', 'abc', true],
  ['a*c', 'a*b*c', true],
  ['a*b*c', 'a*c', false],
  ['*a*', '*ba*', true],
  ['prod/*', 'Prod/x', false],
]
for (const [outer, inner, yes] of covered)
  test(`globCovers: ${inner} ${yes ? 'is' : 'is not'} within ${outer}`, () =>
    assert.equal(globCovers(outer, inner), yes))

const meeting: readonly [one: string, other: string, yes: boolean][] = [
  ['a', 'a', true],
  ['a', 'b', false],
  ['**', 'a/b/c', true],
  ['a/**', 'a', false],
  ['a/**', '**/b', true],
  ['a/**', 'b/**', false],
  ['a/*', '*/b', true],
  ['a/*', '*/b/*', false],
  ['*a', 'b*', true],
  ['a*b', 'a?', true],
  ['a*b', '?', false],
  ['a*c', '*d', false],
  ['**/prod', 'eu/*', true],
  ['**/prod/**', 'eu/*', false],
  ['**/prod/**', 'eu/**', true],
  ['a/**/b', 'a/b', true],
]
for (const [one, other, yes] of meeting)
  test(`globsMeet: ${one} and ${other} ${yes ? 'share a path' : 'share nothing'}`, () => {
    assert.equal(globsMeet(one, other), yes)
    assert.equal(globsMeet(other, one), yes)
  })

test('glob sets: a malformed pattern is refused', () => {
  for (const compare of [globCovers, globsMeet]) {
    assert.throws(
      () => compare('a//b', 'a'),
      (error) => isFault(error, 'BAD_INPUT'),
    )
    assert.throws(
      () => compare('a', 'a**'),
      (error) => isFault(error, 'BAD_INPUT'),
    )
  }
})

const patternOf = (maxChars: number, maxSegments: number): fc.Arbitrary<string> => {
  const part = fc
    .array(fc.constantFrom('a', 'b', '?', '*'), { minLength: 1, maxLength: maxChars })
    .map((chars) => chars.join('').replaceAll(/\*+/g, '*'))
  return fc
    .array(fc.oneof({ weight: 3, arbitrary: part }, { weight: 2, arbitrary: fc.constant('**') }), {
      minLength: 1,
      maxLength: maxSegments,
    })
    .map((parts) => parts.join('/'))
}
const pattern = patternOf(3, 4)

const LONG = 'zzzzz'
const ANY_DEPTH: readonly (readonly string[])[] = [
  [],
  ['z'],
  [LONG],
  [LONG, LONG, 'z'],
  ['z', LONG, LONG],
  new Array<string>(5).fill(LONG),
]

/** Paths of a pattern, each wildcard at its shortest, one longer, and long; z is a letter that no pattern names. */
function pathsOf(text: string): readonly string[] {
  const parts = text.endsWith('**') ? [...text.split('/'), '*'] : text.split('/')
  let paths: readonly (readonly string[])[] = [[]]
  for (const part of parts) {
    const ends = part === '**' ? ANY_DEPTH : segmentsOf(part).map((one) => [one])
    paths = paths.flatMap((path) => ends.map((end) => [...path, ...end]))
  }
  return paths.map((path) => path.join('/'))
}

function segmentsOf(part: string): readonly string[] {
  let texts: readonly string[] = ['']
  for (const char of part) {
    const ends = char === '*' ? ['', 'z', 'zzzzz'] : [char === '?' ? 'z' : char]
    texts = texts.flatMap((text) => ends.map((end) => `${text}${end}`))
  }
  return texts.filter((text) => text !== '')
}

const WORDS = ['a', 'b'].flatMap((x) => [
  x,
  ...['a', 'b'].flatMap((y) => [`${x}${y}`, `${x}${y}a`, `${x}${y}b`]),
])
/** All paths of up to three segments of up to three letters a and b. */
const PATHS: readonly string[] = [
  ...WORDS,
  ...WORDS.flatMap((one) => WORDS.map((two) => `${one}/${two}`)),
  ...WORDS.flatMap((one) => WORDS.flatMap((two) => WORDS.map((three) => `${one}/${two}/${three}`))),
]

test('globCovers: never contradicts matching', () => {
  let proven = 0
  fc.assert(
    fc.property(pattern, pattern, (outer, inner) => {
      if (!globCovers(outer, inner)) return
      proven += 1
      const [wide, narrow] = [compileGlob(outer), compileGlob(inner)]
      for (const path of [...PATHS, ...pathsOf(inner)])
        assert.ok(!narrow(path) || wide(path), `${inner} within ${outer}, but ${path}`)
    }),
    { numRuns: 1200 },
  )
  assert.ok(proven > 40, `only ${proven} pairs say anything`)
})

test('globCovers: sees what the paths of the inner pattern show', () => {
  fc.assert(
    fc.property(pattern, pattern, (outer, inner) => {
      const wide = compileGlob(outer)
      assert.equal(globCovers(outer, inner), pathsOf(inner).every(wide), `${inner} in ${outer}`)
    }),
    { numRuns: 3000 },
  )
})

test('globsMeet: agrees with matching', () => {
  const short = patternOf(2, 2)
  fc.assert(
    fc.property(short, short, (one, other) => {
      const [first, second] = [compileGlob(one), compileGlob(other)]
      assert.equal(
        globsMeet(one, other),
        PATHS.some((path) => first(path) && second(path)),
        `${one} and ${other}`,
      )
    }),
    { numRuns: 2000 },
  )
})

test('globsMeet: whatever is within another meets it', () => {
  fc.assert(
    fc.property(pattern, pattern, (outer, inner) =>
      assert.ok(!globCovers(outer, inner) || globsMeet(outer, inner), `${inner} in ${outer}`),
    ),
    { numRuns: 3000 },
  )
})

test('globCovers: every glob is within itself, and what is within what is within is within', () => {
  fc.assert(
    fc.property(pattern, pattern, pattern, (a, b, c) => {
      assert.equal(globCovers(a, a), true, a)
      if (globCovers(a, b) && globCovers(b, c)) assert.equal(globCovers(a, c), true)
    }),
    { numRuns: 3000 },
  )
})

test('glob sets: hostile patterns take no longer than their lengths multiplied', () => {
  const patterns = ['*a'.repeat(256), `${'**/'.repeat(170)}b`, `${'*a*b/'.repeat(100)}c`]
  const start = monotonicMs()
  for (const one of patterns)
    for (const other of patterns) {
      globCovers(one, other)
      globsMeet(one, other)
    }
  assert.ok(monotonicMs() - start < 1000)
})
