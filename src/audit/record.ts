import type { Caller } from '../core/principals.ts'
import { principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'

/** A row whose revision a record vouches for: table, id, new revision; revision null says that the row is gone. */
export type RowRevision = readonly [table: string, id: string, revision: number | null]

/**
 * What is to be recorded. `intent` comes before a value leaves, `outcome` after it, `change` with the change it
 * describes in one transaction, `refusal` when policy said no. Names, ids, counts; never a value.
 */
export interface RecordDraft {
  readonly kind: 'intent' | 'outcome' | 'change' | 'refusal' | 'event'
  /** `secret.read`, `secret.put`, `project.allow`, … */
  readonly action: string
  readonly caller: Caller | null
  readonly vault?: string
  readonly path?: string
  readonly version?: number
  /** Why it was allowed or refused: the id of a policy, or a fault code. */
  readonly by?: string
  readonly rows?: readonly RowRevision[]
  readonly detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>
  /** Of an `outcome`: which intents ended how. */
  readonly ends?: readonly (readonly [seq: number, result: Outcome])[]
}

/**
 * `released`: the value went out. `unopenable`: spent, but the value did not open. `dropped`: nobody waited for it.
 * The others are of calls of tools.
 */
export type Outcome = 'released' | 'unopenable' | 'dropped' | CallOutcome

/**
 * `tool-error`: an answer that says that the tool failed. `refused-by-server`: an error in place of an answer.
 * `never-sent`: the server did not get it. `timed-out`: it did not answer in time. `lost`: it ended before it answered.
 */
export type CallOutcome =
  | 'answered'
  | 'tool-error'
  | 'refused-by-server'
  | 'never-sent'
  | 'cancelled'
  | 'timed-out'
  | 'lost'

/** A record as it is stored, parsed back. */
export interface StoredRecord {
  readonly v: 1
  readonly seq: number
  readonly at: EpochMs
  readonly kind: RecordDraft['kind']
  readonly action: string
  readonly actor?: string
  readonly project?: string
  readonly channel?: string
  /** Of a client that came over the network, after trusted proxies. */
  readonly address?: string
  readonly client?: string
  readonly vault?: string
  readonly path?: string
  readonly version?: number
  readonly by?: string
  readonly rows?: readonly RowRevision[]
  readonly detail?: RecordDraft['detail']
  readonly ends?: RecordDraft['ends']
}

const MAX_CLIENT_CHARACTERS = 100

/** Text that stands in JSON as it is: nothing to escape, and no surrogate that could be alone. */
const PLAIN = /^[ !#-[\]-~]*$/

/** Text as JSON. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text)
}

/** A caller makes many requests and says the same of itself in each. */
const callers = new WeakMap<Caller, string>()
/** What was last said of it, and for which action. */
const heads = new WeakMap<Caller, { readonly action: string; readonly text: string }>()

/** The members of a record up to who did it, as JSON text with the comma before each. */
export function recordHead(action: string, caller: Caller): string {
  const known = heads.get(caller)
  if (known?.action === action) return known.text
  const text = `,"action":${quoted(action)}${callerPart(caller)}`
  heads.set(caller, { action, text })
  return text
}

function callerPart(caller: Caller): string {
  const known = callers.get(caller)
  if (known !== undefined) return known
  const { principal } = caller
  let part = `,"actor":${quoted(principalName(principal))}`
  if (principal.kind === 'agent' && principal.project !== null)
    part += `,"project":${quoted(principal.project)}`
  part += `,"channel":${quoted(caller.channel)}`
  const address = caller.access?.address ?? null
  if (address !== null) part += `,"address":${quoted(address)}`
  if (caller.client !== undefined)
    part += `,"client":${quoted(caller.client.slice(0, MAX_CLIENT_CHARACTERS))}`
  callers.set(caller, part)
  return part
}

/**
 * The bytes that are stored, hashed and exported: JSON with the members of `StoredRecord` in its order. Put together
 * by hand, because one is made for every read.
 */
export function encodeRecord(seq: number, at: EpochMs, draft: RecordDraft): Buffer {
  let text = `{"v":1,"seq":${seq},"at":${at},"kind":"${draft.kind}","action":${quoted(draft.action)}`
  if (draft.caller !== null) text += callerPart(draft.caller)
  if (draft.vault !== undefined) text += `,"vault":${quoted(draft.vault)}`
  if (draft.path !== undefined) text += `,"path":${quoted(draft.path)}`
  if (draft.version !== undefined) text += `,"version":${draft.version}`
  if (draft.by !== undefined) text += `,"by":${quoted(draft.by)}`
  if (draft.rows !== undefined) text += `,"rows":[${draft.rows.map(rowPart).join(',')}]`
  if (draft.detail !== undefined) text += `,"detail":${JSON.stringify(draft.detail)}`
  if (draft.ends !== undefined) text += `,"ends":[${draft.ends.map(endPart).join(',')}]`
  return Buffer.from(`${text}}`, 'utf8')
}

function rowPart([table, id, revision]: RowRevision): string {
  return `[${quoted(table)},${quoted(id)},${revision}]`
}

function endPart([seq, result]: readonly [seq: number, result: Outcome]): string {
  return `[${seq},"${result}"]`
}

/** @returns null when the bytes are not a record of ours */
export function decodeRecord(body: Uint8Array): StoredRecord | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    if (typeof parsed !== 'object' || parsed === null) return null
    const record = parsed as Partial<StoredRecord>
    return typeof record.seq === 'number' && typeof record.action === 'string'
      ? (parsed as StoredRecord)
      : null
  } catch {
    return null
  }
}
