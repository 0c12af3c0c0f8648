import type { RecordDraft, RowRevision } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingAt, StandingPort } from '../core/identity-port.ts'
import type { VaultId } from '../core/ids.ts'
import { type Caller, isRegistered, principalNamed, projectOf } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { bumpRights, rightsRevision } from '../keys/index.ts'
import {
  compilePolicies,
  type Judgement,
  type PathJudge,
  type Permission,
  policiesOf,
} from '../policy/index.ts'
import type { ProjectEvidence, ProjectEvidenceReader } from './project-evidence.ts'
import { type RegisteredJudge, RegisteredRights } from './registered-rights.ts'
import type { TrustedFileRow, VaultRow, VaultTables } from './rows-repository.ts'

/** The lists of an approved file, as they were shown to the person. */
export interface ApprovedLists {
  readonly name: string
  readonly allow: readonly string[]
  readonly run: readonly string[]
}

export function parseLists(row: TrustedFileRow): ApprovedLists {
  return JSON.parse(row.lists) as ApprovedLists
}

const BY_PERSON: Judgement = { allowed: true, by: 'person' }

/** How the agent's project stands, for the sentence that says how to be allowed. */
export type Standing =
  | 'person'
  | 'registered'
  | 'no-project'
  | 'unapproved'
  | 'changed'
  | 'approved'

/** What one caller may do, as of one state of the store. */
export interface CallerRights {
  readonly judge: PathJudge
  readonly standing: Standing
  /** Why the caller is nobody any more: revoked, disabled, expired or frozen since the request came in. */
  readonly ended?: Fault
}

/** Whose rights are asked for, and where. */
export interface Asking {
  readonly caller: Caller
  readonly evidence: ProjectEvidence | null
  readonly vaultId: VaultId
}

/** Judgements of one set of policies that are remembered, so that a path is not parsed and matched for every read. */
const MAX_JUDGED = 4096

/** The same judge, which remembers what it said: it depends on nothing else. */
function remembering(judge: PathJudge): PathJudge {
  const seen = new Map<Permission, Map<string, Judgement>>()
  return (path, permission) => {
    let own = seen.get(permission)
    if (own === undefined) {
      own = new Map()
      seen.set(permission, own)
    }
    const known = own.get(path)
    if (known !== undefined) return known
    if (own.size >= MAX_JUDGED) own.clear()
    const judgement = judge(path, permission)
    own.set(path, judgement)
    return judgement
  }
}

const PERSON: CallerRights = { judge: () => BY_PERSON, standing: 'person' }
/** Whoever opens a link has no rights of his own. */
const GUEST: CallerRights = {
  judge: () => ({ allowed: false, by: 'guest' }),
  standing: 'no-project',
}
const FROZEN: CallerRights = {
  judge: () => ({ allowed: false, by: 'frozen' }),
  standing: 'no-project',
  ended: new Fault('ACCESS_DENIED', 'Everything this agent does is frozen.', {
    details: { remedy: 'have the person run sallyport unfreeze' },
  }),
}
const DEFAULT_JUDGE = compilePolicies(policiesOf(null))
const NO_PROJECT: CallerRights = { judge: DEFAULT_JUDGE, standing: 'no-project' }
const UNAPPROVED: CallerRights = { judge: DEFAULT_JUDGE, standing: 'unapproved' }
const CHANGED: CallerRights = { judge: DEFAULT_JUDGE, standing: 'changed' }

/** A project's approval as it stands in the store, and what it allows while its file is the approved one. */
interface Approved {
  readonly row: TrustedFileRow
  readonly rights: CallerRights
}

/** Evidence is read before the batch, rights inside its transaction, so a revocation that committed first wins. */
export class VaultRights {
  readonly #tables: VaultTables
  readonly #evidence: ProjectEvidenceReader
  readonly #registered: RegisteredRights
  readonly #standing: StandingPort
  /** Judges of approved projects, as of `#revision` of the rights. */
  #judges = new Map<string, Approved>()
  #revision = -1
  readonly #listeners: (() => void)[] = []

  constructor(tables: VaultTables, evidence: ProjectEvidenceReader, standing: StandingPort) {
    this.#tables = tables
    this.#evidence = evidence
    this.#registered = new RegisteredRights(tables)
    this.#standing = standing
  }

  /** Told when rights, or the vaults they are in, are first seen to be other ones. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  evidenceFor(caller: Caller): ProjectEvidence | null {
    const project = projectOf(caller.principal)
    return project === null ? null : this.#evidence.read(project)
  }

  /** For those who wait for a batch, and so never see the evidence of an earlier turn. */
  evidenceThisTurn(caller: Caller): ProjectEvidence | null {
    const project = projectOf(caller.principal)
    return project === null ? null : this.#evidence.readThisTurn(project)
  }

