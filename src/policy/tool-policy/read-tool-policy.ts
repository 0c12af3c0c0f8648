import { Fault } from '../../core/faults.ts'
import { DocumentReader, type PolicyProblem } from './document-reader.ts'
import { type JsonNode, JsonProblem, parseJsonTree } from './json-tree.ts'
import { lintsOf } from './lints.ts'
import type { ToolPolicy } from './model.ts'
import { patternCompiler } from './patterns.ts'
import { PolicyReader } from './policy-reader.ts'

export const MAX_POLICY_BYTES = 1_048_576

export const POLICY_FORMATS = ['json', 'yaml'] as const
export type PolicyFormat = (typeof POLICY_FORMATS)[number]

export type ReadToolPolicy =
  | {
      readonly policy: ToolPolicy
      /** What is right, and perhaps not meant. */
      readonly warnings: readonly PolicyProblem[]
    }
  | { readonly problems: readonly PolicyProblem[] }

/** By the ending of the file's name; where it says nothing, a document that begins with a brace is JSON. */
export function formatOf(file: string, bytes: Uint8Array): PolicyFormat {
  if (/\.ya?ml$/i.test(file)) return 'yaml'
  if (/\.json$/i.test(file)) return 'json'
  const first = bytes.find((byte) => byte > SPACE && !MARK.includes(byte))
  return first === undefined || first === BRACE ? 'json' : 'yaml'
}

const SPACE = 0x20
const BRACE = 0x7b
/** What some editors begin a file with. */
const MARK = [0xef, 0xbb, 0xbf]

/** Reads a policy strictly: what is not understood is wrong, and all that is wrong is told. */
export async function readToolPolicy(
  bytes: Uint8Array,
  format: PolicyFormat = 'json',
): Promise<ReadToolPolicy> {
  const read = await readDocument(bytes, format)
  if ('problems' in read) return read
  const { reader, root } = read
  const policy = new PolicyReader(reader, await patternCompiler()).policy(root)
  if (policy === undefined || reader.problems.length > 0) return { problems: reader.problems }
  for (const { pointer, problem } of lintsOf(policy)) reader.warnAt(pointer, problem)
  return { policy, warnings: inOrder(reader.warnings) }
}

/**
 * A document as a tree, and who gathers what is wrong with it.
 *
 * @param as - `a policy`: in the keys of the format, whatever it was written in
 */
export async function readDocument(
  bytes: Uint8Array,
  format: PolicyFormat,
  as: 'a policy' | 'as it is' = 'a policy',
): Promise<
  | { readonly reader: DocumentReader; readonly root: JsonNode }
  | { readonly problems: readonly PolicyProblem[] }
> {
  if (bytes.byteLength > MAX_POLICY_BYTES)
    return atStart(`the file is larger than ${MAX_POLICY_BYTES} bytes`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return atStart('the file is not UTF-8 text')
  }
  const reader = new DocumentReader(text)
  try {
    const root = format === 'yaml' ? await yamlRoot(text, reader, as) : parseJsonTree(text)
    return { reader, root }
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error
    reader.refuse(error.offset, error.message)
    return { problems: reader.problems }
  }
}

/** Only whoever has a policy in YAML loads what reads it. */
async function yamlRoot(
  text: string,
  reader: DocumentReader,
  as: 'a policy' | 'as it is',
): Promise<JsonNode> {
  const [{ parseYamlTree }, { withoutInterceptRules }] = await Promise.all([
    import('./yaml-tree.ts'),
    import('./intercept-rules.ts'),
  ])
  if (as === 'as it is') return parseYamlTree(text)
  const root = withoutInterceptRules(parseYamlTree(text), reader)
  if (root.kind !== 'object' || root.members.some(({ key }) => key === 'default')) return root
  reader.warn(root.start, "there is no 'default': every tool that is not named is allowed")
  const { start, end } = root
  return {
    ...root,
    members: [
      ...root.members,
      { key: 'default', keyStart: start, value: { kind: 'text', value: 'allow', start, end } },
    ],
  }
}

/**
 * The policy of a file, in the format of its ending.
 *
 * @throws {Fault} `BAD_INPUT` with the first problem as `FILE:LINE:COLUMN: …` and how many more there are
 */
export async function toolPolicyOf(file: string, bytes: Uint8Array): Promise<ToolPolicy> {
  return (await warnedPolicyOf(file, bytes)).policy
}

/** As `toolPolicyOf`, with what the policy may not mean. */
export async function warnedPolicyOf(
  file: string,
  bytes: Uint8Array,
): Promise<Extract<ReadToolPolicy, { readonly policy: ToolPolicy }>> {
  const read = await readToolPolicy(bytes, formatOf(file, bytes))
  if ('policy' in read) return read
  throw policyFault(file, read.problems)
}

/** What is wrong with a policy, for whoever wanted to use it. */
export function policyFault(file: string, problems: readonly PolicyProblem[]): Fault {
  return faultAt(file, problems, (more) => `${more.length} more: sallyport policy validate.`)
}

/** What is wrong with a file of cases: no command but the one that met it says more. */
export function casesFault(file: string, problems: readonly PolicyProblem[]): Fault {
  return faultAt(file, problems, (more) => {
    const told = more.slice(0, MAX_TOLD).map((one) => placed(one))
    const untold = more.length - told.length
    return [...told, ...(untold > 0 ? [`${untold} more.`] : [])].join(' ')
  })
}

const MAX_TOLD = 10
const NO_POLICY: PolicyProblem = { line: 1, column: 1, problem: 'it is no policy' }

function faultAt(
  file: string,
  [first = NO_POLICY, ...more]: readonly PolicyProblem[],
  others: (more: readonly PolicyProblem[]) => string,
): Fault {
  const { line, column } = first
  const rest = more.length === 0 ? '' : ` ${others(more)}`
  return new Fault('BAD_INPUT', `${file}:${placed(first)}${rest}`, {
    details: { file, line, column },
  })
}

/** `2:13: there is no 'expected'; did you mean 'expect'?` */
function placed({ line, column, problem }: PolicyProblem): string {
  return `${line}:${column}: ${problem}${problem.endsWith('?') ? '' : '.'}`
}

function inOrder(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
}

function atStart(problem: string): { readonly problems: readonly PolicyProblem[] } {
  return { problems: [{ line: 1, column: 1, problem }] }
}
