import { isObject } from './tool-call.ts'

type Annotations = Readonly<Record<string, unknown>>

interface SeenTool {
  readonly annotations: Annotations
  readonly schema: unknown
}

/** More than any server has tools; what comes behind is not known. */
const MAX_TOOLS = 10_000
/** UTF-16 units; a schema that is longer says nothing. */
const MAX_SCHEMA = 65_536

/** What a server says of its tools, as it last listed them. */
export class SeenTools {
  readonly #tools = new Map<string, SeenTool>()

  /** @param result of `tools/list`, one page */
  saw(result: unknown): void {
    const tools: unknown = isObject(result) ? result['tools'] : null
    if (!Array.isArray(tools)) return
    for (const tool of tools as readonly unknown[]) {
      if (!isObject(tool) || typeof tool['name'] !== 'string') continue
      const { name, annotations, inputSchema } = tool
      if (this.#tools.size >= MAX_TOOLS && !this.#tools.has(name)) continue
      this.#tools.set(name, {
        annotations: isObject(annotations) ? annotations : {},
        schema: withoutExemptions(inputSchema),
      })
    }
  }

  /** @returns null for a tool that was in no list */
  annotationsOf(tool: string): Annotations | null {
    return this.#tools.get(tool)?.annotations ?? null
  }

  /** JSON schema of its arguments, or undefined. It tells what kind each of them is. */
  schemaOf(tool: string): unknown {
    return this.#tools.get(tool)?.schema
  }
}

/** A server may say what a text is, and not that nobody looks at it. */
function withoutExemptions(schema: unknown): unknown {
  if (!isObject(schema)) return undefined
  const text = JSON.stringify(schema)
  if (text.length > MAX_SCHEMA) return undefined
  return JSON.parse(text, (name, value: unknown) =>
    (name === 'writeOnly' && value === true) || (name === 'format' && value === 'password')
      ? undefined
      : value,
  )
}
