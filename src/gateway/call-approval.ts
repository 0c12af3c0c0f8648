import type { ApprovalAct, ApprovalRequest } from '../core/approval-port.ts'
import { jsonDigest } from '../core/canonical-json.ts'
import { ExactNumber } from '../core/decimal.ts'
import { Fault, isFault } from '../core/faults.ts'
import { holdsHeld, mayHold } from '../core/held-values.ts'
import type { Caller } from '../core/principals.ts'
import { extrasOf, searchable } from '../mcp/wire/index.ts'
import type { NeedsApproval, RuleSays } from '../policy/tool-policy/index.ts'
import type { PendingApproval } from './approval-waits.ts'
import type { Denial } from './denial.ts'
import type { Judgeable } from './judging.ts'
import { isObject, isOfOneTry, shownName } from './tool-call.ts'

/** A call that a person has to allow. */
export interface AskedCall {
  readonly server: string
  /** Under which it is made; null for a caller that needs none. */
  readonly grant: string | null
  readonly what: Pick<Judgeable, 'message' | 'name' | 'isMethod' | 'params'>
  /** As they go on: of the tool, or all parameters of the method. */
  readonly args: Members
  readonly revision: string
  readonly rule: NeedsApproval
}

/** What people may read of it. */
export interface ShownCall {
  readonly name: string
  /** Of each rule that asks. */
  readonly reasons: readonly string[]
  readonly args: Members
  /** What reaches the server with them, by what it is called. */
  readonly beside: Members
  /** How the client calls itself. */
  readonly client: string
}

type Members = Readonly<Record<string, unknown>>

const MAX_REVISION = 128
/** Of a server and what is called there, as approvals name it. */
const MAX_TARGET = 1_024

/** Exactly this call, under this grant and exactly these policies. */
export function actOf(asked: AskedCall): ApprovalAct {
  const { server, grant, what, revision } = asked
  const { name, message } = what
  return {
    action: 'gateway.call',
    target: targetOf(asked),
    argumentsDigest: digestOf({
      grant,
      server,
      method: message.method,
      params: boundParams(asked),
      extras: extrasOf(message).map((extra) => [extra.name, extra.text]),
    }),
    policyRevision: revision.length > MAX_REVISION ? jsonDigest(revision) : revision,
    within: {
      place: grant === null ? server : `${server}/${grant}`,
      permission: 'call',
      path: name,
    },
  }
}

function targetOf({ server, what }: AskedCall): ApprovalAct['target'] {
  return { type: what.isMethod ? 'method' : 'tool', id: `${server}/${what.name}` }
}

/** What a client of the protocol says of itself in each request. */
const OF_PROTOCOL = 'io.modelcontextprotocol/'

/** All parameters that reach the server, but for what belongs to one try. */
function boundParams({ what, args }: AskedCall): Members {
  const { _meta: meta, ...params } = what.isMethod ? args : { ...what.params, arguments: args }
  return { ...params, ...metaOf(meta, (name, value) => !isOfOneTry(name, value)) }
}

/** @returns nothing where nothing is left of it */
function metaOf(meta: unknown, keeps: (name: string, value: unknown) => boolean): Members {
  if (meta === undefined) return {}
  if (!isObject(meta)) return { _meta: meta }
  const kept = Object.entries(meta).filter(([name, value]) => keeps(name, value))
  return kept.length === 0 ? {} : { _meta: Object.fromEntries(kept) }
}

/**
 * What is to be shown of it, before what nobody is to read is taken out.
 *
 * @throws {Fault} `BAD_INPUT`, `TOO_LARGE`
 */
export function toShow(asked: AskedCall, { client = '' }: Pick<Caller, 'client'>): ShownCall {
  const { what, rule } = asked
  const { type, id } = targetOf(asked)
  const problem =
    id.length > MAX_TARGET
      ? 'is too long'
      : id.search(UNSEEN) === -1
        ? null
        : 'holds characters that do not show'
  if (problem !== null)
    throw new Fault(
      'BAD_INPUT',
      `Nobody can be asked about it: the name of the ${type} ${problem}.`,
    )
  const { _meta: meta, ...params } = boundParams(asked)
  const extras = extrasOf(what.message).map(({ name, text }) => [name, searchable(text)] as const)
  const said = metaOf(meta, (name) => !name.startsWith(OF_PROTOCOL))
  const others = Object.entries(params).filter(([name]) => name !== 'name' && name !== 'arguments')
  const beside = Object.fromEntries([
    ...(what.isMethod ? [] : others),
    ...Object.entries(said),
    ...extras,
  ])
  const own = what.isMethod ? params : asked.args
  if (mayHold() && (holdsHeld(own) || holdsHeld(beside)))
    throw new Fault('TOO_LARGE', 'These arguments are too large to be put before a person.')
  return {
    name: what.name,
    reasons: askedBy(rule).map(({ reason }) => reason),
    args: own,
    beside,
    client,
  }
}

