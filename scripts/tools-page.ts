// docs/tools.md: the tools as a client sees them in tools/list.
import { Fault } from '../src/core/faults.ts'
import { silentLog } from '../src/core/log.ts'
import { listedTool } from '../src/mcp/tool-schemas.ts'
import { createSecretTools } from '../src/secret-tools/index.ts'
import { code, page, table } from './markdown.ts'

type Schema = Readonly<Record<string, unknown>>

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null

/** Listing opens nothing; the doors are here only because a call would need them. */
const closed = (): Promise<never> =>
  Promise.reject(new Fault('INTERNAL', 'The page of the tools opens no vault.'))

export async function toolsPage(): Promise<string> {
  const server = createSecretTools({
    version: '',
    openVault: closed,
    openDoors: closed,
    openPeople: closed,
    openPolicies: closed,
    openHandOn: closed,
    log: silentLog,
  })
  const tools = (await server.loadTools()).map(listedTool)
  return page(
    'Tools of the secrets server',
    '`src/secret-tools/tools`',
    'What `sallyport mcp` and `/mcp` list to a client. Every answer has structured content of the shape named here and a text beside ' +
      'it; a call that failed has `isError` and `error` with `code`, `message`, `help` and `details` instead ' +
      '([the codes](errors.md)). Arguments that are not named are refused.',
    '## In short',
    table(
      ['tool', 'what it does', 'read only', 'destructive', 'idempotent'],
      tools.map(({ name, title, annotations }) => [
        `[${code(name)}](#${name})`,
        title,
        yesNo(annotations['readOnlyHint']),
        yesNo(annotations['destructiveHint']),
        yesNo(annotations['idempotentHint']),
      ]),
    ),
    'None of them is `openWorldHint`: they talk to the vault and the person on this machine only. Where a tool takes `path` and ' +
      '`name`, they are two words for one argument: give one.',
    ...tools.flatMap((tool) => [
      `## ${tool.name}`,
      tool.description,
      '**Arguments**',
      fields(tool.inputSchema),
      '**Answer**',
      fields(answerOf(tool.outputSchema)),
    ]),
    '## Resource',
    table(
      ['URI', 'title', 'type', 'what it holds'],
      server.resources.map(({ uri, title, mimeType, description }) => [
        code(uri),
        title,
        code(mimeType),
        description,
      ]),
    ),
    'Clients that subscribe hear of a change within a second, whichever process made it.',
  )
}

const yesNo = (hint: unknown): string => (hint === true ? 'yes' : 'no')

/** The shape of an answer that is no error, with its fields as the declaration has them. */
function answerOf(schema: Schema): Schema {
  const { error: _failure, ...properties } = isSchema(schema['properties'])
    ? schema['properties']
    : {}
  const [own] = Array.isArray(schema['anyOf']) ? (schema['anyOf'] as readonly unknown[]) : []
  return { ...schema, properties, required: isSchema(own) ? own['required'] : [] }
}

function fields(schema: Schema): string {
  const properties = isSchema(schema['properties']) ? Object.entries(schema['properties']) : []
  if (properties.length === 0) return 'None.'
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  return table(
    ['field', 'type', 'always', 'what it is'],
    properties.map(([name, own]) => [
      code(name),
      typeOf(own),
      required.includes(name) ? 'yes' : 'no',
      isSchema(own) && typeof own['description'] === 'string' ? own['description'] : '',
    ]),
  )
}

function typeOf(schema: unknown): string {
  if (!isSchema(schema)) return 'any'
  if (Array.isArray(schema['enum']))
    return schema['enum'].map((one) => code(String(one))).join(', ')
  const either = schema['anyOf']
  if (Array.isArray(either)) return either.map(typeOf).join(' or ')
  const own = schema['type']
  const type = Array.isArray(own) ? own.join(' or ') : typeof own === 'string' ? own : 'any'
  if (type === 'array') return `list of ${typeOf(schema['items'])}`
  if (type === 'object' && isSchema(schema['additionalProperties']))
    return `map of ${typeOf(schema['additionalProperties'])}`
  return `${type}${boundsOf(schema)}`
}

function boundsOf(schema: Schema): string {
  const least = numberIn(schema['minimum'] ?? schema['minLength'])
  const most = numberIn(schema['maximum'] ?? schema['maxLength'])
  const unit = schema['type'] === 'string' ? ' characters' : ''
  if (least === null && most === null) return ''
  if (least === null) return `, at most ${most}${unit}`
  return most === null ? `, at least ${least}${unit}` : `, ${least} to ${most}${unit}`
}

const numberIn = (value: unknown): number | null => (typeof value === 'number' ? value : null)
