import type { Committed, Lane, Ledger, Settled } from '../audit/index.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import type { VaultId } from '../core/ids.ts'
import { type Caller, isRegistered, principalName } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { readEnvBundle, usedValues } from '../core/used-values.ts'
import type {
  EnvBundle,
  GenerateRequest,
  InspectionNote,
  ListedSecret,
  PathStanding,
  PutRequest,
  RotateRequest,
  SecretInfo,
  SecretList,
  SecretRead,
  SecretType,
  StoredVersion,
  VaultInfo,
  VaultPort,
  VaultUse,
  VersionInfo,
} from '../core/vault-port.ts'
import type { StoreKeys } from '../keys/index.ts'
import { compileGlob, isPath, parsePath, parsePrefix } from '../policy/index.ts'
import { type Request } from './access.ts'
import { type Asked, type Canaries, ringing } from './canaries.ts'
import { changeLane } from './change-lane.ts'
import { deleteVault, type VaultDeletion } from './delete-vault.ts'
import type { Fingerprints } from './fingerprints.ts'
import { isRedactable } from './fingerprints-repository.ts'
import { generateValue } from './generate.ts'
import {
  type DeleteRequest,
  destroyVersions,
  setVersionEnabled,
  softDelete,
  undelete,
  type VersionRequest,
} from './lifecycle.ts'
import { Looks } from './looks.ts'
import { type ActApprovals, askingPerson } from './needs-person.ts'
import type { ProjectEvidence } from './project-evidence.ts'
import { checkIfVersion, checkVersion } from './put-checks.ts'
import { type PutParts, type StoreRequest, storeVersion } from './put-lane.ts'
import type { Quotas } from './quotas.ts'
import { ReadLane, type ReadRequest, type SpentRead } from './read-lane.ts'
import { VaultRights } from './rights.ts'
import { type VaultTables } from './rows-repository.ts'
import { ValueOpener, type ValuePlace } from './sealing.ts'
import type { ShareClaim } from './share-book.ts'
import { type VaultKeys } from './vault-keys.ts'
import { beginStore, checkNewVault, createVault, type NewVault, vaultFor } from './vaults.ts'
import { infoOfVersion, listedSecret, secretInfo, vaultInfo, versionInfo } from './views.ts'

export interface LocalVaultParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly tables: VaultTables
  readonly rights: VaultRights
  readonly vaultKeys: VaultKeys
  readonly fingerprints: Fingerprints
  readonly quotas: Quotas
  readonly canaries: Canaries
  readonly standing: StandingPort
  /** Where a policy asks for the word of people. */
  readonly actApprovals: ActApprovals
  readonly clock: Clock
}

const MAX_PATTERN = 512
/** Names and ids of vaults that are remembered for one caller. */
const MAX_REACHED = 64

/** A version of which it is not known whether anything is remembered. */
interface Unremembered {
  readonly place: ValuePlace
  readonly value: SecretText
  readonly type: SecretType
}

/** The vault over its own store: every call is judged for its caller, committed with its record, then answered. */
export class LocalVault implements VaultPort {
  readonly #parts: LocalVaultParts
  readonly #reads: ReadLane
  readonly #looks: Looks
  readonly #lanes: ReturnType<typeof lanesOf>
  readonly #opener: ValueOpener
  readonly #vaultIds = new Map<string, VaultId>()
  /** Vaults of those who come with accounts, by what they call them. */
  #reached = new WeakMap<Caller, Map<string, VaultId>>()

