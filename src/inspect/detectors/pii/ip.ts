import type { Detector, Hit } from '../../detector.ts'

const V4 =
  /(?<![\w.-])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?![\w-]|\.\d)/y
/** Addresses of nobody: private, loopback, link-local, documentation, shared, multicast. */
const V4_OF_NOBODY =
  /^(?:0|10|127|22[4-9]|23\d|24\d|25\d)\.|^172\.(?:1[6-9]|2\d|3[01])\.|^192\.168\.|^169\.254\.|^192\.0\.[02]\.|^198\.51\.100\.|^203\.0\.113\.|^198\.1[89]\.|^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./
const V6 =
  /^(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?=(?:[\da-f]{0,4}:){2,8})(?:[\da-f]{1,4}(?::[\da-f]{1,4}){0,6})?::(?:[\da-f]{1,4}(?::[\da-f]{1,4}){0,6})?)$/i
const V6_OF_NOBODY = /^(?:::|f[cde]|2001:0?db8:|ff)/i
const IS_VERSION = /(?:v|version|ver|release|build|==|@|chrome\/|[a-z]\/)\s?$/i
const OF_SOMEBODY = 0.6
const OF_NOBODY = 0.4
const DOT = 0x2e
const COLON = 0x3a
const MAX_V6 = 45

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

/** An IPv4 address of which the first dot stands at `dot`. */
function v4At(text: string, dot: number): Hit | null {
  // Three more dots and digits have to follow within what an address may take.
  const second =
    text.charCodeAt(dot + 2) === DOT ||
    text.charCodeAt(dot + 3) === DOT ||
    text.charCodeAt(dot + 4) === DOT
  if (!second) return null
  let start = dot
  while (start > 0 && dot - start < 3 && isDigit(text.charCodeAt(start - 1))) start -= 1
  V4.lastIndex = start
  const match = V4.exec(text)
  if (match === null) return null
  if (IS_VERSION.test(text.slice(Math.max(0, start - 9), start))) return null
  const confidence = V4_OF_NOBODY.test(match[0]) ? OF_NOBODY : OF_SOMEBODY
  return { start, end: start + match[0].length, confidence }
}

function isV6Unit(unit: number): boolean {
  const folded = unit | 0x20
  return isDigit(unit) || unit === COLON || unit === DOT || (folded >= 0x61 && folded <= 0x66)
}

/** Where the run of units that an IPv6 address may have ends; longer than an address it is none. */
function v6RunEnd(text: string, colon: number): number {
  let end = colon
  while (isV6Unit(text.charCodeAt(end))) end += 1
  return end
}

/** An IPv6 address of which a colon stands at `colon`, in a run that ends at `runEnd`. */
function v6At(text: string, colon: number, runEnd: number): Hit | null {
  if (runEnd - colon > MAX_V6) return null
  let start = colon
  while (start > 0 && colon - start < MAX_V6 && isV6Unit(text.charCodeAt(start - 1))) start -= 1
  let end = runEnd
  while (end > start && (text[end - 1] === '.' || (text[end - 1] === ':' && text[end - 2] !== ':')))
    end -= 1
  const address = text.slice(start, end)
  if (address.length < 6 || /[\w-]/.test(text[start - 1] ?? '') || /[\w-]/.test(text[end] ?? ''))
    return null
  if (!V6.test(address) || !/\d/.test(address)) return null
  return { start, end, confidence: V6_OF_NOBODY.test(address) ? OF_NOBODY : OF_SOMEBODY }
}

export const ip: Detector = {
  id: 'ip',
  category: 'pii',
  severity: 'low',
  confidence: OF_SOMEBODY,
  summary: 'IP address that may be somebody’s: version 4 or 6, outside the ranges of nobody.',
  needs: [],
  skipsPlain: true,
  source: 'RFC 6890 (ranges for special use), RFC 4291 section 2.2 (how version 6 is written).',
  find(text, from, to) {
    const hits: Hit[] = []
    let last = from - 1
    for (
      let dot = text.indexOf('.', from);
      dot >= 0 && dot < to;
      dot = text.indexOf('.', dot + 1)
    ) {
      if (dot <= last || !isDigit(text.charCodeAt(dot - 1)) || !isDigit(text.charCodeAt(dot + 1)))
        continue
      const hit = v4At(text, dot)
      if (hit === null) continue
      hits.push(hit)
      last = hit.end
    }
    last = from - 1
    for (
      let colon = text.indexOf('::', from);
      colon >= 0 && colon < to;
      colon = text.indexOf('::', colon + 2)
    ) {
      if (colon < last) continue
      last = v6RunEnd(text, colon)
      const hit = v6At(text, colon, last)
      if (hit !== null) hits.push(hit)
    }
    return hits
  },
  catches: ['client 81.2.69.142 connected', 'from 2a02:4780:8:1::5:31 port 22'],
  ignores: [
    'listen 127.0.0.1:8080',
    'app version 4.18.2.1',
    '300.1.2.3',
    'std::vector<int>',
    '10.0.0.7',
    '2001:db8::1',
    'at 12:34:56',
  ],
}
