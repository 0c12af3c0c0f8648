import { Fault } from '../../core/faults.ts'
import { foldedName } from '../../core/folded-name.ts'
import { parseArgumentPath } from './argument-path.ts'
import { DocumentReader, type Fields, type PolicyProblem } from './document-reader.ts'
import { type JsonMember, type JsonNode, JsonProblem, parseJsonTree } from './json-tree.ts'
import {
  ALGORITHMS,
  type Clause,
  type Condition,
  OPERATORS,
  SCOPES,
  type ToolLimit,
  type ToolPolicy,
  type ToolRule,
  WINDOWS,
} from './model.ts'
import { type CompilePattern, judgesOf } from './operators.ts'
import { patternCompiler } from './patterns.ts'
import { defaultAlgorithm, lengthOf } from './windows.ts'

export const MAX_POLICY_BYTES = 1_048_576

const POLICY_KEYS = [
  'version',
  'description',
  'default',
  'hide',
  'list_denied',
  'all_tools',
  'tools',
] as const
const ALL_TOOLS_KEYS = ['limits', 'rate_limit'] as const
const TOOL_KEYS = ['action', 'reason', 'require', 'deny_if', 'limits', 'rate_limit'] as const
const ACTIONS = ['allow', 'deny', 'hide'] as const
const CLAUSE_KEYS = ['conditions', 'on_deny'] as const
const CONDITION_KEYS = ['path', 'op', 'value'] as const
const LIMIT_KEYS = ['counter', 'window', 'max', 'scope', 'algorithm', 'on_deny'] as const
const RATE_LIMIT_KEYS = ['max', 'window'] as const

const COUNTER = /^[\w.:-]{1,100}$/
/** Of a limit's window, in seconds: a year. */
const MAX_WINDOW = 31_536_000

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