  private constructor(parts: LocalVaultParts) {
    this.#parts = parts
    parts.rights.onChange(() => {
      this.#vaultIds.clear()
      this.#reached = new WeakMap()
    })
    this.#reads = new ReadLane(
      parts.tables,
      parts.rights,
      parts.keys,
      parts.fingerprints,
      parts,
      parts.actApprovals,
    )
    this.#looks = new Looks(parts)
    this.#lanes = lanesOf(parts)
    this.#opener = new ValueOpener(parts.keys.storeId)
  }

  /** Opens the vaults of a store; an empty one gets its first vault and its first record. */
  static async open(parts: LocalVaultParts): Promise<LocalVault> {
    const vault = new LocalVault(parts)
    const vaults = await parts.db.read((reader) => parts.tables.vaults.select(reader, '1 = 1', []))
    if (vaults.length === 0) await parts.ledger.commit(vault.#lanes.begin, null)
    return vault
  }

  listVaults(caller: Caller): Promise<readonly VaultInfo[]> {
    return this.#looks.vaults(caller)
  }

  async createVault(
    caller: Caller,
    request: { readonly name: string; readonly description?: string },
  ): Promise<VaultInfo> {
    const checked = checkNewVault(request)
    const { value } = await this.#parts.ledger.commit(this.#lanes.createVault, {
      caller,
      ...checked,
    })
    return vaultInfo(value)
  }

  async deleteVault(caller: Caller, vault: string): Promise<VaultInfo> {
    const { value } = await this.#parts.ledger.commit(this.#lanes.deleteVault, { caller, vault })
    await this.#parts.db.scrub()
    return vaultInfo(value)
  }

  async list(caller: Caller, vault: string, prefix = ''): Promise<SecretList> {
    parsePrefix(prefix)
    const vaultId = await this.#vaultId(caller, vault)
    return this.#looks.visible(caller, vaultId, 'secret.list', prefix, () => true)
  }

  async search(caller: Caller, vault: string, pattern: string): Promise<SecretList> {
    const matches = searchMatcher(pattern)
    const vaultId = await this.#vaultId(caller, vault)
    return this.#looks.visible(caller, vaultId, 'secret.search', '', (row) => matches(row.path))
  }

  async describe(caller: Caller, vault: string, path: string): Promise<ListedSecret> {
    const request = await this.#request(caller, vault, path, 'secret.describe')
    const { row, rights } = await this.#looks.look(request)
    return listedSecret(row, rights)
  }

  async history(caller: Caller, vault: string, path: string): Promise<readonly VersionInfo[]> {
    const request = await this.#request(caller, vault, path, 'secret.history')
    const { row } = await this.#looks.look(request)
    const { db, tables } = this.#parts
    const versions = await db.read((reader) =>
      tables.versions.select(reader, 'secret_id = ? order by version desc', [row.id]),
    )
    return versions.map((version) => versionInfo(version, row))
  }

  async standing(caller: Caller, vault: string, path: string): Promise<PathStanding> {
    return this.#looks.standing(await this.#request(caller, vault, path, 'secret.standing'))
  }

  async get(caller: Caller, vault: string, path: string, version?: number): Promise<SecretRead> {
    checkVersion(version)
    const evidence = this.#parts.rights.evidenceThisTurn(caller)
    const request = await this.#request(caller, vault, path, 'secret.read', evidence)
    const read = await this.#read(request, 'read', version ?? null)
    this.#noteReached(request, vault)
    return read
  }

  /** Reads by a share: its sharer must be allowed to, and whoever reads must be the one it is for. */
  async getShared(
    caller: Caller,
    place: { readonly vaultId: VaultId; readonly path: string },
    share: ShareClaim,
  ): Promise<SecretRead> {
    const request = { caller, evidence: null, ...place, action: 'share.read' }
    return this.#read(request, 'read', null, share)
  }

  getEnvBundle(caller: Caller, vault: string, path: string): Promise<EnvBundle> {
    return readEnvBundle(this, caller, vault, path)
  }

  async use(
    caller: Caller,
    vault: string,
    paths: readonly string[],
    options: { readonly all?: boolean } = {},
  ): Promise<readonly VaultUse[]> {
    const wanted = [...new Set(paths)]
    const { requests, malformed } = await this.#useRequests(caller, vault, wanted)
    const missing = options.all === true ? await this.#looks.unusable(requests) : []
    const isIncomplete = options.all === true && missing.length + malformed.length > 0
    // Where people must be asked first, no read and no other yes is spent: they are asked for all that waits at once.
    const waiting = isIncomplete || requests.length < 2 ? [] : await this.#looks.waiting(requests)
    const unusable = isIncomplete ? missing : waiting
    const isWithheld = isIncomplete || waiting.length > 0
    const asked = isWithheld ? unusable : requests
    if (isWithheld)
      await this.#looks.ring(requests.filter((request) => !unusable.includes(request)))
    const settled = await Promise.allSettled(
      asked.map((request) => this.#read(request, 'use', null)),
    )
    const [reached] = asked.filter((_request, at) => settled[at]?.status === 'fulfilled')
    if (reached !== undefined) this.#noteReached(reached, vault)
    return [
      ...malformed,
      ...usedValues(
        asked.map(({ path }) => path),
        settled,
      ),
    ]
  }

  /** A reference whose name can't be a path holds nothing; it must not hide the others. */
  async #useRequests(
    caller: Caller,
    vault: string,
    paths: readonly string[],
  ): Promise<{ readonly requests: Request[]; readonly malformed: VaultUse[] }> {
    const malformed: VaultUse[] = []
    const requests: Request[] = []
    for (const path of paths)
      if (isPath(path)) requests.push(await this.#request(caller, vault, path, 'secret.use'))
      else malformed.push({ path, fault: 'SECRET_NOT_FOUND' })
    return { requests, malformed }
  }

  async put(caller: Caller, vault: string, request: PutRequest): Promise<StoredVersion> {
    const rememberWeak = request.rememberWeak ?? false
    if (rememberWeak && caller.principal.kind !== 'person')
      throw new Fault(
        'ACCESS_DENIED',
        'Only the person may have a value remembered that can be guessed.',
        { details: { field: 'remember_weak' } },
      )
    return this.#store(caller, vault, request.path, 'secret.put', {
      value: request.value,
      asked: request.asked ?? false,
      ifVersion: request.ifVersion,
      mode: 'put',
      type: request.type,
      metadata: request.metadata,
      expiresAt: request.expiresAt ?? null,
      maxReads: request.maxAccessCount ?? null,
      rememberWeak,
    })
  }

  async rotateAndStore(
    caller: Caller,
    vault: string,
    request: RotateRequest,
  ): Promise<StoredVersion> {
    return this.#rotate(caller, vault, request, request.value, {})
  }

  async rotateGenerated(
    caller: Caller,
    vault: string,
    request: GenerateRequest,
  ): Promise<StoredVersion> {
    const value = generateValue(request.length, request.charset)
    try {
      const { length = null, charset = null } = request
      return await this.#rotate(caller, vault, request, value, { made: { length, charset } })
    } finally {
      value.wipe()
    }
  }

  async delete(
    caller: Caller,
    vault: string,
    path: string,
    ifVersion?: number,
  ): Promise<SecretInfo> {
    checkIfVersion(ifVersion)
    const request = await this.#request(caller, vault, path, 'secret.delete')
    return secretInfo(await this.#change(this.#lanes.softDelete, { ...request, ifVersion }))
  }

  async undelete(caller: Caller, vault: string, path: string): Promise<SecretInfo> {
    const request = await this.#request(caller, vault, path, 'secret.undelete')
    return secretInfo(await this.#change(this.#lanes.undelete, request))
  }

  async destroy(
    caller: Caller,
    vault: string,
    path: string,
    version?: number,
  ): Promise<{
    readonly path: string
    readonly versions: readonly number[]
    readonly erased: 'now' | 'pending'
  }> {
    checkVersion(version)
    const request = await this.#request(caller, vault, path, 'secret.destroy')
    const destroyed = await this.#change(this.#lanes.destroy, {
      ...request,
      version: version ?? null,
    })
    const isErased = await this.#parts.db.scrub()
    return { ...destroyed, erased: isErased ? 'now' : 'pending' }
  }

  async setVersionEnabled(
    caller: Caller,
    vault: string,
    path: string,
    version: number,
    enabled: boolean,
  ): Promise<VersionInfo> {
    checkVersion(version)
    const action = enabled ? 'version.enable' : 'version.disable'
    const request = await this.#request(caller, vault, path, action)
    const changed = await this.#change(this.#lanes.setVersionEnabled, {
      ...request,
      version,
      enabled,
    })
    return versionInfo(changed.version, changed.secret)
  }

  async noteInspection(caller: Caller, note: InspectionNote): Promise<void> {
    const { decision, ...detail } = note
    await this.#looks.note({ kind: 'event', action: `inspection.${decision}`, caller, detail })
  }

  async glimpse(caller: Caller, vault: string): Promise<string> {
    return this.#looks.glimpse(caller, await this.#vaultId(caller, vault))
  }

  onChange(listener: () => void): () => void {
    return this.#parts.db.watch(listener)
  }

  async #request(
    caller: Caller,
    vault: string,
    path: string,
    action: string,
    evidence: ProjectEvidence | null = this.#parts.rights.evidenceFor(caller),
  ): Promise<Request> {
    parsePath(path)
    const vaultId = this.#knownId(caller, vault) ?? (await this.#vaultId(caller, vault))
    return { caller, evidence, vaultId, path, action }
  }

  /**
   * Vaults are never renamed, so an id once found stays true until the vault is deleted, which changes the rights: what
   * was found before is then forgotten with the first transaction that sees it.
   */
  async #vaultId(caller: Caller, vault: string): Promise<VaultId> {
    const known = this.#knownId(caller, vault)
    if (known !== undefined) return known
    const { db, tables } = this.#parts
    const row = await db.read((reader) => vaultFor(tables, reader, caller, vault))
    if (!isRegistered(caller.principal)) this.#vaultIds.set(vault, row.id)
    return row.id
  }

  /** Of whoever comes with an account only where he got something: how long a no takes must say nothing. */
  #knownId(caller: Caller, vault: string): VaultId | undefined {
    if (!isRegistered(caller.principal)) return this.#vaultIds.get(vault)
    return this.#reached.get(caller)?.get(vault)
  }

  #noteReached({ caller, vaultId }: Pick<Request, 'caller' | 'vaultId'>, vault: string): void {
    if (!isRegistered(caller.principal)) return
    const own = this.#reached.get(caller)
    if (own === undefined) this.#reached.set(caller, new Map([[vault, vaultId]]))
    else if (own.size < MAX_REACHED) own.set(vault, vaultId)
  }

  async #read(
    request: Request,
    permission: 'read' | 'use',
    version: number | null,
    share?: ShareClaim,
  ): Promise<SecretRead> {
    const { ledger, canaries, actApprovals } = this.#parts
    const member: ReadRequest = {
      caller: request.caller,
      evidence: request.evidence,
      vaultId: request.vaultId,
      path: request.path,
      action: request.action,
      permission,
      version,
      ...(share === undefined ? {} : { share }),
    }
    let committed: Committed<SpentRead>
    try {
      committed = await askingPerson(actApprovals, member.caller, () =>
        ledger.commit(this.#reads, member),
      )
    } finally {
      canaries.tell(member)
    }
    const spent = committed.value
    let value: SecretText
    try {
      value = this.#opener.open(spent.vaultKey, spent.place, spent.sealed)
    } catch (error) {
      ledger.outcome(committed.record, 'unopenable')
      throw error
    }
    try {
      await this.#remember(request.caller, spent, value)
    } catch (error) {
      value.wipe()
      ledger.outcome(committed.record, 'dropped')
      throw error
    }
    ledger.outcome(committed.record, 'released')
    return { info: infoOfVersion(spent.row, spent.version), value }
  }

  /** Before a version is first given out by this process, its value must be one that redaction can recognise. */
  async #remember(caller: Caller, spent: SpentRead, value: SecretText): Promise<void> {
    const { db, fingerprints, ledger } = this.#parts
    const principal = principalName(caller.principal)
    const { place, version } = spent
    if (fingerprints.isNoted(principal, place)) return
    const isRemembered = (await db.read((reader) => isRedactable(reader, place))) !== null
    if (!isRemembered)
      await ledger.commit(this.#lanes.remember, { place, value, type: version.type })
    fingerprints.note(principal, place)
  }

  async #store(
    caller: Caller,
    vault: string,
    path: string,
    action: string,
    rest: Omit<StoreRequest, keyof Request>,
  ): Promise<StoredVersion> {
    checkIfVersion(rest.ifVersion)
    const request = await this.#request(caller, vault, path, action)
    const stored = await this.#change(this.#lanes.store, { ...request, ...rest })
    this.#noteReached(request, vault)
    return stored
  }

  /** Commits a change of one path, and tells of the canary that it may have rung. */
  async #change<M extends Asked, R>(lane: Lane<M, R>, member: M): Promise<R> {
    try {
      return await askingPerson(
        this.#parts.actApprovals,
        member.caller,
        async () => (await this.#parts.ledger.commit(lane, member)).value,
      )
    } finally {
      this.#parts.canaries.tell(member)
    }
  }

  async #rotate(
    caller: Caller,
    vault: string,
    { path, ifVersion }: Pick<RotateRequest, 'path' | 'ifVersion'>,
    value: SecretText,
    made: Pick<StoreRequest, 'made'>,
  ): Promise<StoredVersion> {
    return this.#store(caller, vault, path, 'secret.rotate', {
      value,
      asked: false,
      ifVersion,
      mode: 'rotate',
      type: undefined,
      metadata: undefined,
      expiresAt: null,
      maxReads: null,
      ...made,
      rememberWeak: false,
    })
  }
}

