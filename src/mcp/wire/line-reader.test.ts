import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { LineReader } from './line-reader.ts'

function linesOf(chunks: readonly Buffer[], maxBytes: number): readonly string[] {
  const lines: string[] = []
  const reader = new LineReader({
    maxBytes,
    onLine: (line) => lines.push(line.toString('latin1')),
    onTooLong: () => lines.push('too long'),
  })
  for (const chunk of chunks) reader.push(chunk)
  reader.end()
  return lines
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

const cases: readonly [what: string, chunks: string[], lines: string[]][] = [
  ['two in one piece', ['ab\ncd\n'], ['ab', 'cd']],
  ['one in three pieces', ['a', 'b', 'c\n'], ['abc']],
  ['empty ones are passed over', ['\n\r\n\na\n\r', '\n'], ['a']],
  ['the carriage return before a newline stays', ['a\r\n'], ['a\r']],
  ['without a newline at the end', ['a\nb'], ['a', 'b']],
  ['five bytes fit', ['12345\n'], ['12345']],
  ['six do not, in one piece', ['123456\na\n'], ['too long', 'a']],
  ['six do not, in two', ['123', '456\na\n'], ['too long', 'a']],
  ['nor at the end', ['1234567'], ['too long']],
  ['nothing', [], []],
]
for (const [what, chunks, lines] of cases)
  test(`lines: ${what}`, () => assert.deepEqual(linesOf(chunks.map(bytes), 5), lines))

test('lines are the same however the bytes come', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r') }),
      fc.nat(9),
      (text, size) => {
        const pieces = text.match(new RegExp(`[^]{1,${size + 1}}`, 'g')) ?? []
        assert.deepEqual(linesOf(pieces.map(bytes), 4), linesOf([bytes(text)], 4))
      },
    ),
  )
})
