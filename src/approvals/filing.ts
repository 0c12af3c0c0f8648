import type {
  ApprovalAct,
  ApprovalInfo,
  ApprovalPreview,
  ApprovalRequest,
  ApprovalTarget,
  GrantScope,
  OwnRequest,
  Widening,
} from '../core/approval-port.ts'
import { canonicalJson, jsonDigest } from '../core/canonical-json.ts'
import { Fault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import { type Caller, principalName, projectOf } from '../core/principals.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import type { MacKey } from '../crypto/index.ts'
import type { ApprovalRow } from './approval-rows.ts'

/** What is to be written of a request, checked and complete but for when. */
export interface Filing {
  readonly caller: Caller
  readonly lifeMs: number
  readonly row: Omit<ApprovalRow, 'id' | 'created_at' | 'expires_at' | 'revision'>
}

const DEFAULT_SECONDS = 900
const MIN_SECONDS = 30
const MAX_SECONDS = 604_800
const MAX_NEEDED = 10
const MAX_USES = 1_000
const MAX_FIELDS = 32
/** What would not show as itself, or would make the text around it show otherwise. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u
const HEX_DIGEST = /^[0-9a-f]{64}$/

/**
 * What an approval is bound to. The kind is part of it: words in which an agent asks for something itself never stand
 * for an act that is enforced.
 */
export function actDigest(
  caller: Caller,
  kind: ApprovalInfo['kind'],
  act: Pick<ApprovalAct, 'action' | 'target' | 'argumentsDigest' | 'policyRevision'>,
): string {
  return digestFor(principalName(caller.principal), projectOf(caller.principal), kind, act)
}

function digestFor(
  who: string,
  project: string | null,
  kind: ApprovalInfo['kind'],
  act: Pick<ApprovalAct, 'action' | 'target' | 'argumentsDigest' | 'policyRevision'>,
): string {
  return jsonDigest({
    // Of the first form, whose digests of arguments had no key, nothing is found any more.
    v: 2,
    kind,
    who,
    project,
    action: act.action,
    target: [act.target.type, act.target.id],
    arguments: act.argumentsDigest,
    policy: act.policyRevision,
  })
}

/**
 * The act with a digest of its arguments that says nothing to whoever can guess at them, and is another one for each
 * requester.
 *
 * @throws {Fault} `BAD_INPUT` naming the field
 */
export function keyedAct<A extends ApprovalAct>(caller: Caller, act: A, key: MacKey): A {
  if (!HEX_DIGEST.test(act.argumentsDigest))
    throw badField('arguments_digest', 'must be 64 hexadecimal digits')
  return { ...act, argumentsDigest: keyedDigest(caller, 'act', act.argumentsDigest, key) }
}

function keyedDigest(
  { principal }: Caller,
  kind: ApprovalInfo['kind'],
  digest: string,
  key: MacKey,
): string {
  const of = canonicalJson([kind, principalName(principal), projectOf(principal), digest])
  return key.sign(Buffer.from(of, 'utf8')).toString('hex')
}

/** @throws {Fault} `BAD_INPUT` naming the field */
export function filedAct(caller: Caller, given: ApprovalRequest, key: MacKey): Filing {
  const request = keyedAct(caller, given, key)
  const filing = filed(caller, 'act', request, checkedPreview(request.preview))
  const { within } = request
  if (within === undefined) return filing
  const place = {
    place: checkedText('place', within.place, 256),
    permission: checkedText('permission', within.permission, 64),
    pattern: checkedText('path', within.path, 1024),
  }
  return { ...filing, row: { ...filing.row, ...place } }
}

/** @throws {Fault} `BAD_INPUT` naming the field */
export function filedOwn(caller: Caller, request: OwnRequest, key: MacKey): Filing {
  const preview = checkedPreview(request.preview)
  const { payload = null, reason = null } = request
  // Another preview is another request: what was approved is what was shown.
  const said = jsonDigest({ payload, preview, reason })
  const argumentsDigest = keyedDigest(caller, 'own', said, key)
  if (hasBlurredNumber(payload))
    throw badField(
      'payload',
      'holds a number beyond 2^53, which stands for its neighbours too; send it as text',
    )
  const act = { ...request, argumentsDigest, policyRevision: 'own' }
  return filed(caller, 'own', act, preview)
}

/** Whether another number in the text that was sent would have been read as the same one. */
function hasBlurredNumber(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value)
  return typeof value === 'object' && value !== null && Object.values(value).some(hasBlurredNumber)
}

