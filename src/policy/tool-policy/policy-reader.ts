import { foldedName } from '../../core/folded-name.ts'
import { quoted } from '../quoted.ts'
import {
  ALL_TOOLS_KEYS,
  APPROVE_KEYS,
  AUDITS,
  CLASS_NAME,
  CLAUSE_KEYS,
  MAX_APPROVAL,
  MAX_RECORD,
  MIN_APPROVAL,
  NO_RECORD,
  ON_RESULT_KEYS,
  POLICY_KEYS,
  RECORD_FOR,
  RULE_BODY_KEYS,
  RULE_KEYS,
} from './document-keys.ts'
import type { DocumentReader, Fields } from './document-reader.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'
import { LimitReader } from './limit-reader.ts'
import { isServerAnswered, methodProblem } from './method-names.ts'
import { ACTIONS, type Clause, type Rule, type RuleAction, type ToolPolicy } from './model.ts'
import type { CompilePattern } from './operators.ts'
import { pointerStep } from './pointer-step.ts'
import type { PathPlace } from './subject-path.ts'
import { TestReader } from './test-reader.ts'

const EMPTY_RULE: Omit<Rule, 'pointer'> = {
  action: 'allow',
  reason: null,
  denyIf: [],
  require: [],
  approveIf: [],
  onResult: null,
  limits: [],
  isDurable: false,
  approvalSeconds: null,
  recordSeconds: null,
}

const SECONDS_OF: Readonly<Record<string, number>> = { h: 3_600, d: 86_400, w: 604_800 }

/** What never counts beside an action that settles everything. */
const BESIDE_ACTION: Readonly<Partial<Record<RuleAction, readonly string[]>>> = {
  deny: RULE_BODY_KEYS,
  hide: ['reason', ...RULE_BODY_KEYS],
  require_approval: ['approve_if'],
}

/** Lists of clauses that may be meant to be met by every call when nothing stands in them, and how that is written. */
const EMPTY: Readonly<Record<string, string>> = {
  deny_if: 'to deny always, write [{"conditions": []}]',
  approve_if: 'to ask always, write [{"conditions": []}]',
}

/** Reads a document into the model. What is wrong is told to the reader of the document. */
export class PolicyReader {
  readonly #reader: DocumentReader
  readonly #tests: TestReader
  readonly #limits: LimitReader

  constructor(reader: DocumentReader, compilePattern: CompilePattern) {
    this.#reader = reader
    this.#tests = new TestReader(reader, compilePattern)
    this.#limits = new LimitReader(reader)
  }

  policy(root: JsonNode): ToolPolicy | undefined {
    const reader = this.#reader
    const fields = reader.fields(root, 'a policy', POLICY_KEYS)
    if (fields === undefined) return undefined
    reader.text(fields.get('$schema'))
    const version = reader.needed(fields, 'version', root, 'a policy')?.value
    if (version !== undefined && !(version.kind === 'text' && version.value === '1'))
      reader.refuse(version.start, `'version' must be "1"`)
    const fallback = reader.oneOf(reader.needed(fields, 'default', root, 'a policy'), [
      'allow',
      'deny',
    ])
    reader.text(fields.get('description'))
    const hide = this.#hide(fields.get('hide'))
    const listsDenied = reader.flag(fields.get('list_denied')) ?? false
    const tools = this.#rules(fields.get('tools'), 'call')
    const classes = this.#classes(fields.get('classes'))
    const methods = this.#rules(fields.get('methods'), 'method')
    const byClass = this.#rules(fields.get('class'), 'call')
    const recordSeconds = this.#recordSeconds(fields.get('record'), 'policy')
    const hidden = [...tools.keys(), ...classes.keys()].filter(
      (tool) => (tools.get(tool) ?? byClass.get(classes.get(tool) ?? ''))?.action === 'hide',
    )
    const all = [...tools.values(), ...byClass.values(), ...methods.values()]
    const allTools = this.#allTools(fields.get('all_tools'))
    this.#limits.align()
    return {
      fallback: fallback ?? 'deny',
      hide,
      listsDenied,
      allTools,
      tools,
      classes,
      byClass,
      methods,
      foldedTools: new Set([...hide, ...tools.keys(), ...classes.keys()].map(foldedName)),
      foldedHidden: new Set([...hide, ...hidden].map(foldedName)),
      foldedMethods: new Set([...methods.keys()].map(foldedName)),
      recordSeconds,
      records: recordSeconds !== null || all.some((rule) => (rule.recordSeconds ?? 0) > 0),
    }
  }

