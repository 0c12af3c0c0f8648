import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { Fault } from '../core/faults.ts'
import { canMatchAnyPath, compileGlob } from './glob.ts'
import { oddLineEnd } from './line-ends.ts'
import { MAX_PROJECT_FILE_BYTES, type ProjectFileName, type ProjectList } from './project-list.ts'
import { problemText, quoted } from './quoted.ts'

export const MAX_PROJECT_GLOBS = 1000

const KEYS: Record<ProjectFileName, readonly string[]> = {
  '.sallyport.yml': ['version', 'allow', 'run'],
  '.claude/secrets.yml': ['allow', 'inject_values'],
}

/**
 * Reads a project's file strictly: what could be read two ways, or is not understood, is refused, because the person
 * approves what they see.
 *
 * `.sallyport.yml` has `allow` and `run`, lists of globs, and optionally `version: 1`. `.claude/secrets.yml` has
 * `allow`, a list or `"*"` for everything; its `inject_values` is ignored with a warning.
 *
 * @throws {Fault} `BAD_INPUT` with `file`, `line` and `column` in its details
 */
export function parseProjectFile(name: ProjectFileName, bytes: Uint8Array): ProjectList {
  return new ProjectFileReader(name, bytes).read()
}

class ProjectFileReader {
  readonly #name: ProjectFileName
  readonly #bytes: Uint8Array
  readonly #lines = new LineCounter()
  readonly #warnings: string[] = []
  #globs = 0

  constructor(name: ProjectFileName, bytes: Uint8Array) {
    this.#name = name
    this.#bytes = bytes
  }

  read(): ProjectList {
    const document = this.#parse()
    const entries = this.#entries(document)
    const version = entries.get('version')
    if (version !== undefined && !(isScalar(version) && version.value === 1))
      this.#refuse(version, "'version' must be 1")
    if (entries.has('inject_values'))
      this.#warnings.push(
        `${this.#name}: 'inject_values' is ignored; values are never put into a conversation.`,
      )
    const allow = this.#allow(entries.get('allow'))
    const run = this.#globList('run', entries.get('run'))
    return { allow, run, warnings: this.#warnings }
  }

  #parse(): Document {
    if (this.#bytes.byteLength > MAX_PROJECT_FILE_BYTES)
      this.#refuseAt(1, 1, `the file is larger than ${MAX_PROJECT_FILE_BYTES} bytes`)
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(this.#bytes)
    } catch {
      return this.#refuseAt(1, 1, 'the file is not UTF-8 text')
    }
    const odd = oddLineEnd(text)
    if (odd !== null) {
      const before = text.slice(0, odd.at).split('\n')
      this.#refuseAt(before.length, (before.at(-1) as string).length + 1, odd.problem)
    }
    let document: Document
    try {
      document = parseDocument(text, {
        lineCounter: this.#lines,
        prettyErrors: false,
        version: '1.2',
        schema: 'core',
        // Checked here instead: the library compares every key with every other one.
        uniqueKeys: false,
      })
    } catch {
      return this.#refuseAt(1, 1, 'the file is nested too deeply')
    }
    const problem = document.errors[0] ?? document.warnings[0]
    if (problem !== undefined) {
      const { line, col } = this.#lines.linePos(problem.pos[0])
      const [first = 'it is not YAML'] = problem.message.split('\n')
      this.#refuseAt(line, col, first.replace(/[.:]+$/, ''))
    }
    return document
  }

