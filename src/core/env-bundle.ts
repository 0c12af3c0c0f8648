import { Fault } from './faults.ts'
import { SecretText } from './secret-text.ts'

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const EQUALS = 0x3d
const HASH = 0x23

/**
 * The `KEY=VALUE` lines of a bundle, in order; blank lines and lines that begin with `#` are left out, the last of two
 * equal names wins. Works on bytes, so no copy of a value is made as a string.
 *
 * @throws {Fault} `BAD_INPUT` naming the line
 */
export function parseEnvBundle(bundle: SecretText): readonly (readonly [string, SecretText])[] {
  const bytes = Buffer.from(bundle.revealBytes())
  const entries = new Map<string, SecretText>()
  let line = 0
  for (let start = 0; start <= bytes.byteLength; ) {
    line += 1
    const feed = bytes.indexOf(LINE_FEED, start)
    const end = feed === -1 ? bytes.byteLength : feed
    const entry = parseLine(bytes.subarray(start, end), line)
    if (entry !== null) {
      entries.delete(entry[0])
      entries.set(...entry)
    }
    start = end + 1
  }
  bytes.fill(0)
  return [...entries]
}

function parseLine(raw: Buffer, line: number): [string, SecretText] | null {
  const text = raw[raw.byteLength - 1] === CARRIAGE_RETURN ? raw.subarray(0, -1) : raw
  if (text.every((byte) => byte === 0x20 || byte === 0x09) || text[0] === HASH) return null
  const at = text.indexOf(EQUALS)
  const name = at === -1 ? '' : text.subarray(0, at).toString('utf8').trim()
  if (!NAME.test(name))
    throw new Fault('BAD_INPUT', `Line ${line} of the bundle is not NAME=VALUE.`, {
      details: { field: 'value', line },
    })
  return [name, new SecretText(Buffer.from(text.subarray(at + 1)))]
}
