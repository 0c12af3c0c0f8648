import { Fault } from '../core/faults.ts'
import type { AgentRequest } from '../core/identity-port.ts'
import { isUuid } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import { compileGlob } from '../policy/index.ts'
import type { AgentRow } from './identity-rows.ts'
import { MAX_TOKEN_SECONDS } from './signing-keys.ts'

const MAX_NAME = 100
const MAX_DESCRIPTION = 1000
const MAX_SCOPES = 64
const MAX_VAULTS = 256
const MIN_TOKEN_SECONDS = 60
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const MAX_LABELS = 32
const LABEL = /^[A-Za-z0-9][A-Za-z0-9_.:/=-]{0,63}$/
const ENVIRONMENT = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

/** The columns of an agent that people choose. */
export type AgentChoice = Pick<
  AgentRow,
  | 'name'
  | 'description'
  | 'scopes'
  | 'vault_ids'
  | 'token_ttl'
  | 'environment'
  | 'labels'
  | 'expires_at'
  | 'key_expires_at'
>

export const DEFAULT_TOKEN_SECONDS = 3600

/**
 * What a request changes, as columns; what it does not name is not in it.
 *
 * @throws {Fault} `BAD_INPUT` naming the field
 */
export function checkedChoice(request: Partial<AgentRequest>, at: EpochMs): Partial<AgentChoice> {
  return {
    ...only(request.name, (name) => ({ name: checkedName(name) })),
    ...only(request.description, (text) => ({ description: checkedDescription(text) })),
    ...only(request.scopes, (scopes) => ({ scopes: checkedScopes(scopes) })),
    ...only(request.vaultIds, (ids) => ({ vault_ids: checkedVaults(ids) })),
    ...only(request.tokenTtlSeconds, (ttl) => ({ token_ttl: checkedTtl(ttl) })),
    ...only(request.environment, (name) => ({ environment: checkedEnvironment(name) })),
    ...only(request.labels, (labels) => ({ labels: checkedLabels(labels) })),
    ...only(request.expiresAt, (end) => ({ expires_at: checkedEnd('expires_at', end, at) })),
    ...only(request.keyExpiresAt, (end) => ({
      key_expires_at: checkedEnd('api_key_expires_at', end, at),
    })),
  }
}

function only<T, R extends object>(given: T | undefined, columns: (given: T) => R): R | undefined {
  return given === undefined ? undefined : columns(given)
}

function bad(field: string, message: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${message}`, { details: { field } })
}

function checkedName(name: string): string {
  if (name.trim() === '' || name.length > MAX_NAME || UNPRINTABLE.test(name))
    throw bad('name', `must have 1 to ${MAX_NAME} printable characters.`)
  return name
}

function checkedDescription(text: string | null): string | null {
  if (text === null || text === '') return null
  if (text.length > MAX_DESCRIPTION || UNPRINTABLE.test(text.replaceAll('\n', '')))
    throw bad('description', `must have at most ${MAX_DESCRIPTION} printable characters.`)
  return text
}

function checkedScopes(scopes: readonly string[] | null): string | null {
  if (scopes === null) return null
  if (scopes.length === 0 || scopes.length > MAX_SCOPES)
    throw bad('scopes', `must list 1 to ${MAX_SCOPES} path patterns, or be null for no narrowing.`)
  for (const scope of scopes) compileGlob(scope)
  return JSON.stringify([...new Set(scopes)])
}

function checkedVaults(ids: readonly string[] | null): string | null {
  if (ids === null) return null
  if (ids.length === 0 || ids.length > MAX_VAULTS)
    throw bad('vault_ids', `must list 1 to ${MAX_VAULTS} vaults, or be null for no binding.`)
  if (!ids.every(isUuid)) throw bad('vault_ids', 'must be ids of vaults.')
  return JSON.stringify([...new Set(ids)])
}

function checkedTtl(seconds: number): number {
  if (!Number.isSafeInteger(seconds) || seconds < MIN_TOKEN_SECONDS || seconds > MAX_TOKEN_SECONDS)
    throw bad(
      'token_ttl_seconds',
      `must be a whole number from ${MIN_TOKEN_SECONDS} to ${MAX_TOKEN_SECONDS}.`,
    )
  return seconds
}

function checkedEnvironment(name: string | null): string | null {
  if (name !== null && !ENVIRONMENT.test(name))
    throw bad('environment', 'must have 1 to 64 letters, digits, dots, dashes or underscores.')
  return name
}

function checkedLabels(labels: readonly string[]): string | null {
  if (labels.length > MAX_LABELS) throw bad('labels', `must be at most ${MAX_LABELS}.`)
  if (!labels.every((label) => LABEL.test(label)))
    throw bad('labels', 'must each have 1 to 64 letters, digits and the signs _ . : / = -.')
  return labels.length === 0 ? null : JSON.stringify([...new Set(labels)].toSorted())
}

function checkedEnd(field: string, end: EpochMs | null, at: EpochMs): EpochMs | null {
  if (end === null) return null
  if (!Number.isSafeInteger(end) || end <= at) throw bad(field, 'must be in the future.')
  return end
}
