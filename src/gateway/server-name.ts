import { createHash } from 'node:crypto'
import type { ServerTarget } from '../core/gateway-port.ts'

/** A program that starts another one, which is what the server is called by. */
interface Launcher {
  /** Whether the next word belongs to an option. */
  readonly takes: (option: string) => boolean
  /** Options behind which a program stands as text, and what is in that is nobody's name. */
  readonly script?: RegExp
  /** Options that say from which folder on a path is meant. */
  readonly folder?: RegExp
  /** What it starts is called by its image. */
  readonly isContainer?: true
  /** A word without a separator is a file too, and no package. */
  readonly startsFiles?: true
}

const RUNTIME_SCRIPT = /^(?:-e|-p|-pe|--eval|--print)(?:=|$)/
const NPM_SCRIPT = /^(?:-c|--call)(?:=|$)/
const NPM = `-p --package --registry --userconfig --globalconfig --cache --loglevel --node-options
  --script-shell -w --workspace --scope --tag --otp --before --node-arg --filter -F`
const UV = `-p --python --from --with --with-editable --with-requirements --refresh-package --index
  --default-index --index-url --extra-index-url -i -f --find-links --index-strategy --keyring-provider
  -P --upgrade-package --resolution --prerelease --exclude-newer --link-mode -C --config-setting
  --config-settings-package --no-build-package --no-binary-package --no-build-isolation-package
  --reinstall-package --cache-dir --config-file --env-file --extra --no-extra --group --no-group
  --only-group --package --project --color --allow-insecure-host --python-preference --python-platform
  -c --constraints --constraint -b --build-constraints --overrides --override --torch-backend -w`
const FROM_UV = /^--directory$/

const NODE: Launcher = {
  takes: within(`-r --require --import --loader --experimental-loader -C --conditions --env-file
    --env-file-if-exists --input-type --title --disable-warning --watch-path --inspect-port --icu-data-dir
    --openssl-config --dns-result-order --diagnostic-dir --unhandled-rejections --redirect-warnings
    --experimental-config-file --localstorage-file --tls-keylog --trace-event-categories --max-http-header-size
    --tsconfig -O --compiler-options -P --project`),
  script: RUNTIME_SCRIPT,
  startsFiles: true,
}
const PYTHON: Launcher = {
  takes: within('-W -X --check-hash-based-pycs'),
  // Its short options are written as one, the last of them with what belongs to it.
  script: /^-[bBdEhiIOPqRsSuvVx]*c/,
  startsFiles: true,
}
/** The command lines of the SDKs for Python: without `run` behind it, `mcp` is somebody's own program. */
const PYTHON_SDK: Launcher = {
  takes:
    within(`-t --transport -e --with-editable --with -v --env-var -f --env-file --host -p --port
    --path -l --log-level --python --project --with-requirements`),
  startsFiles: true,
}
const PACKAGES: Launcher = { takes: within(NPM), script: NPM_SCRIPT, folder: /^--prefix$/ }
/** Almost every option of theirs takes a value, which may be a secret: those are listed that take none. */
const CONTAINERS: Launcher = { takes: takesInContainers, isContainer: true }

