import type { Reader, Tx } from '../../core/db-port.ts'
import type { KeyId } from '../../core/ids.ts'
import type { EpochMs } from '../../core/time.ts'
import { open, type SealContext, seal } from '../../crypto/index.ts'
import type { StoreKeys } from '../../keys/index.ts'
import type { AuthorizationServer } from './discovery.ts'
import type { LoginRow } from './login-rows.ts'

/** Who we are at an authorization server, and how we prove it. */
export interface LoginClient {
  readonly id: string
  /** That came with a registration. */
  readonly secret: string | null
  /** `secret://PATH` of one that the vault has. */
  readonly reference: string | null
  readonly method: 'none' | 'client_secret_basic' | 'client_secret_post'
  /** Where the registration lets browsers come back to; null: where it says itself. */
  readonly redirect: string | null
  /**
   * Of one that registered itself: from then on a login begins with another. Its secret ends, it was refused as one
   * that is not known, or a login with it did not come back. Absent: never.
   */
  readonly fitUntil?: EpochMs
}

/** What nobody is shown. */
export interface LoginSecrets {
  readonly server: AuthorizationServer
  readonly client: LoginClient
  readonly resource: string
  readonly access: string
  /** Null where none was given. */
  readonly refresh: string | null
  /** Of tokens that the server did not take although each was new, one after the other. Absent: it took the last. */
  readonly refusals?: { readonly times: number; readonly lastAt: EpochMs }
}

/** What the key is for that seals logins. */
export const LOGIN_KEY = 'upstream-login'

/** Opens for the same server, address and authorization server alone. */
export function sealLogin(
  keys: StoreKeys,
  key: { readonly id: KeyId; readonly key: Uint8Array },
  place: Pick<LoginRow, 'server' | 'url' | 'issuer'>,
  secrets: LoginSecrets,
): Uint8Array {
  return sealJson(keys, key, placeText(place), secrets)
}

/** The next revision of a row, with other secrets; `changed` is of the key where one had to be made. */
export async function resealed(keys: StoreKeys, tx: Tx, row: LoginRow, secrets: LoginSecrets) {
  const { changed, ...key } = await keys.activeOrNew(tx, LOGIN_KEY)
  const sealed = sealLogin(keys, key, row, secrets)
  const next: LoginRow = { ...row, key_id: key.id, sealed, revision: row.revision + 1 }
  return { row: next, changed }
}

/** The same login with a client that the next one does not take. */
export function withUnfitClient(secrets: LoginSecrets, at: EpochMs): LoginSecrets {
  return { ...secrets, client: { ...secrets.client, fitUntil: at } }
}

/** @throws {Fault} `STORE_TAMPERED` */
export async function openLogin(
  keys: StoreKeys,
  reader: Reader,
  row: LoginRow,
): Promise<LoginSecrets> {
  return openJson(keys, reader, placeText(row), row)
}

function placeText({ server, url, issuer }: Pick<LoginRow, 'server' | 'url' | 'issuer'>): string {
  return JSON.stringify(['login', server, url, issuer])
}

export function sealJson(
  keys: StoreKeys,
  key: { readonly id: KeyId; readonly key: Uint8Array },
  subject: string,
  value: object,
): Uint8Array {
  const plain = Buffer.from(JSON.stringify(value), 'utf8')
  try {
    return seal(key.key, contextOf(keys, subject, key.id), plain)
  } finally {
    plain.fill(0)
  }
}

export async function openJson<T extends object>(
  keys: StoreKeys,
  reader: Reader,
  subject: string,
  { key_id: keyId, sealed }: { readonly key_id: KeyId; readonly sealed: Uint8Array },
): Promise<T> {
  const key = await keys.byId(reader, keyId)
  const plain = open(key, contextOf(keys, subject, keyId), sealed)
  try {
    // What `sealJson` was given.
    return JSON.parse(plain.toString('utf8')) as T
  } finally {
    plain.fill(0)
  }
}

function contextOf(keys: StoreKeys, subject: string, keyId: KeyId): SealContext {
  return { purpose: LOGIN_KEY, tenant: keys.storeId, vault: null, subject, version: null, keyId }
}
