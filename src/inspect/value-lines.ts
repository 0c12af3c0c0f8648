/** A line of a value that is remembered by itself. */
export interface ValueLine {
  readonly text: string
  /** How far it begins as lines of its kind do in everybody's files. UTF-16 units. */
  readonly common: number
  /** Whether it is digits of a private key, which were drawn at random whatever they look like. */
  readonly isOfKey: boolean
}

/** Shorter ones stand in too many texts. */
const MIN_LINE = 16
/** More of them are left to the whole. */
const MAX_LINES = 1_024
/** Base64 digits that name the kind of a private key before its own digits begin. */
const KEY_HEADER = 48
/** `openssh-key-v1`, cipher and key kind: the whole first line. */
const OPENSSH = 'b3BlbnNzaC1rZXktdjE'

const LINE_END = /(?:\r\n|[\r\n]|\\r\\n|\\[rn])+/
const MARKER = /^-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----$/
const PUBLIC = /CERTIFICATE|PUBLIC|PARAMETERS/
/** `export NAME=`, `"name": `: what the value is called is nobody's secret. */
const NAME = /^(?:export\s+)?(["']?)[A-Za-z_][\w.-]{0,99}\1\s*[:=](?!\/\/)\s*(?=\S)/
/** Quotes in front; quotes, separators and padding behind. */
const BEFORE = `"'\``
const BEHIND = `${BEFORE},;\\=`

/**
 * The lines of a value of several lines (and the texts of one that is JSON) that tell something without the others, as
 * `grep`, `cat -n` and quoted mail show them: without name, quotes, indentation and padding, each once. Markers, what is
 * public by its armour, and what reads like prose, code or a plain address are not among them.
 */
export function linesOf(value: string): readonly ValueLine[] {
  const lines = new Map<string, ValueLine>()
  for (const text of textsOf(value)) {
    let armour: string | null = null
    let isFirst = false
    for (const line of text.split(LINE_END)) {
      const own = coreOf(line)
      const [, edge, label = ''] = MARKER.exec(own) ?? []
      if (edge !== undefined) {
        armour = edge === 'BEGIN' ? label : null
        isFirst = true
        continue
      }
      const isHeader = armour !== null && isFirst
      isFirst = false
      if (own.length < MIN_LINE || own === value || lines.size === MAX_LINES) continue
      if (armour !== null && PUBLIC.test(armour)) continue
      if (isHeader && own.startsWith(OPENSSH)) continue
      const common = isHeader ? Math.min(KEY_HEADER, own.length) : 0
      const isOfKey = armour !== null && isKeyDigits(own, common)
      if (isOfKey || isTelling(own)) lines.set(own, { text: own, common, isOfKey })
    }
  }
  return [...lines.values()]
}

/** A value that is JSON says what it says in its texts. */
function textsOf(value: string): readonly string[] {
  if (!/^[[{]/.test(value)) return [value]
  const texts: string[] = []
  try {
    JSON.parse(value, (_, one: unknown) => {
      if (typeof one === 'string') texts.push(one)
      return one
    })
  } catch {
    return [value]
  }
  return texts
}

function coreOf(line: string): string {
  const whole = line.trim()
  const bare = stripped(whole.replace(NAME, ''))
  return bare.length < MIN_LINE ? stripped(whole) : bare
}

function stripped(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && BEFORE.includes(text.charAt(start))) start += 1
  while (end > start && BEHIND.includes(text.charAt(end - 1))) end -= 1
  return text.slice(start, end)
}

const PIECE = /[\w+-]{16,}/g
const RUN = /[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]/g
const DIGITS = /^(?:[0-9]{20,}|(?=.*[0-9])[0-9A-Fa-f]{24,})$/
const KEY_DIGITS = /^[A-Za-z0-9+/]+$/
const PASSWORD_IN_URL = /:\/\/[^/\s:@]*:[^/\s@]{6,}@/
/** Runs of one kind of characters for each character: words have one for five, what was drawn at random one for two. */
const RANDOM_PIECE = 0.3
const RANDOM_LINE = 0.5
const MIN_DISTINCT = 7
const WORD = /[a-z]{5}/
/** A time or a list of numbers has fewer. */
const LETTERS = /(?:[A-Za-z][^A-Za-z]*){6}/

function isKeyDigits(line: string, common: number): boolean {
  return KEY_DIGITS.test(line) && new Set(line.slice(common)).size >= MIN_DISTINCT
}

function isTelling(line: string): boolean {
  if (PASSWORD_IN_URL.test(line)) return true
  if (runsPerUnit(line) >= RANDOM_LINE && !WORD.test(line) && LETTERS.test(line)) return true
  return (line.match(PIECE) ?? []).some(
    (piece) => DIGITS.test(piece) || runsPerUnit(piece) >= RANDOM_PIECE,
  )
}

function runsPerUnit(text: string): number {
  return new Set(text).size < MIN_DISTINCT ? 0 : (text.match(RUN)?.length ?? 0) / text.length
}
