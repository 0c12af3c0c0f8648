import { elementsOf, memberOf, withMembers } from '../mcp/wire/index.ts'
import type { Result } from './all-member.ts'
import { uriOfAll } from './all-names.ts'
import { isObject } from './tool-call.ts'

/** What servers list. */
export type AllKind = 'tools' | 'prompts' | 'resources' | 'templates'

export interface Listed {
  /** What it is known by at its server. */
  readonly name: string
  readonly value: Readonly<Record<string, unknown>>
  /** As its server wrote it. */
  readonly text: string
}

interface Kind {
  /** What one of them is called. */
  readonly one: string
  readonly method: string
  /** The member of the answer that holds them. */
  readonly member: string
  /** The member of each that it is known by. */
  readonly key: string
  /** Without which a server has none. */
  readonly capability: string
  /** What is told when there are others. */
  readonly changed: string
}

export const KINDS: Readonly<Record<AllKind, Kind>> = {
  tools: {
    one: 'tool',
    method: 'tools/list',
    member: 'tools',
    key: 'name',
    capability: 'tools',
    changed: 'notifications/tools/list_changed',
  },
  prompts: {
    one: 'prompt',
    method: 'prompts/list',
    member: 'prompts',
    key: 'name',
    capability: 'prompts',
    changed: 'notifications/prompts/list_changed',
  },
  resources: {
    one: 'resource',
    method: 'resources/list',
    member: 'resources',
    key: 'uri',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
  },
  templates: {
    one: 'template',
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
  },
}

/** The revision of 2026-07-28 lets names of tools be so long; addresses may be as long as some take them. */
export const MAX_NAME: Readonly<Record<AllKind, number>> = {
  tools: 128,
  prompts: 128,
  resources: 8_192,
  templates: 8_192,
}

const MAX_PAGES = 100

/** What one of them is called among those of all servers. */
export function nameIn(kind: AllKind, server: string, { name }: Listed): string {
  return KINDS[kind].key === 'name' ? `${server}.${name}` : uriOfAll(server, name)
}

/** One of them by the name that it has among those of all. */
export function underName(kind: AllKind, name: string, { value, text }: Listed): Listed {
  const { key } = KINDS[kind]
  return {
    name,
    value: { ...value, [key]: name },
    text: withMembers(text, { [key]: JSON.stringify(name) }),
  }
}

/** All pages of one list. @param ask for one of them */
export async function whole(
  kind: AllKind,
  ask: (params: object) => Promise<Result>,
): Promise<readonly Listed[]> {
  const { member, key } = KINDS[kind]
  const items = new Map<string, Listed>()
  let cursor: unknown
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const result = await ask(cursor === undefined ? {} : { cursor })
    // Servers that repeat themselves from page to page are known.
    for (const item of itemsIn(result, member, key))
      if (!items.has(item.name)) items.set(item.name, item)
    const next = isObject(result.value) ? result.value['nextCursor'] : undefined
    if (typeof next !== 'string' || next === cursor) break
    cursor = next
  }
  return [...items.values()]
}

function itemsIn({ value, text }: Result, member: string, key: string): readonly Listed[] {
  const listed: unknown = isObject(value) ? value[member] : undefined
  const written = Array.isArray(listed) ? memberOf(text, member) : null
  if (!Array.isArray(listed) || written === null) return []
  const items: readonly unknown[] = listed
  return elementsOf(written).flatMap(({ start, end }, at) => {
    const item = items[at]
    if (!isObject(item) || typeof item[key] !== 'string') return []
    return [{ name: item[key], value: item, text: written.slice(start, end) }]
  })
}
