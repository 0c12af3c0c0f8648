import type { Json } from './command.ts'
import type { PolicyFinding } from './policy-tools.ts'
import { visible } from './text.ts'

/** `FILE:LINE:COLUMN: what is wrong`. */
export function findingLine(file: string, { line, column, problem }: PolicyFinding): string {
  return visible(`${file}:${line}:${column}: ${problem}`)
}

export function findingsJson(findings: readonly PolicyFinding[]): readonly Json[] {
  return findings.map(({ line, column, problem }) => ({ line, column, problem }))
}
