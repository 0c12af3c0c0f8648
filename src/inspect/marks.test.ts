import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buildAutomaton } from './automaton.ts'
import { BLOCK, MARK, Marks, marksOf } from './marks.ts'

test('marks: each class of units is told', () => {
  const marked: readonly (readonly [text: string, mark: number])[] = [
    ['100 %', MARK.percent],
    ['a\\b', MARK.backslash],
    ['a & b', MARK.ampersand],
    ['a = b', MARK.equals],
    ['a\0b', MARK.nul],
    ['call 415 5550', MARK.digits],
    ['a\u200bb', MARK.hidden],
    ['a\u{e0041}', MARK.hidden],
    ['сорок', MARK.foreign],
    ['\u{1d41a}', MARK.foreign],
    ['plain, naïve “text” — 12345', 0],
  ]
  for (const [text, mark] of marked) assert.equal(marksOf(text).all, mark, JSON.stringify(text))
})

test('marks: stretches are blocks, widened and merged', () => {
  const text = `${'a'.repeat(BLOCK)}%${'a'.repeat(3 * BLOCK)}%${'a'.repeat(BLOCK)}`
  const marks = marksOf(text)
  assert.deepEqual(marks.stretches(MARK.percent, 0, 0), [64, 128, 256, 320])
  assert.deepEqual(marks.stretches(MARK.percent, 10, 100), [54, 228, 246, 322])
  assert.deepEqual(marks.stretches(MARK.percent, 64, 64), [0, 322])
  assert.deepEqual(
    marks.stretches(MARK.percent, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
    [0, text.length],
  )
  assert.deepEqual(marks.stretches(MARK.nul, 0, 0), [])
})

test('marks: digits are marked where a block and the next one have seven', () => {
  const text = `${'a'.repeat(BLOCK - 3)}1234567${'a'.repeat(BLOCK * 2)}123456${'a'.repeat(BLOCK)}`
  assert.deepEqual(marksOf(text).stretches(MARK.digits, 0, 0), [0, 128])
})

test('marks: a list of numbers stands where a block and the next one have eight digits', () => {
  const few = `${'a'.repeat(BLOCK - 3)}1234567${'a'.repeat(BLOCK * 3)}`
  assert.deepEqual(marksOf(few).listStretches(0), [])
  const text = `${'a'.repeat(BLOCK * 2 - 3)}12345678${'a'.repeat(BLOCK * 3)}`
  assert.deepEqual(marksOf(text).listStretches(0), [BLOCK, 3 * BLOCK])
  assert.deepEqual(marksOf(text).listStretches(BLOCK), [0, 3 * BLOCK])
})

test('marks: the pass for keywords notes the same', () => {
  const automaton = buildAutomaton(['abc', 'curl'])
  const unit = fc.constantFrom('%', '\\', '&', '=', '\0', '7', '\u200b', 'я', 'a', 'curl ')
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 300 }), (units) => {
      const text = units.join('')
      const count = Math.ceil(text.length / BLOCK)
      const noted = { blocks: new Uint8Array(count), digits: new Uint8Array(count) }
      automaton.scan(text, () => {}, noted)
      const marks = new Marks(noted.blocks, noted.digits, text.length)
      for (const mark of Object.values(MARK))
        assert.deepEqual(marks.stretches(mark, 0, 0), marksOf(text).stretches(mark, 0, 0))
    }),
  )
})
