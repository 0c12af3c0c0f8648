import assert from 'node:assert/strict'
import test from 'node:test'
import { questionLines, shownText } from './shown-text.ts'

const cases: readonly [what: string, text: string, max: number, shown: string][] = [
  ['plain text stays', 'Key for Stripe, é and 漢字', 200, 'Key for Stripe, é and 漢字'],
  ['empty', '', 200, ''],
  ['exactly the cap', 'a'.repeat(200), 200, 'a'.repeat(200)],
  ['one above the cap', 'a'.repeat(201), 200, `${'a'.repeat(200)}…`],
  ['counted in code points, not in units', '🔑'.repeat(5), 4, '🔑🔑🔑🔑…'],
  ['markup is text', '<b>&amp;"', 200, '<b>&amp;"'],
  ['line ends are one visible sign', 'a\r\nb\nc\rd\u2028e', 200, 'a⏎b⏎c⏎d⏎e'],
  ['a tab is a space', 'a\tb', 200, 'a b'],
  ['escape sequences', '\u001b[2J', 200, '[U+001B][2J'],
  ['bidi override', 'abc\u202egnp.exe', 200, 'abc[U+202E]gnp.exe'],
  ['bidi isolates', '\u2066a\u2069', 200, '[U+2066]a[U+2069]'],
  ['zero width', 'pay\u200bpal', 200, 'pay[U+200B]pal'],
  ['tag characters', '\u{e0041}', 200, '[U+E0041]'],
  ['blank filler letters', '\u3164', 200, '[U+3164]'],
  ['lone surrogate', '\ud800', 200, '[U+D800]'],
  ['nul', '\0', 200, '[U+0000]'],
  ['a code that does not fit is left out whole', 'ab\u202e', 9, 'ab…'],
  ['four stacked marks stay', 'e\u0301\u0301\u0301\u0301', 200, 'e\u0301\u0301\u0301\u0301'],
  [
    'the fifth does not',
    'e\u0301\u0301\u0301\u0301\u0301',
    200,
    'e\u0301\u0301\u0301\u0301[U+0301]',
  ],
]
for (const [what, text, max, shown] of cases)
  test(`shownText: ${what}`, () => assert.equal(shownText(text, max), shown))

test('shownText: a huge text takes no time', () => {
  const huge = '\u202e'.repeat(5_000_000)
  const times = Array.from({ length: 5 }, () => {
    const started = performance.now()
    assert.equal(shownText(huge, 16), '[U+202E][U+202E]…')
    return performance.now() - started
  })
  // What is not shown is not looked at; somebody else may have the processor for one of them.
  assert.ok(Math.min(...times) < 50, times.join(' '))
})

test('questionLines: our text first, then the agent’s, quoted', () => {
  assert.deepEqual(
    questionLines({
      client: 'claude-code',
      project: '/home/ada/shop',
      vault: 'default',
      path: 'api-keys/stripe',
      replacesVersion: 3,
      agentText: 'Needed to\npay.',
    }),
    [
      'Asked by: claude-code',
      'Project: /home/ada/shop',
      'Vault: default',
      'Path: api-keys/stripe',
      'Replaces version 3',
      '',
      'The agent wrote:',
      '“Needed to⏎pay.”',
    ],
  )
})

test('questionLines: nothing is shown of an agent that said nothing', () => {
  assert.deepEqual(
    questionLines({
      client: 'x',
      project: null,
      vault: 'default',
      path: 'a',
      replacesVersion: null,
      agentText: ' \n ',
    }).slice(1),
    ['Project: none', 'Vault: default', 'Path: a', 'New secret'],
  )
})
