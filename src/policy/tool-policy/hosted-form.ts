import type { DocumentReader } from './document-reader.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'

const ROOT_KEYS = ['version', 'default', 'hide', 'all_tools', 'tools']
/** Said to people, and decides nothing. */
const DROPPED: ReadonlySet<string> = new Set(['$schema', 'description', 'name', 'record'])
const RULE_KEYS = ['require', 'deny_if', 'limits']
const CLAUSE_KEYS = ['conditions', 'on_deny']
const CONDITION_KEYS = ['path', 'op', 'value']
const LIMIT_KEYS = ['counter', 'window', 'max', 'scope', 'on_deny']
const WINDOWS = ['minute', 'hour', 'day']
const ARGUMENT = /^args(?:\.[^./#]+)+$/

/**
 * A policy in the keys that hosted gateways of this format read. `action: deny` becomes a `deny_if` without conditions,
 * `action: hide` a name in `hide`. What they would not know is refused where it stands.
 *
 * @param root - of a valid policy
 */
export function hostedForm(root: JsonNode, reader: DocumentReader, notes: string[]): JsonNode {
  if (root.kind !== 'object') return root
  return new HostedForm(reader, notes).root(root)
}

type ObjectNode = Extract<JsonNode, { readonly kind: 'object' }>

class HostedForm {
  readonly #reader: DocumentReader
  readonly #notes: string[]
  readonly #hidden: JsonNode[] = []

  constructor(reader: DocumentReader, notes: string[]) {
    this.#reader = reader
    this.#notes = notes
  }

  root(root: ObjectNode): JsonNode {
    const members = this.#known(root, ROOT_KEYS, 'list_denied').map((member) => {
      if (member.key === 'tools') return { ...member, value: this.#tools(member.value) }
      if (member.key === 'all_tools')
        return { ...member, value: this.#fields(member.value, ['limits'], this.#limits) }
      return member
    })
    if (this.#hidden.length === 0) return { ...root, members }
    const hide = members.find(({ key }) => key === 'hide')
    const named = hide?.value.kind === 'list' ? hide.value.items : []
    const isNamed = (one: JsonNode): boolean => named.some((other) => isSameText(one, other))
    const items = [...named, ...this.#hidden.filter((one) => !isNamed(one))]
    const { start, end } = root
    return {
      ...root,
      members: [
        ...members.filter((one) => one !== hide),
        { key: 'hide', keyStart: start, value: { kind: 'list', items, start, end } },
      ],
    }
  }

  /** Members that are known there; others are refused. @param harmless - a name that decides nothing about calls */
  #known(node: ObjectNode, known: readonly string[], harmless = ''): readonly JsonMember[] {
    return node.members.filter(({ key, keyStart }) => {
      if (known.includes(key)) return true
      if (DROPPED.has(key) || key === harmless) this.#note(`'${key}' is not kept.`)
      else this.#reader.refuse(keyStart, `'${key}' is not known there`)
      return false
    })
  }

  #note(note: string): void {
    if (!this.#notes.includes(note)) this.#notes.push(note)
  }

  #tools(node: JsonNode): JsonNode {
    if (node.kind !== 'object') return node
    const members = node.members.flatMap((member): readonly JsonMember[] => {
      const rule = member.value
      if (rule.kind !== 'object') return [member]
      const action = rule.members.find(({ key }) => key === 'action')
      const kind = action?.value.kind === 'text' ? action.value.value : 'allow'
      const { start, end } = rule
      if (kind === 'hide') {
        this.#hidden.push({ kind: 'text', value: member.key, start, end })
        return []
      }
      if (kind === 'deny') return [{ ...member, value: deniedAlways(rule) }]
      if (kind !== 'allow') {
        this.#reader.refuse(action?.value.start ?? start, `the action '${kind}' is not known there`)
        return []
      }
      const others = { ...rule, members: rule.members.filter((one) => one !== action) }
      return [{ ...member, value: this.#rule(others) }]
    })
    return { ...node, members }
  }

  #rule(node: ObjectNode): JsonNode {
    const reason = node.members.find(({ key }) => key === 'reason')
    const rule = { ...node, members: node.members.filter((one) => one !== reason) }
    const members = this.#known(rule, RULE_KEYS)
      .map(withClause)
      .map((member) => ({
        ...member,
        value:
          member.key === 'limits'
            ? this.#items(member.value, (limit) => saying(this.#limit(limit), reason))
            : this.#items(member.value, (clause) => saying(this.#clause(clause), reason)),
      }))
    return { ...rule, members }
  }

  #clause(node: ObjectNode): ObjectNode {
    const members = this.#known(node, CLAUSE_KEYS).map((member) =>
      member.key === 'conditions'
        ? { ...member, value: this.#items(member.value, (one) => this.#condition(one)) }
        : member,
    )
    return { ...node, members }
  }

  #condition(node: ObjectNode): JsonNode {
    const path = node.members.find(({ key }) => key === 'path')?.value
    if (path?.kind === 'text' && !ARGUMENT.test(path.value))
      this.#reader.refuse(path.start, "conditions there know 'args.' and names joined by dots only")
    return { ...node, members: this.#known(node, CONDITION_KEYS) }
  }

  readonly #limits = (node: JsonNode): JsonNode => this.#items(node, (one) => this.#limit(one))

  #limit(node: ObjectNode): ObjectNode {
    const members = this.#known(
      { ...node, members: node.members.filter(({ key }) => key !== 'algorithm') },
      LIMIT_KEYS,
    )
    if (members.length < node.members.length && node.members.some(({ key }) => key === 'algorithm'))
      this.#note("'algorithm' is not kept: how windows begin is up to them.")
    for (const { key, value } of members) {
      if (key === 'scope' && !(value.kind === 'text' && value.value === 'grant'))
        this.#reader.refuse(value.start, "the only scope there is 'grant'")
      if (key === 'window' && !(value.kind === 'text' && WINDOWS.includes(value.value)))
        this.#reader.refuse(value.start, `windows there are ${WINDOWS.join(', ')}`)
    }
    const { start, end } = node
    const scope: JsonMember = {
      key: 'scope',
      keyStart: start,
      value: { kind: 'text', value: 'grant', start, end },
    }
    return {
      ...node,
      members: members.some(({ key }) => key === 'scope') ? members : [...members, scope],
    }
  }

  #fields(node: JsonNode, known: readonly string[], each: (value: JsonNode) => JsonNode): JsonNode {
    if (node.kind !== 'object') return node
    const members = this.#known(node, known)
    return { ...node, members: members.map((one) => ({ ...one, value: each(one.value) })) }
  }

  #items(node: JsonNode, each: (item: ObjectNode) => JsonNode): JsonNode {
    if (node.kind !== 'list') return node
    return { ...node, items: node.items.map((one) => (one.kind === 'object' ? each(one) : one)) }
  }
}