const LAUNCHERS: ReadonlyMap<string, Launcher> = new Map(
  Object.entries<Launcher>({
    node: NODE,
    tsx: NODE,
    'ts-node': NODE,
    bun: {
      takes:
        within(`-r --preload --require --import -c --config --env-file --tsconfig-override --define -d
      -l --loader --conditions --port --filter -F -p --package`),
      script: /^(?:-e|--eval|--print)(?:=|$)/,
      folder: /^--cwd$/,
      startsFiles: true,
    },
    deno: {
      takes: within(`-c --config --import-map --lock --cert -L --log-level --location --seed --ext
      --env-file --preload --require --minimum-dependency-age`),
      script: RUNTIME_SCRIPT,
      startsFiles: true,
    },
    python: PYTHON,
    py: PYTHON,
    npx: PACKAGES,
    bunx: PACKAGES,
    pnpx: PACKAGES,
    npm: { ...PACKAGES, folder: /^(?:--prefix|-C)$/, startsFiles: true },
    pnpm: { ...PACKAGES, folder: /^(?:--dir|-C)$/, startsFiles: true },
    yarn: { ...PACKAGES, folder: /^--cwd$/, startsFiles: true },
    uv: { takes: within(UV), folder: FROM_UV, startsFiles: true },
    uvx: { takes: within(UV), folder: FROM_UV },
    pipx: {
      takes: within('--spec --python --index-url -i --pip-args --with --fetch-python --backend'),
    },
    env: { takes: within('-u --unset -C --chdir -S --split-string --argv0') },
    docker: CONTAINERS,
    podman: CONTAINERS,
    nerdctl: CONTAINERS,
    'mcp run': PYTHON_SDK,
    'fastmcp run': PYTHON_SDK,
  }),
)
/** Words of launchers before what they start. */
const SUBCOMMANDS = within('run exec x dlx tool container compose')
/** What many servers call their program, and where it was built: it is called by the folder above. */
const COMMON =
  within(`index main server app cli __main__ start run dist build out lib src bin esm cjs
  target release debug venv .venv node_modules .bin usr local`)
/** Packages that are told apart by their scope alone. */
const COMMON_IN_SCOPE = within('mcp mcp-server')
/** Paths at which a host has its only server. */
const USUAL_PATHS = within('mcp sse')
/** Unlike the letter of a drive. */
const IS_ADDRESS = /^[\w+]{2,}:/
const MAX_NAME = 64

/**
 * What a server is called that nobody gave a name, so that it has the same name wherever it is started and unrelated
 * ones have different names: by its package, program, image or address. `npx -y @scope/server-files@1.2 DIR` is
 * `server-files`, `node /srv/files/dist/index.js` is `files`, `https://mcp.example.org/mcp` is `mcp.example.org`.
 * Names stand in the clear wherever calls are told of: nothing of a value that belongs to an option is in one.
 *
 * @param folder in which a command is started
 */
