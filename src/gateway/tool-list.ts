import { Fault } from '../core/faults.ts'
import { foldedName } from '../core/folded-name.ts'
import { isListedByAll, type PoliciesNow } from './applied-policies.ts'
import { isObject } from './tool-call.ts'

/** Tells clients for how long they may keep a list, in milliseconds: a policy may change. */
const MAX_TTL_MS = 1_000

/** The lists of what agents may use, and the members of their answers in which they stand. */
const LISTS: ReadonlyMap<string, string> = new Map([
  ['tools/list', 'tools'],
  ['resources/list', 'resources'],
  ['resources/templates/list', 'resourceTemplates'],
  ['prompts/list', 'prompts'],
])

type Fields = Readonly<Record<string, unknown>>

/**
 * The answer to a method that lists, with what its client may see.
 *
 * @param policies by which tools are taken out; null shows nothing of any list
 * @returns the same value when nothing had to be taken out
 * @throws {Fault} `BAD_INPUT` when it is a list of tools that readers may read differently
 */
export function shownList(method: string, result: unknown, policies: PoliciesNow | null): unknown {
  const member = LISTS.get(method)
  if (member === undefined) return result
  if (member !== 'tools') return policies === null ? emptied(result, member) : result
  const { answer, tools } = toolsIn(result)
  if (policies === null) return emptied(result, member)
  const shown = tools.filter(({ name }) => isListedByAll(policies, name))
  return shown.length === tools.length ? result : { ...answer, tools: shown, ...shortLived(answer) }
}

interface ListOfTools {
  readonly answer: Fields
  readonly tools: readonly (Fields & { readonly name: string })[]
}

function toolsIn(result: unknown): ListOfTools {
  const bad = (what: string): Fault =>
    new Fault('BAD_INPUT', `The server's list of tools is not valid: ${what}.`)
  if (!isObject(result)) throw bad('it is no object')
  if (hasLookAlike(result, 'tools')) throw bad("a name could be taken for 'tools'")
  const tools: unknown = result['tools']
  if (!Array.isArray(tools)) throw bad("'tools' is no array")
  return {
    answer: result,
    tools: (tools as readonly unknown[]).map((tool) => {
      // What has no name cannot be called, and nobody could say whether it is allowed.
      if (!isNamed(tool)) throw bad('a tool has no name')
      if (hasLookAlike(tool, 'name')) throw bad("a name of a tool could be taken for 'name'")
      return tool
    }),
  }
}

function isNamed(tool: unknown): tool is Fields & { readonly name: string } {
  return isObject(tool) && typeof tool['name'] === 'string'
}

function hasLookAlike(object: Fields, name: string): boolean {
  return Object.keys(object).some((key) => key !== name && foldedName(key) === name)
}

/**
 * How long a client may keep what it sees, and for whom. An answer of the era that has these members has them behind it,
 * also where its server left them out.
 */
function shortLived(result: Fields): Fields {
  const { cacheScope, ttlMs, resultType } = result
  if (cacheScope === undefined && ttlMs === undefined && resultType === undefined) return {}
  return {
    cacheScope: 'private',
    ttlMs: typeof ttlMs === 'number' ? Math.min(ttlMs, MAX_TTL_MS) : 0,
  }
}

/** What was redacted, of which a client that keeps it keeps only for itself, and not for long. */
export function keptShortly(redacted: unknown): unknown {
  const isKept = isObject(redacted) && ('cacheScope' in redacted || 'ttlMs' in redacted)
  return isKept ? { ...redacted, ...shortLived(redacted) } : redacted
}

/** A list that says nothing of what it does not show, other pages included. */
function emptied(result: unknown, member: string): Fields {
  const said: Fields = isObject(result) ? result : {}
  const { resultType } = said
  return { ...(resultType !== undefined && { resultType }), [member]: [], ...shortLived(said) }
}
