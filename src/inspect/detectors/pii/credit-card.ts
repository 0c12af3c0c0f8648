import { type Detector, matchesOf } from '../../detector.ts'
import { MARK } from '../../marks.ts'

const SAYS_SO =
  /card|visa|master|amex|american express|discover|diners|jcb|maestro|\bcc\b|credit|debit|\bpan\b|payment/i

interface Issuer {
  readonly from: string
  readonly to: string
  readonly lengths: readonly number[]
}

/** Ranges of issuers: every number whose first digits lie between the two, and how many digits it may have. */
const ISSUERS: readonly Issuer[] = [
  { from: '4', to: '4', lengths: [13, 16, 19] },
  { from: '51', to: '55', lengths: [16] },
  { from: '2221', to: '2720', lengths: [16] },
  { from: '34', to: '34', lengths: [15] },
  { from: '37', to: '37', lengths: [15] },
  { from: '6011', to: '6011', lengths: [16, 19] },
  { from: '644', to: '649', lengths: [16, 19] },
  { from: '65', to: '65', lengths: [16, 19] },
  { from: '300', to: '305', lengths: [14, 16] },
  { from: '3095', to: '3095', lengths: [14, 16] },
  { from: '36', to: '36', lengths: [14] },
  { from: '38', to: '39', lengths: [14, 16] },
  { from: '3528', to: '3589', lengths: [16, 19] },
  { from: '1800', to: '1800', lengths: [15] },
  { from: '2131', to: '2131', lengths: [15] },
  { from: '62', to: '62', lengths: [16, 17, 18, 19] },
  { from: '2200', to: '2204', lengths: [16] },
  { from: '5018', to: '5018', lengths: [12, 13, 14, 15, 16, 17, 18, 19] },
  { from: '5020', to: '5020', lengths: [12, 13, 14, 15, 16, 17, 18, 19] },
  { from: '5038', to: '5038', lengths: [12, 13, 14, 15, 16, 17, 18, 19] },
  { from: '56', to: '58', lengths: [16] },
  { from: '6304', to: '6304', lengths: [16] },
  { from: '6759', to: '6763', lengths: [12, 13, 16, 18, 19] },
  { from: '5060', to: '5061', lengths: [16, 19] },
  { from: '9792', to: '9792', lengths: [16] },
]
/** Lengths that ids of other things have as well; alone they say little. */
const COMMON_LENGTHS = new Set([14, 17, 18, 19])
const ZERO = 0x30

function isIssued(digits: string): boolean {
  return ISSUERS.some(({ from, to, lengths }) => {
    const first = digits.slice(0, from.length)
    return first >= from && first <= to && lengths.includes(digits.length)
  })
}

/** ISO/IEC 7812-1 annex B, Luhn's formula. */
function hasCheckDigit(digits: string): boolean {
  let sum = 0
  for (let at = 0; at < digits.length; at++) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - ZERO
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

export const creditCard: Detector = {
  id: 'credit-card',
  category: 'pii',
  severity: 'critical',
  confidence: 0.85,
  summary: 'Number of a payment card: an issuer’s range, its length and the check digit are right.',
  needs: [],
  marks: MARK.digits,
  reach: { before: 64, after: 64 },
  source: 'ISO/IEC 7812-1 and the ranges the card schemes publish.',
  find: matchesOf(
    /(?=\d)(?<![\w.,/$+-])\d(?:\d{11,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{3}([ -])\d{6}\2\d{4,5}|\d{3}([ -])\d{4}\3\d{5})(?![\w/-]|\.\d|,\d{3}\b)/g,
    (match, start, text, { kind }) => {
      const digits = match[0].replaceAll(/[ -]/g, '')
      if (!isIssued(digits) || !hasCheckDigit(digits)) return null
      const before = text.slice(Math.max(0, start - 40), start)
      const after = text.slice(start + match[0].length, start + match[0].length + 24)
      if (SAYS_SO.test(before) || SAYS_SO.test(after)) return { confidence: 0.95 }
      if (match[0].length !== digits.length) return { confidence: 0.9 }
      if (kind === 'id') return { confidence: 0.4 }
      if (
        /(?:id|time|stamp|ts|seq|hash|size|bytes|offset|number|no|ref|sku|ean|upc|isbn|serial)["']?[\s:=#]{0,3}["']?$/i.test(
          before,
        )
      )
        return { confidence: 0.4 }
      if (digits.length < 14) return { confidence: 0.45 }
      return COMMON_LENGTHS.has(digits.length) ? { confidence: 0.55 } : {}
    },
  ),
  catches: [
    'card 4012 8888 8888 1881 expires 04/29',
    '5105-1051-0510-5100',
    '378282246310005',
    'My visa: 4222222222222',
  ],
  ignores: [
    '4012 8888 8888 1882',
    'ts=1514041326000',
    '0x4012888888881881',
    '4012888888881881.52',
    'id-4012888888881881',
    '1234567812345670',
    '4012-8888 8888 1881',
    { text: '4012888888881881', kind: 'id' },
  ],
}
