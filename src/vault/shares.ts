import { changeLane, type Ledger, type Settled } from '../audit/index.ts'
import type { ApprovalPort, ConsumedApproval } from '../core/approval-port.ts'
import { jsonDigest } from '../core/canonical-json.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import { isUuid, newId, type VaultId } from '../core/ids.ts'
import { type Caller, isRegistered, principalName } from '../core/principals.ts'
import type { RatePort } from '../core/rate-port.ts'
import type {
  MadeShare,
  ShareInfo,
  SharePort,
  ShareRequest,
  ShareTarget,
} from '../core/share-port.ts'
import { type Clock, type EpochMs, toIso } from '../core/time.ts'
import { newToken, tokenHash, verifierFor } from '../crypto/index.ts'
import type { StoreKeys } from '../keys/index.ts'
import { type Permission, parsePath } from '../policy/index.ts'
import { type Request, refuse, refused, secretNotFound, secretSpent } from './access.ts'
import { type Canaries, ringing } from './canaries.ts'
import type { LocalVault } from './local-vault.ts'
import { countersOfCurrent, whyUnreadable } from './read-lane.ts'
import type { VaultRights } from './rights.ts'
import type { SecretRow, VaultTables } from './rows-repository.ts'
import { shareNotFound } from './share-book.ts'
import { checkShareRequest } from './share-checks.ts'
import { ShareReadings } from './share-readings.ts'
import type { ShareRow } from './sharing-rows.ts'
import { vaultFor } from './vaults.ts'

const LINK_PREFIX = 'spt_share_'

export interface ShareParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly tables: VaultTables
  readonly rights: VaultRights
  readonly canaries: Canaries
  readonly vault: LocalVault
  readonly approvals: Pick<ApprovalPort, 'pass' | 'giveBack'>
  /** Principal that registered the agent; null when nobody did. */
  readonly creatorOf: (caller: Caller) => Promise<string | null>
  /** How often shares may be tried. */
  readonly rates: RatePort
  readonly clock: Clock
}

interface Making extends Request {
  readonly wanted: ShareRequest
  readonly recipient: string | null
  readonly digest: Uint8Array | null
  readonly passphrase: string | null
}

interface Settling {
  readonly caller: Caller
  readonly id: string
  readonly to: 'accepted' | 'declined' | 'revoked'
}

/** Secrets handed on to others, by their accounts or by links. */
export function createShares(parts: ShareParts): SharePort {
  const { db, ledger, tables, canaries, clock } = parts
  const readings = new ShareReadings(parts)
  const create = changeLane(
    'share.create',
    ringing(canaries, (tx, making: Making, at) => createShare(parts, tx, making, at)),
  )
  const settle = changeLane('share.settle', (tx, settling: Settling, at) =>
    settleShare(parts, tx, settling, at),
  )
  const settled = async (caller: Caller, id: string, to: Settling['to']): Promise<ShareRow> =>
    (await ledger.commit(settle, { caller, id, to })).value

  async function made(making: Making): Promise<ShareRow> {
    try {
      return (await ledger.commit(create, making)).value
    } finally {
      canaries.tell(making)
    }
  }

  return {
    async create(caller, target, wanted) {
      checkShareRequest(wanted, clock())
      const place = await placeOfTarget(parts, caller, target)
      const request: Request = {
        caller,
        evidence: parts.rights.evidenceFor(caller),
        ...place,
        action: 'share.create',
      }
      const recipient = await recipientOf(parts, caller, wanted)
      const isLink =
        wanted.recipientType === 'anyone_with_link' || wanted.recipientType === 'external_email'
      const making: Making = { ...request, wanted, recipient, digest: null, passphrase: null }
      // What is refused anyway is recorded as such, and nobody is asked about it first.
      const { mayShare, maySee } = await standingOn(parts, request)
      if (!mayShare) {
        const isHidden = 'secretId' in target && !maySee
        const refusal = isHidden ? hidden(target.secretId, made(making)) : made(making)
        return { share: shareInfo(await refusal), link: null }
      }
      const taken = isLink && isAgent(caller) ? await approved(parts, making) : null
      try {
        const link = isLink ? newToken(LINK_PREFIX) : null
        const share = await made({
          ...making,
          digest: link === null ? null : tokenHash(await readings.linkKey(), link),
          passphrase: wanted.passphrase === undefined ? null : await verifierFor(wanted.passphrase),
        })
        return { share: shareInfo(share), link } satisfies MadeShare
      } catch (error) {
        if (taken !== null) await parts.approvals.giveBack(caller, taken)
        throw error
      }
    },
    async outbound(caller) {
      const own = await nameOf(parts, caller)
      return (await sharesWhere(db, tables, 'created_by = ?', own)).map(shareInfo)
    },
    async inbound(caller) {
      const own = await nameOf(parts, caller)
      const rows = await sharesWhere(db, tables, 'recipient = ?', own)
      return rows.filter(({ state }) => state === 'open' || state === 'locked').map(shareInfo)
    },
    accept: async (caller, id) => shareInfo(await settled(caller, id, 'accepted')),
    decline: async (caller, id) => shareInfo(await settled(caller, id, 'declined')),
    async revoke(caller, id) {
      await settled(caller, id, 'revoked')
    },
    async read(caller, id, passphrase) {
      const { row, read } = await readings.read(
        caller,
        id,
        null,
        caller.access?.address ?? null,
        passphrase,
      )
      return { ...read, share: shareInfo(row) }
    },
    async open(id, link, { address, channel }, passphrase) {
      const guest: Caller = { principal: { kind: 'guest', id: guestName(id) }, channel }
      const { row, read } = await readings.read(guest, id, link, address, passphrase)
      return { ...read, share: shareInfo(row) }
    },
  }
}

