import { Fault } from '../../core/faults.ts'
import { DocumentReader, type PolicyProblem } from './document-reader.ts'
import { type JsonNode, JsonProblem, parseJsonTree } from './json-tree.ts'
import type { ToolPolicy } from './model.ts'
import { patternCompiler } from './patterns.ts'
import { PolicyReader } from './policy-reader.ts'

export const MAX_POLICY_BYTES = 1_048_576

export type ReadToolPolicy =
  | { readonly policy: ToolPolicy }
  | { readonly problems: readonly PolicyProblem[] }

/** Reads a policy strictly: what is not understood is wrong, and all that is wrong is told. */
export async function readToolPolicy(bytes: Uint8Array): Promise<ReadToolPolicy> {
  if (bytes.byteLength > MAX_POLICY_BYTES)
    return atStart(`the file is larger than ${MAX_POLICY_BYTES} bytes`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return atStart('the file is not UTF-8 text')
  }
  const reader = new DocumentReader(text)
  let root: JsonNode
  try {
    root = parseJsonTree(text)
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error
    reader.refuse(error.offset, error.message)
    return reader
  }
  const policy = new PolicyReader(reader, await patternCompiler()).policy(root)
  return policy === undefined || reader.problems.length > 0 ? reader : { policy }
}

/** @throws {Fault} `BAD_INPUT` with the first problem as `FILE:LINE:COLUMN: …` and how many more there are */
export async function toolPolicyOf(file: string, bytes: Uint8Array): Promise<ToolPolicy> {
  const read = await readToolPolicy(bytes)
  if ('policy' in read) return read.policy
  const [first, ...more] = read.problems
  const { line, column, problem } = first ?? { line: 1, column: 1, problem: 'it is no policy' }
  const others = more.length === 0 ? '' : ` ${more.length} more: sallyport policy validate.`
  throw new Fault(
    'BAD_INPUT',
    `${file}:${line}:${column}: ${problem}${problem.endsWith('?') ? '' : '.'}${others}`,
    { details: { file, line, column } },
  )
}

function atStart(problem: string): ReadToolPolicy {
  return { problems: [{ line: 1, column: 1, problem }] }
}