  /** Rights as of `reader`'s snapshot. Call once per batch, then `of` per member. */
  async at(reader: Reader, now: EpochMs): Promise<RightsAt> {
    const revision = await rightsRevision(reader)
    if (revision !== this.#revision) {
      this.#judges = new Map()
      this.#registered.forget()
      this.#revision = revision
      for (const listener of this.#listeners) listener()
    }
    const standings = this.#standing.atRevision(revision)
    const frozen = await standings.frozen(reader)
    return new RightsAt(reader, now, this.#tables, this.#judges, {
      revision,
      registered: this.#registered,
      standings,
      isAllFrozen: frozen.has('all'),
      isLocalFrozen: frozen.has('all') || frozen.has('agent:local'),
    })
  }
}

/** What identity says as of the same snapshot. */
interface Identities {
  /** Of the rights. */
  readonly revision: number
  readonly registered: RegisteredRights
  readonly standings: StandingAt
  /** Nothing the local agent does counts until a person lifts the freeze. */
  readonly isLocalFrozen: boolean
  readonly isAllFrozen: boolean
}

export class RightsAt {
  readonly #reader: Reader
  readonly #now: EpochMs
  readonly #tables: VaultTables
  readonly #judges: Map<string, Approved>
  readonly #identities: Identities

  constructor(
    reader: Reader,
    now: EpochMs,
    tables: VaultTables,
    judges: Map<string, Approved>,
    identities: Identities,
  ) {
    this.#reader = reader
    this.#now = now
    this.#tables = tables
    this.#judges = judges
    this.#identities = identities
  }

  /** Of the rights, as of this transaction. */
  get revision(): number {
    return this.#identities.revision
  }

