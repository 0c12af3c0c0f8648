/** Names that are hardly ever words of a language: whoever writes one after a separator means the program. */
const DISTINCT = new Set(
  (
    'whoami ifconfig ipconfig uname netstat systeminfo sysinfo printenv nslookup tasklist taskkill wmic netsh ' +
    'certutil bitsadmin mshta rundll32 regsvr32 cscript wscript powershell pwsh schtasks vssadmin bcdedit icacls ' +
    'cacls takeown curl wget bash zsh ksh tcsh ncat netcat socat telnet scp sftp tftp chmod chown chgrp useradd ' +
    'usermod adduser userdel passwd sudo crontab iptables systemctl mkfifo mknod chroot nohup setsid strace gdb ' +
    'nmap tcpdump dig traceroute lastlog lastlogin pkill killall mkfs fdisk base64 base32 xxd hexdump openssl ' +
    'python python2 python3 perl ruby php lua gcc awk gawk sed xargs tar egrep fgrep getent lsof dmesg lsb_release ' +
    'rmdir mkdir readlink nproc arp ps busybox invoke-webrequest invoke-expression iwr iex irm get-process gci ' +
    'start-process msfvenom msfconsole whois hostnamectl ifdown ifup ip6tables sysctl lsmod insmod modprobe ' +
    'hostname qwinsta nltest dsquery csvde ldifde ldapsearch kubectl'
  ).split(' '),
)

/** Names that are also words: they need something after them that only a command line has. */
const COMMON = new Set(
  (
    'id ls ll cat dir type net reg echo sleep pwd ping which find cd rm mv cp nc sh dash more less head tail time ' +
    'test at host kill route sort printf w who df du mount last history set copy del ver touch ln tac nl rev od ' +
    'strings grep date vi vim nano trap fold column irb top htop perf env eval exec source export node cmd ftp ssh ' +
    'dd tee cut tr wc file man stat ip ss shutdown reboot halt poweroff whereis locate groups users finger hash ' +
    'alias jobs fg bg wait watch nice timeout script at batch diff cmp split join paste comm look service ' +
    'start call move ren rd md attrib findstr sc query tree ed ex bridge docker npm pip git apt apt-get yum aws ' +
    'gcloud make rsync journalctl launchctl osascript service'
  ).split(' '),
)

/** What people build with: a chain that goes on with one of these is a script of a project. */
export const BUILDS =
  /^(?:node|npm|pip|git|make|docker|apt|apt-get|yum|cd|mkdir|cp|mv|echo|export|set|touch|test|tee|gcc|which|stat|printf|date|expr|go|call|start)$/

/** Short, and nothing else when they stand alone: `;id`. */
const ALONE = new Set('id ls ll pwd dir ps'.split(' '))

/** Take what comes after them for the command. */
const PREFIXES = new Set(
  'sudo time nohup env command exec nice setsid busybox strace timeout builtin'.split(' '),
)

/** Families of tools whose members are too many to list. */
const FAMILY = /^(?:ansible|chef|apt|systemd|docker|kube|msf|python|perl)-[a-z]{2,20}$/

export interface CommandWord {
  /** Lower case, without path, quotes and `.exe`. */
  readonly name: string
  readonly kind: 'distinct' | 'common' | 'unknown'
  /** Given with a path such as `/usr/bin/`. */
  readonly hasPath: boolean
  /** Quotes, backslashes or expansions stood inside the name. */
  readonly isBroken: boolean
  readonly end: number
}

const SPACE = /(?:[ \t+]|%20|\$IFS(?:\$[0-9])?|\$\{IFS\}){0,6}/y
const WORD =
  /["'(]{0,2}((?:\/[\w?*[\].-]{1,20}){0,5}\/)?([A-Za-z][\w.-]{0,40}(?:(?:["']{1,2}|\\{1,2}(?![nrt](?:\W|$))|\$@|``|\$\(\)|\[)[\w\]]{1,20}){0,6})["']?/y