export function serverNameOf(target: ServerTarget, folder: string): string {
  const said =
    target.kind === 'http' ? ofAddress(new URL(target.url)) : ofCommand(target.command, folder)
  const name = said.replaceAll(/[^\w.-]+/g, '-').replaceAll(/^[^A-Za-z0-9]+|-+$/g, '')
  if (name === '') return 'server'
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 9)}-${mark(said)}`
}

function ofCommand(command: readonly string[], from: string): string {
  const [program = ''] = command
  let launcher = launcherOf(program, command[1])
  if (launcher === null)
    return program.includes('=') ? '' : named(program, isPath(program) ? from : '')
  let folder = from
  for (let at = 1; at < command.length; at += 1) {
    const word = command[at] ?? ''
    if (launcher.script?.test(word)) break
    if (word.startsWith('-')) {
      const [option = ''] = word.split('=', 1)
      const isFolder = launcher.folder?.test(option) === true
      const value = word === option ? command[at + 1] : word.slice(option.length + 1)
      if (isFolder) folder = partsOf(value ?? '', folder).join('/')
      if (word === option && (isFolder || launcher.takes(option))) at += 1
      continue
    }
    // A variable, and what is set in it.
    if (word.includes('=') || SUBCOMMANDS(word)) continue
    if (launcher.isContainer) return imageName(word)
    const next = launcherOf(word, command[at + 1])
    if (next === null) return named(word, isPath(word) || launcher.startsFiles ? folder : '')
    launcher = next
  }
  return bare(partsOf(program, '').at(-1) ?? '')
}

function launcherOf(word: string, next = ''): Launcher | null {
  // `@scope/npx` is a package.
  if (word.startsWith('@')) return null
  const name = bare(partsOf(word, '').at(-1) ?? '')
    .toLowerCase()
    .replace(/^python[\d.]+$/, 'python')
  return LAUNCHERS.get(name) ?? LAUNCHERS.get(`${name} ${next}`) ?? null
}

/** The last part of a place that tells it from others. */
function named(word: string, folder: string): string {
  const parts = partsOf(word, folder)
  const names = parts.map(bare)
  const at = names.findLastIndex((name) => !COMMON(name.toLowerCase()) && !name.endsWith(':'))
  const name = names[at]
  if (name === undefined) return names.at(-1) ?? ''
  return COMMON_IN_SCOPE(name) && parts[at - 1]?.startsWith('@') ? `${names[at - 1]}-${name}` : name
}

/** Without version and ending. */
function bare(part: string): string {
  return part
    .replace(/^@/, '')
    .replace(/(?<=.)@.*$/, '')
    .replace(/\.(?:[cm]?[jt]s|py|exe|cmd|sh)(?::\w+)?$/i, '')
}

function isPath(word: string): boolean {
  return /[/\\]|^\.{1,2}$/.test(word) && !word.startsWith('@') && !IS_ADDRESS.test(word)
}

function partsOf(word: string, folder: string): readonly string[] {
  // Before a host a user may stand, with a password.
  const place = IS_ADDRESS.test(word)
    ? word.replace(/^[^:]*:(?:\/\/(?:[^/]*@)?)?/, '').replace(/[?#].*$/, '')
    : word
  const isFromRoot = /^(?:[/\\~]|[A-Za-z]:)/.test(place)
  const parts: string[] = []
  for (const part of `${isFromRoot ? '' : folder}/${place}`.split(/[/\\]/))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  return parts
}

/** Without registry, tag and digest: `ghcr.io/acme/files:2@sha256:…` is `acme-files`. */
function imageName(image: string): string {
  const parts = image
    .replace(/@.*$/, '')
    .replace(/:[^/]*$/, '')
    .split('/')
  const isHosted = parts.length > 1 && /[.:]|^localhost$/.test(parts[0] ?? '')
  return parts.slice(isHosted ? 1 : 0).join('-')
}

function takesInContainers(option: string): boolean {
  if (!option.startsWith('--')) {
    // Letters are written as one; what follows the first that takes a value is the value.
    const rest = option.slice(1).replace(/^[itdqPDT]+/, '')
    return rest.length === 1
  }
  return !ALONE_IN_CONTAINERS(option)
}
const ALONE_IN_CONTAINERS =
  within(`-- --rm --rmi --init --interactive --tty --detach --privileged --read-only
  --quiet --no-healthcheck --oom-kill-disable --publish-all --sig-proxy --disable-content-trust --help --debug
  --tls --tlsverify --tls-verify --replace --no-hosts --no-hostname --no-TTY --no-deps --service-ports
  --use-aliases --remove-orphans --build --env-host --http-proxy --remote --latest --unsetenv-all
  --read-only-tmpfs --rootfs --use-api-socket`)

/** The host, its port where it is not the usual one, and the path where it is not that of an only server. */
function ofAddress({ hostname, port, pathname }: URL): string {
  const parts = pathname.split('/').filter((part) => part !== '')
  const isUsual = parts.length === 1 && USUAL_PATHS(parts[0]?.toLowerCase() ?? '')
  // Some hosts let in whoever knows a part of the path: what is no plain word is not shown.
  const shown = isUsual ? [] : parts.map((part) => (isPlain(part) ? part : mark(part)))
  return [hostname.replace(/^\[|\]$/g, ''), port, ...shown].filter((part) => part !== '').join('-')
}

function isPlain(part: string): boolean {
  return /^(?:[a-z]{1,15}(?:[._-][a-z]{1,15}){0,3}|v\d{1,3})$/i.test(part)
}

/** Tells one from another, and nothing of what it was. */
function mark(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

function within(words: string): (word: string) => boolean {
  const all: ReadonlySet<string> = new Set(words.split(/\s+/))
  return (word) => all.has(word)
}
