import { randomBytes } from 'node:crypto'
import { changeLane, type Ledger, type Settled } from '../audit/index.ts'
import { WEBHOOK_EVENTS, type WebhookPort } from '../core/approval-port.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { type Expectation, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { isUuid, type KeyId, newId } from '../core/ids.ts'
import {
  type Caller,
  isPersonPresent,
  isRegistered,
  isSession,
  principalName,
} from '../core/principals.ts'
import { SecretText } from '../core/secret-text.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { open, type SealContext, seal } from '../crypto/index.ts'
import type { ChangedRow, StoreKeys } from '../keys/index.ts'
import { type WebhookRow, type WebhookTables, webhookInfo } from './webhook-rows.ts'

export interface WebhooksParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly clock: Clock
  readonly standing: StandingPort
  readonly tables: WebhookTables
}

const MAX_WEBHOOKS = 50
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

interface Fields {
  readonly url?: string
  readonly events?: readonly string[]
  readonly description?: string | null
  readonly isActive?: boolean
}

interface Creation {
  readonly caller: Caller
  readonly fields: Required<Pick<Fields, 'url' | 'events'>> & Fields
  /** Bytes of the secret, wiped once it is sealed. */
  readonly secret: Buffer
}

interface Edit {
  readonly caller: Caller
  readonly id: string
  /** Null removes it. */
  readonly change: Fields | null
  readonly expected: Expectation | undefined
}

/** The addresses that are told of what happens; what they are told leaves this machine, so few may change them. */
export function createWebhooks(parts: WebhooksParts): WebhookPort {
  const { db, ledger, tables, clock } = parts
  const create = changeLane('webhook.create', (tx, member: Creation, at) =>
    createOne(parts, tx, member, at),
  )
  const edit = changeLane('webhook.edit', (tx, member: Edit, at) => editOne(parts, tx, member, at))
  return {
    async list(caller) {
      const found = await db.read(async (reader) => {
        const problem = await lookProblem(parts.standing, reader, caller, clock())
        return problem ?? tables.webhooks.select(reader, '1 = 1 order by created_at, id', [])
      })
      if (found instanceof Fault) throw found
      return found.map(webhookInfo)
    },
    async create(caller, request) {
      const fields = { ...request, ...checked(request) }
      const secret = Buffer.from(`whsec_${randomBytes(32).toString('base64url')}`, 'utf8')
      try {
        const { value } = await ledger.commit(create, { caller, fields, secret })
        return { webhook: webhookInfo(value), secret: SecretText.fromText(secret.toString('utf8')) }
      } finally {
        secret.fill(0)
      }
    },
    async update(caller, id, change, expected) {
      const member = { caller, id, change: { ...change, ...checked(change) }, expected }
      return webhookInfo((await ledger.commit(edit, member)).value)
    },
    async remove(caller, id, expected) {
      await ledger.commit(edit, { caller, id, change: null, expected })
    },
  }
}

/** What the requests to a webhook are signed with. @throws {Fault} `STORE_TAMPERED` */
export async function secretOf(keys: StoreKeys, reader: Reader, row: WebhookRow): Promise<string> {
  const key = await keys.byId(reader, row.key_id)
  return open(key, sealContext(keys, row.id, row.key_id), row.sealed).toString('utf8')
}

function sealContext(keys: StoreKeys, id: string, keyId: KeyId): SealContext {
  return {
    purpose: 'webhook',
    tenant: keys.storeId,
    vault: null,
    subject: id,
    version: null,
    keyId,
  }
}

