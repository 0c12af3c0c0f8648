import { type Document, isMap, isScalar, type Pair, type ToStringOptions, visit } from 'yaml'
import {
  CONDITION_KEYS,
  COST_KEYS,
  LIMIT_KEYS,
  POLICY_KEYS,
  RULE_BODY_KEYS,
  TIME_KEYS,
} from './document-keys.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'

/** Names in the order in which they are written; what is not here comes behind, as it came. */
const ORDER: ReadonlySet<string> = new Set([
  ...POLICY_KEYS,
  'name',
  ...CONDITION_KEYS,
  ...TIME_KEYS,
  'action',
  'reason',
  'conditions',
  'on_deny',
  ...RULE_BODY_KEYS,
  'state',
  ...LIMIT_KEYS,
  ...COST_KEYS,
  'increment',
  'increment_from',
])
const RANK: ReadonlyMap<string, number> = new Map([...ORDER].map((key, at) => [key, at]))
/** Their names are anybody's, in an order that somebody chose. */
const NAMED: ReadonlySet<string> = new Set(['tools', 'class', 'classes', 'methods'])

const MAX_WIDTH = 100
const YAML_STYLE: ToStringOptions = {
  lineWidth: MAX_WIDTH,
  // Where a text in quotes goes on in another line, the library loses the spaces around the end of the one before.
  doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER,
  indent: 2,
  indentSeq: true,
  flowCollectionPadding: false,
}

type Place = 'root' | 'names' | 'other'

function placeWithin(place: Place, key: string): Place {
  return place === 'root' && NAMED.has(key) ? 'names' : 'other'
}

function rankOf(key: string): number {
  return RANK.get(key) ?? ORDER.size
}

/** The tree with its names in order. */
function inOrder(node: JsonNode, place: Place = 'root'): JsonNode {
  if (node.kind === 'list')
    return { ...node, items: node.items.map((item) => inOrder(item, 'other')) }
  if (node.kind !== 'object') return node
  const members = node.members.map(
    (member): JsonMember => ({
      ...member,
      value: inOrder(member.value, placeWithin(place, member.key)),
    }),
  )
  return {
    ...node,
    members:
      place === 'names' ? members : members.toSorted((a, b) => rankOf(a.key) - rankOf(b.key)),
  }
}

/** A document as JSON: names in order, numbers as they were written, on one line what fits there. */
export function jsonText(root: JsonNode): string {
  return `${written(inOrder(root), '', 'root', 0)}\n`
}

function written(node: JsonNode, indent: string, place: Place, before: number): string {
  const flat = flatText(node)
  const isBroad = place !== 'other' && node.kind === 'object' && node.members.length > 0
  if (!isBroad && indent.length + before + flat.length <= MAX_WIDTH) return flat
  const deeper = `${indent}  `
  if (node.kind === 'list') {
    const items = node.items.map((item) => `${deeper}${written(item, deeper, 'other', 0)}`)
    return `[\n${items.join(',\n')}\n${indent}]`
  }
  if (node.kind !== 'object') return flat
  const members = node.members.map(({ key, value }) => {
    const name = `${JSON.stringify(key)}: `
    return `${deeper}${name}${written(value, deeper, placeWithin(place, key), name.length + 1)}`
  })
  return `{\n${members.join(',\n')}\n${indent}}`
}

function flatText(node: JsonNode): string {
  switch (node.kind) {
    case 'object': {
      const members = node.members.map(
        ({ key, value }) => `${JSON.stringify(key)}: ${flatText(value)}`,
      )
      return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
    }
    case 'list':
      return `[${node.items.map(flatText).join(', ')}]`
    case 'number':
      return node.source
    case 'text':
    case 'plain':
      return JSON.stringify(node.value)
  }
}

/** The document of an author: names in order, comments where they belong, texts and numbers as they were written. */
export function tidyYaml(document: Document): string {
  const order = (node: unknown, place: Place): void => {
    if (!isMap(node)) return
    if (place !== 'names')
      node.items = node.items.toSorted((a, b) => rankOf(nameOf(a)) - rankOf(nameOf(b)))
    const [first] = node.items
    // An empty line parts what stands before it from what stands behind it: nothing stands before the first.
    if (first !== undefined && isScalar(first.key)) first.key.spaceBefore = false
    for (const pair of node.items) order(pair.value, placeWithin(place, nameOf(pair)))
  }
  order(document.contents, 'root')
  visit(document, {
    Seq(_, seq) {
      for (const item of seq.items) order(item, 'other')
    },
  })
  return document.toString(YAML_STYLE)
}

function nameOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : ''
}
