import { KINDS, type Kind } from './finding.ts'

/** Words of an argument's name that say what its text is meant to be; the last word that says something decides. */
const KIND_OF_WORD: ReadonlyMap<string, Kind> = new Map(
  (
    [
      ['shell', 'command cmd commands shell bash powershell script scripts hook hooks'],
      ['path', 'path paths file files filename filepath dir directory folder cwd workdir dirname'],
      ['url', 'url urls uri href endpoint link webhook'],
      ['code', 'code snippet javascript python regex patch diff'],
      ['sql', 'sql'],
      ['prose', 'body message comment text summary title note notes prompt markdown reason'],
      ['id', 'id ids uuid guid sha hash cursor etag checksum'],
    ] satisfies readonly [Kind, string][]
  ).flatMap(([kind, words]) => words.split(' ').map((word) => [word, kind] as const)),
)

/** `filePath`, `file_path`, `FILE-PATH` → file, path. */
function wordsOf(name: string): readonly string[] {
  return name
    .slice(0, 64)
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]+/)
}

/** Names come again with every call. */
const known = new Map<string, Kind | null>()
const MAX_KNOWN = 512
const MAX_KNOWN_NAME = 32

/** The kind that an argument's name suggests, or null. Never `secret`: a name exempts nothing. */
export function kindOfName(name: string): Kind | null {
  const before = known.get(name)
  if (before !== undefined) return before
  const kind =
    wordsOf(name)
      .map((word) => KIND_OF_WORD.get(word) ?? null)
      .findLast((one) => one !== null) ?? null
  if (name.length <= MAX_KNOWN_NAME) {
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(name, kind)
  }
  return kind
}

/** What is said beside a command about it. */
const BESIDE_COMMANDS: ReadonlySet<string> = new Set([
  'name',
  'title',
  'label',
  'description',
  'matcher',
])

/**
 * The kind of a member: what its own name suggests, or that it stands among commands, as in `scripts` of a
 * package.json, `hooks` of a client's settings, or `run` of a workflow.
 *
 * @param above - what the nearest name above suggests
 */
export function kindOfMember(name: string, above: Kind | null): Kind | null {
  const own = name === 'run' ? 'shell' : kindOfName(name)
  if (own !== null || above !== 'shell') return own
  return BESIDE_COMMANDS.has(name.toLowerCase()) ? null : 'shell'
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function own(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

/** JSON schema `format` and `contentMediaType` that say what a text is meant to be. */
const KIND_OF_FORMAT: ReadonlyMap<unknown, Kind> = new Map<string, Kind>([
  ['uri', 'url'],
  ['uri-reference', 'url'],
  ['iri', 'url'],
  ['uuid', 'id'],
  ['json-pointer', 'id'],
  ['password', 'secret'],
  ['path', 'path'],
  ['application/json', 'json'],
  ['text/markdown', 'prose'],
  ['text/javascript', 'code'],
  ['application/sql', 'sql'],
  ['text/x-shellscript', 'shell'],
])

/**
 * The kind that a JSON schema gives a text, or null. `format: password` and `writeOnly: true` make it `secret`, which
 * is not inspected: whoever does not trust the author of a schema leaves it out.
 */
export function kindOfSchema(schema: unknown): Kind | null {
  if (own(schema, 'writeOnly') === true) return 'secret'
  return (
    KIND_OF_FORMAT.get(own(schema, 'format')) ??
    KIND_OF_FORMAT.get(own(schema, 'contentMediaType')) ??
    null
  )
}

/** The schema of a member or an element, or undefined where the schema does not say. */
export function schemaOfStep(schema: unknown, step: string | number): unknown {
  if (typeof step === 'string')
    return own(own(schema, 'properties'), step) ?? own(schema, 'additionalProperties')
  const prefix = own(schema, 'prefixItems')
  const fixed: unknown = Array.isArray(prefix) ? prefix[step] : undefined
  return fixed ?? own(schema, 'items')
}

export function isKind(value: unknown): value is Kind {
  return KINDS.some((kind) => kind === value)
}
