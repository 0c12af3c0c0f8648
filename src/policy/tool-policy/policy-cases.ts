import { epochMs, parseInstant } from '../../core/time.ts'
import { outcomeOfCall } from './call-outcome.ts'
import type { DocumentReader, Fields, PolicyProblem } from './document-reader.ts'
import { exactValue } from './exact-value.ts'
import { explainCall } from './explain-call.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'
import { methodProblem } from './method-names.ts'
import type { Asker, CallSubject, MethodSubject, ToolPolicy } from './model.ts'
import { formatOf, readDocument } from './read-tool-policy.ts'

const FILE_KEYS = ['policy', 'cases'] as const
const CASE_KEYS = [
  'name',
  'call',
  'args',
  'method',
  'params',
  'principal',
  'labels',
  'client',
  'at',
  'annotations',
  'class',
  'result',
  'after',
  'expect',
  'rule',
  'reason',
] as const
export const EXPECTED = [
  'allowed',
  'denied',
  'hidden',
  'approval',
  'shadow',
  'limited',
  'withheld',
] as const
/** `shadow`: allowed, and a rule in shadow would have stopped it. `withheld`: allowed, and its answer is not. */
export type CaseOutcome = (typeof EXPECTED)[number]

const MAX_BEFORE = 1_000_000_000
/** Noon of a working day, for cases that do not say when. */
const SOME_TIME = epochMs(Date.UTC(2026, 0, 7, 12))

export interface PolicyCase {
  readonly name: string
  /** Where it stands in its file, from 1. */
  readonly line: number
  readonly subject: CallSubject | MethodSubject
  readonly result: unknown
  /** So many calls like this one were counted before, in the same windows. */
  readonly after: number
  readonly expect: CaseOutcome
  /** JSON Pointer of the rule that decides, or null when it is not asked for. */
  readonly rule: string | null
  readonly reason: string | null
}

export interface PolicyCases {
  /** As the file names it, from its own folder; null: the policy beside it. */
  readonly policy: string | null
  readonly cases: readonly PolicyCase[]
}

export interface CaseRun {
  readonly case: PolicyCase
  readonly passed: boolean
  readonly got: {
    readonly outcome: CaseOutcome
    readonly rule: string
    readonly reason: string | null
  }
}

/** The file of a policy that a file of cases is about: `pay.test.yaml` is beside `pay.yaml` or `pay.json`. */
export function policyBeside(file: string): string {
  return file.replace(/\.test(?=\.[^./\\]+$)/, '')
}

/** Reads cases in JSON or YAML: `{ "policy": FILE, "cases": [ … ] }`. */
export async function readPolicyCases(
  file: string,
  bytes: Uint8Array,
): Promise<PolicyCases | { readonly problems: readonly PolicyProblem[] }> {
  const document = await readDocument(bytes, formatOf(file, bytes), 'as it is')
  if ('problems' in document) return document
  const { reader, root } = document
  const fields = reader.fields(root, 'a file of cases', FILE_KEYS)
  const listed = fields && reader.needed(fields, 'cases', root, 'a file of cases')
  if (listed?.value.kind === 'list' && listed.value.items.length === 0)
    reader.refuse(
      listed.value.start,
      "'cases' tries nothing: give it a case, such as {call: read_file, expect: denied}",
    )
  const cases = reader.list(listed).flatMap((node) => readCase(node, reader) ?? [])
  const policy = reader.text(fields?.get('policy')) ?? null
  return reader.problems.length > 0 ? { problems: reader.problems } : { policy, cases }
}

/** A case of what nobody sends holds whatever the policy says. */
function caseMethodProblem(name: string): string | null {
  if (name === 'tools/call') return "a call of a tool is a case of 'call'"
  return name.endsWith('/*') ? 'a case is of one method' : methodProblem(name)
}

