/** What stands between the armour of a private key. */
export interface PemBody {
  /** Its digits without line ends and padding. */
  readonly digits: string
  /** From where to where each line goes in the given text, padding left out. */
  readonly lines: readonly (readonly [start: number, end: number])[]
}

const BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/
const LINE = /^[A-Za-z0-9+/]+={0,2}$/

/** The body of the first private key in a text; line ends may be written as `\n`, as in JSON. Null when there is none. */
export function pemBodyOf(text: string): PemBody | null {
  const armour = BEGIN.exec(text)
  if (armour === null) return null
  const start = armour.index + armour[0].length
  const end = text.indexOf('-----END ', start)
  if (end === -1) return null
  const lines: (readonly [start: number, end: number])[] = []
  let digits = ''
  // Both characters of an escape become white space, so that places stay as they are.
  for (const { 0: line, index } of text
    .slice(start, end)
    .replaceAll(/\\[nr]/g, '  ')
    .matchAll(/\S+/g)) {
    if (!LINE.test(line)) continue
    const padding = line.indexOf('=')
    const own = padding === -1 ? line : line.slice(0, padding)
    lines.push([start + index, start + index + own.length])
    digits += own
  }
  return lines.length === 0 ? null : { digits, lines }
}