const MARKS = /["'\\`[\]]|\$@|\$\(\)/g

/** `python` of `python3.12`. */
function withoutVersion(name: string): string {
  let end = name.length
  while (end > 0 && '0123456789.'.includes(name.charAt(end - 1))) end -= 1
  while (name.charAt(end) === '.') end += 1
  return name.slice(0, end)
}

/** Without the ending of a program of Windows, and a mark behind the word. */
function nameOf(word: string): string {
  const name = word.endsWith('.exe') ? word.slice(0, -4) : word
  return name.endsWith('.') || name.endsWith('-') ? name.slice(0, -1) : name
}

const MAX_PREFIXES = 3

/** Reads the word in command position at `at`, past white space and prefixes such as `sudo`. */
export function readCommand(text: string, at: number, prefixes = 0): CommandWord | null {
  SPACE.lastIndex = at
  SPACE.test(text)
  WORD.lastIndex = Math.max(SPACE.lastIndex, at)
  const match = WORD.exec(text)
  if (match === null) return null
  const raw = match[2] ?? ''
  const plain = raw.replace(MARKS, '')
  const name = nameOf(plain.toLowerCase())
  const end = WORD.lastIndex
  if (prefixes < MAX_PREFIXES && PREFIXES.has(name) && /[ \t+]/.test(text.charAt(end))) {
    const inner = readCommand(text, end, prefixes + 1)
    if (inner !== null && inner.kind !== 'unknown') return inner
  }
  const versionless = withoutVersion(name)
  const isDistinct =
    DISTINCT.has(name) || FAMILY.test(name) || (versionless.length > 2 && DISTINCT.has(versionless))
  return {
    name,
    kind: isDistinct ? 'distinct' : COMMON.has(name) ? 'common' : 'unknown',
    hasPath: match[1] !== undefined && /\/(?:s?bin|usr|system32)\//.test(match[1]),
    isBroken: plain !== raw,
    end,
  }
}

const ENDS = /[ \t+]{0,3}(?:$|[;&|`)'"#\r\n}]|[<>](?![=\s])|%0[ad]|%26|%3b|%7c|\\[nr])/iy
const ARGUMENTS =
  /(?:[ \t+]|%20|\$IFS(?:\$[0-9])?|\$\{IFS\}){1,6}(?:-{1,2}[A-Za-z?0-9]|\/(?:[\w?*.[%]|(?=$|[\s;&|"'`]))|~\/|\.{1,2}\/|[A-Za-z]:|%\w{1,30}%|\$[\w{(@]|[a-z]{2,10}:\/\/|(?![0-9]{1,4}(?:\.[0-9x]{1,4}){0,2}(?:$|[\s;,)]))(?:[\w*?-]{1,60}\.){1,5}[\w*]{1,8}(?=$|[\s;&|"'`)/:])|\*)/iy
const QUOTED = /(?:[ \t+]|%20){1,6}["']/y
/** A quoted word after any other of the common names is more often prose: `; type 'help'`. */
const QUOTES_ITS_ARGUMENT =
  /^(?:echo|printf|eval|exec|sh|dash|cmd|source|cat|cd|rm|ls|dir|env|at|export)$/
const NUMBERED = /(?:[ \t+]|%20){1,6}[0-9]{1,5}(?=$|[\s;&|"'#)`:])/y
const TAKES_NUMBER =
  /^(?:sleep|kill|pkill|ping|nc|ncat|timeout|chmod|at|head|tail|dd|usleep|fold|more)$/
const SUBCOMMAND =
  /[ \t+]{1,3}(?:user|users|view|localgroup|share|group|accounts|add|query|delete|firewall|advfirewall|interface|config|process|os|all)\b/iy
const GLUED = /\s?<<<|\s?[<>]\s?[/\w&]|\(\)\s?;?/y

/** What follows makes it a command line: `alone`, `arguments`, or null. */
export function continuationOf(text: string, word: CommandWord): 'alone' | 'arguments' | null {
  const seen = (pattern: RegExp): boolean => {
    pattern.lastIndex = word.end
    return pattern.test(text)
  }
  if (seen(ARGUMENTS)) return 'arguments'
  if (seen(GLUED) && text.charAt(word.end - 1) !== '-') return 'arguments'
  if (TAKES_NUMBER.test(word.name) && seen(NUMBERED)) return 'arguments'
  if ((word.kind === 'distinct' || QUOTES_ITS_ARGUMENT.test(word.name)) && seen(QUOTED)) {
    return 'arguments'
  }
  if (/^(?:net|reg|netsh|wmic|sc|schtasks|query|ip)$/.test(word.name) && seen(SUBCOMMAND)) {
    return 'arguments'
  }
  return seen(ENDS) ? 'alone' : null
}

/** The word stands for a program here, as far as the word and what follows can tell. */
export function isCommandLine(text: string, word: CommandWord): boolean {
  const continuation = continuationOf(text, word)
  if (continuation === null) return false
  if (continuation === 'arguments') return word.kind !== 'unknown' || word.hasPath
  return word.kind === 'distinct' || word.hasPath || ALONE.has(word.name)
}
