import type { Expectation } from './expectation.ts'
import type { VaultId } from './ids.ts'
import type { Caller } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

/** Every vault has these, and they stay. */
export const BUILTIN_ENVIRONMENTS = ['production', 'preview', 'development'] as const

/** Path of the secret that holds a variable's value: policies and audit know it by that. */
export function envVarPath(key: string, id: string): string {
  return `env-vars/${key}/${id}`
}

/** Path of the secret that holds the value of a variable of the organisation, in the vault that every store has. */
export function sharedEnvVarPath(key: string, id: string): string {
  return `org-env-vars/${key}/${id}`
}

/** Which variable is meant: by id, or by key with as much as tells it from others of that key. */
export interface EnvVarRef {
  readonly name: string
  readonly environment?: string
  /** Left out: the one without a branch, if there is one. */
  readonly gitBranch?: string
}

export interface EnvVarInfo {
  readonly id: string
  /** Names its state, that of its value too; for an `Expectation`. */
  readonly tag: string
  readonly vaultId: VaultId
  readonly key: string
  readonly environments: readonly string[]
  /** Only on this branch, in place of what stands without one. */
  readonly gitBranch: string | null
  /** Its value is resolved and never shown by itself. It stays so. */
  readonly isSensitive: boolean
  readonly comment: string | null
  readonly version: number
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
}

export interface EnvVarRequest {
  readonly key: string
  readonly value: SecretText
  /** Default: all that every vault has. */
  readonly environments?: readonly string[]
  readonly gitBranch?: string | null
  readonly isSensitive?: boolean
  readonly comment?: string | null
}

export interface EnvironmentInfo {
  readonly id: string
  readonly slug: string
  readonly description: string | null
  /** The environment whose variables it has wherever it has none of its own. */
  readonly copiedFrom: string | null
  readonly isBuiltin: boolean
  readonly createdAt: EpochMs
}

export interface ResolvedEnv {
  /** By key. */
  readonly vars: readonly (readonly [key: string, value: SecretText])[]
  /** Where each value is from, by key. */
  readonly sources: Readonly<Record<string, 'shared' | 'vault' | 'branch_override'>>
  readonly environment: string
  readonly gitBranch: string | null
  readonly resolvedAt: EpochMs
}

/**
 * Variables of a vault by environment and branch. Each value is a secret at `envVarPath`: what may be done with a
 * variable is what policy allows at that path, and its value is sealed, counted and recorded as any other.
 *
 * @throws {Fault} as `VaultPort`; `NOT_FOUND`; `VERSION_CONFLICT` when one is not in the state that is expected
 */
export interface EnvVarPort {
  /** Those whose paths the caller may list, by key. */
  list(caller: Caller, vault: string, environment?: string): Promise<readonly EnvVarInfo[]>
  /** Counts one read. `value` is null for what is sensitive, which is not read at all. */
  get(
    caller: Caller,
    vault: string,
    which: EnvVarRef,
  ): Promise<{ readonly info: EnvVarInfo; readonly value: SecretText | null }>
  /** @throws {Fault} `CONFLICT` when the key has a value there already */
  create(caller: Caller, vault: string, request: EnvVarRequest): Promise<EnvVarInfo>
  update(
    caller: Caller,
    vault: string,
    which: EnvVarRef,
    change: Partial<Omit<EnvVarRequest, 'key'>>,
    expected?: Expectation,
  ): Promise<EnvVarInfo>
  /** With an environment the variable is taken out of that one, and goes with the last. */
  remove(caller: Caller, vault: string, which: EnvVarRef, expected?: Expectation): Promise<void>
  /**
   * The variables of an environment. One of the branch stands before one without a branch. What the caller may not
   * list is left out; of the others each must be readable, and counts one read.
   *
   * @param environment null: the caller's own, else the first that every vault has
   */
  resolve(
    caller: Caller,
    vault: string,
    environment: string | null,
    gitBranch: string | null,
  ): Promise<ResolvedEnv>
  environments(caller: Caller, vault: string): Promise<readonly EnvironmentInfo[]>
  createEnvironment(
    caller: Caller,
    vault: string,
    request: {
      readonly slug: string
      readonly description?: string | null
      readonly copiedFrom?: string | null
    },
  ): Promise<EnvironmentInfo>
  /** @throws {Fault} `CONFLICT` while a variable is in it, or another was copied from it */
  removeEnvironment(caller: Caller, vault: string, slug: string): Promise<void>
}

/** A variable of the organisation, and the vaults that it is linked to. */
export interface SharedEnvVarInfo extends EnvVarInfo {
  readonly linkedVaults: readonly VaultId[]
}

/**
 * Variables of the organisation, which stand in every vault that they are linked to, behind those of the vault. What
 * may be done with one is what policy allows at `sharedEnvVarPath`; where it is linked, changing it also takes the right
 * to at `envVarPath` there.
 *
 * @throws {Fault} as `EnvVarPort`
 */
export interface SharedEnvVarPort {
  /** Those that the caller may list, by key. */
  list(caller: Caller): Promise<readonly SharedEnvVarInfo[]>
  /** Counts one read. @param name id or key */
  get(
    caller: Caller,
    name: string,
  ): Promise<{ readonly info: SharedEnvVarInfo; readonly value: SecretText | null }>
  create(caller: Caller, request: Omit<EnvVarRequest, 'gitBranch'>): Promise<SharedEnvVarInfo>
  update(
    caller: Caller,
    name: string,
    change: Partial<Omit<EnvVarRequest, 'key' | 'gitBranch'>>,
    expected?: Expectation,
  ): Promise<SharedEnvVarInfo>
  remove(caller: Caller, name: string, expected?: Expectation): Promise<void>
  /** Counts one read. @throws {Fault} `CONFLICT` when it is linked there, or another of its key is */
  link(caller: Caller, name: string, vault: string): Promise<SharedEnvVarInfo>
  unlink(caller: Caller, name: string, vault: string): Promise<void>
}
