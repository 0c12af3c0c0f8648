import { type Detector, type Hit, matchesOf } from '../../detector.ts'
import { startingWith } from '../../search.ts'
import { distinctUnits, entropyOf, runShare } from './entropy.ts'
import { wordliness } from './letter-pairs.ts'
import { isPlaceholder } from './placeholder.ts'
import { sampleOf } from './token-shape.ts'
import { withoutPadding } from './unit-classes.ts'

const DOTTED_NAME = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*){1,6}$/
const WRITTEN_FOR =
  /^(?:user(?:name)?|admin|foo|test|login|name|your\S*|alad+in|u):(?:pass(?:word|wd)?|pwd|secret|bar|test|admin|foo|open ?sesame|p)$/i

const PRINTABLE = /^[\u0020-\u007e\u00a0-\u00ff]{1,201}$/
const MAX_USER = 80
const MAX_PASSWORD = 120

/** What basic credentials say, `user:password`, or null when they are none. */
function basicText(base64: string): string | null {
  let text: string
  try {
    text = atob(withoutPadding(base64.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return null
  }
  const colon = text.indexOf(':')
  const password = text.length - colon - 1
  const isPair = colon >= 0 && colon <= MAX_USER && password >= 1 && password <= MAX_PASSWORD
  return isPair && PRINTABLE.test(text) ? text : null
}

export const basicAuthorization: Detector = {
  id: 'basic-authorization',
  category: 'secret',
  severity: 'high',
  confidence: 0.8,
  summary: 'HTTP basic credentials: base64 that reads `user:password`.',
  needs: ['basic '],
  reach: { before: 2, after: 240 },
  source: 'RFC 7617.',
  find: matchesOf(
    /(?<![A-Za-z\d])basic\s{1,3}([A-Za-z\d+/_-]{6,220}={0,2})(?![A-Za-z\d+/=])/gi,
    (match, start) => {
      const text = basicText(match[1] ?? '')
      if (text === null || text.startsWith(':')) return null
      const end = start + match[0].length
      const at = { start: end - (match[1] ?? '').length, end }
      return WRITTEN_FOR.test(text) || isPlaceholder(text) ? { ...at, confidence: 0.4 } : at
    },
  ),
  catches: [
    `Authorization: Basic ${btoa(`deploy:${sampleOf('{A12}')}`)}`,
    `basic ${btoa(`mqtt:${sampleOf('{l8}')}`)}`,
  ],
  ignores: [
    'Authorization: Basic ...',
    'a basic understanding of it',
    'Basic dXNlcm5hbWU',
    'Basic credentials are base64',
  ],
}

const SAYS_TOKEN =
  /bearer|authorization|x-api-key|x-auth-token|api-?key:|(?:private|job|access|x-vault)-token|ssws/gi
/** From the header's name or the scheme on: what stands between, and the token. */
const WITH_TOKEN =
  /(?:bearer|authorization["']?\s{0,2}[:=]\s{0,2}["']?(?:token|bearer|apikey|api-key|ssws|key|basic)?|x-api-key["']?\s{0,2}[:=]|x-auth-token["']?\s{0,2}[:=]|api-?key:|(?:private|job|access|x-vault)-token["']?\s{0,2}[:=]|ssws)[\s"'=]{1,4}([\w.~+/=-]{12,1024})/iy

export const bearerToken: Detector = {
  id: 'bearer-token',
  category: 'secret',
  severity: 'high',
  confidence: 0.7,
  summary: 'Bearer or other token of an HTTP authorization header.',
  needs: [
    'bearer',
    'authorization',
    'x-api-key',
    'x-auth-token',
    'apikey:',
    'api-key:',
    'private-token',
    'job-token',
    'x-vault-token',
    'accesstoken ',
    'x-access-token',
    'ssws',
  ],
  reach: { before: 2, after: 160 },
  source: 'RFC 6750 and the headers of common services.',
  find: matchesOf(startingWith(SAYS_TOKEN, WITH_TOKEN), (match, start) => {
    const value = match[1] ?? ''
    const end = start + match[0].length
    const at = { start: end - value.length, end }
    if (isPlaceholder(value) || DOTTED_NAME.test(value) || runShare(value) > 0.5) return null
    const digits = value.match(/\d/g)?.length ?? 0
    if (
      value.length < 14 ||
      (value.length < 16 && digits < 4) ||
      digits < 2 ||
      !/[A-Za-z]/.test(value)
    )
      return null
    if (digits < 4 && value.length < 40 && (wordliness(value) ?? 0) > 15) return null
    if (distinctUnits(value) < 8 || entropyOf(value) < 3) return null
    return value.length >= 20 && digits >= 3 ? at : { ...at, confidence: 0.55 }
  }),
  catches: [
    `curl -H "Authorization: Bearer ${sampleOf('{A40}')}" https://api.example.com`,
    `X-API-Key: ${sampleOf('{h32}')}`,
    `PRIVATE-TOKEN: ${sampleOf('{A24}')}`,
  ],
  ignores: [
    'Authorization: Bearer $TOKEN',
    'Authorization: Bearer <your-access-token-here>',
    'the bearer of this message is trusted-by-everyone',
    'Authorization: Bearer xxxxxxxxxxxxxxxxxxxxxxxx',
    'headers.set("Authorization", bearerTokenFromSession)',
  ],
}

const OPTION = /(?<![\w-])(?:-u|--user|--proxy-user)/gi
const USER_AND_PASSWORD =
  /(?:-u|--user|--proxy-user)[\s=]{0,2}["']?([\w.@+-]{1,64}):([^\s"'@/]{4,120})(?=["'\s]|$)/iy
const KEY_ALONE = /(?:-u|--user)[\s=]{0,2}["']?([\w.!@#%^*+-]{10,80}):(?=["'\s]|$)/iy
const BY_SSHPASS = /sshpass\s{1,2}-p\s{0,2}["']?([^\s"'$]{4,80})/gi
const BY_PSEXEC = /psexec[^\n]{1,80}\s-p\s{1,2}([^\s"'$]{4,80})/iy

const NO_PASSWORD = /[${}<>[\]%]|^[:*]/
const WRITTEN_PASSWORD =
  /^(?:my|your)?-?(?:pass(?:word|wd)?|pwd|token|secret|p4ss|yyy|test|admin|root|x{3,})\d{0,3}$/i
/** `1000:1000`: numbers of a user and a group, `8080:80` ports. */
const NUMBERS = /^\d{1,5}(?::\d{1,5})?$/

/** What is known of a password that stands at the end of a match, or null when it is none. */
function passwordAt(
  start: number,
  whole: string,
  password: string,
  user = '',
): Partial<Hit> | null {
  if (NO_PASSWORD.test(password) || password === user || isPlaceholder(password)) return null
  if (WRITTEN_PASSWORD.test(password)) return { confidence: 0.4 }
  if (NUMBERS.test(password)) return null
  const end = start + whole.length
  return { start: end - password.length, end }
}

const findCommandCredentials: readonly Detector['find'][] = [
  matchesOf(startingWith(OPTION, USER_AND_PASSWORD), (match, start) =>
    passwordAt(start, match[0], match[2] ?? '', match[1]),
  ),
  // A key in the user's place, with no password: what many services take.
  matchesOf(startingWith(OPTION, KEY_ALONE), (match, start) => {
    const key = match[1] ?? ''
    if (!/\d/.test(key) || !/[A-Z]/.test(key) || !/[a-z]/.test(key) || isPlaceholder(key))
      return null
    const end = start + match[0].length - 1
    return { start: end - key.length, end, confidence: 0.55 }
  }),
  matchesOf(BY_SSHPASS, (match, start) => passwordAt(start, match[0], match[1] ?? '')),
  matchesOf(startingWith(/psexec/gi, BY_PSEXEC), (match, start) =>
    passwordAt(start, match[0], match[1] ?? ''),
  ),
]

export const commandCredentials: Detector = {
  id: 'command-credentials',
  category: 'secret',
  severity: 'high',
  confidence: 0.65,
  summary: 'User and password on a command line.',
  needs: ['-u ', '--user', '--proxy-user', '-u"', "-u'", 'psexec', 'sshpass', 'net use'],
  reach: { before: 2, after: 140 },
  source: 'curl(1), sshpass(1), PsExec: options that carry a password.',
  find: (text, from, to, scene) =>
    findCommandCredentials.flatMap((find) => find(text, from, to, scene)),
  catches: [
    `curl -u ${sampleOf('k{d1}{L4}{l4}{A12}')}: https://example.com`,
    `curl -u deploy:${sampleOf('{A12}')} https://example.com`,
    `sshpass -p ${sampleOf('{A10}')} ssh host`,
  ],
  ignores: [
    'curl -u "$USER:$PASS" https://example.com',
    'docker run -u 1000:1000 image',
    'curl --user user:password https://example.com',
    'ps -u root',
    'chown -R --user backup-operator: /var',
  ],
}