/**
 * The request of a scope around an act, as if its requester had asked for it.
 *
 * @throws {Fault} `BAD_INPUT` naming the field when the act has no scope around it or the scope not the act in it
 */
export function widened(
  row: ApprovalRow,
  scope: Widening,
  covers: (pattern: string, path: string) => boolean,
): Omit<ApprovalRow, 'id' | 'created_at' | 'expires_at' | 'revision'> {
  const { place, permission, pattern: path } = row
  if (row.kind !== 'act' || place === null || permission === null || path === null)
    throw badField('widen', 'is for acts on a path alone; this one is none')
  if (row.needed > 1) throw badField('widen', 'is not for what several people must approve')
  const grant = checkedScope({ place, permission, ...scope })
  if (!covers(scope.pattern, path)) throw badField('pattern', 'must cover the path of the act')
  const { seconds, uses } = scope
  const argumentsDigest = jsonDigest({ ...grant, seconds, uses })
  const act = {
    action: `grant.${permission}`,
    target: { type: 'place', id: place },
    argumentsDigest,
    policyRevision: row.policy_revision,
  }
  return {
    ...row,
    ...grant,
    kind: 'grant',
    act_digest: digestFor(row.requester, row.project, 'grant', act),
    action: act.action,
    target_type: act.target.type,
    target_id: act.target.id,
    arguments_digest: argumentsDigest,
    preview: JSON.stringify({ title: grantTitle({ ...grant, seconds, uses }) }),
    grant_seconds: seconds,
    grant_uses: uses,
    used: 0,
  }
}

export interface GrantRequest extends GrantScope {
  readonly policyRevision: string
  readonly reason?: string
  readonly expiresInSeconds?: number
  readonly needed?: number
}

/** @throws {Fault} `BAD_INPUT` naming the field */
export function filedGrant(
  caller: Caller,
  request: GrantRequest,
  checkPattern: (pattern: string) => void,
): Filing {
  const { place, permission, seconds, uses } = request
  checkPattern(request.pattern)
  const scope = checkedScope(request)
  const filing = filed(
    caller,
    'grant',
    {
      ...request,
      action: `grant.${permission}`,
      target: { type: 'place', id: place },
      argumentsDigest: jsonDigest({ ...scope, seconds, uses }),
    },
    // In our words: what is granted is what is shown.
    { title: grantTitle(request) },
  )
  return {
    ...filing,
    row: { ...filing.row, ...scope, grant_seconds: seconds, grant_uses: uses },
  }
}

function checkedScope({ place, permission, pattern, seconds, uses }: GrantScope) {
  wholeNumber('seconds', seconds, MIN_SECONDS, MAX_SECONDS)
  wholeNumber('uses', uses, 1, MAX_USES)
  if (seconds === null && uses === null)
    throw badField('seconds', 'or uses must limit what is granted')
  return {
    place: checkedText('place', place, 256),
    permission: checkedText('permission', permission, 64),
    pattern: checkedText('pattern', pattern, 512),
  }
}

/** `read api-keys/** for 15 minutes, 5 uses` */
function grantTitle({ permission, pattern, seconds, uses }: GrantScope): string {
  const limits = [
    ...(seconds === null ? [] : [`for ${duration(seconds)}`]),
    ...(uses === null ? [] : [uses === 1 ? '1 use' : `${uses} uses`]),
  ]
  return `${permission} ${pattern} ${limits.join(', ')}`
}

