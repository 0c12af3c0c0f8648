import { type Detector, matchesOf } from '../../detector.ts'
import { MARK } from '../../marks.ts'

/** Words that a telephone number follows, within what is said just before it. */
const SAYS_SO =
  /phone|telephone|\btel\b|mobile|\bcell|\bcall|\bfax|\bsms|whats ?app|contact|\breach|\bdial|\boffice|\bdesk|answering at|messages? to|hot ?line|help ?line|\bring\b|\bmob\b|handset|\btext (?:me|him|her|us|them)|(?:us|uk|my|his|her|your) number|telef[oó]n|handy|t[ée]l[ée]phone|numru|puhelin/gi
const MAX_BETWEEN = 28

/** A word says that a number follows: on its line, or two line ends before, with no digit between. */
function isSaidBefore(before: string): boolean {
  let end = before.length
  while (end > 0 && before.length - end < 2 && before[end - 1] === '\n') end -= 1
  let first = end
  while (first > 0 && end - first < MAX_BETWEEN && !/[\d\n]/.test(before[first - 1] ?? ''))
    first -= 1
  SAYS_SO.lastIndex = 0
  for (let word = SAYS_SO.exec(before); word !== null; word = SAYS_SO.exec(before)) {
    const wordEnd = word.index + word[0].length
    if (wordEnd >= first && wordEnd <= end) return true
  }
  return false
}

/** Words right behind it: `… office`, `…-Fax`. */
const SAID_AFTER = /^[\s\-,(\\]{0,4}(?:office|fax|mobile|mob\b|cell|home|work|phone|tel\b|desk)/i
/** What a number is that no one calls. */
const OTHER =
  /(?:\bids?|order|invoice|account|acct|case|ticket|zip|postal|code|year|date|version|port|pid|size|bytes|amount|total|price|sku|item|product|tracking|ref|isbn|sha|hash|line|row|page|flight|seed|time|stamp|error|status|bus|room|apt|suite|card|no\.?|#|count|qty|quantity|balance|cost|usd|eur|gbp|rs)["']?[\s.:=#_-]{0,3}["']?$/i
const DATE =
  /^(?:(?:19|20)\d\d[-./ ]?(?:0?[1-9]|1[0-2])[-./ ]?(?:[0-2]?\d|3[01])|(?:[0-2]?\d|3[01])[-./ ](?:[0-2]?\d|3[01])[-./ ](?:19|20)\d\d)(?:\D|$)/
const SSN = /^\d{3}-\d{2}-\d{4}$/
const NANP =
  /^(?:\+?1[ .-]?|001[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])[2-9]\d\d[-. ]\d{4}(?:\s?(?:x|ext\.?) ?\d{1,5})?$/
const INTERNATIONAL = /^\+[1-9]\d{0,2}[ .()-]{0,2}\d/

/** Confidence of a run of digits with separators, or null: what it looks like, and what stands around it. */
function sureness(written: string, before: string, after: string): number | null {
  const core = written.replace(/\s?(?:x|ext\.?) ?\d{1,5}$/i, '')
  const digits = core.replaceAll(/\D/g, '')
  if (digits.length < 7 || digits.length > 15 || new Set(digits).size < 3) return null
  const isSaid = isSaidBefore(before) || SAID_AFTER.test(after)
  if (DATE.test(core)) return null
  if (INTERNATIONAL.test(core)) return digits.length >= 8 ? (isSaid ? 0.9 : 0.75) : null
  if (SSN.test(core) && !/phone|call|fax|mobile/i.test(before)) return null
  if (!isSaid && OTHER.test(before)) return null
  if (NANP.test(written)) return isSaid ? 0.9 : 0.65
  if (!isSaid) return null
  if (/^\d+$/.test(core)) return digits.length >= 9 && digits.length <= 12 ? 0.6 : null
  if (/\.\d{1,2}$/.test(core) && !/\..*\./.test(core)) return null
  return 0.7
}

export const phone: Detector = {
  id: 'phone',
  category: 'pii',
  severity: 'medium',
  confidence: 0.7,
  summary: 'Telephone number: international, North American, or beside a word that says so.',
  needs: [],
  marks: MARK.digits,
  reach: { before: 64, after: 64 },
  source: 'ITU-T E.164 and E.123; North American Numbering Plan.',
  find: matchesOf(
    /(?=[+(\d])(?<![\w.$€£#/@+%-]|\d[ ,:-])(?:\+|00)?\(?\d(?:[ .()-]{0,2}\d){6,14}(?:\s?(?:x|ext\.?) ?\d{1,5})?(?![\w%€/]|[-.,:]\d)/gi,
    (match, start, text, { kind }) => {
      if (kind === 'id') return null
      const end = start + match[0].length
      const confidence = sureness(
        match[0],
        text.slice(Math.max(0, start - 48), start),
        text.slice(end, end + 12),
      )
      return confidence === null ? null : { confidence }
    },
  ),
  catches: [
    'Call +44 20 7946 0958 now',
    'My number is (415) 555-0132',
    'Phone: 03.93.92.16.85',
    'tel 604-555-0199 x12',
    '9761 9808 office',
  ],
  ignores: [
    'order 9370300555',
    '2024-05-17 10:33:12',
    'id: 604-555-0199',
    'build 1.2.3.4567890',
    '10.11.10.1',
    '550e8400-e29b-41d4-a716-446655440000',
    'total 12 345 678',
    'call me at 10.30.2024',
    { text: '(415) 555-0132', kind: 'id' },
  ],
}