/** There a rule says nothing, only its clauses and limits do. */
function saying(node: ObjectNode, reason: JsonMember | undefined): JsonNode {
  if (reason === undefined || node.members.some(({ key }) => key === 'on_deny')) return node
  return { ...node, members: [...node.members, { ...reason, key: 'on_deny' }] }
}

function isSameText(one: JsonNode, other: JsonNode): boolean {
  return one.kind === 'text' && other.kind === 'text' && one.value === other.value
}

function deniedAlways(rule: ObjectNode): JsonNode {
  const { start, end } = rule
  const reason = rule.members.find(({ key }) => key === 'reason')
  const clause = clauseWithout(rule, reason === undefined ? [] : [{ ...reason, key: 'on_deny' }])
  return {
    kind: 'object',
    start,
    end,
    members: [
      { key: 'deny_if', keyStart: start, value: { kind: 'list', items: [clause], start, end } },
    ],
  }
}

/** An empty `deny_if`, which denies here, as it is read elsewhere. */
function withClause(member: JsonMember): JsonMember {
  const { key, value } = member
  if (key !== 'deny_if' || value.kind !== 'list' || value.items.length > 0) return member
  return { ...member, value: { ...value, items: [clauseWithout(value, [])] } }
}

/** A clause without conditions. */
function clauseWithout({ start, end }: JsonNode, more: readonly JsonMember[]): ObjectNode {
  const value: JsonNode = { kind: 'list', items: [], start, end }
  return {
    kind: 'object',
    members: [{ key: 'conditions', keyStart: start, value }, ...more],
    start,
    end,
  }
}
