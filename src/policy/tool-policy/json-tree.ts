/** A JSON value that knows where it was written: offsets in UTF-16 units. */
export type JsonNode = {
  readonly start: number
  /** Just behind it. */
  readonly end: number
  /** Where its author wrote it, when it was put together from another form: JSON Pointer. */
  readonly pointer?: string
  /** Nobody wrote it: it stands for something else that was. */
  readonly isMade?: true
} & (
  | { readonly kind: 'object'; readonly members: readonly JsonMember[] }
  | { readonly kind: 'list'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'number'; readonly source: string }
  | { readonly kind: 'plain'; readonly value: boolean | null }
)

export interface JsonMember {
  readonly key: string
  readonly keyStart: number
  readonly value: JsonNode
}

export class JsonProblem extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

export const MAX_DEPTH = 64
const SPACE = /[ \t\r\n]*/y
const STRING = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"/uy
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y

/**
 * Reads JSON as RFC 8259 has it.
 *
 * @throws {JsonProblem} for anything else, and for what is nested deeper than 64 levels
 */
export function parseJsonTree(text: string): JsonNode {
  const reader = new TreeReader(text)
  const node = reader.value(0)
  reader.end()
  return node
}

class TreeReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): JsonNode {
    this.#take(SPACE)
    const start = this.#at
    const first = this.#text.charAt(start)
    if (first === '{' || first === '[') {
      if (depth >= MAX_DEPTH)
        throw new JsonProblem(start, `it is nested deeper than ${MAX_DEPTH} levels`)
      this.#at += 1
      return first === '{'
        ? this.#ended({ kind: 'object', start, members: this.#members(depth) })
        : this.#ended({ kind: 'list', start, items: this.#items(depth) })
    }
    if (first === '"') return this.#ended({ kind: 'text', start, value: this.#string('a text') })
    const number = this.#take(NUMBER)
    if (number !== null && number !== '')
      return this.#ended({ kind: 'number', start, source: number })
    const word = this.#take(WORD)
    if (word === null) return this.#unexpected('a value')
    return this.#ended({ kind: 'plain', start, value: word === 'null' ? null : word === 'true' })
  }

  #ended<N extends { readonly kind: JsonNode['kind'] }>(node: N): N & { readonly end: number } {
    return { ...node, end: this.#at }
  }

  end(): void {
    this.#take(SPACE)
    if (this.#at < this.#text.length) this.#unexpected('the end')
  }

  #members(depth: number): readonly JsonMember[] {
    const members: JsonMember[] = []
    if (this.#skips('}')) return members
    do {
      this.#take(SPACE)
      const keyStart = this.#at
      const key = this.#string('a name in double quotes')
      if (!this.#skips(':')) this.#unexpected("':'")
      members.push({ key, keyStart, value: this.value(depth + 1) })
    } while (this.#skips(','))
    if (!this.#skips('}')) this.#unexpected("',' or '}'")
    return members
  }

  #items(depth: number): readonly JsonNode[] {
    const items: JsonNode[] = []
    if (this.#skips(']')) return items
    do items.push(this.value(depth + 1))
    while (this.#skips(','))
    if (!this.#skips(']')) this.#unexpected("',' or ']'")
    return items
  }

  #string(wanted: string): string {
    const source = this.#take(STRING)
    return source === null ? this.#unexpected(wanted) : (JSON.parse(source) as string)
  }

  #skips(sign: string): boolean {
    this.#take(SPACE)
    if (this.#text.charAt(this.#at) !== sign) return false
    this.#at += 1
    return true
  }

  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? []
    if (found === undefined) return null
    this.#at += found.length
    return found
  }

  #unexpected(wanted: string): never {
    const where = this.#at >= this.#text.length ? ' before the end of the file' : ''
    throw new JsonProblem(this.#at, `it is not JSON: ${wanted} was expected${where}`)
  }
}