function readCase(node: JsonNode, reader: DocumentReader): PolicyCase | undefined {
  const what = 'a case'
  const fields = reader.fields(node, what, CASE_KEYS)
  if (fields === undefined) return undefined
  const named = ['call', 'method'].flatMap((key) => fields.get(key) ?? [])
  const [of, other] = named
  if (of === undefined) return reader.refuse(node.start, "a case needs 'call' or 'method'")
  if (other !== undefined)
    return reader.refuse(other.keyStart, "a case is of a 'call' or of a 'method'")
  const expect = reader.oneOf(reader.needed(fields, 'expect', node, what), EXPECTED)
  const name = reader.text(of)
  if (expect === undefined || name === undefined) return undefined
  const unknown = of.key === 'method' ? caseMethodProblem(name) : null
  if (unknown !== null) return reader.refuse(of.value.start, unknown)
  const after = reader.wholeNumber(fields.get('after'), 0, MAX_BEFORE) ?? 0
  if (expect === 'withheld' && !fields.has('result'))
    reader.refuse(node.start, "'withheld' is of an answer: give 'result'")
  const asker = readAsker(fields, reader)
  return {
    name: reader.text(fields.get('name')) ?? `${name} is ${expect}`,
    line: reader.lineOf(node.start),
    subject:
      of.key === 'method'
        ? { ...asker, method: name, params: readObject(fields.get('params'), reader) ?? {} }
        : {
            ...asker,
            tool: name,
            args: readObject(fields.get('args'), reader) ?? {},
            annotations: readObject(fields.get('annotations'), reader) ?? null,
            toolClass: reader.text(fields.get('class')) ?? null,
          },
    result: fields.has('result') ? readObject(fields.get('result'), reader) : undefined,
    after,
    expect,
    rule: reader.text(fields.get('rule')) ?? null,
    reason: reader.text(fields.get('reason')) ?? null,
  }
}

function readAsker(fields: Fields, reader: DocumentReader): Asker {
  const at = fields.get('at')
  const text = reader.text(at)
  const instant = text === undefined ? SOME_TIME : parseInstant(text)
  if (instant === null && at !== undefined)
    reader.refuse(at.value.start, '\'at\' must be an instant such as "2026-11-20T09:30:00Z"')
  const labels = fields.get('labels')
  return {
    principal: reader.text(fields.get('principal')) ?? 'agent:local',
    labels: reader
      .list(labels)
      .flatMap((node) =>
        node.kind === 'text'
          ? [node.value]
          : (reader.refuse(node.start, 'a label is a text') ?? []),
      ),
    client: reader.text(fields.get('client')) ?? null,
    at: instant ?? SOME_TIME,
  }
}

function readObject(
  member: JsonMember | undefined,
  reader: DocumentReader,
): Readonly<Record<string, unknown>> | undefined {
  if (member === undefined) return undefined
  if (member.value.kind !== 'object')
    return reader.refuse(member.value.start, `'${member.key}' must be an object`)
  refuseUnread(member.value, reader)
  return exactValue(member.value) as Readonly<Record<string, unknown>>
}

/** A call that says a name twice, or a number that is none to others, is refused before any policy sees it. */
function refuseUnread(node: JsonNode, reader: DocumentReader): void {
  if (node.kind === 'number' && !Number.isFinite(Number(node.source)))
    reader.refuse(node.start, 'no reader can keep this number: such a call is refused')
  if (node.kind === 'list') for (const item of node.items) refuseUnread(item, reader)
  if (node.kind !== 'object') return
  for (const { value } of reader.members(node, 'it')?.values() ?? []) refuseUnread(value, reader)
}

/** What a policy makes of the cases, in their order. */
export function runPolicyCases(
  policy: ToolPolicy,
  cases: readonly PolicyCase[],
): readonly CaseRun[] {
  return cases.map((one): CaseRun => {
    const got = outcomeOf(policy, one)
    const isAs = (wanted: string | null, given: string | null): boolean =>
      wanted === null || wanted === given
    return {
      case: one,
      passed:
        got.outcome === one.expect && isAs(one.rule, got.rule) && isAs(one.reason, got.reason),
      got,
    }
  })
}

function outcomeOf(policy: ToolPolicy, { subject, result, after }: PolicyCase): CaseRun['got'] {
  const { verdict, rule, reason, shadow } = outcomeOfCall(
    explainCall(policy, subject, result),
    after,
  )
  return verdict === 'allowed' && shadow !== null
    ? { outcome: 'shadow', rule: shadow.rule, reason: shadow.reason }
    : { outcome: verdict, rule, reason }
}
