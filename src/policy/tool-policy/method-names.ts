import { foldedName } from '../../core/folded-name.ts'
import { nearest } from '../../core/nearest.ts'
import { quoted } from '../quoted.ts'
import { OPEN_METHODS } from './open-methods.ts'

/** Methods of all revisions of the protocol that rules may be for. Calls of tools have rules of their own. */
export const METHODS: readonly string[] = [
  ...OPEN_METHODS,
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/get',
  'completion/complete',
  'tasks/get',
  'tasks/result',
  'tasks/cancel',
  'tasks/update',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
  'notifications/tasks',
  'notifications/tasks/status',
]

/** What stands before the slash of methods, `notifications` among them. */
export const FAMILIES: readonly string[] = [
  ...new Set(METHODS.filter((one) => one.includes('/')).map((one) => split(one).family)),
]
/** What notifications are about: others may be about something else. */
export const SUBJECTS: readonly string[] = [
  ...new Set(METHODS.flatMap((one) => /^notifications\/([^/]+)\//.exec(one)?.[1] ?? [])),
]
const WHOLE_FAMILIES = FAMILIES.filter((one) => one !== 'tools').map((one) => `${one}/*`)
const KNOWN: ReadonlySet<string> = new Set([...METHODS, ...WHOLE_FAMILIES])

const OF_TOOLS =
  "calls of tools are ruled by 'tools', 'all_tools' and 'default', and the list of tools by 'tools/list'"

/**
 * What is wrong with the name of a method in a policy: a rule that names nothing decides nothing, and looks as if it
 * did. Methods that are not of the protocol are in a family that it does not have.
 *
 * @returns null when a rule may be for it
 */
export function methodProblem(name: string): string | null {
  if (name === 'tools/call' || name === 'tools/*') return OF_TOOLS
  if (KNOWN.has(name)) return null
  if (name === '' || (name.includes('*') && !/^[^*/]+\/\*$/.test(name)))
    return "a method is named as it is, or its family: 'resources/*'"
  const meant = meantBy(name)
  if (meant === 'tools/call' || meant === 'tools/*') return OF_TOOLS
  if (meant === null && !isOfProtocol(name)) return null
  const cure =
    meant === null
      ? "a method that is not of the protocol has a family of its own, such as 'vendor/run'"
      : `did you mean '${meant}'?`
  return `there is no method ${quoted(name)}; ${cure}`
}

/** What servers ask is answered by clients, and notifications by nobody; those of tasks tell what a call has given. */
const NOT_ANSWERED = /^(?:sampling|elicitation|roots)\/|^notifications\/(?!tasks(?:\/|$))/

/** Whether it is a server that answers: then rules may be for the answer. */
export function isServerAnswered(method: string): boolean {
  return !NOT_ANSWERED.test(method)
}

function isOfProtocol(name: string): boolean {
  const [family = '', subject, more] = name.split('/').map(foldedName)
  if (family !== 'notifications') return FAMILIES.includes(family)
  return more === undefined || SUBJECTS.includes(subject ?? '') || !name.startsWith(family)
}

/** The method that a name was meant to be: its family and what follows are both near enough. */
function meantBy(name: string): string | null {
  const { family, rest } = split(foldedName(name).slice(0, 80))
  const near = nearest(family, [...FAMILIES, ...METHODS.filter((one) => !one.includes('/'))])
  if (near === null) return null
  if (!FAMILIES.includes(near)) return near
  if (rest === '') return `${near}/*`
  const ofFamily = [...METHODS, 'tools/call', `${near}/*`].filter((one) =>
    one.startsWith(`${near}/`),
  )
  const lower = ofFamily.map((one) => split(one).rest.toLowerCase())
  const found = nearest(rest, lower)
  return found === null ? null : (ofFamily[lower.indexOf(found)] ?? null)
}

function split(name: string): { readonly family: string; readonly rest: string } {
  const slash = name.indexOf('/')
  return slash === -1
    ? { family: name, rest: '' }
    : { family: name.slice(0, slash), rest: name.slice(slash + 1) }
}
