import type { ApprovalAct, ApprovalRequest } from '../core/approval-port.ts'
import { jsonDigest } from '../core/canonical-json.ts'
import { ExactNumber } from '../core/decimal.ts'
import { Fault, isFault } from '../core/faults.ts'
import { holdsHeld, mayHold } from '../core/held-values.ts'
import { redactedIn } from '../core/known-texts.ts'
import type { RuleSays } from '../policy/tool-policy/index.ts'
import type { PendingApproval } from './approval-waits.ts'
import type { Denial } from './denial.ts'
import type { KnownValues } from './message-inspection.ts'
import { shownName } from './tool-call.ts'

/** A call that a person has to allow. */
export interface AskedCall {
  readonly server: string
  /** Of the tool or the method. */
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly revision: string
  readonly rule: RuleSays & { readonly seconds: number | null }
}

const MAX_REVISION = 128

/** Exactly this call under exactly these policies. */
export function actOf({ server, name, args, revision }: AskedCall): ApprovalAct {
  return {
    action: 'gateway.call',
    target: { type: 'tool', id: `${server}/${name}` },
    argumentsDigest: argumentsDigest(args),
    policyRevision: revision.length > MAX_REVISION ? jsonDigest(revision) : revision,
    within: { place: server, permission: 'call', path: name },
  }
}

const MAX_ARGUMENTS = 20
const MAX_SHOWN = 200
/** What would not show as itself, or would make the text around it show otherwise. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu

/** What the person is shown. @param known values that nobody is to read there, also split over arguments */
export function approvalOf(asked: AskedCall, known: KnownValues | null): ApprovalRequest {
  const { server, rule } = asked
  if (mayHold() && holdsHeld(asked.args))
    throw new Fault('TOO_LARGE', 'These arguments are too large to be put before a person.')
  const args = known === null ? asked.args : redactedIn(asked.args, known)
  const redact = (text: string): string => known?.redact(text) ?? text
  const entries = Object.entries(args)
  const shown = (value: unknown): string => {
    const text = redact(typeof value === 'string' ? value : plainText(value))
      .replaceAll(UNSEEN, '\ufffd')
      .trim()
    return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN).toWellFormed()}…` : text || '–'
  }
  return {
    ...actOf(asked),
    preview: {
      title: `Call ${shown(shownName(asked.name))} of ${server}`,
      body: shown(rule.reason),
      fields: [
        ...entries.slice(0, MAX_ARGUMENTS).map(([name, value]) => ({
          // Names are the agent's choice too: none of them looks like a line of ours.
          label: `Argument ${shown(name)}`.slice(0, 100).toWellFormed(),
          value: shown(value),
        })),
        ...(entries.length > MAX_ARGUMENTS
          ? [{ label: 'Not shown', value: `${entries.length - MAX_ARGUMENTS} more arguments` }]
          : []),
      ],
    },
    ...(rule.seconds !== null && { expiresInSeconds: rule.seconds }),
  }
}

/** What the agent reads of a call that waits for a person, or that one said no to. */
export function approvalDenial(error: unknown, rule: RuleSays): Denial {
  if (isFault(error, 'APPROVAL_REQUIRED'))
    return {
      rule: rule.rule,
      kind: 'denied',
      text: `[APPROVAL REQUIRED] ${String(error.details['approval'])}\n${rule.reason}\n${error.message}\nRule: ${rule.rule}`,
      isRecorded: true,
      approval: pendingOf(error.details),
    }
  if (isFault(error, 'ACCESS_DENIED') || isFault(error, 'TOO_LARGE'))
    return {
      rule: rule.rule,
      kind: 'denied',
      text: `[POLICY DENIED] ${error.message}\nRule: ${rule.rule}`,
      isRecorded: error.code !== 'TOO_LARGE',
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
function argumentsDigest(args: Readonly<Record<string, unknown>>): string {
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
  const told = plain(args, '')
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