function lanesOf(parts: LocalVaultParts) {
  const { tables } = parts
  const put: PutParts = parts
  const changed = <M extends Asked, R>(
    name: string,
    change: (tx: Tx, member: M, at: EpochMs) => Promise<Settled<R>>,
  ): Lane<M, R> => changeLane(name, ringing(parts.canaries, change))
  return {
    begin: changeLane<null, null>('begin', (tx, _none, at) =>
      beginStore(tables, parts.keys, tx, at),
    ),
    createVault: changeLane('vault.create', async (tx, request: NewVault, at) => {
      const refusal = await (await parts.rights.at(tx, at)).vaultRefusal(request.caller)
      if (refusal !== null) return { fault: refusal, record: null }
      return createVault(tables, tx, request, at)
    }),
    deleteVault: changeLane('vault.delete', (tx, request: VaultDeletion, at) =>
      deleteVault(parts, tx, request, at),
    ),
    remember: changeLane('remember', async (tx, { place, value, type }: Unremembered) => {
      await parts.fingerprints.remembered(tx, place, value, type)
      return { value: null, record: null }
    }),
    store: changed('store', (tx, request: StoreRequest, at) => storeVersion(put, tx, request, at)),
    softDelete: changed('delete', (tx, request: DeleteRequest, at) =>
      softDelete(parts, tx, request, at),
    ),
    undelete: changed('undelete', (tx, request: Request, at) => undelete(parts, tx, request, at)),
    destroy: changed('destroy', (tx, request: Request & { version: number | null }, at) =>
      destroyVersions(parts, tx, request, at),
    ),
    setVersionEnabled: changed(
      'version',
      (tx, request: VersionRequest & { enabled: boolean }, at) =>
        setVersionEnabled(parts, tx, request, at),
    ),
  }
}

/** Wildcards match as in globs over the whole path; a plain text matches anywhere. Case does not matter. */
function searchMatcher(pattern: string): (path: string) => boolean {
  if (pattern === '' || pattern.length > MAX_PATTERN)
    throw new Fault('BAD_INPUT', `pattern must have 1 to ${MAX_PATTERN} characters.`, {
      details: { field: 'pattern' },
    })
  const folded = pattern.toLowerCase()
  if (!/[*?]/.test(pattern)) return (path) => path.toLowerCase().includes(folded)
  const matches = compileGlob(folded)
  return (path) => matches(path.toLowerCase())
}