  /** @returns null where nothing is said, 0 for `none` */
  #recordSeconds(member: JsonMember | undefined, of: 'policy' | 'rule'): number | null {
    const text = this.#reader.text(member)
    if (member === undefined || text === undefined) return null
    if (of === 'rule' && text === NO_RECORD) return 0
    const [, count = '0', unit = 'h'] = RECORD_FOR.exec(text) ?? []
    const seconds = Number(count) * (SECONDS_OF[unit] ?? 0)
    if (seconds > 0 && seconds <= MAX_RECORD) return seconds
    const none = of === 'rule' ? `, or '${NO_RECORD}'` : ''
    this.#reader.refuse(
      member.value.start,
      `'record' says for how long: hours, days or weeks such as '7d', at most a year${none}`,
    )
    return null
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

  /** From the class to its tools; each tool has one. */
  #classes(member: JsonMember | undefined): ReadonlyMap<string, string> {
    const classOf = new Map<string, string>()
    const reader = this.#reader
    for (const one of (member && reader.members(member.value, "'classes'"))?.values() ?? []) {
      this.#checkClass(one)
      for (const node of reader.list(one))
        if (node.kind !== 'text' || node.value === '')
          reader.refuse(node.start, 'a class lists names of tools')
        else if (classOf.has(node.value))
          reader.refuse(node.start, `the tool is in '${classOf.get(node.value)}' already`)
        else classOf.set(node.value, one.key)
    }
    return classOf
  }

  #checkClass({ key, keyStart }: JsonMember): void {
    if (!CLASS_NAME.test(key))
      this.#reader.refuse(keyStart, 'a class is named with lower-case letters, digits, _ and -')
  }

  #allTools(member: JsonMember | undefined): Rule {
    const pointer = member?.value.pointer ?? '/all_tools'
    const fields = member && this.#reader.fields(member.value, "'all_tools'", ALL_TOOLS_KEYS)
    if (member === undefined || fields === undefined) return { ...EMPTY_RULE, pointer }
    this.#reader.mark(pointer, member.keyStart)
    return this.#body(fields, pointer, 'all_tools', 'call', null)
  }

  #rules(member: JsonMember | undefined, place: 'call' | 'method'): ReadonlyMap<string, Rule> {
    const rules = new Map<string, Rule>()
    if (member === undefined) return rules
    const named = this.#reader.members(member.value, `'${member.key}'`)
    for (const one of named?.values() ?? []) {
      if (!this.#isName(member.key, one)) continue
      const pointer = one.value.pointer ?? `/${member.key}${pointerStep(one.key)}`
      this.#reader.mark(pointer, one.keyStart)
      const rule = this.#rule(one.value, pointer, `${member.key}/${one.key}`, place)
      if (rule === undefined) continue
      if (place === 'method' && !isServerAnswered(one.key)) this.#refuseOfAnswers(one, rule)
      rules.set(one.key, rule)
    }
    return rules
  }

  #refuseOfAnswers({ key, keyStart }: JsonMember, { onResult, limits }: Rule): void {
    const why = `${quoted(key)} is answered by no server`
    if (onResult !== null) this.#reader.refuse(keyStart, `'on_result' never counts there: ${why}`)
    if (limits.some(({ cost }) => cost.kind === 'result'))
      this.#reader.refuse(keyStart, `a cost of the answer is never known there: ${why}`)
  }

  #isName(of: string, { key, keyStart, value }: JsonMember): boolean {
    const reader = this.#reader
    if (of === 'class') {
      this.#checkClass({ key, keyStart, value })
      return true
    }
    if (of === 'methods') {
      const problem = methodProblem(key)
      if (problem !== null) reader.refuse(keyStart, problem)
      return problem === null
    }
    if (key !== '*' && key !== '') return true
    reader.refuse(
      keyStart,
      "'tools' has names of tools; what holds for all is 'default' and 'all_tools'",
    )
    return false
  }

  #rule(
    node: JsonNode,
    pointer: string,
    owner: string,
    place: 'call' | 'method',
  ): Rule | undefined {
    const reader = this.#reader
    const what = place === 'method' ? 'the rule of a method' : 'the rule of a tool'
    const fields = reader.fields(node, what, RULE_KEYS)
    if (fields === undefined) return undefined
    const action = reader.oneOf(fields.get('action'), ACTIONS) ?? 'allow'
    const reason = reader.text(fields.get('reason')) ?? null
    for (const name of BESIDE_ACTION[action] ?? []) {
      const beside = fields.get(name)
      if (beside !== undefined)
        reader.refuse(beside.keyStart, `'${name}' never counts beside the action '${action}'`)
    }
    const timeout = fields.get('approval_timeout')
    if (timeout !== undefined && action !== 'require_approval' && !fields.has('approve_if'))
      reader.refuse(timeout.keyStart, "'approval_timeout' is for rules that ask for an approval")
    const recordSeconds = this.#recordSeconds(fields.get('record'), 'rule')
    const body = this.#body(fields, pointer, owner, place, reason)
    return { ...body, action, reason, recordSeconds }
  }

  #body(
    fields: Fields,
    pointer: string,
    owner: string,
    place: 'call' | 'method',
    reason: string | null,
  ): Rule {
    const reader = this.#reader
    return {
      ...EMPTY_RULE,
      pointer,
      denyIf: this.#clauses(fields.get('deny_if'), pointer, place),
      require: this.#clauses(fields.get('require'), pointer, place),
      approveIf: this.#clauses(fields.get('approve_if'), pointer, place),
      onResult: this.#onResult(fields.get('on_result'), `${pointer}/on_result`, place),
      limits: this.#limits.limits(fields, { pointer, owner, place, reason }),
      isDurable: reader.oneOf(fields.get('audit'), AUDITS) !== undefined,
      approvalSeconds:
        reader.wholeNumber(fields.get('approval_timeout'), MIN_APPROVAL, MAX_APPROVAL) ?? null,
    }
  }

  #onResult(
    member: JsonMember | undefined,
    pointer: string,
    place: 'call' | 'method',
  ): Rule['onResult'] {
    const fields = member && this.#reader.fields(member.value, "'on_result'", ON_RESULT_KEYS)
    if (member === undefined || fields === undefined) return null
    if (fields.size === 0)
      this.#reader.refuse(member.value.start, "'on_result' needs 'deny_if' or 'require'")
    const results = place === 'call' ? 'result' : 'method-result'
    return {
      denyIf: this.#clauses(fields.get('deny_if'), pointer, results),
      require: this.#clauses(fields.get('require'), pointer, results),
    }
  }

  #clauses(member: JsonMember | undefined, owner: string, place: PathPlace): readonly Clause[] {
    if (member === undefined) return []
    const { key } = member
    const reader = this.#reader
    const what = `an entry of '${key}'`
    const textKey = key === 'approve_if' ? 'reason' : 'on_deny'
    if (member.value.kind === 'list' && member.value.items.length === 0) {
      if (key === 'deny_if' && (place === 'call' || place === 'method'))
        return [this.#always(member, `${owner}/${key}`)]
      if (EMPTY[key] !== undefined)
        reader.refuse(member.value.start, `'${key}' is empty: ${EMPTY[key]}, or leave it out`)
    }
    return reader.list(member).flatMap((node, index): readonly Clause[] => {
      const keys = key === 'approve_if' ? APPROVE_KEYS : CLAUSE_KEYS
      const fields = reader.fields(node, what, keys)
      if (fields === undefined) return []
      const listed = reader.needed(fields, 'conditions', node, what)
      const conditions = reader.list(listed)
      if (key === 'require' && listed?.value.kind === 'list' && conditions.length === 0)
        reader.refuse(listed.value.start, "'require' without conditions requires nothing")
      const pointer = node.pointer ?? `${owner}/${key}${pointerStep(index)}`
      reader.mark(pointer, node.start)
      return [
        {
          tests: this.#tests.tests(conditions, place),
          says: reader.text(fields.get(textKey)) ?? null,
          name: reader.text(fields.get('name')) ?? null,
          pointer,
        },
      ]
    })
  }

  /** A `deny_if` without clauses denies, as one without conditions does: nobody writes it down to allow. */
  #always(member: JsonMember, pointer: string): Clause {
    const { start } = member.value
    this.#reader.mark(pointer, start)
    this.#reader.warn(
      start,
      `'deny_if' is empty and denies always; [{"conditions": []}] says so to everybody`,
    )
    return { tests: [], says: null, name: null, pointer }
  }
}
