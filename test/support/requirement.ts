/** What Sallyport must do, and what proves it. */
export interface Requirement {
  readonly id: string
  readonly sentence: string
  readonly status: 'done' | 'open'
  /** `file#name of the test`, from the root of the repository. Through the public surface: MCP client, HTTP or CLI. */
  readonly tests: readonly string[]
}

export function open(id: string, sentence: string): Requirement {
  return { id, sentence, status: 'open', tests: [] }
}

export function done(id: string, sentence: string, ...tests: readonly string[]): Requirement {
  return { id, sentence, status: 'done', tests }
}