  /**
   * Rights of somebody who is not there: of the sharer when his link is opened.
   *
   * @param name of a principal, as audit records it
   * @param address from which he shared
   */
  async ofAbsent(name: string, vaultId: VaultId, address: string | null): Promise<CallerRights> {
    const principal = principalNamed(name)
    if (this.#identities.isAllFrozen) return GUEST
    if (principal?.kind === 'person') return PERSON
    if (principal === null || !isRegistered(principal)) return GUEST
    const { registered, standings } = this.#identities
    const judge = await registered.ofAbsent(
      this.#reader,
      standings,
      principal,
      vaultId,
      address,
      this.#now,
    )
    return judge === null ? GUEST : registeredRights(judge)
  }

  /** Whether the name is that of somebody who counts. */
  async isSomebody(name: string): Promise<boolean> {
    const principal = principalNamed(name)
    if (principal === null || !isRegistered(principal)) return principal?.kind === 'person'
    const { standings } = this.#identities
    return (await standings.ofPrincipal(this.#reader, principal, this.#now)) !== null
  }

  /** @throws {Fault} `UNAUTHENTICATED` when a registered caller no longer counts */
  async counted(caller: Caller): Promise<true> {
    await this.#identities.standings.standingOf(this.#reader, caller, this.#now)
    return true
  }

  /** The environment that the caller is set to, or null. */
  async environmentOf(caller: Caller): Promise<string | null> {
    if (!isRegistered(caller.principal)) return null
    const { standings } = this.#identities
    return (await standings.standingOf(this.#reader, caller, this.#now)).environment
  }

  /** Whether the caller may undo what others did in the whole organisation. */
  async administers(caller: Caller): Promise<boolean> {
    if (!isRegistered(caller.principal)) return caller.principal.kind === 'person'
    const { standings } = this.#identities
    const own = await standings.standingOf(this.#reader, caller, this.#now)
    const isAdmin = own.role === 'owner' || own.role === 'admin'
    return isAdmin && own.scopes.length === 0 && own.vaultIds === null
  }

  /** At once when nothing has to be read: a batch asks for each of its members. */
  of({ caller, evidence, vaultId }: Asking): CallerRights | Promise<CallerRights> {
    if (caller.principal.kind === 'person') return PERSON
    if (isRegistered(caller.principal)) {
      const { registered, standings } = this.#identities
      const judge = registered.of(this.#reader, standings, caller, vaultId, this.#now)
      return judge instanceof Promise ? judge.then(registeredRights) : registeredRights(judge)
    }
    if (caller.principal.kind === 'guest') return GUEST
    if (this.#identities.isLocalFrozen) return FROZEN
    if (caller.principal.project === null || evidence === null) return NO_PROJECT
    const known = this.#judges.get(evidence.project)
    if (known !== undefined) return rightsFor(known, evidence)
    return this.#approved(evidence.project).then((approved) => rightsFor(approved, evidence))
  }

  /** Those of the vaults that the caller may know of. */
  async visible(caller: Caller, vaults: readonly VaultRow[]): Promise<readonly VaultRow[]> {
    if (caller.principal.kind === 'guest') return []
    if (!isRegistered(caller.principal)) return vaults
    const { registered, standings } = this.#identities
    return registered.visible(this.#reader, standings, caller, vaults, this.#now)
  }

  /** Why the caller may not make a vault, or null when he may. */
  async vaultRefusal(caller: Caller | null): Promise<Fault | null> {
    if (caller === null || caller.principal.kind === 'person') return null
    if (caller.principal.kind === 'agent')
      return this.#identities.isLocalFrozen ? (FROZEN.ended ?? null) : null
    const { standings } = this.#identities
    const { vaultIds, scopes, role } = await standings.standingOf(this.#reader, caller, this.#now)
    if (vaultIds === null && scopes.length === 0 && role !== 'auditor') return null
    return new Fault(
      'ACCESS_DENIED',
      'A credential that is narrowed to some vaults or paths makes no new ones.',
    )
  }

  async #approved(project: string): Promise<Approved | null> {
    const row = await this.#tables.trustedFiles.get(this.#reader, 'project = ?', [project])
    if (row === null || row.state !== 'approved') return null
    const { allow, run } = parseLists(row)
    const judge = remembering(compilePolicies(policiesOf({ allow, run, warnings: [] })))
    const approved: Approved = { row, rights: { judge, standing: 'approved' } }
    this.#judges.set(project, approved)
    return approved
  }
}

function registeredRights({ judge, ended }: RegisteredJudge): CallerRights {
  return { judge, standing: 'registered', ...(ended === undefined ? {} : { ended }) }
}

function rightsFor(approved: Approved | null, evidence: ProjectEvidence): CallerRights {
  if (approved === null) return evidence.found === null ? NO_PROJECT : UNAPPROVED
  return isSame(approved.row, evidence) ? approved.rights : CHANGED
}

function isSame(row: TrustedFileRow, { found }: ProjectEvidence): boolean {
  return found !== null && row.file === found.file && found.digest.equals(row.digest)
}

/** Revokes an approval whose file was seen changed: going back to the old bytes does not bring it back. */
export async function revokeChanged(
  tx: Tx,
  tables: VaultTables,
  evidence: ProjectEvidence,
): Promise<RowRevision | null> {
  const row = await tables.trustedFiles.get(tx, 'project = ?', [evidence.project])
  if (row === null || row.state !== 'approved' || isSame(row, evidence)) return null
  const next: TrustedFileRow = { ...row, state: 'revoked', revision: row.revision + 1 }
  await tables.trustedFiles.save(tx, [next])
  await bumpRights(tx)
  return ['trusted_files', next.id, next.revision]
}

/** The sentence that tells how reading can be allowed, or null when nothing local helps. */
export function remedyFor(standing: Standing, permission: Permission): string | null {
  // No file of a project allows it.
  if (permission === 'share' && standing !== 'person' && standing !== 'registered')
    return 'have the person run sallyport share create'
  switch (standing) {
    case 'person':
      return null
    case 'registered':
      return 'ask whoever administers the vault for a policy on this path'
    case 'no-project':
      return `list the path under '${listFor(permission)}:' in a .sallyport.yml of the project, then run sallyport allow`
    case 'unapproved':
      return 'run sallyport allow: the file of this project is not approved yet'
    case 'changed':
      return 'run sallyport allow: the file of this project changed since it was approved'
    case 'approved':
      return `add the path under '${listFor(permission)}:' in .sallyport.yml, then run sallyport allow`
  }
}

function listFor(permission: Permission): 'allow' | 'run' {
  return permission === 'use' ? 'run' : 'allow'
}

/** What is recorded of a refusal by policy. */
export function refusalRecord(
  caller: Caller,
  action: string,
  vault: string,
  path: string | undefined,
  judgement: Judgement,
  rows: readonly RowRevision[] = [],
): RecordDraft {
  return {
    kind: 'refusal',
    action,
    caller,
    vault,
    ...(path === undefined ? {} : { path }),
    by: judgement.by ?? 'no-policy',
    ...(rows.length === 0 ? {} : { rows }),
  }
}
