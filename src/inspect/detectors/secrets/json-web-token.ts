import type { Detector, Hit } from '../../detector.ts'
import { sampleOf } from './token-shape.ts'
import { isIn, runEnd } from './unit-classes.ts'

const HEADER = { min: 16, max: 1_002 } as const
const PAYLOAD = { min: 10, max: 4_000 } as const
const MAX_PART = 2_000
const MAX_PARTS = 5
const SIGNATURE = 20

/** The token whose header stands from `start` to `headerEnd`, where a dot follows. */
function tokenAt(text: string, start: number, headerEnd: number): Hit | null {
  const signatureStart = runEnd('base64url', text, headerEnd + 1, PAYLOAD.max) + 1
  if (signatureStart - 1 - (headerEnd + 1) < PAYLOAD.min) return null
  if (!isHeader(text.slice(start, headerEnd))) return null
  let end = signatureStart - 1
  for (let parts = 2; parts < MAX_PARTS && text[end] === '.'; parts++)
    end = runEnd('base64url', text, end + 1, MAX_PART)
  const signatureEnd = runEnd('base64url', text, signatureStart, MAX_PART)
  const isSigned = end > signatureStart && signatureEnd - signatureStart >= SIGNATURE
  return isSigned ? { start, end } : { start, end, confidence: 0.6 }
}

/** `{"alg` and `{"typ`, `{"kid` … with or without a space after the brace, read from the base64 of the header. */
function isHeader(part: string): boolean {
  let text: string
  try {
    text = atob(
      part
        .replaceAll('-', '+')
        .replaceAll('_', '/')
        .slice(0, part.length - (part.length % 4)),
    )
  } catch {
    return false
  }
  return (
    /^\{\s{0,4}"[A-Za-z\d_#]{1,12}"\s{0,2}:/.test(text) &&
    /"alg"|"typ"|"enc"|HS256|RS256|ES256/.test(text)
  )
}

function encoded(value: unknown): string {
  return btoa(JSON.stringify(value)).replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_')
}

function token(signature: string): string {
  return `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded({ sub: 'a7', iat: 1 })}.${signature}`
}

export const jsonWebToken: Detector = {
  id: 'json-web-token',
  category: 'secret',
  severity: 'high',
  confidence: 0.85,
  summary: 'JSON Web Token: its header names an algorithm.',
  needs: ['eyj', 'ewog', 'eya'],
  reach: { before: 2, after: 1_200 },
  source: 'RFC 7519 and RFC 7515, compact serialisation.',
  find(text, from, to) {
    const hits: Hit[] = []
    // Headers that begin in one run of units end where it ends.
    let headerEnd = -1
    for (let at = text.indexOf('e', from); at >= 0 && at < to; at = text.indexOf('e', at + 1)) {
      const next = text[at + 1]
      if ((next !== 'y' && next !== 'w') || isIn('base64', text.charCodeAt(at - 1))) continue
      if (at >= headerEnd) headerEnd = runEnd('base64url', text, at, text.length)
      const length = headerEnd - at
      if (length < HEADER.min || length > HEADER.max || text[headerEnd] !== '.') continue
      const token = tokenAt(text, at, headerEnd)
      if (token !== null) hits.push(token)
      // What begins later in this run has the same payload, and no header either.
      at = (token?.end ?? headerEnd) - 1
    }
    return hits
  },
  catches: [
    `Authorization: Bearer ${token(sampleOf('{w43}'))}`,
    `token = "${token(sampleOf('{w86}'))}"`,
  ],
  ignores: [
    'eyJ is how they begin',
    `${encoded({ name: 'plain json', size: 12 })}.${sampleOf('{w20}')}`,
    `e${sampleOf('{w40}')}.${sampleOf('{w40}')}`,
  ],
}
