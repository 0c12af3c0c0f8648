import { FOLD } from '../../decoder.ts'
import { type Detector, findOf, type Hit } from '../../detector.ts'
import { either, far, inOrder, startingWith } from '../../search.ts'

const INTERPRETER = '(?:perl|ruby|python[23]?|node|php|lua)'

/** Commands and code that nobody encodes to be read. In clear text they say little; behind an encoding they do. */
const COMMAND = either(
  new RegExp(`\\b${INTERPRETER}\\s{1,4}-[ecr]\\s{0,4}['"\\w]`, 'gi'),
  /\b(?:ba|da|z|k|a)?sh\s{1,4}-[ci]\b/gi,
  /\b(?:cmd(?:\.exe)?\s{1,4}\/c|powershell(?:\.exe)?\s{1,4}[-/\w]|pwsh\s{1,4}-)/gi,
  /\brm\s{1,4}-(?:rf|fr|r\s{1,4}-f)\b/gi,
  /\bnc(?:at)?\s{1,4}-[a-z]{1,6}\b/gi,
  startingWith(
    /(?<![A-Za-z])(?:curl|wget)\s/gi,
    /(?:curl|wget)\s{1,4}(?:-[\w-]{1,20}\s{1,4}){0,6}['"]?(?:https?|ftp):\/\//iy,
  ),
  /\b(?:cat|less|more|head|tail|cp|type)\s{1,4}['"]?(?:\/etc\/|\/proc\/|~\/\.|\/root\/)/gi,
  /\/etc\/(?:passwd|shadow|sudoers)\b/gi,
  /\b(?:system|shell_exec|passthru|popen|proc_open|execSync|spawn)\s{0,4}\(\s{0,4}['"`$]/gi,
  /\b(?:eval|exec|assert)\s{0,4}\(\s{0,4}['"`$_a-z]/gi,
  /<\?php\b/gi,
  /\bchmod\s{1,4}(?:\+x|[0-7]{3,4})\s/gi,
  /[;|&]\s{0,4}(?:ba|da|z|k)?sh\b/gi,
  /(?:^|[\s"'=])(?:javascript|vbscript):\s{0,4}[\w(]/gi,
  inOrder(/<script\b/gi, far(80, '>\n', />/g)),
  /\b(?:subprocess|child_process|os)\.(?:Popen|popen|call|run|system|exec\w{0,4})\s{0,4}\(/gi,
  startingWith(
    /\b(?:alias|export)\s/gi,
    /(?:alias|export)\s{1,4}(?:-p\s{1,4})?\w{1,30}=['"]?(?:id|sh|bash|\$\()/iy,
  ),
)

const inDecoded = findOf(COMMAND, undefined, 1)

/** An ordinary URL is percent-encoded once; every other encoding of a command is made on purpose. */
const ORDINARY: ReadonlySet<string> = new Set([FOLD, 'percent', 'joined'])

export const encodedCommand: Detector = {
  id: 'encoded-command',
  category: 'encoding_obfuscation',
  severity: 'high',
  confidence: 0.7,
  summary:
    'a command line or code that runs commands, behind an encoding that such text does not need',
  needs: [],
  skipsPlain: true,
  source: 'MITRE ATT&CK T1027.010 (command obfuscation); OWASP CRS 932',
  find: (text, from, to, scene): readonly Hit[] => {
    const isOnPurpose =
      scene.via.some((one) => !ORDINARY.has(one)) ||
      scene.via.filter((one) => one === 'percent').length >= 2
    if (!isOnPurpose) return []
    return inDecoded(text, from, to, scene)
  },
  catches: [
    'cGVybCAtZSAncHJpbnQgNDIn',
    'cm0gLXJmIH4vcHJvamVjdHM=',
    '\\x63\\x61\\x74\\x20\\x2f\\x65\\x74\\x63\\x2f\\x70\\x61\\x73\\x73\\x77\\x64',
    '&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;:go(1)',
    '7368202d63206964',
    'q=%70%65%72%6c%20%2d%65%20%27%70%72%69%6e%74%20%31%27',
  ],
  ignores: [
    'perl -e "print 42"',
    'rm -rf build',
    'https://example.org/search?q=curl%20https%3A%2F%2Fexample.com',
    'SGVsbG8sIHRoaXMgaXMgYSBncmVldGluZy4=',
    'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0',
    'caf\\u00e9 \\u2013 cr\\u00e8me',
    'data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=',
  ],
}
