import type { Role } from '../core/identity-port.ts'
import type { UserId } from '../core/ids.ts'
import type { SessionVia } from '../core/people-port.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'

/** A link that lets in once: the first owner, somebody who was invited, somebody who lost the way to sign in. */
export interface UserLinkRow {
  readonly id: string
  readonly kind: 'setup' | 'invite' | 'reset'
  readonly email: string | null
  readonly role: Role
  /** Of a reset: whose account it is. */
  readonly user_id: UserId | null
  readonly digest: Uint8Array
  readonly created_at: EpochMs
  readonly created_by: string
  readonly expires_at: EpochMs
  readonly used_at: EpochMs | null
  readonly revision: number
}

/** A browser in which somebody signed in, or a password that was changed for a token. */
export interface UserSessionRow {
  readonly id: string
  readonly user_id: UserId
  readonly digest: Uint8Array
  readonly via: SessionVia
  readonly address: string | null
  /** What the browser calls itself. */
  readonly agent: string | null
  readonly created_at: EpochMs
  readonly seen_at: EpochMs
  readonly stepped_up_at: EpochMs | null
  readonly ends_at: EpochMs
  readonly revision: number
}

/** How long a session lives that nobody uses. */
const IDLE_MS = 8 * 3_600_000

/** When a session ends if nobody uses it any more. */
export function sessionEnd(row: UserSessionRow): EpochMs {
  return epochMs(Math.min(row.ends_at, row.seen_at + IDLE_MS))
}

export interface PasskeyRow {
  readonly id: string
  readonly user_id: UserId
  /** base64url, as the authenticator names it. */
  readonly credential_id: string
  /** COSE. */
  readonly public_key: Uint8Array
  readonly counter: number
  /** JSON array. */
  readonly transports: string
  readonly label: string
  readonly created_at: EpochMs
  readonly used_at: EpochMs | null
  readonly revision: number
}

/** Who an account is at another issuer. */
export interface UserIdentityRow {
  readonly id: string
  readonly user_id: UserId
  readonly issuer: string
  readonly subject: string
  readonly created_at: EpochMs
  readonly revision: number
}

export interface PeopleTables {
  readonly userLinks: MacTable<UserLinkRow>
  readonly userSessions: MacTable<UserSessionRow>
  readonly passkeys: MacTable<PasskeyRow>
  readonly userIdentities: MacTable<UserIdentityRow>
}

export function peopleTables(mac: RowMac): PeopleTables {
  return {
    userLinks: new MacTable<UserLinkRow>(
      mac,
      'user_links',
      [
        'id',
        'kind',
        'email',
        'role',
        'user_id',
        'digest',
        'created_at',
        'created_by',
        'expires_at',
        'used_at',
        'revision',
      ],
      ['id'],
    ),
    userSessions: new MacTable<UserSessionRow>(
      mac,
      'user_sessions',
      [
        'id',
        'user_id',
        'digest',
        'via',
        'address',
        'agent',
        'created_at',
        'seen_at',
        'stepped_up_at',
        'ends_at',
        'revision',
      ],
      ['id'],
    ),
    passkeys: new MacTable<PasskeyRow>(
      mac,
      'passkeys',
      [
        'id',
        'user_id',
        'credential_id',
        'public_key',
        'counter',
        'transports',
        'label',
        'created_at',
        'used_at',
        'revision',
      ],
      ['id'],
    ),
    userIdentities: new MacTable<UserIdentityRow>(
      mac,
      'user_identities',
      ['id', 'user_id', 'issuer', 'subject', 'created_at', 'revision'],
      ['id'],
    ),
  }
}
