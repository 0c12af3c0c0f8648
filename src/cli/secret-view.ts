import { type EpochMs, toIso } from '../core/time.ts'
import type { ListedSecret, SecretInfo, SecretList, VersionInfo } from '../core/vault-port.ts'
import type { Io, Json } from './command.ts'
import { instant, plural, table, visible } from './text.ts'

/** A secret without its value, as `--json` shows it: snake case as on the wire, times as RFC 3339. */
export function secretJson(info: SecretInfo): { readonly [name: string]: Json } {
  return {
    path: info.path,
    id: info.id,
    vault_id: info.vaultId,
    type: info.type,
    version: info.version,
    metadata: info.metadata,
    created_at: toIso(info.createdAt),
    updated_at: toIso(info.updatedAt),
    expires_at: isoOrNull(info.expiresAt),
    max_access_count: info.maxAccessCount,
    access_count: info.accessCount,
    disabled: info.isDisabled,
    deleted_at: isoOrNull(info.deletedAt),
    bytes: info.byteLength,
    binary: info.isBinary,
  }
}

export function listedJson(secret: ListedSecret): { readonly [name: string]: Json } {
  return { ...secretJson(secret), readable: secret.readable }
}

export function versionJson(version: VersionInfo): { readonly [name: string]: Json } {
  return {
    version: version.version,
    state: version.state,
    created_at: toIso(version.createdAt),
    created_by: version.createdBy,
    expires_at: isoOrNull(version.expiresAt),
    max_access_count: version.maxAccessCount,
    access_count: version.accessCount,
    bytes: version.byteLength,
  }
}

export function isoOrNull(at: EpochMs | null): string | null {
  return at === null ? null : toIso(at)
}

/** Reads that are left of a version, or `any`. */
export function readsLeft(info: {
  readonly maxAccessCount: number | null
  readonly accessCount: number
}): string {
  return info.maxAccessCount === null
    ? 'any'
    : String(Math.max(0, info.maxAccessCount - info.accessCount))
}

/** The answer of `secret ls` and `secret search`. */
export async function answerList(io: Io, { total, secrets }: SecretList): Promise<void> {
  await io.answer({ total, secrets: secrets.map(listedJson) }, () =>
    secrets.length === 0
      ? ''
      : table(
          ['PATH', 'TYPE', 'VERSION', 'EXPIRES', 'READS LEFT', 'READABLE'],
          secrets.map((secret) => [
            secret.path,
            secret.type,
            secret.isDisabled ? `${secret.version} (disabled)` : String(secret.version),
            secret.expiresAt === null ? '-' : instant(secret.expiresAt),
            readsLeft(secret),
            secret.readable ? 'yes' : 'no',
          ]),
          io.stdout,
        ),
  )
  if (!io.json && secrets.length < total)
    await io.say(`Shown: ${secrets.length} of ${plural(total, 'secret')} in the vault.`)
}

/** What the person should know of a value that was stored and that redaction will miss. */
export function notRedactableLine(path: string, isMeantToBe: boolean): string {
  if (isMeantToBe) return 'Not remembered all the same: redaction needs eight characters at least.'
  return (
    'Warning: this value can be guessed, so nothing is remembered of it and it is not redacted where it shows up. ' +
    `Use a longer random value, or have it remembered all the same: sallyport secret put ${visible(path)} --remember-weak`
  )
}
