// Servers that people use, and all that a client of the SDK sees of them: directly, and behind the gateway.
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EVERYTHING } from './everything.ts'
import { type Maker, sdkClient, type Way } from './sdk-clients.ts'

type Call = readonly [tool: string, args: Readonly<Record<string, unknown>>]

export interface RealServer {
  readonly name: string
  /** What starts it, with a folder for what it keeps. */
  command(folder: string): readonly string[]
  /** What has to be in the folder. */
  prepare?(folder: string): void
  calls(folder: string): readonly Call[]
  /** What is another one each time, and is not compared. */
  readonly unsteady?: RegExp
  /** What it speaks; without a gateway only clients of that reach it. Default: handshakes only. */
  readonly eras?: 'modern' | 'both'
}

const { resolve } = createRequire(import.meta.url)
const beside = (manifest: string, ...parts: readonly string[]): string =>
  join(dirname(resolve(manifest)), ...parts)
const node = process.execPath

export const everything: RealServer = {
  name: 'everything',
  command: () => [node, EVERYTHING],
  calls: () => [
    ['echo', { message: 'é \u2028 "quoted" 😀' }],
    ['echo', { message: 7 }],
    ['echo', {}],
    ['get-sum', { a: 0.1, b: 12_345_678.5 }],
    ['get-tiny-image', {}],
    ['get-annotated-message', { messageType: 'error', includeImage: true }],
    ['get-annotated-message', { messageType: 'nonsense' }],
    ['get-resource-links', { count: 3 }],
    ['get-resource-reference', { resourceType: 'Text', resourceId: 1 }],
    ['get-resource-reference', { resourceType: 'Blob', resourceId: 2 }],
    ['get-structured-content', { location: 'Chicago' }],
    ['no-such-tool', {}],
  ],
  // It says when a resource was made, also in base64.
  unsteady: /created at [\d:]+(?: [AP]M)?|(?<="blob":")[^"]*/g,
}

export const filesystem: RealServer = {
  name: 'filesystem',
  command: (folder) => [
    node,
    beside('@modelcontextprotocol/server-filesystem/package.json', 'dist', 'index.js'),
    folder,
  ],
  prepare(folder) {
    mkdirSync(join(folder, 'sub'))
    writeFileSync(join(folder, 'a.txt'), 'one\ntwo\nthree\n')
    writeFileSync(join(folder, 'sub', 'picture.png'), Buffer.from([137, 80, 78, 71, 0, 255]))
  },
  calls: (folder) => [
    ['list_allowed_directories', {}],
    ['read_text_file', { path: join(folder, 'a.txt'), head: 2 }],
    ['read_media_file', { path: join(folder, 'sub', 'picture.png') }],
    ['write_file', { path: join(folder, 'b.txt'), content: 'é\r\n\ttab' }],
    [
      'edit_file',
      { path: join(folder, 'a.txt'), edits: [{ oldText: 'two', newText: '2' }], dryRun: false },
    ],
    [
      'read_multiple_files',
      { paths: [join(folder, 'a.txt'), join(folder, 'b.txt'), join(folder, 'none')] },
    ],
    ['create_directory', { path: join(folder, 'new') }],
    ['move_file', { source: join(folder, 'b.txt'), destination: join(folder, 'new', 'b.txt') }],
    ['list_directory', { path: folder }],
    ['list_directory_with_sizes', { path: folder }],
    ['directory_tree', { path: folder }],
    ['search_files', { path: folder, pattern: '**/*.txt' }],
    ['get_file_info', { path: join(folder, 'a.txt') }],
    ['read_text_file', { path: '/etc/hostname' }],
    ['read_text_file', { path: 7 }],
  ],
  unsteady: /(?:created|modified|accessed): [^\\"]*/g,
}

export const memory: RealServer = {
  name: 'memory',
  command: (folder) => [
    '/usr/bin/env',
    `MEMORY_FILE_PATH=${join(folder, 'memory.jsonl')}`,
    node,
    beside('@modelcontextprotocol/server-memory/package.json', 'dist', 'index.js'),
  ],
  calls: () => [
    ['read_graph', {}],
    [
      'create_entities',
      {
        entities: [
          { name: 'Ada', entityType: 'person', observations: ['writes programs', 'é'] },
          { name: 'Engine', entityType: 'machine', observations: [] },
        ],
      },
    ],
    ['create_relations', { relations: [{ from: 'Ada', to: 'Engine', relationType: 'programs' }] }],
    ['add_observations', { observations: [{ entityName: 'Engine', contents: ['has gears'] }] }],
    ['add_observations', { observations: [{ entityName: 'Nobody', contents: ['x'] }] }],
    ['search_nodes', { query: 'gears' }],
    ['open_nodes', { names: ['Ada'] }],
    ['delete_observations', { deletions: [{ entityName: 'Ada', observations: ['é'] }] }],
    ['delete_relations', { relations: [{ from: 'Ada', to: 'Engine', relationType: 'programs' }] }],
    ['delete_entities', { entityNames: ['Engine'] }],
    ['read_graph', {}],
    ['create_entities', { entities: 'not a list' }],
  ],
}

/** Its answers come from the network; what it has is compared, and what it refuses. */
export const context7: RealServer = {
  name: 'context7',
  command: () => [node, beside('@upstash/context7-mcp/package.json', 'dist', 'index.js')],
  calls: () => [
    ['resolve-library-id', {}],
    ['query-docs', { query: 7 }],
    ['no-such-tool', {}],
  ],
  eras: 'both',
}

export const modern: RealServer = {
  name: 'modern',
  command: () => [node, fileURLToPath(new URL('./modern-server.mjs', import.meta.url)), 'stdio'],
  calls: () => [
    ['echo', { text: 'é \u2028 "quoted" 😀' }],
    ['echo', {}],
    ['no-such-tool', {}],
  ],
  eras: 'modern',
}

/**
 * @param ownNode that it was installed for
 * @param program of the package, which is installed where it is wanted: it compiles a library for a minute
 */
export const sqlite = (ownNode: string, program: string): RealServer => ({
  name: 'sqlite',
  command: (folder) => [ownNode, program, join(folder, 'test.db')],
  calls: () => [
    ['list_tables', {}],
    ['create_table', { query: 'create table t (id integer primary key, name text, score real)' }],
    ['write_query', { query: "insert into t (name, score) values ('é', 0.1), (null, 1e300)" }],
    ['read_query', { query: 'select * from t order by id' }],
    ['describe_table', { table_name: 't' }],
    ['read_query', { query: 'select * from missing' }],
    ['read_query', { query: 'delete from t' }],
    ['append_insight', { insight: 'rows have names' }],
    ['list_tables', {}],
  ],
})

/** Everything a client sees of a server: what it is, has and answers, as JSON values. */
export async function seenBy(
  maker: Maker,
  way: Way,
  server: RealServer,
  folder: string,
): Promise<Readonly<Record<string, unknown>>> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  server.prepare?.(folder)
  const client = await sdkClient(maker, way)
  try {
    const has = client.getServerCapabilities() ?? {}
    const seen: Record<string, unknown> = {
      server: client.getServerVersion(),
      instructions: client.getInstructions() ?? null,
      has: ['tools', 'resources', 'prompts', 'completions', 'logging'].filter((one) => one in has),
      tools: await all('tools', (params) => client.listTools(params)),
    }
    if ('resources' in has) {
      const resources = await all('resources', (params) => client.listResources(params))
      seen['resources'] = resources
      seen['templates'] = await all('resourceTemplates', (params) =>
        client.listResourceTemplates(params),
      )
      for (const { uri } of resources.slice(0, 10) as readonly { uri: string }[])
        seen[`read ${uri}`] = await outcome(client.readResource({ uri }))
      seen['read nothing'] = await outcome(client.readResource({ uri: 'test://none' }))
    }
    if ('prompts' in has) {
      const prompts = await all('prompts', (params) => client.listPrompts(params))
      seen['prompts'] = prompts
      for (const { name } of prompts as readonly { name: string }[])
        seen[`prompt ${name}`] = await outcome(client.getPrompt({ name, arguments: {} }))
    }
    for (const [index, [name, args]] of server.calls(folder).entries())
      seen[`call ${index} ${name}`] = await outcome(client.callTool({ name, arguments: args }))
    return steady(seen, server)
  } finally {
    await client.close()
  }
}

