// Which patterns the inspection domain owns, and what recheck says of one.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { check } from 'recheck'
import { parseAst } from 'rolldown/parseAst'

const root = resolve(import.meta.dirname, '..')

export interface Pattern {
  readonly source: string
  readonly flags: string
}

export interface OwnPattern extends Pattern {
  /** Files it is a literal of, below src/inspect; empty for what is built when the program is loaded. */
  readonly files: readonly string[]
}

/**
 * What recheck says of a pattern, and by which of its ways. `safe …` alone is good; what it cannot decide within its
 * time is `unknown`.
 */
export type Answer = `${'safe' | 'vulnerable' | 'unknown'} by ${'automaton' | 'fuzz' | 'nothing'}`

export interface PatternRecord {
  readonly recheck: string
  /** By `/source/flags`. */
  readonly patterns: Readonly<Record<string, Answer>>
}

export function isSafe(answer: Answer): boolean {
  return answer.startsWith('safe ')
}

export const RECORD_FILE = join(root, 'test', 'patterns.json')

export function recheckVersion(): string {
  const file = createRequire(import.meta.url).resolve('recheck/package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version
}

/** What was said of every pattern when the script was last run. */
export function readRecord(): PatternRecord {
  return JSON.parse(readFileSync(RECORD_FILE, 'utf8')) as PatternRecord
}

/** `/source/flags` */
export function keyOf({ source, flags }: Pattern): string {
  return `/${source}/${flags}`
}

interface Node {
  readonly type: string
  readonly [field: string]: unknown
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value
}

function patternOf(node: Node): Pattern | null {
  const { regex } = node as {
    readonly regex?: { readonly pattern: string; readonly flags: string }
  }
  return node.type === 'Literal' && regex !== undefined && regex !== null
    ? { source: regex.pattern, flags: regex.flags }
    : null
}

/** The patterns that are literals of a source. */
export function literalsOf(text: string): readonly Pattern[] {
  const found: Pattern[] = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const one of value) visit(one)
      return
    }
    if (!isNode(value)) return
    const pattern = patternOf(value)
    if (pattern !== null) {
      found.push(pattern)
      return
    }
    for (const one of Object.values(value)) visit(one)
  }
  visit(parseAst(text, { lang: 'ts' }))
  return found
}

function builtPatterns(): readonly Pattern[] {
  const script = join(import.meta.dirname, 'support', 'built-patterns.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (status !== 0) throw new Error(`built-patterns.ts ended with ${status}: ${stderr}`)
  return JSON.parse(stdout) as readonly Pattern[]
}

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Every pattern of the inspection domain, once, sorted. */
export function ownPatterns(): readonly OwnPattern[] {
  const folder = join(root, 'src', 'inspect')
  const found = new Map<string, { readonly pattern: Pattern; readonly files: string[] }>()
  const add = (pattern: Pattern, file: string | null): void => {
    const key = keyOf(pattern)
    const known = found.get(key) ?? { pattern, files: [] }
    found.set(key, known)
    if (file !== null && !known.files.includes(file)) known.files.push(file)
  }
  for (const file of globSync('**/*.ts', { cwd: folder }).toSorted()) {
    if (file.endsWith('.test.ts')) continue
    for (const pattern of literalsOf(readFileSync(join(folder, file), 'utf8')))
      add(pattern, file.replaceAll('\\', '/'))
  }
  for (const pattern of builtPatterns()) add(pattern, null)
  return [...found]
    .toSorted(([a], [b]) => byCode(a, b))
    .map(([, { pattern, files }]) => ({ ...pattern, files }))
}

/**
 * Asks recheck, with its own defaults.
 *
 * @param times - it goes by the clock, too, and on a busy machine everything takes long; `safe` is said by the work done
 */
export async function checked({ source, flags }: Pattern, times = 3): Promise<Answer> {
  const { status, checker } = await check(source, flags)
  if (status !== 'safe' && times > 1) return checked({ source, flags }, times - 1)
  return `${status} by ${checker ?? 'nothing'}`
}
