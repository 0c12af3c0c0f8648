import type { SecretId, VaultId } from './ids.ts'
import type { Caller } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'
import type { SecretRead } from './vault-port.ts'

export const SHARE_RECIPIENTS = [
  'user',
  'agent',
  'creator',
  'anyone_with_link',
  'external_email',
] as const
/**
 * `creator` is whoever registered the agent that shares. `external_email` is a link, and the address that it is meant
 * for is recorded; nothing is sent.
 */
export type ShareRecipient = (typeof SHARE_RECIPIENTS)[number]

/** The secret, by its id or by its place. */
export type ShareTarget =
  | { readonly secretId: string }
  | { readonly vault: string; readonly path: string }

export interface ShareRequest {
  readonly recipientType: ShareRecipient
  /** Id of a user or an agent; of no other recipients. */
  readonly recipientId?: string
  /** With `external_email`. */
  readonly email?: string
  /** At most a year away. */
  readonly expiresAt: EpochMs
  /** Whole number from 1; null: as often as one likes. */
  readonly maxAccessCount?: number | null
  readonly passphrase?: SecretText
  /** Addresses and ranges. */
  readonly ipAllowlist?: readonly string[]
}

export interface ShareInfo {
  readonly id: string
  readonly vaultId: VaultId
  readonly secretId: SecretId
  readonly path: string
  readonly recipientType: ShareRecipient
  /** Principal, or null for links. */
  readonly recipient: string | null
  readonly email: string | null
  readonly hasPassphrase: boolean
  readonly state: 'open' | 'declined' | 'locked' | 'revoked'
  readonly accessCount: number
  readonly maxAccessCount: number | null
  readonly expiresAt: EpochMs
  readonly acceptedAt: EpochMs | null
  readonly createdAt: EpochMs
  readonly createdBy: string
}

export interface MadeShare {
  readonly share: ShareInfo
  /** Secret part of the link, shown once; null where the recipient shows his own credential. */
  readonly link: SecretText | null
}

export interface SharedRead extends SecretRead {
  readonly share: ShareInfo
}

/** Who opens a link, as far as that is known. */
export interface Opener {
  /** Of the client, after trusted proxies, or null. */
  readonly address: string | null
  readonly channel: 'http' | 'page'
}

/**
 * Secrets handed on. A share reads the current version of its secret, is counted as any read is, and is worth nothing
 * once its sharer may no longer read or share the path.
 */
export interface SharePort {
  /**
   * The caller must be allowed to read and to share the path. From agents `anyone_with_link` and `external_email` need
   * an approval.
   *
   * @throws {Fault} `BAD_INPUT`, `ACCESS_DENIED`, `SECRET_NOT_FOUND`, `SECRET_SPENT`, `APPROVAL_REQUIRED`
   */
  create(caller: Caller, target: ShareTarget, request: ShareRequest): Promise<MadeShare>
  /** What the caller shared, the newest first. */
  outbound(caller: Caller): Promise<readonly ShareInfo[]>
  /** What is shared with him and not revoked or declined. */
  inbound(caller: Caller): Promise<readonly ShareInfo[]>
  /** Reading accepts, too. @throws {Fault} `NOT_FOUND` */
  accept(caller: Caller, id: string): Promise<ShareInfo>
  /** For good. @throws {Fault} `NOT_FOUND` */
  decline(caller: Caller, id: string): Promise<ShareInfo>
  /** By whoever shared, owners, admins and the person at this machine. @throws {Fault} `NOT_FOUND` */
  revoke(caller: Caller, id: string): Promise<void>
  /**
   * The value, for its recipient. Counts one read of the share and of the version.
   *
   * @throws {Fault} `NOT_FOUND` also for what is revoked or another's, `SECRET_SPENT`; `ACCESS_DENIED` naming the field
   *   `passphrase`; `THROTTLED`
   */
  read(caller: Caller, id: string, passphrase?: SecretText): Promise<SharedRead>
  /** The value, for whoever has the link. Counts and throws as `read`. */
  open(id: string, link: SecretText, opener: Opener, passphrase?: SecretText): Promise<SharedRead>
}

export interface HandedOn {
  readonly id: string
  /** Whole address; of a link it holds the secret part, shown this once. */
  readonly url: SecretText
  readonly recipientType: ShareRecipient
  readonly email: string | null
  readonly expiresAt: EpochMs
  readonly maxAccessCount: number | null
}

/** Sharing as tools see it, of the vault here or of one at a server. Throws as `SharePort.create`. */
export interface HandOn {
  share(caller: Caller, target: ShareTarget, request: ShareRequest): Promise<HandedOn>
}