/** What a stranger sent goes into no record but as an id. */
function guestName(id: string): string {
  return isUuid(id) ? id : 'unknown'
}

function isAgent({ principal }: Caller): boolean {
  return principal.kind === 'agent' || principal.kind === 'registered-agent'
}

async function sharesWhere(
  db: Db,
  tables: VaultTables,
  where: string,
  name: string,
): Promise<readonly ShareRow[]> {
  return db.read((reader) =>
    tables.shares.select(reader, `${where} order by created_at desc, id`, [name]),
  )
}

/** @throws {Fault} `UNAUTHENTICATED` when the caller no longer counts */
async function nameOf({ db, rights, clock }: ShareParts, caller: Caller): Promise<string> {
  if (isRegistered(caller.principal))
    await db.read(async (reader) => (await rights.at(reader, clock())).counted(caller))
  return principalName(caller.principal)
}

async function placeOfTarget(
  { db, tables }: ShareParts,
  caller: Caller,
  target: ShareTarget,
): Promise<{ readonly vaultId: VaultId; readonly path: string }> {
  if ('path' in target) {
    parsePath(target.path)
    const vault = await db.read((reader) => vaultFor(tables, reader, caller, target.vault))
    return { vaultId: vault.id, path: target.path }
  }
  const { secretId } = target
  const row = isUuid(secretId)
    ? await db.read((reader) => tables.secrets.get(reader, 'id = ?', [secretId]))
    : null
  if (row === null) throw noSecretWithId(secretId)
  return { vaultId: row.vault_id, path: row.path }
}

async function recipientOf(
  parts: ShareParts,
  caller: Caller,
  { recipientType, recipientId }: ShareRequest,
): Promise<string | null> {
  if (recipientType === 'user' || recipientType === 'agent')
    return `${recipientType}:${recipientId}`
  if (recipientType !== 'creator') return null
  const creator = await parts.creatorOf(caller)
  if (creator !== null) return creator
  throw new Fault('BAD_INPUT', 'recipient_type creator is for agents that somebody registered.', {
    details: { field: 'recipient_type' },
  })
}

/** Whoever may not see what has an id is told what he is told of an id that nothing has. */
async function hidden(secretId: string, refusal: Promise<ShareRow>): Promise<ShareRow> {
  try {
    return await refusal
  } catch (error) {
    throw isFault(error, 'ACCESS_DENIED') ? noSecretWithId(secretId) : error
  }
}

async function standingOn(
  { db, rights, clock }: ShareParts,
  request: Request,
): Promise<{ readonly mayShare: boolean; readonly maySee: boolean }> {
  const own = await db.read(async (reader) => (await rights.at(reader, clock())).of(request))
  const may = (permission: Permission): boolean => own.judge(request.path, permission).allowed
  return { mayShare: may('read') && may('share'), maySee: may('list') }
}

function noSecretWithId(id: string): Fault {
  return new Fault('SECRET_NOT_FOUND', `No secret found with the id '${id.slice(0, 64)}'.`)
}

/** @throws {Fault} `APPROVAL_REQUIRED` */
function approved(
  { approvals }: ShareParts,
  { caller, vaultId, path, wanted }: Making,
): Promise<ConsumedApproval> {
  const { recipientType, email, expiresAt, maxAccessCount = null, ipAllowlist = null } = wanted
  const hasPassphrase = wanted.passphrase !== undefined
  return approvals.pass(caller, {
    action: 'share.create',
    target: { type: 'secret', id: `${vaultId}/${path}` },
    argumentsDigest: jsonDigest({
      recipientType,
      email: email ?? null,
      expiresAt,
      maxAccessCount,
      ipAllowlist,
      hasPassphrase,
    }),
    policyRevision: 'share-by-link',
    within: { place: vaultId, permission: 'share', path },
    preview: {
      title: `Share ${path} by a link`,
      fields: [
        { label: 'Secret', value: path },
        { label: 'For', value: email ?? 'anyone with the link' },
        { label: 'Until', value: toIso(expiresAt) },
        { label: 'Readings', value: maxAccessCount === null ? 'any number' : `${maxAccessCount}` },
        { label: 'Passphrase', value: hasPassphrase ? 'yes' : 'no' },
      ],
    },
  })
}

