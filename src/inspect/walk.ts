import type { Kind } from './finding.ts'
import { kindOfMember, kindOfSchema, schemaOfStep } from './kinds.ts'
import { isNamedBeside, nameForElement, nameForMembers } from './neighbours.ts'
import { type Place, pathOf } from './place.ts'

/** A text inside a value: a string, a number with enough digits to be something, or the name of a key. */
export interface Leaf {
  readonly text: string
  readonly place: Place | null
  /** Null: nothing suggests one. */
  readonly kind: Kind | null
  /** True when nobody said the kind: it is null, or only suggested by a name. */
  readonly isGuessed: boolean
  readonly isKey: boolean
  /** The name the value stands under, or null. */
  readonly name: string | null
}

type Told = Pick<Leaf, 'kind' | 'isGuessed'>

export interface Walked {
  readonly leaves: readonly Leaf[]
  /** False when a limit was met, so that something was not looked at. */
  readonly isWhole: boolean
}

/** How much of one value is looked at. A message beyond these is refused by whoever reads messages; this is the net. */
export const WALK_LIMITS = { maxDepth: 256, maxNodes: 1_000_000, maxUnits: 67_108_864 } as const

/** What says which kind a leaf is. */
export interface KindSources {
  /** Of every leaf for which neither `kinds` nor the schema speaks; without it, names of keys suggest one. */
  readonly kind?: Kind | undefined
  /** JSON schema of the value. */
  readonly schema?: unknown
  /** By JSON path; wins over schema and names. `$.args[*].path` means every element. */
  readonly kinds?: Readonly<Record<string, Kind>> | undefined
}

/** A number shorter than this is no card and no phone number. */
const MIN_NUMBER = 1_000_000

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (typeof value === 'number' && Number.isSafeInteger(value) && Math.abs(value) >= MIN_NUMBER)
    return String(value)
  return typeof value === 'bigint' ? String(value) : null
}

const EVERY_INDEX = /\[\d+\]/g

/** Keys of objects and elements of arrays; what is neither has no leaves. Keys that a parser cannot make are not read. */
export function walk(value: unknown, sources: KindSources = {}): Walked {
  const leaves: Leaf[] = []
  const above = new Set<object>()
  let nodes = 0
  let units = 0
  let isWhole = true

  function overridden(place: Place | null): Kind | null {
    if (sources.kinds === undefined) return null
    const path = pathOf(place)
    return sources.kinds[path] ?? sources.kinds[path.replaceAll(EVERY_INDEX, '[*]')] ?? null
  }

  function add(leaf: Leaf): void {
    units += leaf.text.length
    if (units > WALK_LIMITS.maxUnits) isWhole = false
    else leaves.push(leaf)
  }

  function visit(
    node: unknown,
    place: Place | null,
    told: Told,
    name: string | null,
    schema: unknown,
  ): void {
    nodes += 1
    if (nodes > WALK_LIMITS.maxNodes) {
      isWhole = false
      return
    }
    const text = textOf(node)
    if (text !== null) {
      add({ text, place, ...told, isKey: false, name })
      return
    }
    if (typeof node !== 'object' || node === null || ArrayBuffer.isView(node)) return
    if (above.has(node) || above.size >= WALK_LIMITS.maxDepth) {
      isWhole = false
      return
    }
    above.add(node)
    if (Array.isArray(node)) visitElements(node, place, told, name, schema)
    else visitMembers(node, place, told, schema)
    above.delete(node)
  }

  function visitElements(
    node: readonly unknown[],
    place: Place | null,
    told: Told,
    name: string | null,
    schema: unknown,
  ): void {
    for (const [index, element] of node.entries()) {
      if (nodes > WALK_LIMITS.maxNodes) return
      const inner = { up: place, step: index }
      const innerSchema = schemaOfStep(schema, index)
      const kind = overridden(inner) ?? kindOfSchema(innerSchema)
      const called = nameForElement(node[index - 1], node.length) ?? name
      visit(element, inner, kind === null ? told : { kind, isGuessed: false }, called, innerSchema)
    }
  }

  function visitMembers(node: object, place: Place | null, above: Told, schema: unknown): void {
    const named = nameForMembers(Object.entries(node))
    for (const [key, member] of Object.entries(node)) {
      if (nodes > WALK_LIMITS.maxNodes) return
      const inner = { up: place, step: key }
      const innerSchema = schemaOfStep(schema, key)
      add({ text: key, place: inner, kind: 'text', isGuessed: false, isKey: true, name: null })
      const kind = overridden(inner) ?? kindOfSchema(innerSchema) ?? sources.kind ?? null
      const told =
        kind === null
          ? { kind: kindOfMember(key, above.isGuessed ? above.kind : null), isGuessed: true }
          : { kind, isGuessed: false }
      const called = named !== null && isNamedBeside(key) ? named : key
      visit(member, inner, told, called, innerSchema)
    }
  }

  const rootKind = overridden(null) ?? sources.kind ?? kindOfSchema(sources.schema)
  visit(value, null, { kind: rootKind, isGuessed: rootKind === null }, null, sources.schema)
  return { leaves, isWhole }
}
