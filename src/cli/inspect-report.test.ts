import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FoundSpan, InspectedText } from './deps.ts'
import { reportOf } from './inspect-report.ts'

const out = { paint: (_: string, text: string) => text, columns: 64 }

function found(text: string, what: string): FoundSpan {
  const start = text.indexOf(what)
  return {
    detector: 'd',
    category: 'c',
    severity: 'high',
    confidence: 0.9,
    start,
    end: start + what.length,
  }
}

function report(text: string, whats: readonly string[], more: Partial<InspectedText> = {}): string {
  return reportOf(
    'f',
    text,
    {
      verdict: 'suspicious',
      blocked: true,
      findings: whats.map((what) => found(text, what)),
      cleaned: null,
      ...more,
    },
    out,
    () => null,
  )
}

const carets: readonly [what: string, text: string, marked: string, lines: readonly string[]][] = [
  [
    'a plain line',
    'one\nsee it now',
    'it',
    ['  2:5  d  high, 0.90, c', '  | see it now', '  |     ^^'],
  ],
  ['tabs', '\ta\tit', 'it', ['  1:4  d  high, 0.90, c', '  |   a  it', '  |      ^^']],
  [
    'a carriage return',
    'see it\r\nnow',
    'it',
    ['  1:5  d  high, 0.90, c', '  | see it', '  |     ^^'],
  ],
  ['wide letters', '日本 it', '本', ['  1:2  d  high, 0.90, c', '  | 日本 it', '  |   ^^']],
  ['pictures', '⌚👩 it', 'it', ['  1:5  d  high, 0.90, c', '  | ⌚👩 it', '  |      ^^']],
  [
    'marks on letters',
    'e\u0301e it',
    'it',
    ['  1:5  d  high, 0.90, c', '  | e\u0301e it', '  |    ^^'],
  ],
  [
    'what does not show',
    'a\u{e0041}\u200bb',
    '\u{e0041}\u200b',
    ['  1:2  d  high, 0.90, c', '  | a\\u{e0041}\\u{200b}b', '  |  ^^^^^^^^^^^^^^^^^'],
  ],
  [
    'a span over lines',
    'a it\nstill b',
    'it\nstill',
    ['  1:3 to 2:6  d  high, 0.90, c', '  | a it', '  |   ^^'],
  ],
  [
    'a long line is cut around the span',
    `${'x'.repeat(200)} it ${'y'.repeat(200)}`,
    'it',
    [
      '  1:202  d  high, 0.90, c',
      `  | …${'x'.repeat(27)} it ${'y'.repeat(27)}…`,
      `  | ${' '.repeat(29)}^^`,
    ],
  ],
  [
    'at the beginning of a long line',
    `it ${'y'.repeat(200)}`,
    'it',
    ['  1:1  d  high, 0.90, c', `  | it ${'y'.repeat(55)}…`, '  | ^^'],
  ],
  [
    'at the end of a long line',
    `${'x'.repeat(200)} it`,
    'it',
    ['  1:202  d  high, 0.90, c', `  | …${'x'.repeat(55)} it`, `  | ${' '.repeat(57)}^^`],
  ],
  [
    'a long span that fits',
    `a ${'z'.repeat(54)} b`,
    'z'.repeat(54),
    ['  1:3  d  high, 0.90, c', `  | a ${'z'.repeat(54)} b`, `  |   ${'^'.repeat(54)}`],
  ],
  [
    'a long span',
    `a ${'z'.repeat(200)} b`,
    'z'.repeat(200),
    ['  1:3  d  high, 0.90, c', `  | a ${'z'.repeat(54)}…`, `  |   ${'^'.repeat(54)}`],
  ],
]
for (const [what, text, marked, lines] of carets)
  test(`report: ${what}`, () => {
    const shown = report(text, [marked]).split('\n')
    assert.deepEqual(shown.slice(2), lines)
    for (const line of shown.slice(3)) assert.ok([...line].length <= 64)
  })

test('report: spans before those that were shown, and more than are shown', () => {
  const lines = report('one\ntwo\nthree', ['three', 'one', 'two']).split('\n')
  assert.deepEqual(
    lines.filter((line) => line.includes('high')).map((line) => line.trim().split(' ')[0]),
    ['3:1', '1:1', '2:1'],
  )
  const many = report(
    'x',
    Array.from({ length: 130 }, () => 'x'),
  )
  assert.match(many, /^f: suspicious, 130 findings, blocked$/m)
  assert.match(many, /^ {2}… and 30 more$/m)
})

test('report: what goes on is shown, up to a length', () => {
  const text = Array.from({ length: 100 }, (_, at) => `line ${at}`).join('\n')
  const shown = report(`${text}!`, ['!'], { blocked: false, cleaned: text })
  assert.match(shown, /^f: suspicious, 1 finding$/m)
  assert.match(shown, /goes on as:\n {2}\| line 0\n/)
  assert.match(shown, /\| line 59\n {2}… and 40 more lines; --json has all$/)
})

test('report: says what each detector looks for, once', () => {
  const text = 'it and it'
  const shown = reportOf(
    'f',
    text,
    {
      verdict: 'warning',
      blocked: false,
      findings: [found(text, 'it'), found(text, 'and')],
      cleaned: null,
    },
    out,
    (id) => `what ${id} looks for.`,
  )
  assert.equal(shown.split('\n').filter((line) => line === '  d: what d looks for').length, 1)
})