async function createShare(
  { rights, tables }: ShareParts,
  tx: Tx,
  making: Making,
  at: EpochMs,
): Promise<Settled<ShareRow>> {
  const { caller, vaultId, path, wanted, recipient } = making
  const rightsAt = await rights.at(tx, at)
  const own = await rightsAt.of(making)
  for (const permission of ['read', 'share'] as const)
    if (!own.judge(path, permission).allowed) return refuse(tx, tables, making, own, permission)
  const secret = await tables.secrets.get(tx, 'vault_id = ? and path = ?', [vaultId, path])
  const unreadable = unreadableFault(secret, path, at)
  if (secret === null || unreadable !== null)
    return refused(making, unreadable ?? secretNotFound(path))
  if (recipient !== null && !(await rightsAt.isSomebody(recipient)))
    return refused(
      making,
      new Fault('NOT_FOUND', 'There is nobody with this id to share with.', {
        details: { field: 'recipient_id' },
      }),
    )
  const row: ShareRow = {
    id: newId<string>(),
    vault_id: vaultId,
    secret_id: secret.id,
    path,
    recipient_type: wanted.recipientType,
    recipient,
    email: wanted.email ?? null,
    digest: making.digest,
    passphrase: making.passphrase,
    failures: 0,
    state: 'open',
    reads: 0,
    max_reads: wanted.maxAccessCount ?? null,
    ip_allowlist: wanted.ipAllowlist === undefined ? null : JSON.stringify(wanted.ipAllowlist),
    expires_at: wanted.expiresAt,
    accepted_at: null,
    created_at: at,
    created_by: principalName(caller.principal),
    created_from: caller.access?.address ?? null,
    revision: 1,
  }
  await tables.shares.save(tx, [row])
  return {
    value: row,
    record: {
      kind: 'change',
      action: 'share.create',
      caller,
      vault: vaultId,
      path,
      rows: [['shares', row.id, 1]],
      detail: {
        share: row.id,
        recipient_type: row.recipient_type,
        recipient: recipient ?? row.email,
        expires_at: toIso(row.expires_at),
        max_reads: row.max_reads,
      },
    },
  }
}

function unreadableFault(secret: SecretRow | null, path: string, at: EpochMs): Fault | null {
  if (secret === null || secret.deleted_at !== null) return secretNotFound(path)
  const why = whyUnreadable(countersOfCurrent(secret), at)
  if (why === null) return null
  return why === 'destroyed' ? secretNotFound(path) : secretSpent(path)
}

async function settleShare(
  { rights, tables }: ShareParts,
  tx: Tx,
  { caller, id, to }: Settling,
  at: EpochMs,
): Promise<Settled<ShareRow>> {
  const action = `share.${to === 'accepted' ? 'accept' : to === 'declined' ? 'decline' : 'revoke'}`
  const row = isUuid(id) ? await tables.shares.get(tx, 'id = ?', [id]) : null
  const name = principalName(caller.principal)
  const rightsAt = await rights.at(tx, at)
  const counts = !isRegistered(caller.principal) || (await rightsAt.counted(caller))
  const isHis =
    to === 'revoked'
      ? row?.created_by === name || (await rightsAt.administers(caller))
      : row?.recipient === name && row.state === 'open'
  if (row === null || !counts || !isHis || row.state === 'revoked')
    return {
      fault: shareNotFound(),
      record: { kind: 'refusal', action, caller, by: 'NOT_FOUND' },
    }
  const next: ShareRow = {
    ...row,
    state: to === 'accepted' ? row.state : to,
    accepted_at: to === 'accepted' ? (row.accepted_at ?? at) : row.accepted_at,
    revision: row.revision + 1,
  }
  await tables.shares.save(tx, [next])
  return {
    value: next,
    record: {
      kind: 'change',
      action,
      caller,
      vault: row.vault_id,
      path: row.path,
      rows: [['shares', row.id, next.revision]],
      detail: { share: row.id },
    },
  }
}

function shareInfo(row: ShareRow): ShareInfo {
  return {
    id: row.id,
    vaultId: row.vault_id,
    secretId: row.secret_id,
    path: row.path,
    recipientType: row.recipient_type,
    recipient: row.recipient,
    email: row.email,
    hasPassphrase: row.passphrase !== null,
    state: row.state,
    accessCount: row.reads,
    maxAccessCount: row.max_reads,
    expiresAt: row.expires_at,
    acceptedAt: row.accepted_at,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}
