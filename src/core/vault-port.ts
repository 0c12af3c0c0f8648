import type { SecretId, VaultId } from './ids.ts'
import type { Caller } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

export const SECRET_TYPES = [
  'api_key',
  'password',
  'private_key',
  'certificate',
  'file',
  'note',
  'ssh_key',
  'env_bundle',
  'generic',
  'env',
] as const
export type SecretType = (typeof SECRET_TYPES)[number]

export const CHARSETS = ['hex', 'base64', 'alphanumeric', 'ascii'] as const
export type Charset = (typeof CHARSETS)[number]

/** Largest value, in bytes. */
export const MAX_VALUE_BYTES = 65_536

/** Flat facts about a secret, chosen by whoever stores it. At most 32 keys and 4 KiB as JSON. */
export type Metadata = Readonly<Record<string, string | number | boolean | null>>

export interface VaultInfo {
  readonly id: VaultId
  readonly name: string
  readonly description: string | null
  readonly createdAt: EpochMs
  readonly createdBy: string
}

/** What may be said of a secret without touching its value. */
export interface SecretInfo {
  readonly id: SecretId
  readonly vaultId: VaultId
  readonly path: string
  readonly type: SecretType
  readonly metadata: Metadata
  readonly version: number
  readonly createdAt: EpochMs
  readonly updatedAt: EpochMs
  readonly expiresAt: EpochMs | null
  readonly maxAccessCount: number | null
  /** Reads spent by the current version. */
  readonly accessCount: number
  readonly isDisabled: boolean
  readonly deletedAt: EpochMs | null
  readonly byteLength: number
  /** True when the value does not read as UTF-8: it travels as base64. */
  readonly isBinary: boolean
}

export interface ListedSecret extends SecretInfo {
  /** Whether the caller may read the value. */
  readonly readable: boolean
}

export interface SecretList {
  /** How many secrets the vault holds that are not deleted. */
  readonly total: number
  /** Those the caller may see, by path. */
  readonly secrets: readonly ListedSecret[]
}

export interface VersionInfo {
  readonly version: number
  readonly state: 'active' | 'disabled' | 'destroyed'
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly expiresAt: EpochMs | null
  readonly maxAccessCount: number | null
  readonly accessCount: number
  readonly byteLength: number
}

export interface PutRequest {
  readonly path: string
  readonly value: SecretText
  /** Default: the type of the version it replaces, else `api_key`. */
  readonly type?: SecretType
  readonly metadata?: Metadata
  readonly expiresAt?: EpochMs | null
  /** Whole number ≥ 1. */
  readonly maxAccessCount?: number | null
  /** Compare-and-set: the version that must be current; 0 means that the path must hold nothing. */
  readonly ifVersion?: number
  /** True where the person typed the value and saw what it replaces (`input_secret`). */
  readonly asked?: boolean
  /**
   * The person's word that fingerprints are kept even of a value that can be guessed: redaction recognises it then, and
   * whoever holds the key of the fingerprints can try guesses against them. Refused to everybody else.
   */
  readonly rememberWeak?: boolean
}

export interface StoredVersion {
  readonly id: SecretId
  readonly vaultId: VaultId
  readonly path: string
  readonly type: SecretType
  readonly version: number
  readonly replaced: number | null
  readonly metadata: Metadata
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs | null
  /** True when the value is too easy to guess for a fingerprint of it to be kept: redaction will not recognise it. */
  readonly notRedactable?: boolean
}

export interface SecretRead {
  readonly info: SecretInfo
  readonly value: SecretText
}

export interface EnvBundle {
  readonly info: SecretInfo
  /** Names and values in the order of the bundle. */
  readonly entries: readonly (readonly [name: string, value: SecretText])[]
}

export interface GenerateRequest {
  readonly path: string
  /** Characters, 8–1024. Default 32. */
  readonly length?: number
  readonly charset?: Charset
  readonly ifVersion?: number
}

export interface RotateRequest {
  readonly path: string
  readonly value: SecretText
  readonly ifVersion?: number
}

/** What the caller may do at one path; what the input page shows before a value is typed. */
export interface PathStanding {
  readonly path: string
  readonly mayRead: boolean
  readonly mayWrite: boolean
  /** Version that a new value would replace, or null when the path holds nothing. */
  readonly currentVersion: number | null
  /** How the person can allow reading, when it is not allowed: a command to run. */
  readonly remedy: string | null
}