/** Owners and admins, as people who are there: where a notice goes is not for a key to say. */
async function changeProblem(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Fault | null> {
  const problem = await lookProblem(standing, reader, caller, at)
  if (problem !== null || isPersonPresent(caller, at)) return problem
  return isSession(caller)
    ? new Fault('STEP_UP_REQUIRED', 'Webhooks are changed with a fresh proof that it is you.')
    : new Fault('ACCESS_DENIED', 'Webhooks are changed by a person who signed in, not by a key.')
}

/** @throws {Fault} `UNAUTHENTICATED` */
async function lookProblem(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Fault | null> {
  if (caller.principal.kind === 'person') return null
  const denied = new Fault(
    'ACCESS_DENIED',
    'Only owners and admins, or the person at this machine, may do this with webhooks.',
  )
  if (!isRegistered(caller.principal)) return denied
  const { role, scopes, vaultIds } = await standing.standingOf(reader, caller, at)
  const administers = role === 'owner' || role === 'admin'
  return administers && scopes.length === 0 && vaultIds === null ? null : denied
}

async function createOne(
  parts: WebhooksParts,
  tx: Tx,
  { caller, fields, secret }: Creation,
  at: EpochMs,
): Promise<Settled<WebhookRow>> {
  const { tables, keys } = parts
  const problem = await changeProblem(parts.standing, tx, caller, at)
  if (problem !== null) return refused('webhook.create', caller, problem)
  if ((await tables.webhooks.select(tx, '1 = 1', [])).length >= MAX_WEBHOOKS)
    return refused(
      'webhook.create',
      caller,
      new Fault('CONFLICT', `There are ${MAX_WEBHOOKS} webhooks already; remove one.`),
    )
  const { changed, ...key } = await keys.activeOrNew(tx, 'webhook')
  const id = newId<string>()
  const row: WebhookRow = {
    id,
    url: fields.url,
    events: JSON.stringify(fields.events),
    description: fields.description ?? null,
    key_id: key.id,
    sealed: seal(key.key, sealContext(keys, id, key.id), secret),
    state: 'active',
    created_at: at,
    created_by: principalName(caller.principal),
    revision: 1,
  }
  await tables.webhooks.save(tx, [row])
  return { value: row, record: changeRecord('webhook.create', caller, row, changed) }
}

async function editOne(
  parts: WebhooksParts,
  tx: Tx,
  { caller, id, change, expected }: Edit,
  at: EpochMs,
): Promise<Settled<WebhookRow>> {
  const { webhooks, deliveries } = parts.tables
  const action = change === null ? 'webhook.remove' : 'webhook.update'
  const problem = await changeProblem(parts.standing, tx, caller, at)
  if (problem !== null) return refused(action, caller, problem)
  const row = isUuid(id) ? await webhooks.get(tx, 'id = ? /*lock*/', [id]) : null
  if (row === null)
    return {
      fault: new Fault('NOT_FOUND', `There is no webhook '${id.slice(0, 64)}'.`),
      record: null,
    }
  const conflict = unmet(expected, webhookInfo(row).tag)
  if (conflict !== null) return { fault: conflict, record: null }
  if (change === null) {
    for (const one of await deliveries.select(tx, 'webhook_id = ?', [row.id]))
      await deliveries.remove(tx, one)
    await webhooks.remove(tx, row)
    return {
      value: row,
      record: { kind: 'change', action, caller, rows: [['webhooks', row.id, null]] },
    }
  }
  const next: WebhookRow = {
    ...row,
    url: change.url ?? row.url,
    events: change.events === undefined ? row.events : JSON.stringify(change.events),
    description: change.description === undefined ? row.description : change.description,
    state: change.isActive === undefined ? row.state : change.isActive ? 'active' : 'paused',
    // Who names the address answers for it: the person at this machine may name one inside.
    created_by: change.url === undefined ? row.created_by : principalName(caller.principal),
    revision: row.revision + 1,
  }
  await webhooks.save(tx, [next])
  return { value: next, record: changeRecord(action, caller, next, null) }
}

function changeRecord(
  action: string,
  caller: Caller,
  row: WebhookRow,
  key: ChangedRow | null,
): Settled<never>['record'] {
  return {
    kind: 'change',
    action,
    caller,
    rows: [['webhooks', row.id, row.revision], ...(key === null ? [] : [key])],
    detail: {
      webhook: row.id,
      origin: new URL(row.url).origin,
      events: JSON.parse(row.events) as string[],
      state: row.state,
    },
  }
}

function checked({ url, events, description }: Fields): Pick<Fields, 'url' | 'events'> {
  if (typeof description === 'string' && (description.length > 500 || UNSEEN.test(description)))
    throw badField('description', 'must have at most 500 visible characters')
  return {
    ...(url === undefined ? {} : { url: checkedUrl(url) }),
    ...(events === undefined ? {} : { events: checkedEvents(events) }),
  }
}

function checkedUrl(text: string): string {
  const url = text.length <= 2048 && URL.canParse(text) ? new URL(text) : null
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    throw badField('url', 'must be an https address of at most 2048 characters')
  if (url.username !== '' || url.password !== '')
    throw badField('url', 'must not hold a user or password')
  return url.href
}

function checkedEvents(events: readonly string[]): readonly string[] {
  const all = [...new Set(events)]
  if (all.length === 0) throw badField('events', 'must name at least one event')
  for (const one of all)
    if (!WEBHOOK_EVENTS.some((event) => tells(one, event)))
      throw badField('events', `may name ${WEBHOOK_EVENTS.join(', ')}, approval.* or *`)
  return all
}

/** Whether a webhook that names `pattern` is told of `event`. */
export function tells(pattern: string, event: string): boolean {
  if (pattern === '*' || pattern === event) return true
  return pattern.endsWith('.*') && event.startsWith(pattern.slice(0, -1))
}

function refused(
  action: string,
  caller: Caller,
  fault: Fault,
): { readonly fault: Fault; readonly record: Settled<never>['record'] } {
  return { fault, record: { kind: 'refusal', action, caller, by: fault.code } }
}

function badField(field: string, what: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${what}.`, { details: { field } })
}
