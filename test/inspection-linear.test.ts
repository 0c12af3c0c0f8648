// No input makes inspection slower than linear: hostile texts of one size and of four times it, through the MCP tool.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Fault } from '../src/core/faults.ts'
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
  ['private keys', '-----BEGIN PRIVATE KEY-----'],
]

/** The CPU time of one call, µs: the smallest of a few. */
async function timeOf(content: string): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 3; round++) {
    const before = process.cpuUsage()
    await client.callTool({ name: 'inspect_content', arguments: { content, context: 'input' } })
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

for (const [what, unit] of hostile)
  test(`inspect_content: four times as much takes about four times as long: ${what}`, async () => {
    const text = (units: number): string => unit.repeat(Math.ceil(units / unit.length))
    const small = await timeOf(text(UNITS))
    const large = await timeOf(text(UNITS * TIMES))
    assert.ok(large <= Math.max(MIN_US, small) * MAX_RATIO, `${small} µs, then ${large} µs`)
  })
