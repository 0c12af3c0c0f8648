// The import map of the program and the rules of what may stand where, as data and one pure function over sources.
import { posix } from 'node:path'

/** What a domain may import besides itself and core. A domain that is not here may not exist. */
interface Place {
  readonly domains: readonly string[] | 'every domain below'
  readonly packages?: readonly string[]
}

const SDK = ['core', 'server', 'node', 'client'].map((name) => `@modelcontextprotocol/${name}`)

const GATEWAY_DOMAINS =
  'crypto keys mcp inspect policy catalog identity approvals store audit net vault'.split(' ')

/** From the bottom to the top: nobody imports sideways (unless named) or up. */
export const MAP: Readonly<Record<string, Place>> = {
  core: { domains: [] },
  inspect: { domains: [], packages: ['libphonenumber-js', 're2js'] },
  crypto: { domains: [], packages: ['@napi-rs/keyring'] },
  policy: { domains: [], packages: ['yaml', 're2js'] },
  store: { domains: [], packages: ['pg', 'ioredis'] },
  net: { domains: [], packages: ['undici', 'ipaddr.js'] },
  mcp: { domains: [], packages: SDK },
  ask: { domains: [], packages: ['hono'] },
  // Keys and MACs as rows: audit and vault both stand on them, and crypto itself knows no store.
  keys: { domains: ['crypto'] },
  audit: { domains: ['crypto', 'keys', 'store', 'net'] },
  catalog: { domains: ['policy'] },
  identity: {
    domains: ['crypto', 'keys', 'store', 'audit', 'net', 'policy'],
    packages: ['jose', '@simplewebauthn/server', 'openid-client'],
  },
  vault: { domains: ['crypto', 'keys', 'policy', 'store', 'audit', 'inspect'] },
  remote: { domains: ['net'] },
  approvals: { domains: ['crypto', 'keys', 'store', 'audit', 'net'] },
  broker: { domains: ['inspect', 'net', 'vault', 'approvals', 'audit'] },
  'secret-tools': { domains: ['ask', 'mcp', 'inspect', 'approvals'] },
  gateway: {
    domains: GATEWAY_DOMAINS,
    packages: ['ajv', 'openid-client'],
  },
  scan: { domains: ['mcp', 'inspect', 'catalog', 'policy', 'net'] },
  clients: { domains: [], packages: ['jsonc-parser', 'smol-toml', 'yaml'] },
  pages: { domains: ['ask'], packages: ['hono'] },
  api: { domains: 'every domain below', packages: ['hono', '@hono/node-server'] },
  cli: { domains: [], packages: ['commander', '@clack/prompts'] },
  app: { domains: 'every domain below', packages: ['@hono/node-server'] },
}

/** A level above `api`'s own: it may not reach sideways. */
const BESIDE_API: readonly string[] = ['scan', 'clients', 'cli', 'app']

const PACKAGES_ANYWHERE: readonly string[] = ['zod']

/** Beside a domain's index.ts: whoever only reads frames need not load the SDK, nor the vault policies on tools. */
const SIDE_DOORS: ReadonlySet<string> = new Set([
  'src/mcp/wire/index.ts',
  'src/mcp/eras/index.ts',
  // Few messages are that large.
  'src/mcp/wire/large-outline.ts',
  'src/gateway/oauth/index.ts',
  'src/policy/tool-policy/index.ts',
  'src/policy/tool-policy/texts.ts',
  'src/gateway/recording/index.ts',
  // Most stores count for themselves.
  'src/store/redis-counters.ts',
])

interface OnlyIn {
  readonly what: string
  readonly pattern: RegExp
  readonly where: RegExp
}

