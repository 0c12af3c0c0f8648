import { COUNTER } from './document-keys.ts'
import { DocumentReader, type PolicyProblem } from './document-reader.ts'
import { jsonText } from './document-text.ts'
import { hostedForm } from './hosted-form.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'
import { formatOf, policyFault, readDocument, readToolPolicy } from './read-tool-policy.ts'
import { yamlText } from './yaml-text.ts'

export const POLICY_FORMS = ['json', 'yaml', 'hosted'] as const
/** `hosted`: only what a hosted gateway of this format reads. */
export type PolicyForm = (typeof POLICY_FORMS)[number]

export interface ConvertedPolicy {
  /** Null when something could not be kept that a call is decided by. */
  readonly text: string | null
  /** What is not kept, and what that means; sentences. */
  readonly notes: readonly string[]
  readonly problems: readonly PolicyProblem[]
}

/**
 * A policy in another form that decides every call alike. What cannot be said in that form is a problem, and then there
 * is no text: a policy that lost a rule is another policy.
 *
 * @throws {Fault} `BAD_INPUT` for what is no valid policy
 */
export async function convertedPolicy(
  file: string,
  bytes: Uint8Array,
  to: PolicyForm,
): Promise<ConvertedPolicy> {
  const format = formatOf(file, bytes)
  const [read, document] = await Promise.all([
    readToolPolicy(bytes, format),
    readDocument(bytes, format),
  ])
  if ('problems' in read) throw policyFault(file, read.problems)
  if ('problems' in document) throw policyFault(file, document.problems)
  const source = new TextDecoder().decode(bytes)
  const notes: string[] = []
  if (format === 'yaml' && /(?:^|\s)#/m.test(source)) notes.push('Comments are not kept.')
  if (read.warnings.some(({ problem }) => problem.startsWith("there is no 'default'")))
    notes.push("There was no 'default': it says 'allow' now.")
  const own = withOwnCounters(document.root, notes)
  const reader = new DocumentReader(source)
  const root = to === 'hosted' ? hostedForm(own, reader, notes) : own
  if (reader.problems.length > 0) return { text: null, notes, problems: reader.problems }
  return { text: to === 'yaml' ? yamlText(root) : jsonText(root), notes, problems: [] }
}

/** Counters of rules of Intercept under names that people can write. */
function withOwnCounters(root: JsonNode, notes: string[]): JsonNode {
  const taken = new Set<string>()
  gatherCounters(root, taken)
  const given = new Map<string, string>()
  const rename = (node: JsonNode): JsonNode => {
    if (node.kind === 'list') return { ...node, items: node.items.map(rename) }
    if (node.kind !== 'object') return node
    return {
      ...node,
      members: node.members.map((member): JsonMember => {
        const { value } = member
        if (value.kind !== 'text' || value.isMade !== true)
          return { ...member, value: rename(value) }
        const name = given.get(value.value) ?? freeName(value.value, taken)
        given.set(value.value, name)
        return { ...member, value: { ...value, value: name } }
      }),
    }
  }
  const renamed = rename(root)
  if (given.size > 0)
    notes.push(
      `Counters have names of their own now (${[...given.values()].slice(0, 3).join(', ')}${given.size > 3 ? ', …' : ''}): what was counted so far is not carried over.`,
    )
  return renamed
}

function gatherCounters(node: JsonNode, names: Set<string>): void {
  if (node.kind === 'list') for (const item of node.items) gatherCounters(item, names)
  if (node.kind !== 'object') return
  for (const { key, value } of node.members)
    if (key === 'counter' && value.kind === 'text') names.add(value.value)
    else gatherCounters(value, names)
}

/** `calls of pay/now` as `pay_now.calls`. */
function freeName(made: string, taken: Set<string>): string {
  const [counter = '', ...tool] = made.split(' of ')
  const owner = tool.join(' of ')
  const plain = `${owner === '*' ? 'all_tools' : owner}.${counter}`
    .replaceAll(/[^\w.:-]/g, '_')
    .slice(0, 90)
  let name = plain
  for (let n = 2; taken.has(name) || !COUNTER.test(name); n += 1) name = `${plain}-${n}`
  taken.add(name)
  return name
}
