import type { Detector, Hit } from '../../detector.ts'
import { firstMatchesOf } from '../first-matches.ts'

/** Holds secrets or password hashes: asked for by name there is rarely a good reason. */
const SECRET_FILES =
  /(?:\/etc\/(?:\.?\/){0,8}(?:g?shadow|master\.passwd|sudoers)\b|\/proc\/(?:self|[0-9]{1,6})\/(?:environ|mem|fd\/)|(?:[/\\~]|^)\.(?:ssh[/\\](?:id_[a-z0-9]{2,12}|authorized_keys)|aws[/\\]credentials|git-credentials|netrc|pgpass|htpasswd|bash_history|zsh_history|kube[/\\]config|docker[/\\]config\.json)\b|\bsystem32[/\\]{1,2}config[/\\]{1,2}(?:sam|system|security)\b|\brepair[/\\]{1,2}(?:sam|system)\b|\bntds\.dit\b|\/etc\/(?:\.?\/){0,8}passwd\b|\bboot\.ini\b|\bwin\.ini\b|\bweb-inf[/\\]web\.xml\b|[/\\]wp-config\.php\b)/gi

const HARD = /shadow|environ|credentials|sam$|system$|security$|id_|master|ntds/i
const WHOLE_PATH = /^["']?(?:file:\/{0,3})?(?:[A-Za-z]:)?[/\\~.][^\s"'|;&<>]{3,200}["']?$/
const READ_COMMAND =
  /^(?:sudo )?(?:cat|head|tail|less|more|type|strings|xxd|base64|cp|scp|get-content|gc|nl|tac|od) /i

const find: Detector['find'] = firstMatchesOf(SECRET_FILES, (match, _start, text, scene) => {
  const isHard = HARD.test(match[0])
  let confidence = 0.35
  if (scene.kind === 'shell' || scene.kind === 'code') confidence = isHard ? 0.45 : 0.3
  else if (text.length <= 220 && WHOLE_PATH.test(text)) confidence = isHard ? 0.8 : 0.65
  else if (text.length <= 160 && !text.includes('\n') && READ_COMMAND.test(text)) confidence = 0.6
  const hit: Partial<Hit> = { confidence }
  return hit
})

export const sensitivePath: Detector = {
  id: 'sensitive-path',
  category: 'path_traversal',
  severity: 'high',
  confidence: 0.65,
  summary: 'a file of password hashes, keys or credentials asked for by its path',
  needs: [
    '/etc/',
    '/proc/',
    '.ssh/',
    '.ssh\\',
    '.aws/',
    '.aws\\',
    '.git-credentials',
    '.netrc',
    '.pgpass',
    '.htpasswd',
    '_history',
    '.kube',
    '.docker',
    'system32',
    'repair\\',
    'repair/',
    'ntds.dit',
    'boot.ini',
    'win.ini',
    'web-inf',
    'wp-config',
  ],
  reach: { before: 32, after: 64 },
  source: 'MITRE ATT&CK T1003, T1552.001, T1552.004',
  catches: [
    { text: '/mnt/old/etc/shadow', kind: 'path' },
    '~/.aws/credentials',
    'C:\\Windows\\System32\\config\\SAM',
    '/home/eve/.ssh/id_ed25519',
    '/proc/4711/environ',
    'head -n 3 /etc/passwd',
    '//etc//./passwd',
    'file:///etc/././shadow',
  ],
  ignores: [
    'Users are listed in /etc/passwd and their hashes in /etc/shadow.',
    { text: 'cat /etc/passwd', kind: 'shell' },
    '/etc/nginx/nginx.conf',
    'C:\\Windows\\System32\\notepad.exe',
    '~eve/.ssh/config.d',
  ],
  find,
}
