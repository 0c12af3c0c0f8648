import type { Detector, Hit } from '../../detector.ts'

const AT = 0x40
const DOT = 0x2e
const HYPHEN = 0x2d
const MAX_LOCAL = 64
const MAX_DOMAIN = 253

function isAlphanumeric(unit: number): boolean {
  const folded = unit | 0x20
  return (unit >= 0x30 && unit <= 0x39) || (folded >= 0x61 && folded <= 0x7a)
}

/** Letters beyond ASCII stand in addresses too (RFC 6531). */
function isLetterBeyond(unit: number): boolean {
  return (unit >= 0xc0 && unit < 0x2000) || (unit >= 0x2c00 && unit < 0xd800)
}

const LOCAL_MARKS = new Set([..."._%+-'&"].map((mark) => mark.charCodeAt(0)))

/** What looks like the end of a domain and is the end of a file's name, or stands for a name. */
const NO_TOP_LEVEL =
  /\.(?:png|jpe?g|gif|svg|webp|ico|css|scss|less|js|mjs|cjs|ts|tsx|jsx|json|html?|php|py|rb|go|rs|java|kt|c|h|cpp|md|txt|ya?ml|xml|toml|lock|sh|log|zip|gz|tgz|tar|exe|dll|so|jar|war|map|min|conf|cfg|ini|service|socket|timer|target|mount|local(?:host)?|localdomain|internal|lan|invalid)$/i
const TOP_LEVEL = /\.(?:[a-z]{2,24}|xn--[a-z\d-]{2,20}|[\u00c0-\u1fff\u2c00-\ud7ff]{2,12})$/i
/** `git@host:path`, `pkg@1.2.3`, users of a service. */
const SERVICE_USER = /^(?:git|svn|hg|ssh)$/i

function localStart(text: string, at: number): number {
  let start = at
  while (start > 0 && at - start < MAX_LOCAL) {
    const unit = text.charCodeAt(start - 1)
    if (!isAlphanumeric(unit) && !LOCAL_MARKS.has(unit) && !isLetterBeyond(unit)) break
    start -= 1
  }
  while (
    start < at &&
    !isAlphanumeric(text.charCodeAt(start)) &&
    !isLetterBeyond(text.charCodeAt(start))
  )
    start += 1
  return start
}

function domainEnd(text: string, at: number): number {
  let end = at + 1
  while (end < text.length && end - at < MAX_DOMAIN) {
    const unit = text.charCodeAt(end)
    if (!isAlphanumeric(unit) && unit !== DOT && unit !== HYPHEN && !isLetterBeyond(unit)) break
    end += 1
  }
  while (
    end > at + 1 &&
    !isAlphanumeric(text.charCodeAt(end - 1)) &&
    !isLetterBeyond(text.charCodeAt(end - 1))
  )
    end -= 1
  return end
}

function addressAt(text: string, at: number): Hit | null {
  const start = localStart(text, at)
  if (start === at || text.charCodeAt(at - 1) === DOT) return null
  const end = domainEnd(text, at)
  const domain = text.slice(at + 1, end)
  if (!TOP_LEVEL.test(domain) || NO_TOP_LEVEL.test(domain)) return null
  if (domain.includes('..') || /(?:^|\.)-|-\.|_/.test(domain) || domain.startsWith('.')) return null
  const local = text.slice(start, at)
  if (local.includes('..')) return null
  const next = text[end]
  const before = text[start - 1]
  if (next === '@' || before === '@' || next === '_') return null
  if (SERVICE_USER.test(local)) return { start, end, confidence: 0.4 }
  // Part of an address of another kind: user information of a URL, an SSH target with a path.
  if (before === ':' && text.slice(Math.max(0, start - 90), start).includes('://')) return null
  if (before === '/' && text.slice(Math.max(0, start - 3), start) === '://') return null
  if (
    next === ':' &&
    /^:[\w~/.-]/.test(text.slice(end, end + 2)) &&
    !/^:\d{0,5}(?:\D|$)/.test(text.slice(end, end + 7))
  )
    return { start, end, confidence: 0.4 }
  if (next === '/') return { start, end, confidence: 0.4 }
  return { start, end }
}

export const email: Detector = {
  id: 'email',
  category: 'pii',
  severity: 'medium',
  confidence: 0.9,
  summary: 'E-mail address.',
  needs: [],
  skipsPlain: true,
  source:
    'RFC 5321 section 4.1.2 and RFC 6531; ends of file names and users of services are left out.',
  find(text, from, to) {
    const hits: Hit[] = []
    for (let at = text.indexOf('@', from); at >= 0 && at < to; at = text.indexOf('@', at + 1)) {
      if (text.charCodeAt(at + 1) === AT) continue
      const hit = addressAt(text, at)
      if (hit !== null) hits.push(hit)
    }
    return hits
  },
  catches: [
    'Write to jana.nova@posta.example.cz today',
    'mailto:k+tag@firma.co.uk?subject=x',
    '<o.brien@irish.ie>',
  ],
  ignores: [
    'git@github.com:team/app.git',
    'icon@2x.png',
    '@scope/package@1.4.2',
    'actions/checkout@v4.1.0',
    'https://bot:pass@host.example.com/',
    'user@localhost',
    'a..b@example.com',
    'x@y',
  ],
}
