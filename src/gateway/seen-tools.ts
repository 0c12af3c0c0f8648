import { isDeepStrictEqual } from 'node:util'
import { writeExactly } from '../mcp/wire/index.ts'
import { isObject } from './tool-call.ts'

type Annotations = Readonly<Record<string, unknown>>

interface SeenTool {
  /** Null: the server said two things in one listing. */
  readonly annotations: Annotations | null
  readonly schema: unknown
  /** Number of the listing that it was last in. */
  readonly listing: number
}

/** More than any server has tools; what comes behind is not known. */
const MAX_TOOLS = 10_000
/** UTF-16 units; a schema that is longer says nothing. */
const MAX_SCHEMA = 65_536

/** What a server says of its tools, as it last listed them. */
export class SeenTools {
  readonly #tools = new Map<string, SeenTool>()
  /** Number of the listing that began last. */
  #listing = 0
  /** The first one that began when the tools were those of now. */
  #current = 0
  /** Names the page that the listing goes on with; null when it is whole. */
  #next: string | null = null

  /**
   * @param result of `tools/list`, one page
   * @param cursor that was asked for: without one a listing begins
   */
  saw(result: unknown, cursor: unknown): void {
    const { tools, nextCursor } = isObject(result) ? result : {}
    if (!Array.isArray(tools)) return
    const isFirst = !isCursor(cursor)
    if (isFirst) this.#listing += 1
    for (const tool of tools as readonly unknown[])
      if (isObject(tool) && typeof tool['name'] === 'string') this.#add(tool['name'], tool)
    // A page of a listing before says nothing of where this one ends.
    if (!isFirst && cursor !== this.#next) return
    this.#next = isCursor(nextCursor) ? nextCursor : null
    if (this.#next !== null) return
    for (const [name, { listing }] of this.#tools)
      if (listing !== this.#listing) this.#tools.delete(name)
  }

  #add(name: string, tool: Readonly<Record<string, unknown>>): void {
    const known = this.#tools.get(name)
    if (known === undefined && this.#tools.size >= MAX_TOOLS) return
    const annotations = isObject(tool['annotations']) ? tool['annotations'] : {}
    const isSame =
      known?.listing !== this.#listing || isDeepStrictEqual(known.annotations, annotations)
    this.#tools.set(name, {
      annotations: isSame ? annotations : null,
      schema: withoutExemptions(tool['inputSchema']),
      listing: this.#listing,
    })
  }

  /** The server said that its tools are others now: what it says of them is not known until they are listed again. */
  changed(): void {
    this.#current = this.#listing + 1
  }

  /** @returns null for a tool that was in no list, or of which the last one says two things */
  annotationsOf(tool: string): Annotations | null {
    const seen = this.#tools.get(tool)
    return seen === undefined || seen.listing < this.#current ? null : seen.annotations
  }

  /** JSON schema of its arguments, or undefined. It tells what kind each of them is. */
  schemaOf(tool: string): unknown {
    return this.#tools.get(tool)?.schema
  }
}

/** Some write an empty one where there is none. */
function isCursor(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** A server may say what a text is, and not that nobody looks at it. */
function withoutExemptions(schema: unknown): unknown {
  if (!isObject(schema)) return undefined
  const text = writeExactly(schema)
  if (text.length > MAX_SCHEMA) return undefined
  return JSON.parse(text, (name, value: unknown) =>
    (name === 'writeOnly' && value === true) || (name === 'format' && value === 'password')
      ? undefined
      : value,
  )
}
