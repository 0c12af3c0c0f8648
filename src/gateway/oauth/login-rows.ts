import type { KeyId } from '../../core/ids.ts'
import type { EpochMs } from '../../core/time.ts'
import type { LoginClientKind, LoginInfo } from '../../core/upstream-login-port.ts'
import type { RowMac } from '../../crypto/index.ts'
import { MacTable } from '../../keys/index.ts'

/** A login at a server. What may be seen stands in columns, the tokens in `sealed`. */
export interface LoginRow {
  readonly server: string
  /** Address of the server when somebody logged in: at another one the login counts for nothing. */
  readonly url: string
  readonly issuer: string
  readonly client: LoginClientKind
  readonly client_id: string
  /** JSON arrays. */
  readonly scopes: string
  readonly missing: string
  readonly state: LoginInfo['state']
  readonly key_id: KeyId
  readonly sealed: Uint8Array
  readonly expires_at: EpochMs | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly renewed_at: EpochMs
  readonly revision: number
}

export function loginsTable(mac: RowMac): MacTable<LoginRow> {
  return new MacTable<LoginRow>(
    mac,
    'gateway_logins',
    [
      'server',
      'url',
      'issuer',
      'client',
      'client_id',
      'scopes',
      'missing',
      'state',
      'key_id',
      'sealed',
      'expires_at',
      'created_at',
      'created_by',
      'renewed_at',
      'revision',
    ],
    ['server'],
  )
}

export function loginInfo(row: LoginRow): LoginInfo {
  return {
    server: row.server,
    state: row.state,
    issuer: row.issuer,
    client: row.client,
    clientId: row.client_id,
    scopes: scopesOf(row.scopes),
    missing: scopesOf(row.missing),
    loggedInAt: row.created_at,
    loggedInBy: row.created_by,
    renewedAt: row.renewed_at,
    expiresAt: row.expires_at,
  }
}

/** The row is authenticated, so it is what was written. */
export function scopesOf(text: string): readonly string[] {
  return JSON.parse(text) as readonly string[]
}