/** The rules that ask, in their order. */
function askedBy(rule: NeedsApproval): readonly RuleSays[] {
  return [rule, ...rule.others]
}

const MAX_REASONS = 8
const MAX_ARGUMENTS = 20
const MAX_BESIDE = 8
const MAX_SHOWN = 200
/** What would not show as itself, or would make the text around it show otherwise. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu

/** What the person is shown. @param call without what nobody is to read */
export function approvalOf(asked: AskedCall, call: ShownCall): ApprovalRequest {
  const { server, rule } = asked
  const shown = (value: unknown): string => {
    const text = (typeof value === 'string' ? value : plainText(value))
      .replaceAll(UNSEEN, '\ufffd')
      .trim()
    return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN).toWellFormed()}…` : text || '–'
  }
  const args = Object.entries(call.args)
  const beside = Object.entries(call.beside)
  // Names are the agent's choice too: none of them looks like a line of ours.
  const field = (what: string, name: string, value: unknown): PreviewField => ({
    label: `${what} ${shown(name)}`.slice(0, 100).toWellFormed(),
    value: shown(value),
  })
  const rules = askedBy(rule)
  const reasons = call.reasons.map((reason, at) =>
    rules.length === 1 ? shown(reason) : `${shown(reason)} (${shown(rules[at]?.rule)})`,
  )
  const hidden = [
    ...more(reasons.length - MAX_REASONS, 'reasons'),
    ...more(args.length - MAX_ARGUMENTS, 'arguments'),
    ...more(beside.length - MAX_BESIDE, 'parameters'),
  ]
  return {
    ...actOf(asked),
    preview: {
      title: `Call ${shown(shownName(call.name))} of ${server}`,
      body: reasons.slice(0, MAX_REASONS).join('\n'),
      fields: [
        ...args.slice(0, MAX_ARGUMENTS).map(([name, value]) => field('Argument', name, value)),
        ...beside.slice(0, MAX_BESIDE).map(([name, value]) => field('Parameter', name, value)),
        ...(hidden.length > 0 ? [{ label: 'Not shown', value: hidden.join(', ') }] : []),
      ],
    },
    ...(rule.seconds !== null && { expiresInSeconds: rule.seconds }),
  }
}

type PreviewField = NonNullable<ApprovalRequest['preview']['fields']>[number]

function more(count: number, what: string): readonly string[] {
  return count > 0 ? [`${count} more ${what}`] : []
}

/** What the agent reads of a call that waits for a person, or that one said no to. */
export function approvalDenial(error: unknown, rule: NeedsApproval): Denial {
  if (isFault(error, 'APPROVAL_REQUIRED')) {
    const rules = askedBy(rule)
    return {
      rule: rule.rule,
      kind: 'denied',
      text: [
        `[APPROVAL REQUIRED] ${String(error.details['approval'])}`,
        ...rules.map(({ reason }) => reason),
        error.message,
        ...rules.map((one) => `Rule: ${one.rule}`),
      ].join('\n'),
      isRecorded: true,
      approval: pendingOf(error.details),
    }
  }
  const isDenied = isFault(error, 'ACCESS_DENIED')
  if (isDenied || isFault(error, 'BAD_INPUT') || isFault(error, 'TOO_LARGE'))
    return {
      rule: rule.rule,
      kind: 'denied',
      text: `[POLICY DENIED] ${error.message}\nRule: ${rule.rule}`,
      isRecorded: isDenied,
    }
  throw error
}

function pendingOf({ approval, url, title }: Fault['details']): PendingApproval {
  return {
    id: String(approval),
    url: typeof url === 'string' ? url : null,
    title: typeof title === 'string' ? title : 'A call',
  }
}

/**
 * Other arguments have another digest, numbers beyond what a double holds included: those are told as texts, and where
 * they stand beside them, so that no text can stand in for one.
 */
function digestOf(act: Members): string {
  const places: string[] = []
  const plain = (value: unknown, place: string): unknown => {
    if (typeof value === 'bigint' || value instanceof ExactNumber) {
      places.push(place)
      return value instanceof ExactNumber ? value.source : String(value)
    }
    if (Array.isArray(value)) return value.map((one, index) => plain(one, `${place}/${index}`))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [
        name,
        plain(one, `${place}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
      ]),
    )
  }
  const told = plain(act, '')
  try {
    return jsonDigest(places.length === 0 ? told : [told, places.toSorted()])
  } catch (cause) {
    throw new Fault('BAD_INPUT', 'These arguments cannot be put before a person.', { cause })
  }
}

function plainText(value: unknown): string {
  return (
    JSON.stringify(value, (_key, one: unknown) =>
      typeof one === 'bigint' ? String(one) : one instanceof ExactNumber ? one.source : one,
    ) ?? ''
  )
}
