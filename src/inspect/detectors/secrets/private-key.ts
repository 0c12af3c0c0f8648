import { type Detector, matchesOf } from '../../detector.ts'
import { startingWith } from '../../search.ts'
import { isPlaceholder } from './placeholder.ts'
import { sampleOf } from './token-shape.ts'
import { runEnd } from './unit-classes.ts'

/** What stands between a header and its base64: line ends, real or written as `\n`, quotes, marks of comments. */
const BETWEEN = /(?:[\s"'`+,#>*|-]|\\[nrt]){0,48}/y
const LONG_LINE = 36
const FIRST_LINE = 16

/** Base64 after the header: soon, or a long line behind headers of its own, which PGP and PEM may have. */
function isBody(after: string): boolean {
  BETWEEN.lastIndex = 0
  BETWEEN.test(after)
  const first = BETWEEN.lastIndex
  if (runEnd('base64', after, first, FIRST_LINE) - first >= FIRST_LINE) return true
  for (let at = 0; at < after.length; at++) {
    const end = runEnd('base64', after, at, after.length)
    if (end - at >= LONG_LINE) return true
    at = end
  }
  return false
}

/** Nothing but the header, or a body of which only the first few units were left. */
const CUT_OFF = /^(?:\s|\\n){0,8}(?:[A-Za-z\d+/]{0,16}={0,2})\s{0,8}$/

function header(words: string): string {
  return `-----BEGIN ${words}-----`
}

const WORDS = 'PRIVATE KEY'

const findHeaders = matchesOf(
  startingWith(
    /-{2,5}\s?BEGIN[ _]/g,
    /-{2,5}\s?BEGIN[ _](?:[A-Z0-9]{2,12}[ _]){0,4}PRIVATE[ _]KEY(?:[ _]BLOCK)?\s?-{2,5}/y,
  ),
  (match, start, text) => {
    const after = text.slice(start + match[0].length, start + match[0].length + 240)
    if (!isBody(after)) return { confidence: CUT_OFF.test(after) ? 0.6 : 0.4 }
    return isPlaceholder(after.slice(0, 64)) ? { confidence: 0.4 } : {}
  },
)

const PUTTY_LINES = 'Private-Lines: '
/** Between the first line of a file of PuTTY and its private part: the comment and the public part. */
const PUTTY_REACH = 2_000

const findPutty = matchesOf(/PuTTY-User-Key-File-[23]:/g, (match, start, text) => {
  const headerEnd = start + match[0].length
  const after = text.slice(headerEnd, headerEnd + PUTTY_REACH)
  const at = after.indexOf(PUTTY_LINES)
  const isFollowed = at > 0 && /^\d/.test(after.slice(at + PUTTY_LINES.length))
  return isFollowed ? { end: headerEnd + at + PUTTY_LINES.length + 1 } : null
})

export const privateKey: Detector = {
  id: 'private-key',
  category: 'secret',
  severity: 'critical',
  confidence: 0.95,
  summary: 'Private key: PEM (PKCS#1, PKCS#8, SEC 1, OpenSSH, encrypted), PGP, PuTTY.',
  needs: ['private key', 'putty-user-key-file-', 'privatekey-----'],
  reach: { before: 48, after: 400 },
  source: 'RFC 7468 (PEM), RFC 9580 (PGP armour), PuTTY appendix C.',
  find: (text, from, to, scene) => [
    ...findHeaders(text, from, to, scene),
    ...findPutty(text, from, to, scene),
  ],
  catches: [
    'PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 4\n',
    `${header(`RSA ${WORDS}`)}\n${sampleOf('{b64}')}\n${sampleOf('{b64}', 2)}`,
    `key: "${header(`OPENSSH ${WORDS}`)}\\n${sampleOf('{b64}', 3)}\\n"`,
    `${header(`PGP ${WORDS} BLOCK`)}\n\n${sampleOf('{b64}', 5)}`,
    `${header(`EC ${WORDS}`)}\n`,
    `${header(`RSA ${WORDS}`)}\nMIIE`,
  ],
  ignores: [
    `${header('PUBLIC KEY')}\n${sampleOf('{b64}')}`,
    `${header('CERTIFICATE')}\n${sampleOf('{b64}')}`,
    'The private key stays on the device.',
    `${header(WORDS)} begins a file of PKCS#8`,
    `${header(`OPENSSH ${WORDS}`)}-----END OPENSSH ${WORDS}-----`,
  ],
}

/** `-----BEGIN` in base64, at each of the three places it can begin. */
const IN_BASE64 = /LS0tLS1CRUdJTi[A-Za-z\d+/=]{30,8192}/g
/** ` PRIVATE KEY` in base64: `PRIVATE` and the first units of `KEY`, at the three alignments. */
const PRIVATE_IN_BASE64 = /UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW/

export const encodedPrivateKey: Detector = {
  id: 'encoded-private-key',
  category: 'secret',
  severity: 'critical',
  confidence: 0.95,
  summary: 'PEM private key in base64, as configuration files carry it.',
  needs: ['ls0tls1crudjti'],
  reach: { before: 0, after: 200 },
  source: 'RFC 7468 and RFC 4648.',
  find: matchesOf(IN_BASE64, (match) =>
    PRIVATE_IN_BASE64.test(match[0].slice(0, 96)) ? {} : null,
  ),
  catches: [
    `tls.key: ${btoa(`${header(WORDS)}\n${sampleOf('{b64}')}\n`)}`,
    `PEM=${btoa(`${header(`RSA ${WORDS}`)}\n${sampleOf('{b64}')}\n`)}`,
    `PEM=${btoa(`${header(`EC ${WORDS}`)}\n${sampleOf('{b64}')}\n`)}`,
  ],
  ignores: [`tls.crt: ${btoa(`${header('CERTIFICATE')}\n${sampleOf('{b64}')}\n`)}`],
}
