/** Ends a line to readers of older revisions of YAML, or a carriage return to every other reader. */
const LINE_END = /\r(?!\n)|[\u0085\u2028\u2029]/

export interface OddLineEnd {
  /** In characters from the beginning. */
  readonly at: number
  readonly problem: string
}

/** What stands behind such an end is a comment, or part of a text, to one reader of YAML and a line to another. */
export function oddLineEnd(text: string): OddLineEnd | null {
  const at = text.search(LINE_END)
  if (at === -1) return null
  const code = text.charCodeAt(at).toString(16).padStart(4, '0')
  const problem = `a raw U+${code.toUpperCase()} ends a line for some readers only; take it out, or write \\u${code} in double quotes`
  return { at, problem }
}
