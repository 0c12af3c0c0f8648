import { quoted, type RecordDraft, type RecordText, recordHead } from '../audit/index.ts'
import { redactedIn } from '../core/known-texts.ts'
import type { Caller } from '../core/principals.ts'
import type { KnownValues } from './message-inspection.ts'
import { shownName } from './tool-call.ts'

/** A call as the audit knows it: names of arguments, never their values. */
export interface AuditedCall {
  readonly caller: Caller
  readonly server: string
  /** Name of the tool, or of the method where it is not one. */
  readonly name: string
  readonly isMethod: boolean
  /** Of a method that is about what a call made: the tool that was called. */
  readonly tool?: string | undefined
  /** Whether it is what the client said to what the server asked. */
  readonly isAnswer?: boolean
  readonly keys: readonly string[]
  /** First characters of the digests of the policies, or null without one. */
  readonly revision: string | null
  /** What the steps took so far, microseconds: `decide 4, inspect 31`. */
  readonly took: string
  /** Id of the trace that the call belongs to, 32 hex digits. */
  readonly trace?: string | undefined
}

/**
 * Agents choose what they call things, and themselves: a value that one of them knows is not written down as a name.
 *
 * @returns the same call where nothing is known, or nothing of it stands there
 */
export function withoutKnown(call: AuditedCall, known: KnownValues | null): AuditedCall {
  if (known === null || known.reach() === 0) return call
  const { name, tool = '', keys, caller } = call
  const { client = '' } = caller
  const names = [name, client, tool, ...keys]
  // One may be split over several of them.
  const isSeen =
    known.find(names.join('\n')).length > 0 ||
    (keys.length > 1 && known.find(names.join('')).length > 0)
  if (!isSeen) return call
  const redacted = redactedIn(names, known) as readonly string[]
  const [shownAs = '', calls = '', ofTool = '', ...others] = redacted
  return {
    ...call,
    name: shownAs,
    ...(tool !== '' && { tool: ofTool }),
    keys: others,
    caller: { ...caller, ...(client !== '' && { client: calls }) },
  }
}

const MAX_KEYS = 100
const MAX_KEY = 100

/** What is recorded of it. */
export function recordOf(
  { caller, server, name, isMethod, tool, isAnswer, keys, revision, took, trace }: AuditedCall,
  kind: 'intent' | 'refusal',
  by: string,
  shadow: string | null = null,
): RecordDraft {
  return {
    kind,
    action: isMethod ? 'method.call' : 'tool.call',
    caller,
    by,
    detail: {
      server,
      [isMethod ? 'method' : 'tool']: shownName(name),
      ...(tool !== undefined && { tool: shownName(tool) }),
      keys: shownKeys(keys),
      policy: revision,
      took,
      ...(isAnswer === true && { answer: true }),
      ...(trace !== undefined && { trace }),
      ...(shadow !== null && { shadow }),
    },
  }
}

/** As `recordOf` says it, as text. */
export function callText(call: AuditedCall): RecordText {
  const { caller, isMethod, tool, isAnswer, took, trace } = call
  const head = recordHead(isMethod ? 'method.call' : 'tool.call', caller)
  const traced = trace === undefined ? '' : `,"trace":${quoted(trace)}`
  const about = tool === undefined ? '' : `,"tool":${quoted(shownName(tool))}`
  const answered = isAnswer === true ? ',"answer":true' : ''
  // Names of steps and numbers.
  return { head, detail: detailOf(call), rest: `${about},"took":"${took}"${answered}${traced}` }
}

/** A change of what was taken needs no more than whose it was. */
export function changeText(call: AuditedCall, what: 'refund' | 'settle'): RecordText {
  const { caller, isMethod } = call
  const head = recordHead(`${isMethod ? 'method' : 'tool'}.${what}`, caller)
  return { head, detail: namedDetail(call), rest: '' }
}

function namedDetail({ server, name, isMethod }: AuditedCall): string {
  const kind = isMethod ? 'method' : 'tool'
  return `,"detail":{"server":${quoted(server)},"${kind}":${quoted(shownName(name))}`
}

/** What was last made of calls of a name: most have the same arguments. */
const details = new Map<string, Pick<AuditedCall, DetailMember> & { readonly text: string }>()
type DetailMember = 'server' | 'isMethod' | 'keys' | 'revision'
const MAX_DETAILS = 1_000
const MAX_KEPT_KEYS = 20

function detailOf(call: AuditedCall): string {
  const { server, name, isMethod, keys, revision } = call
  const known = details.get(name)
  if (
    known !== undefined &&
    known.server === server &&
    known.isMethod === isMethod &&
    known.revision === revision &&
    areSame(known.keys, keys)
  )
    return known.text
  const policy = revision === null ? 'null' : quoted(revision)
  const text = `${namedDetail(call)},"keys":${JSON.stringify(shownKeys(keys))},"policy":${policy}`
  // Agents choose names and arguments.
  if (name.length > MAX_KEY || keys.length > MAX_KEPT_KEYS || text.length > MAX_KEPT_TEXT)
    return text
  if (details.size >= MAX_DETAILS) details.clear()
  details.set(name, { server, isMethod, keys, revision, text })
  return text
}

const MAX_KEPT_TEXT = 1_000

function areSame(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false
  for (let at = 0; at < some.length; at += 1) if (some[at] !== others[at]) return false
  return true
}

function shownKeys(keys: readonly string[]): readonly string[] {
  const shown = keys.slice(0, MAX_KEYS).map((key) => key.slice(0, MAX_KEY).toWellFormed())
  return shown.toSorted()
}

/** As JSON text; the policies of a server have few. */
const ruleTexts = new Map<string, string>()
const MAX_RULES = 1_000

export function ruleText(rule: string): string {
  let text = ruleTexts.get(rule)
  if (text === undefined) {
    text = quoted(rule)
    if (ruleTexts.size >= MAX_RULES) ruleTexts.clear()
    ruleTexts.set(rule, text)
  }
  return text
}