function duration(seconds: number): string {
  for (const [length, unit] of UNITS) {
    const count = seconds / length
    if (Number.isInteger(count)) return `${count} ${unit}${count === 1 ? '' : 's'}`
  }
  return `${seconds} seconds`
}

const UNITS: readonly (readonly [length: number, unit: string])[] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
]

interface Common {
  readonly action: string
  readonly target: ApprovalTarget
  readonly argumentsDigest: string
  readonly policyRevision: string
  readonly reason?: string
  readonly expiresInSeconds?: number
  readonly needed?: number
}

function filed(
  caller: Caller,
  kind: ApprovalInfo['kind'],
  request: Common,
  preview: ApprovalPreview,
): Filing {
  const { reason, expiresInSeconds = DEFAULT_SECONDS, needed = 1 } = request
  wholeNumber('expires_in_seconds', expiresInSeconds, MIN_SECONDS, MAX_SECONDS)
  wholeNumber('needed', needed, 1, MAX_NEEDED)
  const { principal, client } = caller
  return {
    caller,
    lifeMs: expiresInSeconds * 1000,
    row: {
      kind,
      requester: principalName(principal),
      project: projectOf(principal),
      client: client === undefined ? null : shownClient(client),
      act_digest: actDigest(caller, kind, request),
      action: checkedText('action', request.action, 128),
      target_type: checkedText('target_type', request.target.type, 64),
      target_id: checkedText('target_id', request.target.id, 1024),
      arguments_digest: request.argumentsDigest,
      policy_revision: checkedText('policy_revision', request.policyRevision, 128),
      preview: JSON.stringify(preview),
      reason: checkedReason(reason),
      place: null,
      permission: null,
      pattern: null,
      grant_seconds: null,
      grant_uses: null,
      used: 0,
      needed,
      votes: '[]',
      status: 'pending',
      decided_at: null,
      consumed_at: null,
    },
  }
}

export function newRow({ row, lifeMs }: Filing, at: EpochMs): ApprovalRow {
  return {
    ...row,
    id: newId<string>(),
    created_at: at,
    expires_at: epochMs(at + lifeMs),
    revision: 1,
  }
}

function checkedPreview({ title, body, fields = [] }: ApprovalPreview): ApprovalPreview {
  if (fields.length > MAX_FIELDS) throw badField('summary.fields', `has more than ${MAX_FIELDS}`)
  return {
    title: checkedText('summary.title', title, 200),
    ...(body === undefined || body === ''
      ? {}
      : { body: checkedLines('summary.body', body, 4000) }),
    ...(fields.length === 0
      ? {}
      : {
          fields: fields.map(({ label, value }) => ({
            label: checkedText('summary.fields.label', label, 100),
            value: value === '' ? '' : checkedLines('summary.fields.value', value, 1000),
          })),
        }),
  }
}

export function checkedReason(reason: string | undefined): string | null {
  return reason === undefined || reason === '' ? null : checkedLines('reason', reason, 1000)
}

/** What a client says of itself is no reason to refuse what it asks for. */
function shownClient(client: string): string {
  return client.replaceAll(new RegExp(UNSEEN, 'gu'), '?').slice(0, 100)
}

function checkedText(field: string, text: string, max: number): string {
  if (text === '' || text.length > max || UNSEEN.test(text) || !text.isWellFormed())
    throw badField(field, `must have 1 to ${max} characters, all of them visible`)
  return text
}

function checkedLines(field: string, text: string, max: number): string {
  checkedText(field, text.replaceAll(/[\n\t]/g, ' '), max)
  return text
}

function wholeNumber(field: string, value: number | null, min: number, max: number): void {
  if (value !== null && (!Number.isSafeInteger(value) || value < min || value > max))
    throw badField(field, `must be a whole number from ${min} to ${max}`)
}

function badField(field: string, what: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${what}.`, { details: { field } })
}
