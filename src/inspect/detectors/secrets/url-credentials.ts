import { type Detector, matchesOf } from '../../detector.ts'
import { startingWith } from '../../search.ts'
import { wordliness } from './letter-pairs.ts'
import { isPlaceholder } from './placeholder.ts'
import { sampleOf } from './token-shape.ts'

/** What documentation writes for a password. */
const WRITTEN_FOR =
  /^(?:my|your|the|some|db|user|test|new|real|a)?[-_]?(?:p|pw|pwd|pass|passwd|passw0?rd|password|secret|token|user(?:name)?|foo|bar|baz|abc|xyz|test|guest|root|admin|postgres|mysql|redis|rabbitmq|mongo|api[-_]?key|key|auth|creds?|credentials?|changeit|example|none|null|x{1,9}|\*{1,20}|\d{1,6}|pw123|hello|demo|bot)\d{0,3}$/i
const TEMPLATE = /[${}<>[\]()|^]|^%[A-Z_]+%?$|^:|^\+|\s/
const NO_HOST = /^(?:\d{1,5}\/|$)/

/** A scheme and what follows it: asked only where a scheme begins. */
const SCHEME = /(?<![A-Za-z\d])[a-z][a-z\d+.-]{1,20}:\/\//gi
const CREDENTIALS =
  /([a-z][a-z\d+.-]{1,20}):\/\/([^\s:/?#"'`<>@,\\]{0,80}):([^\s/"'`<>\\]{3,120})@([\w.[\]-]{1,120}|%[sdv])/iy

const findCredentials = matchesOf(startingWith(SCHEME, CREDENTIALS), (match, start) => {
  const { 0: whole, 1: scheme = '', 2: user = '', 3: password = '', 4: host = '' } = match
  if (TEMPLATE.test(password) || TEMPLATE.test(user) || NO_HOST.test(host)) return null
  const word = /^[A-Za-z_]{3,24}$/.test(password) ? (wordliness(password) ?? 0) : 0
  if (
    password === user ||
    word > 16 ||
    /(?:password|passwd|secret)$/i.test(password) ||
    /^[A-Z]{2,20}(?:_[A-Z]{2,20}){1,4}$/.test(password) ||
    WRITTEN_FOR.test(password) ||
    isPlaceholder(password)
  )
    return { confidence: 0.4 }
  const at = start + scheme.length + 3 + user.length + 1
  const isLong = password.length >= 12 && /\d/.test(password)
  return {
    start: at,
    end: at + password.length,
    confidence: isLong && whole.length > 24 ? 0.8 : 0.65,
  }
})

export const urlCredentials: Detector = {
  id: 'url-credentials',
  category: 'secret',
  severity: 'high',
  confidence: 0.7,
  summary:
    'Address with a user and a password in it, of any scheme: HTTP, databases, queues, mail.',
  needs: ['://'],
  reach: { before: 16, after: 260 },
  source: 'RFC 3986 section 3.2.1 (userinfo).',
  find: (text, from, to, scene) =>
    text.slice(from, to).includes('@') ? findCredentials(text, from, to, scene) : [],
  catches: [
    `postgres://app:${sampleOf('{A14}')}@db.internal:5432/main`,
    `git clone https://ci-bot:${sampleOf('{A20}', 4)}@git.example.net/team/app.git`,
    `amqps://worker:${sampleOf('{l9}', 5)}@queue-1/vhost`,
  ],
  ignores: [
    'postgres://user:password@localhost:5432/db',
    'https://$USER:$TOKEN@example.com/',
    'redis://:${REDIS_PASSWORD}@cache:6379',
    'https://example.com:8080/@scope/package',
    'http://host:80/path?mail=a@b.example',
    'mysql://<user>:<password>@host/db',
    'ssh://git@example.com:2222/repo.git',
  ],
}