type Answered = Readonly<Record<string, unknown>>

async function all(
  what: string,
  list: (params: { cursor?: string }) => Promise<Answered>,
): Promise<readonly unknown[]> {
  const found: unknown[] = []
  let cursor: string | undefined
  do {
    const page = await list(cursor === undefined ? {} : { cursor })
    found.push(...(page[what] as readonly unknown[]))
    cursor = page['nextCursor'] as string | undefined
  } while (cursor !== undefined)
  return found
}

/** The answer without what only one of both eras has, or what it was refused with. */
async function outcome(answer: Promise<Answered>): Promise<unknown> {
  try {
    const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, ...rest } = await answer
    return rest
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    // The clients put words of their own before the message.
    return { code, message: message.replace(/^(?:Mcp|MCP)[^:]*: /, '') }
  }
}

function steady(seen: Record<string, unknown>, { unsteady }: RealServer): Answered {
  const text = JSON.stringify(seen)
  return JSON.parse(unsteady === undefined ? text : text.replaceAll(unsteady, '')) as Answered
}

/** What is left of it in 2026-07-28, where tools do not say whether they may be tasks. */
export function asModern(seen: Answered): Answered {
  const tools = seen['tools'] as readonly Answered[]
  return { ...seen, tools: tools.map(({ execution: _execution, ...tool }) => tool) }
}

/**
 * What it is to clients of older revisions, where a resource that is not there has a code of its own. Version 2 of the
 * SDK makes the newer one of it.
 */
export function asLegacy(seen: Answered): Answered {
  const missing = seen['read nothing'] as Answered | undefined
  if (missing?.['code'] !== -32_602) return seen
  return { ...seen, 'read nothing': { ...missing, code: -32_002 } }
}

/** One difference after the other is easier to read than two long texts. */
export function assertSame(seen: Answered, expected: Answered, what: string): void {
  for (const name of Object.keys({ ...expected, ...seen }))
    assert.deepEqual(seen[name], expected[name], `${what}: ${name}`)
}
