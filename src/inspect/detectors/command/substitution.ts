import type { Detector, Hit, Scene } from '../../detector.ts'
import { placeOf } from '../../search.ts'
import { isDocument, isInBackticks, isWholeText } from '../surroundings.ts'
import { BUILDS, isCommandLine, readCommand } from './command-words.ts'
import { isShellLine } from './shell-line.ts'

const BACKTICK = 0x60
const LESS = 0x3c
/** A dollar sign, a backtick, or what opens a process substitution. */
const FIRST_UNIT = /[$`<]/g
const PAREN = 0x28
const MAX_HITS = 16
/** What an attacker asks first, and no prose writes as `$(…)` or between backticks glued to a word. */
const PROBE =
  /^(?:id|whoami|uname|hostname|sleep|ping|curl|wget|cat|ls|dir|nslookup|ifconfig|env|pwd)$/

/** `$(id -u)` and `$(uname -m)`: what build scripts ask all day. */
function asksForNumber(text: string, end: number): boolean {
  const options = text.slice(end, end + 6)
  const close = options.indexOf(')')
  return (
    /^(?: -[ugn]{1,2}| -[smrpo]{1,3})\s{0,2}[)`]?$/.test(
      close === -1 ? options : options.slice(0, close + 1),
    ) && /\b(?:id|uname)$/.test(text.slice(Math.max(0, end - 6), end))
  )
}

function lineBefore(text: string, at: number): string {
  const window = text.slice(Math.max(0, at - 240), at)
  return window.slice(window.lastIndexOf('\n') + 1)
}

/** `$(cmd` or `<(cmd`. */
function judgeParen(text: string, at: number): number {
  const isNested = /^\$?\(\s?(?:\$\(|`)/.test(text.slice(at + 1, at + 5))
  const word = readCommand(text, at + 2)
  const isCommand =
    word !== null &&
    (isCommandLine(text, word) || (at === 0 && text.charAt(0) === '<' && word.kind !== 'unknown'))
  if (!isNested && !isCommand) return 0
  // What is fetched to be run is judged by where it comes from.
  if (text.charCodeAt(at) === LESS && /^(?:curl|wget)$/.test(word?.name ?? '')) return 0.4
  if (isInBackticks(text, at, at + 2)) return 0.4
  const before = lineBefore(text, at)
  if (before.trim() !== '' && isShellLine(before)) return 0.4
  if (text.charCodeAt(at) === LESS) return 0.6
  if (word !== null && (BUILDS.test(word.name) || asksForNumber(text, word.end))) return 0.45
  return isNested || PROBE.test(word?.name ?? '') || word?.kind === 'distinct' ? 0.85 : 0.6
}

/** `https://…?name=` */
function endsWithParameter(line: string): boolean {
  const mark = Math.max(line.lastIndexOf('?'), line.lastIndexOf('&'))
  return mark !== -1 && /^[\w-]{1,40}=$/.test(line.slice(mark + 1))
}

/** A span between backticks: code in prose, unless it is glued to a value or is the value. */
function judgeTicks(text: string, start: number, end: number): number {
  const inner = text.slice(start + 1, end - 1)
  const word = readCommand(inner, 0)
  if (word === null || !isCommandLine(inner, word)) return 0
  if (asksForNumber(inner, word.end)) return 0.4
  const isProbe = word.kind === 'distinct' || PROBE.test(word.name)
  if (isWholeText(text, start, end)) return isProbe ? 0.8 : 0.4
  const before = text.charAt(start - 1)
  const isGlued = start > 1 && text.charAt(start - 2) !== '`' && /[\w=/.?$&|;:%+{]/.test(before)
  if (!isGlued) return 0
  const line = lineBefore(text, start)
  if (isShellLine(line) && !endsWithParameter(line)) return 0.4
  return isProbe ? 0.8 : 0.45
}

function find(text: string, from: number, to: number, scene: Scene): readonly Hit[] {
  const hits: Hit[] = []
  if (isDocument(text)) return hits
  const cap = scene.kind === 'prose' || scene.kind === 'description' ? 0.7 : 1
  for (
    let at = placeOf(FIRST_UNIT, text, from);
    at < to && hits.length < MAX_HITS;
    at = placeOf(FIRST_UNIT, text, at + 1)
  ) {
    const unit = text.charCodeAt(at)
    let end = at + 2
    let confidence = 0
    if (unit === BACKTICK) {
      const close = text.slice(at + 1, at + 200).search(/[`\n]/)
      if (close < 1 || text.charCodeAt(at + 1 + close) !== BACKTICK) continue
      end = at + close + 2
      confidence = judgeTicks(text, at, end)
    } else if (text.charCodeAt(at + 1) === PAREN) {
      confidence = judgeParen(text, at)
    }
    if (confidence > 0) hits.push({ start: at, end, confidence: Math.min(confidence, cap) })
    if (unit === BACKTICK) at = end - 1
  }
  return hits
}

export const commandSubstitution: Detector = {
  id: 'command-substitution',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.85,
  summary: '`$(…)` or backticks around a command where a value is expected',
  needs: [],
  skipsPlain: true,
  kinds: ['text', 'json', 'path', 'url', 'sql', 'prose', 'description', 'id'],
  source: 'CWE-78; POSIX.1-2024 Shell Command Language 2.6.3',
  catches: [
    'invoice-$(whoami).pdf',
    '`whoami --version`',
    'https://shop.example/?q=`uname -a`',
    '$(`cat /etc/hosts`)',
    'room $(sleep 9)',
  ],
  ignores: [
    'Run `ls -la` to list files, then `whoami`.',
    '$(document).ready(init)',
    'docker run -v $(pwd):/src alpine',
    { text: 'echo $(date)', kind: 'shell' },
    'costs $(5)',
    'the `id` column',
    'here=`pwd`',
  ],
  find,
}
