import { Document, Pair, Scalar, YAMLMap } from 'yaml'
import { asWritten, withEscapes } from './yaml-scalars.ts'

/** A tool as a server lists it. */
export interface ListedTool {
  readonly name: string
  readonly description: string | null
  readonly annotations: Readonly<Record<string, unknown>>
  /** Names of its arguments, those that are needed first. */
  readonly parameters: readonly { readonly name: string; readonly isNeeded: boolean }[]
}

const MAX_DESCRIPTION = 140
const MAX_PARAMETERS = 12

const HEADER = `What agents may do on this server. Everything that is not allowed here is denied.
What a tool is like is what the server says of itself: read it as a suggestion.
  sallyport policy validate FILE    says what is wrong
  sallyport policy explain FILE TOOL --args JSON    says why a call is allowed or denied`

/**
 * A first policy for a server, in YAML: nothing is allowed until somebody takes a comment sign away. Tools that say
 * they only read are suggested; what destroys, or does not say, is left to be allowed with a person's word.
 */
export function suggestedPolicy(server: string, listed: readonly ListedTool[]): string {
  const tools = nameable(listed)
  const document = new Document(null, { schema: 'core', customTags: asWritten })
  document.commentBefore = commented(HEADER)
  const map = new YAMLMap()
  map.items.push(
    pair('version', quoted('1')),
    pair('description', quoted(`Policy for ${oneLine(server, MAX_DESCRIPTION)}`)),
  )
  map.items.push(pair('default', new Scalar('deny')))
  const rules = new YAMLMap()
  const asked = sorted(tools.filter((tool) => !isReader(tool)))
  for (const tool of asked) {
    const rule = new YAMLMap()
    const isDestroyer = destroys(tool)
    rule.items.push(pair('action', new Scalar(isDestroyer ? 'deny' : 'require_approval')))
    if (isDestroyer) rule.items.push(pair('reason', quoted('The server says that it may destroy.')))
    const name = quoted(tool.name)
    name.commentBefore = commented(described(tool))
    name.spaceBefore = rules.items.length > 0
    rules.items.push(new Pair(name, rule))
  }
  const readers = sorted(tools.filter(isReader))
  const isOfReaders = asked.length === 0 && readers.length > 0
  rules.flow = asked.length === 0
  if (!isOfReaders) map.items.push(new Pair(new Scalar('tools'), rules))
  document.contents = map
  return `${document.toString({ lineWidth: 0 })}${commentedReaders(readers, isOfReaders)}`
}

/** As they stand under `tools` once the sign is taken away: no blank follows it that would be left over. */
function commentedReaders(readers: readonly ListedTool[], isWithTools: boolean): string {
  if (readers.length === 0) return ''
  const intro = 'These say that they only read. To allow one, take the sign before its name away'
  // Comments that nothing follows or surrounds are put to the margin by whatever formats the file.
  const [said, rule] = isWithTools ? ['# ', '#  '] : ['  # ', '  #']
  return [
    '',
    ...(isWithTools ? [`# ${intro}, and that before 'tools'.`, '#tools:'] : [`${said}${intro}.`]),
    ...readers.flatMap((tool) => [
      '',
      ...described(tool)
        .split('\n')
        .map((line) => `${said}${line}`),
      `${rule}${withEscapes(JSON.stringify(tool.name))}: {}`,
    ]),
    '',
  ].join('\n')
}

/**
 * Each tool once. Of those that a server lists twice the one that may do most is taken; one that is called `*` has no
 * rule, as what is not named is denied.
 */
function nameable(listed: readonly ListedTool[]): readonly ListedTool[] {
  const byName = new Map<string, ListedTool>()
  for (const tool of listed) {
    const other = byName.get(tool.name)
    const isMore = other === undefined || destroys(tool) || isReader(other)
    if (tool.name !== '*' && isMore) byName.set(tool.name, tool)
  }
  return [...byName.values()]
}

function isReader({ annotations }: ListedTool): boolean {
  return annotations['readOnlyHint'] === true && annotations['destructiveHint'] !== true
}

/** Only what says so: what says nothing may well create. */
function destroys({ annotations }: ListedTool): boolean {
  return annotations['destructiveHint'] === true
}

function described({ description, parameters }: ListedTool): string {
  const shown = parameters
    .slice(0, MAX_PARAMETERS)
    .map(({ name, isNeeded }) => oneLine(isNeeded ? name : `${name}?`, MAX_DESCRIPTION))
  const rest = parameters.length > MAX_PARAMETERS ? ', …' : ''
  return [
    ...(description === null || description.trim() === ''
      ? []
      : [oneLine(description, MAX_DESCRIPTION)]),
    `arguments: ${shown.length === 0 ? 'none' : `${shown.join(', ')}${rest}`}`,
  ].join('\n')
}

function sorted(tools: readonly ListedTool[]): readonly ListedTool[] {
  return tools.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

/** Servers choose what they say: nothing of it may end a comment, or steer a terminal. */
function oneLine(text: string, maxChars: number): string {
  const line = text
    .slice(0, maxChars * 4)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .toWellFormed()
    .trim()
  return line.length > maxChars ? `${line.slice(0, maxChars).toWellFormed()}…` : line
}

function commented(text: string): string {
  return text
    .split('\n')
    .map((line) => ` ${line}`.trimEnd())
    .join('\n')
}

function pair(key: string, value: Scalar): Pair<Scalar, Scalar> {
  return new Pair(new Scalar(key), value)
}

function quoted(text: string): Scalar {
  const scalar = new Scalar(text)
  scalar.type = 'QUOTE_DOUBLE'
  return scalar
}