/** A step of a JSON Pointer, RFC 6901. */
function pointerStep(name: string | number): string {
  return `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

class PolicyReader {
  readonly #reader: DocumentReader
  readonly #compilePattern: CompilePattern

  constructor(reader: DocumentReader, compilePattern: CompilePattern) {
    this.#reader = reader
    this.#compilePattern = compilePattern
  }

  policy(root: JsonNode): ToolPolicy | undefined {
    const reader = this.#reader
    const fields = reader.fields(root, 'a policy', POLICY_KEYS)
    if (fields === undefined) return undefined
    const version = reader.needed(fields, 'version', root, 'a policy')?.value
    if (version !== undefined && !(version.kind === 'text' && version.value === '1'))
      reader.refuse(version.start, `'version' must be "1"`)
    const fallback = reader.oneOf(reader.needed(fields, 'default', root, 'a policy'), [
      'allow',
      'deny',
    ])
    reader.text(fields.get('description'))
    const hide = this.#hide(fields.get('hide'))
    const listed = fields.get('list_denied')
    if (listed !== undefined && typeof this.#plain(listed) !== 'boolean')
      reader.refuse(listed.value.start, "'list_denied' must be true or false")
    const tools = this.#tools(fields.get('tools'))
    return {
      fallback: fallback ?? 'deny',
      hide,
      listsDenied: listed !== undefined && this.#plain(listed) === true,
      limits: this.#allTools(fields.get('all_tools')),
      tools,
      foldedNames: new Set([...hide, ...tools.keys()].map(foldedName)),
    }
  }

  #plain({ value }: JsonMember): boolean | null | undefined {
    return value.kind === 'plain' ? value.value : undefined
  }

  #hide(member: JsonMember | undefined): ReadonlySet<string> {
    const names = new Set<string>()
    for (const node of this.#reader.list(member))
      if (node.kind !== 'text' || node.value === '')
        this.#reader.refuse(node.start, "'hide' lists names of tools")
      else if (names.has(node.value)) this.#reader.refuse(node.start, "'hide' names the tool twice")
      else names.add(node.value)
    return names
  }

  #allTools(member: JsonMember | undefined): readonly ToolLimit[] {
    if (member === undefined) return []
    const fields = this.#reader.fields(member.value, "'all_tools'", ALL_TOOLS_KEYS)
    return fields === undefined ? [] : this.#limits(fields, '/all_tools', 'all tools')
  }

  #tools(member: JsonMember | undefined): ReadonlyMap<string, ToolRule> {
    const rules = new Map<string, ToolRule>()
    const tools = member && this.#reader.members(member.value, "'tools'")
    for (const { key, keyStart, value } of tools?.values() ?? []) {
      if (key === '*' || key === '') {
        this.#reader.refuse(
          keyStart,
          "'tools' has names of tools; what holds for all is 'default' and 'all_tools'",
        )
        continue
      }
      const rule = this.#rule(key, value)
      if (rule !== undefined) rules.set(key, rule)
    }
    return rules
  }

  #rule(name: string, node: JsonNode): ToolRule | undefined {
    const reader = this.#reader
    const fields = reader.fields(node, 'the rule of a tool', TOOL_KEYS)
    if (fields === undefined) return undefined
    const pointer = `/tools${pointerStep(name)}`
    const action = reader.oneOf(fields.get('action'), ACTIONS) ?? 'allow'
    const reason = reader.text(fields.get('reason')) ?? null
    const ruled = ['require', 'deny_if', 'limits', 'rate_limit'].flatMap(
      (one) => fields.get(one) ?? [],
    )
    if (action !== 'allow')
      for (const { key, keyStart } of ruled)
        reader.refuse(keyStart, `'${key}' never counts beside the action '${action}'`)
    return {
      action,
      reason,
      pointer,
      require: this.#clauses(fields.get('require'), `${pointer}/require`),
      denyIf: this.#clauses(fields.get('deny_if'), `${pointer}/deny_if`),
      limits: this.#limits(fields, pointer, name),
    }
  }

  #clauses(member: JsonMember | undefined, pointer: string): readonly Clause[] {
    const reader = this.#reader
    return reader.list(member).flatMap((node, index): readonly Clause[] => {
      const fields = reader.fields(node, `an entry of '${member?.key}'`, CLAUSE_KEYS)
      if (fields === undefined) return []
      const listed = reader.needed(fields, 'conditions', node, `an entry of '${member?.key}'`)
      const conditions = reader.list(listed)
      if (listed?.value.kind === 'list' && conditions.length === 0 && member?.key === 'require')
        reader.refuse(listed.value.start, "'require' without conditions requires nothing")
      return [
        {
          conditions: conditions.flatMap((one) => this.#condition(one) ?? []),
          onDeny: reader.text(fields.get('on_deny')) ?? null,
          pointer: `${pointer}${pointerStep(index)}`,
        },
      ]
    })
  }

  #condition(node: JsonNode): Condition | undefined {
    const reader = this.#reader
    const fields = reader.fields(node, 'a condition', CONDITION_KEYS)
    if (fields === undefined) return undefined
    const pathAt = reader.needed(fields, 'path', node, 'a condition')
    const text = reader.text(pathAt)
    const op = reader.oneOf(reader.needed(fields, 'op', node, 'a condition'), OPERATORS)
    if (pathAt === undefined || text === undefined || op === undefined) return undefined
    const path = parseArgumentPath(text)
    if (path === null)
      return reader.refuse(
        pathAt.value.start,
        "'path' must be 'args.' and names joined by dots, or a JSON Pointer such as '/to/0'",
      )
    const value = fields.get('value')?.value ?? null
    const judges = judgesOf(op, value, this.#compilePattern)
    if (typeof judges === 'string') return reader.refuse(value?.start ?? node.start, judges)
    return { ...path, op, ...judges }
  }

  #limits(fields: Fields, pointer: string, owner: string): readonly ToolLimit[] {
    const limits = this.#reader
      .list(fields.get('limits'))
      .flatMap((node, index) => this.#limit(node, `${pointer}/limits/${index}`) ?? [])
    const rate = fields.get('rate_limit')
    const rateLimit = rate && this.#rateLimit(rate.value, `${pointer}/rate_limit`, owner)
    return rateLimit === undefined ? limits : [...limits, rateLimit]
  }

  #limit(node: JsonNode, pointer: string): ToolLimit | undefined {
    const reader = this.#reader
    const what = 'a limit'
    const fields = reader.fields(node, what, LIMIT_KEYS)
    if (fields === undefined) return undefined
    const counterAt = reader.needed(fields, 'counter', node, what)
    const counter = reader.text(counterAt)
    if (counterAt !== undefined && counter !== undefined && !COUNTER.test(counter))
      reader.refuse(
        counterAt.value.start,
        "'counter' has 1 to 100 letters, digits and the signs _ . : -",
      )
    const window = this.#window(reader.needed(fields, 'window', node, what))
    const max = reader.wholeNumber(
      reader.needed(fields, 'max', node, what),
      0,
      Number.MAX_SAFE_INTEGER,
    )
    const scope = reader.oneOf(fields.get('scope'), SCOPES) ?? 'grant'
    const algorithmAt = fields.get('algorithm')
    const given = reader.oneOf(algorithmAt, ALGORITHMS)
    const onDeny = reader.text(fields.get('on_deny')) ?? null
    if (counter === undefined || window === undefined || max === undefined) return undefined
    const algorithm = given ?? defaultAlgorithm(window)
    if (algorithmAt !== undefined && given === 'sliding' && lengthOf(window) === null)
      return reader.refuse(algorithmAt.value.start, 'a month has no length to slide')
    return { counter, window, max, scope, algorithm, onDeny, pointer }
  }

  #window(member: JsonMember | undefined): ToolLimit['window'] | undefined {
    return member?.value.kind === 'number'
      ? this.#reader.wholeNumber(member, 1, MAX_WINDOW)
      : this.#reader.oneOf(member, WINDOWS)
  }

  /** The short form: seconds, by session. */
  #rateLimit(node: JsonNode, pointer: string, owner: string): ToolLimit | undefined {
    const reader = this.#reader
    const what = "'rate_limit'"
    const fields = reader.fields(node, what, RATE_LIMIT_KEYS)
    if (fields === undefined) return undefined
    const max = reader.wholeNumber(
      reader.needed(fields, 'max', node, what),
      0,
      Number.MAX_SAFE_INTEGER,
    )
    const window = reader.wholeNumber(reader.needed(fields, 'window', node, what), 1, MAX_WINDOW)
    if (max === undefined || window === undefined) return undefined
    return {
      counter: `rate_limit of ${owner}`,
      window,
      max,
      scope: 'session',
      algorithm: 'sliding',
      onDeny: null,
      pointer,
    }
  }
}
