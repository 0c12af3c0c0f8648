import type { VaultId } from './ids.ts'
import type { Caller } from './principals.ts'
import type { EpochMs } from './time.ts'

export interface CanaryInfo {
  readonly id: string
  readonly vaultId: VaultId
  readonly path: string
  /** Whether whoever asks for it is frozen. */
  readonly freezes: boolean
  readonly notes: string | null
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly triggered: number
  readonly lastAt: EpochMs | null
}

/** Somebody asked for a canary. */
export interface CanaryAlarm {
  readonly vaultId: VaultId
  readonly path: string
  /** What was asked: `secret.read`, … */
  readonly action: string
  /** Principal. */
  readonly actor: string
  readonly channel: string
  readonly address: string | null
  /** Whether the value went out. */
  readonly released: boolean
  readonly frozen: boolean
  readonly at: EpochMs
}

/**
 * Paths that nobody has a reason to ask for: any read, use, share or description of one is recorded as
 * `canary.triggered` in the same transaction, and told.
 */
export interface CanaryPort {
  /** Those of a vault, or of all. */
  list(caller: Caller, vault?: string): Promise<readonly CanaryInfo[]>
  /** @param rest `freezes`: whoever asks for it is frozen */
  set(
    caller: Caller,
    vault: string,
    path: string,
    rest?: { readonly freezes?: boolean; readonly notes?: string | null },
  ): Promise<CanaryInfo>
  /** @throws {Fault} `NOT_FOUND` */
  remove(caller: Caller, vault: string, path: string): Promise<void>
  /** By its id. @throws {Fault} `NOT_FOUND` */
  removeById(caller: Caller, id: string): Promise<void>
  /** Told of alarms of this process, once they are committed. @returns ends it */
  onAlarm(listener: (alarm: CanaryAlarm) => void): () => void
}
