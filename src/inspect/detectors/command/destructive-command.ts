import type { Detector } from '../../detector.ts'
import { either, far, inOrder, LINE, startingWith } from '../../search.ts'
import { firstMatchesOf } from '../first-matches.ts'
import { isDocument, isInBackticks } from '../surroundings.ts'

const ROOTS =
  '(?:/(?:\\*|(?:bin|boot|etc|home|lib|lib64|opt|root|sbin|srv|usr|var)/?\\*?)?|~/?\\*?|\\$\\{?HOME\\}?/?\\*?)'
const STOP = '(?=["\']?(?:\\s|$|[;&|)`"\']))'
const DISK = '/dev/(?:sd[a-z]|nvme[0-9]n[0-9]|hd[a-z]|vd[a-z]|mmcblk[0-9]|disk[0-9])\\b'
/** One command of a line. */
const COMMAND = '\n;|'

const FORMS = either(
  startingWith(
    /\brm\s/gi,
    new RegExp(
      `rm\\s{1,3}(?:(?:-[a-zA-Z]{1,6}|--[a-z-]{4,20})\\s{1,3}){1,4}["']?${ROOTS}${STOP}`,
      'iy',
    ),
  ),
  startingWith(
    /\bch(?:mod|own)\s/gi,
    new RegExp(
      `ch(?:mod|own)\\s{1,3}(?:-[a-zA-Z]{0,4}R[a-zA-Z]{0,4}|--recursive)\\s{1,3}[\\w:.+-]{1,40}\\s{1,3}["']?/(?:etc|usr|bin|\\*)?${STOP}`,
      'iy',
    ),
  ),
  inOrder(/\bdd\s/gi, far(120, COMMAND, new RegExp(`\\bof=${DISK}`, 'gi'))),
  inOrder(/\b(?:mkfs(?:\.\w{2,8})?|shred)\s/gi, far(60, COMMAND, new RegExp(DISK, 'gi'))),
  new RegExp(`>\\s{0,3}${DISK}`, 'gi'),
  /(?:^|[;&|]\s{0,3}|\s:|\becho\s["']{0,2})>\s{0,3}\/etc\/(?:passwd|shadow|sudoers|hosts)\b/gi,
  startingWith(
    /\bdel\s/gi,
    /del\s{1,3}(?:\/[a-z]{1,2}\s{1,3}){1,5}["']?(?:[a-z]:\\(?:\*(?:\.\*)?|windows[^\s]{0,40})?|%systemroot%|%userprofile%)/iy,
  ),
  new RegExp(
    `\\b(?:rd|rmdir)\\s{1,3}(?:/[sq]\\s{1,3}){1,2}["']?(?:[a-z]:\\\\(?:windows|users)?|%systemroot%|%userprofile%)${STOP}`,
    'gi',
  ),
  /\bformat(?:\.com)?\s{1,3}[a-z]:\s{0,3}\/[a-z]\b/gi,
  inOrder(/\bbcdedit(?:\.exe)?\s{1,3}\/set\s/gi, far(40, LINE, /recoveryenabled\s{1,3}no/gi)),
  /\b(?:vssadmin(?:\.exe)?\s{1,3}delete\s{1,3}shadows|wbadmin\s{1,3}delete\s{1,3}(?:catalog|systemstatebackup)|wmic\s{1,3}shadowcopy\s{1,3}delete|cipher\s{1,3}\/w:[a-z])/gi,
  inOrder(
    /\bRemove-Item\s/gi,
    far(
      80,
      COMMAND,
      new RegExp(
        `["']?(?:[a-z]:\\\\(?:\\*|windows|users)?|\\$env:(?:systemroot|userprofile|windir)|/|~)${STOP}`,
        'gi',
      ),
    ),
  ),
  inOrder(
    /\bnetsh\s{1,3}(?:adv)?firewall\s/gi,
    far(60, COMMAND, /opmode\s{1,3}disable|state\s{1,3}off/gi),
  ),
  /(?:\b\w{1,20}|:)\s?\(\)\s{0,3}\{\s{0,3}(?:\w{1,20}|:)\s{0,3}\|\s{0,3}(?:\w{1,20}|:)\s{0,3}&\s{0,3}\}/gi,
)
const FORK_BOMB = /^([\w:]{1,20})\s?\(\)\s{0,3}\{\s{0,3}([\w:]{1,20})\s{0,3}\|\s{0,3}([\w:]{1,20})/
/** Writing to a disk is what these are for. */
const DISK_TOOL = /^(?:dd|mkfs|shred|>)/i

export const destructiveCommand: Detector = {
  id: 'destructive-command',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.9,
  summary: 'a command that destroys a system: its root, a disk, its backups, or its process table',
  needs: [
    'rm -',
    'rm  -',
    'chmod -',
    'chown -',
    'chmod --r',
    'of=/dev/',
    'mkfs',
    '/dev/sd',
    '/dev/nvme',
    '/dev/hd',
    '/dev/vd',
    'shred ',
    '/etc/passwd',
    '/etc/shadow',
    '/etc/sudoers',
    'del /',
    'rd /',
    'rmdir /',
    'format ',
    'vssadmin',
    'wbadmin',
    'bcdedit',
    'shadowcopy',
    'cipher /w',
    'remove-item',
    'firewall',
    '(){',
    '() {',
    '()  {',
  ],
  reach: { before: 130, after: 180 },
  source: 'MITRE ATT&CK T1485, T1561, T1490, T1562.004, T1499',
  catches: [
    { text: 'rm -rf / --no-preserve-root', kind: 'shell' },
    'sudo rm -r -f ~/',
    'bomb() { bomb | bomb & }; bomb',
    'vssadmin delete shadows /all /quiet',
    'del /f /s /q C:\\*',
    'netsh advfirewall set allprofiles state off',
    'cat /dev/zero > /dev/sda',
  ],
  ignores: [
    { text: 'rm -rf /var/lib/apt/lists/*', kind: 'shell' },
    { text: 'rm -rf ./build', kind: 'shell' },
    { text: 'sudo dd if=a.iso of=/dev/sdb bs=4M', kind: 'shell' },
    'rm -rf node_modules',
    'function run() { a | b }',
    'format C: is an old command',
  ],
  find: firstMatchesOf(FORMS, (match, start, text, scene) => {
    const bomb = FORK_BOMB.exec(match[0])
    if (bomb !== null && (bomb[1] !== bomb[2] || bomb[2] !== bomb[3])) return null
    if (/^rm\s/i.test(match[0]) && !/\s-{1,2}(?:[a-z]*r|recursive)/i.test(match[0])) return null
    const isQuoted = isInBackticks(text, start, start + match[0].length) || isDocument(text)
    if (DISK_TOOL.test(match[0])) {
      const isOrdinary = scene.kind === 'shell' || scene.kind === 'code' || isQuoted
      return { confidence: isOrdinary ? 0.45 : 0.65 }
    }
    return { confidence: isQuoted ? 0.55 : 0.9 }
  }),
}