  #entries(document: Document): ReadonlyMap<string, unknown> {
    const entries = new Map<string, unknown>()
    const root = document.contents
    this.#checkPlain(root)
    if (root === null || (isScalar(root) && root.value === null)) return entries
    if (!isMap(root)) this.#refuse(root, `the file must be a map with ${this.#keysText()}`)
    for (const { key, value } of root.items) {
      this.#checkPlain(key)
      if (!isScalar(key) || typeof key.value !== 'string')
        this.#refuse(key ?? root, `a key must be one of ${this.#keysText()}`)
      this.#checkPlain(value)
      if (!KEYS[this.#name].includes(key.value))
        this.#refuse(key, `the key ${quoted(key.value)} is not known${this.#hint(key.value)}`)
      if (entries.has(key.value)) this.#refuse(key, `the key ${quoted(key.value)} is there twice`)
      entries.set(key.value, value)
    }
    return entries
  }

  #allow(node: unknown): readonly string[] {
    if (this.#name === '.claude/secrets.yml' && isScalar(node) && node.value === '*') return ['**']
    return this.#globList('allow', node)
  }

  #globList(key: string, node: unknown): readonly string[] {
    if (node === undefined || (isScalar(node) && node.value === null)) return []
    if (!isSeq(node)) this.#refuse(node, `'${key}' must be a list of globs`)
    return node.items.map((item) => this.#glob(key, item))
  }

  #glob(key: string, node: unknown): string {
    this.#checkPlain(node)
    if (!isScalar(node) || typeof node.value !== 'string')
      this.#refuse(node, `a glob in '${key}' must be text; put it in quotes`)
    this.#globs += 1
    if (this.#globs > MAX_PROJECT_GLOBS)
      this.#refuse(node, `the file has more than ${MAX_PROJECT_GLOBS} globs`)
    const pattern = node.value
    try {
      compileGlob(pattern)
    } catch (error) {
      const text = error instanceof Fault ? error.message.replace(/\.$/, '') : 'bad pattern'
      this.#refuse(node, text, error)
    }
    if (!canMatchAnyPath(pattern))
      this.#warnings.push(
        `${this.#name}:${this.#position(node).line}: the pattern ${quoted(pattern)} matches nothing: ` +
          "only '?', '*' and '**' are wildcards, and paths have letters, digits, '_', '.', '-' and '/'.",
      )
    return pattern
  }

  /** What the person approves must be in front of them: no anchors, aliases or tags. */
  #checkPlain(node: unknown): void {
    if (isAlias(node)) this.#refuse(node, 'aliases are not allowed; write the value out')
    if (isScalar(node) || isSeq(node) || isMap(node)) {
      if (node.anchor !== undefined) this.#refuse(node, 'anchors are not allowed')
      if (node.tag !== undefined) this.#refuse(node, 'tags are not allowed; put the text in quotes')
    }
  }

  #hint(key: string): string {
    if (KEYS['.sallyport.yml'].includes(key)) return '; it belongs in .sallyport.yml'
    const near = KEYS[this.#name]
      .map((known) => ({ known, distance: editDistance(key.toLowerCase(), known) }))
      .toSorted((a, b) => a.distance - b.distance)[0]
    return near !== undefined && near.distance <= Math.max(1, Math.floor(near.known.length / 2))
      ? `; did you mean '${near.known}'?`
      : `; there are ${this.#keysText()}`
  }

  #keysText(): string {
    return KEYS[this.#name].map((key) => `'${key}'`).join(', ')
  }

  #position(node: unknown): { line: number; col: number } {
    const start =
      isScalar(node) || isSeq(node) || isMap(node) || isAlias(node) ? node.range?.[0] : undefined
    return start === undefined ? { line: 1, col: 1 } : this.#lines.linePos(start)
  }

  #refuse(node: unknown, problem: string, cause?: unknown): never {
    const { line, col } = this.#position(node)
    return this.#refuseAt(line, col, problem, cause)
  }

  #refuseAt(line: number, column: number, problem: string, cause?: unknown): never {
    const end = /[.?]$/.test(problem) ? '' : '.'
    throw new Fault('BAD_INPUT', `${this.#name}:${line}:${column}: ${problemText(problem)}${end}`, {
      details: { file: this.#name, line, column },
      cause,
    })
  }
}

/** Levenshtein's distance. The longer word is cut, so that a hostile key costs nothing. */
function editDistance(a: string, b: string): number {
  const left = a.slice(0, 32)
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (left[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