/** What inspection saw in one call and what was done about it: ids and places, never text. */
export interface InspectionNote {
  /** The MCP server behind the gateway; the secrets server when there is none. */
  readonly server?: string
  readonly tool: string
  readonly direction: 'input' | 'output'
  /** `changed`: the call went on with cleaned arguments. `passed`: it went on as it was. */
  readonly decision: 'refused' | 'changed' | 'passed'
  readonly mode: string
  readonly verdict: string
  /** One each: `remote-shell critical description 10-42`, detector, severity, argument and UTF-16 units. */
  readonly findings: readonly string[]
  /** Ids of the detectors that refused the call, or would have in mode `block`. */
  readonly blocking: readonly string[]
  /** Ids of those that would have, but for an entry of the allow-list. */
  readonly allowed: readonly string[]
}

/**
 * The vault as every door sees it. Each call is judged for its caller by the vault's policies and recorded;
 * no door checks access on its own. `vault` is a name or an id.
 *
 * @throws {Fault} `ACCESS_DENIED` before any look-up, then `SECRET_NOT_FOUND`, then `SECRET_SPENT`; `BAD_INPUT`;
 *   `AUDIT_UNAVAILABLE` when nothing could be recorded, in which case nothing was released or changed
 */
export interface VaultPort {
  listVaults(caller: Caller): Promise<readonly VaultInfo[]>
  createVault(
    caller: Caller,
    request: { readonly name: string; readonly description?: string },
  ): Promise<VaultInfo>
  /**
   * For ever, with all that it holds: values, keys, policies, shares, variables, canaries. Owners, admins and whoever
   * made it; agents only once no secret is left in it. The vault that every store begins with stays.
   *
   * @throws {Fault} `VAULT_NOT_FOUND`, also where it is none of the caller's business; `ACCESS_DENIED`; `CONFLICT`
   */
  deleteVault(caller: Caller, vault: string): Promise<VaultInfo>
  list(caller: Caller, vault: string, prefix?: string): Promise<SecretList>
  /** Secrets whose path contains the text, case-insensitively; `*` and `?` are wildcards. */
  search(caller: Caller, vault: string, pattern: string): Promise<SecretList>
  /** Never reads the value and never counts as a read. */
  describe(caller: Caller, vault: string, path: string): Promise<ListedSecret>
  history(caller: Caller, vault: string, path: string): Promise<readonly VersionInfo[]>
  standing(caller: Caller, vault: string, path: string): Promise<PathStanding>
  /** Counts one read of the version. */
  get(caller: Caller, vault: string, path: string, version?: number): Promise<SecretRead>
  /** Counts one read of the version. */
  getEnvBundle(caller: Caller, vault: string, path: string): Promise<EnvBundle>
  /**
   * Values for `run` and `.env` references: counts one read each; judged by the permission `use`. With `all`, nothing
   * is read when one of them can't be, and only the faults are answered.
   */
  use(
    caller: Caller,
    vault: string,
    paths: readonly string[],
    options?: { readonly all?: boolean },
  ): Promise<readonly VaultUse[]>
  put(caller: Caller, vault: string, request: PutRequest): Promise<StoredVersion>
  /** Keeps type and metadata, and the limits of the version it replaces. */
  rotateAndStore(caller: Caller, vault: string, request: RotateRequest): Promise<StoredVersion>
  /** The new value is made here and not answered. Keeps type and metadata. */
  rotateGenerated(caller: Caller, vault: string, request: GenerateRequest): Promise<StoredVersion>
  /**
   * Soft: undelete brings it back.
   *
   * @param ifVersion compare-and-set: the version that must be current
   */
  delete(caller: Caller, vault: string, path: string, ifVersion?: number): Promise<SecretInfo>
  undelete(caller: Caller, vault: string, path: string): Promise<SecretInfo>
  /** For ever: the wrapped keys are deleted, of one version or of all. */
  destroy(
    caller: Caller,
    vault: string,
    path: string,
    version?: number,
  ): Promise<{
    readonly path: string
    readonly versions: readonly number[]
    readonly erased: 'now' | 'pending'
  }>
  setVersionEnabled(
    caller: Caller,
    vault: string,
    path: string,
    version: number,
    enabled: boolean,
  ): Promise<VersionInfo>
  /** Records what inspection saw; changes nothing. */
  noteInspection(caller: Caller, note: InspectionNote): Promise<void>
  /** A digest of what `list` would answer the caller now, but for counters of reads; recorded nowhere, so it is for nobody's eyes. */
  glimpse(caller: Caller, vault: string): Promise<string>
  /** Calls back after any committed change to what `list` answers, from this process or another, within a second. */
  onChange(listener: () => void): () => void
}

/** One reference each: the value, or why there is none. */
export type UseResult =
  | { readonly path: string; readonly value: SecretText }
  | { readonly path: string; readonly fault: 'ACCESS_DENIED' | 'SECRET_NOT_FOUND' | 'SECRET_SPENT' }

/** As `UseResult`, with what there is to say of the secret whose value it is. */
export type VaultUse =
  | (Extract<UseResult, { readonly value: SecretText }> & { readonly info: SecretInfo })
  | Extract<UseResult, { readonly fault: string }>
