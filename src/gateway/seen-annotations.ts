import { isObject } from './tool-call.ts'

type Annotations = Readonly<Record<string, unknown>>

/** More than any server has tools; what comes behind is not known. */
const MAX_TOOLS = 10_000

/** What a server says of its tools, as it last listed them. */
export class SeenAnnotations {
  readonly #ofTools = new Map<string, Annotations>()

  /** @param result of `tools/list`, one page */
  saw(result: unknown): void {
    const tools: unknown = isObject(result) ? result['tools'] : null
    if (!Array.isArray(tools)) return
    for (const tool of tools as readonly unknown[]) {
      if (!isObject(tool) || typeof tool['name'] !== 'string') continue
      const { name, annotations } = tool
      if (this.#ofTools.size >= MAX_TOOLS && !this.#ofTools.has(name)) continue
      this.#ofTools.set(name, isObject(annotations) ? annotations : {})
    }
  }

  /** @returns null for a tool that was in no list */
  of(tool: string): Annotations | null {
    return this.#ofTools.get(tool) ?? null
  }
}
