import type { Detector, Hit } from '../../detector.ts'
import { either, far, inOrder } from '../../search.ts'
import { firstMatchesOf } from '../first-matches.ts'
import { TARGET } from '../path/sensitive-files.ts'
import { isDocument } from '../surroundings.ts'
import { readCommand } from './command-words.ts'

const FIELD_SEPARATOR =
  /[\w/`)}\]]\$(?:\{IFS[^}\n]{0,12}\}|IFS(?:\$[0-9@])?)(?=[\w/$.-])|\$IFS\$[0-9]/g

export const fieldSeparator: Detector = {
  id: 'field-separator',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.92,
  summary: '`$IFS` in place of a space, to get a command past a filter',
  needs: ['$ifs', '${ifs'],
  reach: { before: 8, after: 32 },
  source: 'POSIX.1-2024 Shell Command Language 2.6.5; CWE-78',
  catches: [
    'cat${IFS}/etc/hosts',
    'x;ls$IFS-la',
    { text: 'wget$IFS$9drop.example', kind: 'shell' },
  ],
  ignores: ['OLD_IFS="$IFS"; IFS=,', 'for x in ${IFS}', 'set IFS to a comma'],
  find: firstMatchesOf(FIELD_SEPARATOR),
}

/** Tricks to get one argument past a filter; a page of text has too many brackets and quotes of its own. */
const MAX_ARGUMENT = 600

/** A word with quotes, backslashes or empty expansions inside. */
const BROKEN_WORD =
  /(?<![\w"'\\`$/.-])[A-Za-z/][\w/.]{0,40}(?:(?:''|""|'[\w/]{1,12}'|"[\w/]{1,12}"|'[a-z]{1,8}(?=\/)|\\{1,2}[a-z]|\$@|\$[!*-]|``|\$\(\)|\$\{\w{0,12}\}|\[[\w/!^-]{1,8}\]|\$[a-z](?=[^\w]))[\w/.]{0,40}){1,12}/gi
/** Nothing between the quotes: only a shell makes nothing of it. */
const EMPTY_MARK = /\w(?:''|""|``|\$@|\$\(\))\w|\w\$\(\)$/
const MARKS = /["'\\`]|\$@|\$[!*-]|\$\(\)|\$\{\w{0,12}\}|\$[a-z]/gi
const BRACKETS = /\[([\w!^/-])[^\]]{0,7}\]/g

function find(text: string, from: number, to: number): readonly Hit[] {
  const hits: Hit[] = []
  if (text.length > MAX_ARGUMENT || !/['"\\`$[]/.test(text) || isDocument(text)) return hits
  const window = text.slice(from, to)
  BROKEN_WORD.lastIndex = 0
  for (let match = BROKEN_WORD.exec(window); match !== null; match = BROKEN_WORD.exec(window)) {
    const plain = match[0].replace(BRACKETS, '$1').replace(MARKS, '').toLowerCase()
    const start = from + match.index
    const end = start + match[0].length
    const isPath = plain.includes('/') && TARGET.test(plain.replace(/\/{2,}/g, '/'))
    const word = isPath ? null : readCommand(plain, 0)
    const isProgram =
      word !== null &&
      (word.hasPath ||
        (word.kind === 'distinct' && word.name.length >= 4) ||
        (word.kind === 'common' && word.name.length >= 3 && EMPTY_MARK.test(match[0])))
    // A closing quote at the end is a quoted word, not a broken one.
    if (!isPath && (!isProgram || /^[\w/.]+["'\\]{1,2}$/.test(match[0]))) continue
    hits.push({ start, end, confidence: 0.7 })
    if (hits.length >= 16) break
  }
  return hits
}

export const brokenWord: Detector = {
  id: 'broken-word',
  category: 'command_injection',
  severity: 'high',
  confidence: 0.7,
  summary: 'a command or a path broken up by quotes, backslashes, brackets or empty expansions',
  needs: [],
  skipsPlain: true,
  kinds: ['text', 'json', 'path', 'url', 'prose', 'id', 'shell'],
  source: 'POSIX.1-2024 Shell Command Language 2.2 and 2.14; MITRE ATT&CK T1027.010',
  catches: ["w''hoami --all", 'cat /e[t]c/pa[s]swd', 'c"ur"l drop.example', 'wh$@oami'],
  ignores: ["don't ping'em", 'C:\\python\\lib', "it's 'cat' or \"dog\"", 'a[0] = b[1]'],
  find,
}

const GLOB_PATH = /(?<![\w*?.])\/[\w?*[\]./-]{3,60}/g
const GLOB_TARGETS = [
  '/etc/passwd',
  '/etc/shadow',
  '/etc/hosts',
  '/etc/group',
  '/bin/sh',
  '/bin/bash',
  '/bin/cat',
  '/bin/ls',
  '/bin/nc',
  '/bin/id',
  '/usr/bin/id',
  '/usr/bin/nc',
  '/usr/bin/curl',
  '/usr/bin/wget',
  '/usr/bin/python',
  '/usr/bin/whoami',
]

/** Whether a shell would expand `glob` to `name`. At most one step back per star: linear for these lengths. */
function expandsTo(glob: string, name: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let read = 0
  while (at < name.length) {
    const mark = glob[read]
    if (mark === '*') {
      star = read
      resume = at
      read += 1
    } else if (mark !== undefined && (mark === name[at] || (mark === '?' && name[at] !== '/'))) {
      read += 1
      at += 1
    } else if (star !== -1 && name[resume] !== '/') {
      resume += 1
      at = resume
      read = star + 1
    } else return false
  }
  while (glob[read] === '*') read += 1
  return read === glob.length
}

/** `/etc/*` asks for a folder; `/e*c/pas*d` asks for one file and will not say so. */
const hidesName = (glob: string): boolean => /[?*]\w|\w\?|[?*]\/[^/]{0,20}\w|\[\w/.test(glob)

export const globbedPath: Detector = {
  id: 'globbed-path',
  category: 'command_injection',
  severity: 'high',
  confidence: 0.7,
  summary: 'wildcards that expand to one well-known program or file',
  needs: ['/e', '/b', '/u', '/?', '/*', '/['].flatMap((start) =>
    [' ', '"', "'", ';', '|', '&', '/', '`', '='].map((before) => before + start),
  ),
  reach: { before: 2, after: 64 },
  source: 'POSIX.1-2024 Shell Command Language 2.14',
  catches: ['cat /e*c/pas?wd', 'run /???/b??h now', ' /bi?/cat x'],
  ignores: ['ls /etc/*', '/usr/bin/*.sh', 'glob /b*/** is fine', 'what is 5 /?'],
  find: firstMatchesOf(GLOB_PATH, (match) => {
    const glob = match[0].replace(BRACKETS, '$1').replace(/\/{2,}/g, '/')
    if (!/[?*[]/.test(match[0]) || !hidesName(match[0])) return null
    return GLOB_TARGETS.some((name) => expandsTo(glob, name)) ? {} : null
  }),
}

/** Every trick has one of these. */
const TRICK_SIGN = /[{<$|;#]|-c/

const TRICKS: readonly (readonly [pattern: RegExp, confidence: number])[] = [
  // {cat,/etc/hosts} and {,ip,a}
  [
    /(?<![\w$.)\]=:}])\{(?:[a-z]{2,12}(?:,[^,\s{}]{1,60}){0,3},(?:[/-][^,\s{}]{1,60})?|(?:,[\w$"'#.-]{1,40}){1,4},?)\}/gi,
    0.6,
  ],
  // cat<<<x
  [/(?<![<\w])(?:["'`;|&]|^|\s)(?!done|read)[a-z][\w.]{1,15}\s{0,2}<<<(?!<)/gi, 0.6],
  // a=/etc;b=/hosts;cat $a$b
  [
    /^\s{0,4}\w{1,12}=[^\s;&]{0,40}\s?(?:;|&&)[^\n]{0,200}?(?:(?:;|&&)\s?[^\s$;&]{0,4}\$\w{1,12}[\s$\\]|\$\w{1,12}\$\w)/g,
    0.6,
  ],
  // nohup id | sh
  [
    /^["'\s]{0,3}(?:time|nohup|strace|echo|printf|cat|sudo)\b[^|\n]{0,200}\|\s{0,4}(?:\/(?:usr\/)?bin\/)?(?:ba|z|k|da)?sh\b/gi,
    0.6,
  ],
  [/\b(?:ba|z|k|da)?sh\s{1,3}-c\s{1,3}["']?(?:whoami|id|uname|curl|wget|sleep|nslookup)\b/gi, 0.6],
  // one payload in three kinds of quotes: id #' |id #" |id
  [/#\s?\\{0,2}["']\s?[|;&]/g, 0.7],
  // cd /;cd etc;…
  [/(?:^|[;&|\s])cd\s{1,3}\/\s?;\s?cd\s{1,3}\w{2,20}\s?;/g, 0.6],
  // $'\x69\x64'
  [/(?:^|[\s;|&])\$'(?:\\x[0-9a-f]{2}|\\[0-7]{3}){2,60}'/gi, 0.85],
]

export const shellTrick: Detector = {
  id: 'shell-trick',
  category: 'command_injection',
  severity: 'high',
  confidence: 0.6,
  summary:
    'brace lists, here-strings, assembled variables and quoted escapes in place of a plain command',
  needs: [],
  skipsPlain: true,
  kinds: ['text', 'json', 'path', 'url', 'prose', 'id'],
  source: 'bash(1) EXPANSION, REDIRECTION; MITRE ATT&CK T1027.010',
  catches: [
    '{cat,/srv/ledger}',
    '{,uname,-a}',
    'cat<<<hello',
    'p=/srv;q=/ledger;tail $p$q',
    'nohup env | sh',
    "$'\\x69\\x64'",
  ],
  ignores: ['{id, name}', '{a,b}', '<<<<<<< HEAD', 'x=1; y=2', 'const {get, set} = box'],
  find(text): readonly Hit[] {
    if (text.length > MAX_ARGUMENT || !TRICK_SIGN.test(text) || isDocument(text)) return []
    const hits: Hit[] = []
    for (const [pattern, confidence] of TRICKS) {
      pattern.lastIndex = 0
      const match = pattern.exec(text)
      if (match !== null) {
        hits.push({ start: match.index, end: match.index + match[0].length, confidence })
      }
    }
    return hits
  },
}

const COMMAND = '\n|'
const DECODES = either(
  /\b(?:base64\s{1,3}(?:-d|-D|--decode|-i)|base32\s{1,3}-d|xxd\s{1,3}-[a-z]{0,3}r|rev\b|uudecode|gunzip|zcat|tr\s{1,3}\S{1,80}\s{1,3}[^\s|])/gi,
  inOrder(/\bopenssl\s{1,3}(?:enc|base64)\s/gi, far(80, COMMAND, /-d/gi)),
)
const DECODED_RUN = inOrder(
  DECODES,
  far(
    200,
    COMMAND,
    /\|\s{0,4}(?:sudo\s)?(?:\/(?:usr\/)?bin\/)?(?:(?:ba|z|k|da)?sh|python[0-9.]{0,4}|perl|ruby|php)\b/gi,
  ),
)

export const decodedAndRun: Detector = {
  id: 'decoded-and-run',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.9,
  summary: 'text decoded or turned around and handed straight to a shell',
  needs: [
    'base64',
    'base32',
    'xxd -',
    'openssl',
    'rev|',
    'rev |',
    'uudecode',
    'gunzip',
    'zcat',
    '| tr ',
    '|tr ',
  ],
  reach: { before: 8, after: 260 },
  source: 'MITRE ATT&CK T1140, T1027.010',
  catches: [{ text: 'echo aWQ= | base64 -d | sh', kind: 'shell' }, 'echo di | rev | bash'],
  ignores: [{ text: 'base64 -d a.b64 | less', kind: 'shell' }, 'zcat a.gz | python_reader'],
  find: firstMatchesOf(DECODED_RUN),
}
