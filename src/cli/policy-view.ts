import { Fault } from '../core/faults.ts'
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

/**
 * Policies are read by the ending of their files.
 *
 * @param why - why the text is no JSON, as the start of a sentence
 * @throws {Fault} `BAD_USAGE` for a file that would be read as JSON
 */
export function refuseJsonName(out: string | undefined, why: string): void {
  if (out === undefined || !/\.json$/i.test(out)) return
  throw new Fault('BAD_USAGE', `${why}: '${visible(out)}' would be read as JSON.`, {
    details: { field: '--out', remedy: 'give it the ending .yaml' },
  })
}
