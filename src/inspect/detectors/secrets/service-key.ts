import { type Detector, matchesOf } from '../../detector.ts'
import { startingWith } from '../../search.ts'
import { distinctUnits, entropyOf } from './entropy.ts'
import { wordliness } from './letter-pairs.ts'
import { isPlaceholder } from './placeholder.ts'
import { SERVICE_NAMES } from './service-names.ts'
import { sampleOf } from './token-shape.ts'

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i
const WORDLIKE = 15.5

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0
}

/** A run that could be a key: letters and digits mixed, or long and unlike words. */
function couldBeKey(value: string): boolean {
  if (isPlaceholder(value) || distinctUnits(value) < 8) return false
  if (UUID.test(value)) return true
  const digits = countOf(value, /\d/g)
  const breaks = countOf(value, /[._/-]/g)
  if (breaks * 5 > value.length || /[./]{2}|\.[a-z]{2,4}$/.test(value)) return false
  const oddness = wordliness(value) ?? 0
  if (digits === value.length) return value.length >= 24
  if (digits >= 2 && digits < value.length) return breaks < 3 || oddness < WORDLIKE
  return (
    digits === 0 &&
    value.length >= 24 &&
    breaks === 0 &&
    (oddness < 13 || (value.length >= 26 && oddness < 14))
  )
}

/** The window begins with the name: what stands in quotes right behind it, with no word between that says key. */
const QUOTED_NEXT =
  /[A-Za-z\d]{4,24}["'`]?\s{0,2}[:=]{0,2}\s{0,2}["'`]([A-Za-z\d][\w+/-]{23,127}={0,2})(?=["'`])/y
const MIN_ENTROPY = 3.4

const SAYS_KEY =
  /key|token|secret|private|access|(?<![a-z])api|auth|pat(?![a-z])|login|password|credential|(?<![a-z])sid|client_?id/gi
/** From such a word on: the rest of the name, what stands between, the value. */
const WITH_VALUE =
  /(?:key|token|secret|private|access|api|auth|pat|login|password|credential|sid|client_?id)[\w.-]{0,24}?["'`\])]{0,3}(?:\s{0,3}(?::=|=>|[:=(,>|.?-]){1,4}\s{0,6}|\s{1,3}(?:[a-z]{2,8}\s)?|[-_.])["'`]?([A-Za-z\d](?:[\w+/-]|\.(?=[A-Za-z\d])){14,200}={0,2})/iy

const beside = matchesOf(startingWith(SAYS_KEY, WITH_VALUE), (match, start, text) => {
  const value = match[1] ?? ''
  const end = start + match[0].length
  // Asked here and not in the pattern, which would give back a long run unit by unit.
  if (/[\w+/]/.test(text[end] ?? '') || !couldBeKey(value)) return null
  return { start: end - value.length, end }
})

export const serviceKey: Detector = {
  id: 'service-key',
  category: 'secret',
  severity: 'high',
  confidence: 0.6,
  summary: 'Key of a service beside its name, for services whose keys have no form of their own.',
  needs: SERVICE_NAMES,
  reach: { before: 0, after: 140 },
  source:
    'Names of services as public rule sets list them; the form is what their documentation shows.',
  find(text, from, to, scene) {
    const hits = beside(text, from, to, scene)
    QUOTED_NEXT.lastIndex = from
    const value = QUOTED_NEXT.exec(text)?.[1]
    if (
      value === undefined ||
      UUID.test(value) ||
      entropyOf(value) < MIN_ENTROPY ||
      !couldBeKey(value)
    )
      return hits
    const end = QUOTED_NEXT.lastIndex
    const next = { start: end - value.length, end, confidence: 0.55 }
    return hits.some((one) => one.start < end && one.end > next.start) ? hits : [next, ...hits]
  },
  catches: [
    `algolia_admin_key: ${sampleOf('{h32}')}`,
    `MAILERLITE SECRET ${sampleOf('{A32}')}`,
    `"mailjet": "${sampleOf('{h32}', 5)}"`,
    `pandadocApiToken="${sampleOf('{h40}')}"`,
  ],
  ignores: [
    ['algolia_admin_key: process', 'env', 'ALGOLIA_ADMIN_KEY'].join('.'),
    'See https://www.algolia.com/doc/guides/security/api-keys/how-to/',
    'pagerduty integration key goes into the alertmanager-configuration-file',
    '"mailjet": "./packages/mailjet-transport-for-nodemailer"',
    'twilio access tokens are described in the documentation',
  ],
}
