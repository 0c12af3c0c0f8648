import { type Detector, matchesOf } from '../../detector.ts'
import { MARK } from '../../marks.ts'

const SAYS_SO = /ssn|social[ -]?security|soc\.? ?sec|tax(?:payer)?[ -]?id|\btin\b/i
/** Numbers that were printed for show and given to nobody. */
const NOT_GIVEN = new Set([
  '078051120',
  '219099999',
  '457555462',
  '123456789',
  '111111111',
  '222222222',
  '333333333',
  '444444444',
  '555555555',
  '777777777',
  '888888888',
])

export const usSsn: Detector = {
  id: 'us-ssn',
  category: 'pii',
  severity: 'critical',
  confidence: 0.85,
  summary:
    'United States social security number, written with separators, or bare beside its name.',
  needs: [],
  marks: MARK.digits,
  reach: { before: 64, after: 64 },
  source:
    'Social Security Administration, POMS RM 10201: no area 000, 666 or 900–999, no group 00, no serial 0000.',
  find: matchesOf(
    /(?=\d)(?<![\w.#/+-])(\d{3})([-. ]?)(\d{2})\2(\d{4})(?![\w/-]|\.\d)/g,
    (match, start, text) => {
      const [whole, area = '', separator = '', group = '', serial = ''] = match
      if (area === '000' || area === '666' || area >= '900' || group === '00' || serial === '0000')
        return null
      if (NOT_GIVEN.has(area + group + serial)) return { confidence: 0.4 }
      const before = text.slice(Math.max(0, start - 48), start)
      const isSaid =
        SAYS_SO.test(before) ||
        SAYS_SO.test(text.slice(start + whole.length, start + whole.length + 24))
      if (isSaid) return { confidence: 0.95 }
      if (separator === '-') return {}
      if (separator === '') return null
      // `123.45.6789` and `123 45 6789` are amounts, dates and telephone numbers as well.
      return /(?:^|[a-z:,;] ?|\n)$/i.test(before) && !/\d/.test(before.slice(-12))
        ? { confidence: 0.55 }
        : null
    },
  ),
  catches: ['His number is 536-22-8214.', 'SSN 536 22 8214', 'social security number: 536228214'],
  ignores: [
    '000-12-3456',
    '666-12-3456',
    '912-34-5678',
    '536-00-8214',
    '536-22-0000',
    'order 1536-22-82141',
    '2024-12-1234',
    '536228214',
    'v1.123-45-6789',
  ],
}
