import assert from 'node:assert/strict'
import { test } from 'node:test'
import { epochMs } from '../core/time.ts'
import { controlsTerminal, fields, instant, plural, table, visible, wrap } from './text.ts'

const plain = { paint: (_: string, text: string) => text }

const shown: readonly [what: string, text: string, visible: string][] = [
  ['plain text', 'api/stripe é 日本', 'api/stripe é 日本'],
  ['an escape sequence', '\u001b[2J', '\\u{1b}[2J'],
  ['a C1 control', '\u009b2J', '\\u{9b}2J'],
  ['a new line', 'a\nb', 'a\\u{a}b'],
  ['text that runs backwards', 'a\u202eb', 'a\\u{202e}b'],
  ['letters of the tag block', 'a\u{e0041}', 'a\\u{e0041}'],
  ['a filler', '\u3164\u00ad', '\\u{3164}\\u{ad}'],
  ['nothing', '', ''],
]
for (const [what, text, expected] of shown)
  test(`visible: ${what}`, () => assert.equal(visible(text), expected))

test('lines and tabs do not control a terminal, escapes do', () => {
  assert.equal(controlsTerminal('-----BEGIN\n\tkey\n'), false)
  assert.equal(controlsTerminal('a\u001b]52;c;eA==\u0007'), true)
  assert.equal(controlsTerminal('a\rb'), true)
})

test('table: columns are as wide as their widest cell, without blanks at the end', () => {
  assert.equal(
    table(
      ['PATH', 'N'],
      [
        ['api/stripe', '1'],
        ['a\u001b', ''],
      ],
      plain,
    ),
    'PATH        N\napi/stripe  1\na\\u{1b}',
  )
})

test('fields: names are padded, values made visible', () => {
  assert.equal(
    fields([
      ['a', '1'],
      ['long', '\u0007'],
    ]),
    'a     1\nlong  \\u{7}',
  )
  assert.equal(fields([]), '')
})

test('wrap: lines end before the width, a long word stands alone', () => {
  assert.equal(wrap('aa bb cc', 5), 'aa bb\ncc')
  assert.equal(wrap('aa bb cc', 4, '  '), '  aa\n  bb\n  cc')
  assert.equal(wrap('a verylongword b', 4), 'a\nverylongword\nb')
})

test('instant: whole seconds', () => {
  assert.equal(instant(epochMs(1_795_255_200_999)), '2026-11-21T10:00:00Z')
})

test('plural', () => {
  assert.equal(plural(1, 'key'), '1 key')
  assert.equal(plural(0, 'key'), '0 keys')
  assert.equal(plural(2, 'entry', 'entries'), '2 entries')
})
