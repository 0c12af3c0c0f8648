import { type Detector, matchesOf } from '../../detector.ts'

/** Length of an IBAN by country. */
const LENGTHS: Readonly<Record<string, number>> = {
  AD: 24,
  AE: 23,
  AL: 28,
  AT: 20,
  AZ: 28,
  BA: 20,
  BE: 16,
  BG: 22,
  BH: 22,
  BI: 27,
  BR: 29,
  BY: 28,
  CH: 21,
  CR: 22,
  CY: 28,
  CZ: 24,
  DE: 22,
  DJ: 27,
  DZ: 26,
  DK: 18,
  DO: 28,
  EE: 20,
  EG: 29,
  ES: 24,
  FI: 18,
  FK: 18,
  FO: 18,
  FR: 27,
  GB: 22,
  GE: 22,
  GI: 23,
  GL: 18,
  GR: 27,
  GT: 28,
  HN: 28,
  HR: 21,
  HU: 28,
  IE: 22,
  IL: 23,
  IQ: 23,
  IR: 26,
  IS: 26,
  IT: 27,
  JO: 30,
  KW: 30,
  KZ: 20,
  LB: 28,
  LC: 32,
  LI: 21,
  LT: 20,
  LU: 20,
  LV: 21,
  LY: 25,
  MC: 27,
  MD: 24,
  ME: 22,
  MK: 19,
  MN: 20,
  MR: 27,
  MT: 31,
  MU: 30,
  MZ: 25,
  NI: 28,
  NL: 18,
  NO: 15,
  OM: 23,
  PK: 24,
  PL: 28,
  PS: 29,
  PT: 25,
  QA: 29,
  RO: 24,
  RS: 22,
  RU: 33,
  SA: 24,
  SC: 31,
  SD: 18,
  SE: 24,
  SI: 19,
  SK: 24,
  SM: 27,
  SO: 23,
  ST: 25,
  SV: 28,
  TL: 23,
  TN: 24,
  TR: 26,
  UA: 29,
  VA: 22,
  VG: 24,
  XK: 20,
  YE: 30,
}
const LETTER_OFFSET = 55

const UUID = /(?<![\da-f])[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}(?![\da-f])/gi
const UUID_LENGTH = 36

/** Of the identifiers that are drawn at random one in some thousands has an account number in it, by its check digits. */
function isInUuid(text: string, start: number, end: number): boolean {
  const from = Math.max(0, start - UUID_LENGTH)
  for (const { index } of text.slice(from, end + UUID_LENGTH).matchAll(UUID))
    if (from + index <= start && from + index + UUID_LENGTH >= end) return true
  return false
}

/** ISO 7064, MOD 97-10: the country and the check digits go to the end, letters count from ten. */
function hasCheckDigits(iban: string): boolean {
  let rest = 0
  for (const unit of iban.slice(4) + iban.slice(0, 4)) {
    const value = /\d/.test(unit) ? Number(unit) : unit.charCodeAt(0) - LETTER_OFFSET
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

export const iban: Detector = {
  id: 'iban',
  category: 'pii',
  severity: 'high',
  confidence: 0.95,
  summary:
    'International bank account number with the length of its country and right check digits.',
  needs: Object.keys(LENGTHS).flatMap((country) =>
    Array.from({ length: 10 }, (_, digit) => `${country.toLowerCase()}${digit}`),
  ),
  reach: { before: 1, after: 44 },
  source: 'ISO 13616 and the SWIFT IBAN registry.',
  find: matchesOf(
    /(?<![A-Za-z\d])[A-Z]{2}\d{2}(?:[ -]?[A-Z\d]{4}){2,7}(?:[ -]?[A-Z\d]{1,3})?(?![A-Za-z\d])/gi,
    (match, start, text) => {
      const units = match[0].replaceAll(/[ -]/g, '').toUpperCase()
      const length = LENGTHS[units.slice(0, 2)]
      if (length === undefined || units.length < length) return null
      // What follows an IBAN that is written in groups may look like one more group.
      const iban = units.slice(0, length)
      if (!hasCheckDigits(iban)) return null
      let end = start
      for (let left = length; left > 0; end++)
        if (!/[ -]/.test(match[0][end - start] ?? '')) left -= 1
      if (units.length > length && /[A-Za-z\d]/.test(match[0][end - start] ?? '')) return null
      const written = match[0].slice(0, end - start)
      if (written !== written.toUpperCase() && written !== written.toLowerCase()) return null
      return isInUuid(text, start, end) ? null : { end }
    },
  ),
  catches: [
    'IBAN DE89 3704 0044 0532 0130 00',
    'from GB82WEST12345698765432 to',
    'NL91 ABNA 0417 1643 00 please',
    'to ES91 2100 0418 4502 0005 1332 now',
  ],
  ignores: [
    'DE89 3704 0044 0532 0130 01',
    'GB82WEST1234569876543',
    'XX12 3456 7890 1234 5678',
    'sha: de89370400440532013000f',
    // Drawn until it held one.
    'f65e59fa-ad19-4b19-ad03-07c2899ff638',
  ],
}