/** `where` is matched against the path below src/. Tests are free of these rules. */
export const ONLY_IN: readonly OnlyIn[] = [
  {
    what: 'the environment',
    pattern:
      /\bprocess\s*\??\.\s*env\b|\bprocess\s*\[\s*['"`]env|\benv\b[^{}]*\}\s*=\s*process\b|\bimport\s+(?:\{[^}]*\benv\b[^}]*\}|\*\s*as\s+\w+|(?!process\b)\w+)\s*from\s*['"](?:node:)?process['"]/,
    where: /^core\/config\.ts$/,
  },
  {
    what: 'the clock',
    pattern:
      /\bDate\.now\b|\bnew Date\b(?!\s*\(\s*[^\s)])|\bperformance\.(?:now|timeOrigin)\b|\bhrtime\b/,
    where: /^core\/time\.ts$/,
  },
  {
    what: 'console',
    pattern: /\bconsole\s*[.[]|['"]node:console['"]/,
    where: /^cli\/terminal\.ts$/,
  },
  {
    what: 'the MCP SDK',
    pattern: /['"`]@modelcontextprotocol\//,
    where: /^mcp\//,
  },
  {
    what: 'hashing for less',
    pattern: /\bhashAtCost\b/,
    where: /^crypto\/(?:index|passphrase)\.ts$/,
  },
  {
    what: 'revealing a secret',
    pattern: /\.\s*reveal(?:Bytes)?\b|\[\s*['"`]reveal|\breveal(?:Bytes)?\b[^{}()]*\}\s*=(?!=|>)/,
    where:
      /^(?:crypto|broker|vault|secret-tools\/tools)\/|^(?:core\/env-bundle|remote\/request-body|gateway\/(?:upstream-credentials|oauth\/(?:login-credentials|token-parts))|api\/routes\/(?:secrets|shares|(?:shared-)?env-vars|webhooks|tokens|people|agents|enrolments|grants)|pages\/account|cli\/print-secret)\.ts$/,
  },
  {
    what: 'SQL',
    pattern:
      /['"`]\s*(?:select\b[^'"`]{1,400}?\bfrom\b|insert\s+(?:or\s+\w+\s+)?into\b|update\s+\w+\s+set\b|delete\s+from\b|(?:create|drop|alter)\s+(?:unique\s+)?(?:table|index)\b|pragma\s|begin\s+immediate)/i,
    where: /^store\/|-repository\.ts$/,
  },
]

export const MAX_LINES = 600
/** A service is also something that people use; at the end of a name it says nothing. */
const BANNED_NAME =
  /(?:^|[-_.])(?:(?:utils?|helpers?|common|types|managers?)(?=[-_.])|services?(?=\.))/i

/** Static, dynamic, type-only, re-exported, bare and required: whatever names another file or package. */
const IMPORT =
  /(?:\bfrom\s*(?=['"])|(?<!\.)\bimport(?:\s*\(\s*|\s*(?=['"]))|(?<!\.)\brequire(?:\.resolve)?\s*\(\s*|\bimport\.meta\.resolve\s*\(\s*)(['"`])([^'"`\n]+)\1/g
/** What follows `from` in a sentence or a script for another program is no module. */
const MODULE_NAME = /^[@.\w][\w@./:-]*$/
const COMPUTED = /(?<![.\w])(?:import|require)\s*\(\s*(?!['"`\s])/

export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

/** Code without its comments; line numbers stay. A rule may be explained where it is kept. */
function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

function domainsBelow(domain: string): readonly string[] {
  const order = Object.keys(MAP)
  const below = order.slice(0, order.indexOf(domain))
  return domain === 'api' ? below.filter((one) => !BESIDE_API.includes(one)) : below
}

function importProblem(path: string, domain: string, specifier: string): string | null {
  const place = MAP[domain]
  if (place === undefined) return `the domain ${domain} is not in the map`
  const isTest = path.endsWith('.test.ts')
  if (specifier.startsWith('node:')) return null
  if (!specifier.startsWith('.')) {
    const name = packageOf(specifier)
    const isAllowed = [...PACKAGES_ANYWHERE, ...(place.packages ?? [])].includes(name)
    return isAllowed || isTest ? null : `${domain} may not import the package ${name}`
  }
  const target = posix.normalize(posix.join(posix.dirname(path), specifier))
  if (!/\.tsx?$/.test(target)) return `'${specifier}' needs its .ts extension`
  if (target.endsWith('.test.ts')) return `'${specifier}' is a test`
  const [top, other, ...rest] = target.split('/')
  if (top !== 'src' || other === undefined || rest.length === 0)
    return isTest && target.startsWith('test/support/') ? null : `'${specifier}' is outside src`
  if (other === domain) return null
  if (other === 'core') return domain === 'inspect' ? 'inspect may not import core' : null
  const allowed = place.domains === 'every domain below' ? domainsBelow(domain) : place.domains
  if (!allowed.includes(other)) return `${domain} may not import ${other}`
  const isDoor = rest.join('/') === 'index.ts' || SIDE_DOORS.has(target)
  return isDoor ? null : `${other} is entered through its index.ts`
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

function sourceProblems({ path, text }: Source): readonly string[] {
  const code = withoutComments(text)
  const below = path.slice('src/'.length)
  const domain = below.split('/')[0] ?? ''
  const problems: string[] = []
  const add = (offset: number, what: string): number =>
    problems.push(`${path}:${lineOf(code, offset)}: ${what}`)
  for (const { index, 2: specifier = '' } of code.matchAll(IMPORT)) {
    if (!MODULE_NAME.test(specifier)) {
      if (specifier.includes('${')) add(index, 'an import must name its target')
      continue
    }
    const problem = importProblem(path, domain, specifier)
    if (problem !== null) add(index, problem)
  }
  if (path.endsWith('.test.ts')) return problems
  const computed = COMPUTED.exec(code)
  if (computed !== null) add(computed.index, 'an import must name its target')
  for (const { what, pattern, where } of ONLY_IN) {
    const found = where.test(below) ? null : pattern.exec(code)
    if (found !== null) add(found.index, `${what} is not allowed here`)
  }
  return problems
}

/** @returns one line for each rule that a source breaks, with path and line */
export function architectureProblems(sources: readonly Source[]): readonly string[] {
  return sources.flatMap((source) => {
    const { path, text } = source
    const problems: string[] = []
    // The Secret Service is a product of others and keeps its name.
    const name = posix.basename(path).replace('secret-service', 'secret')
    if (BANNED_NAME.test(name)) problems.push(`${path}: a name that says nothing`)
    const lines = text.split('\n').length - 1
    if (lines > MAX_LINES) problems.push(`${path}: ${lines} lines, split it before ${MAX_LINES}`)
    return path.startsWith('src/') ? [...problems, ...sourceProblems(source)] : problems
  })
}
