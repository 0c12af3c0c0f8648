import { Fault, isFault } from '../core/faults.ts'
import { isUuid, type SecretId, type VaultId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import { isUseFault, readEnvBundle, usedValues } from '../core/used-values.ts'
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
  StoredVersion,
  VaultInfo,
  VaultPort,
  VaultUse,
  VersionInfo,
} from '../core/vault-port.ts'
import {
  readCreated,
  readSecret,
  readSecrets,
  readValue,
  readVault,
  readVaults,
  readVersions,
} from './answers.ts'
import { type Ask, aboutPath, type Connection } from './connection.ts'
import { putBody } from './request-body.ts'

/**
 * Told of every value that passes, before its caller sees it.
 *
 * @returns whether redaction will recognise the value
 */
export type ValuePassed = (
  secret: Pick<SecretInfo, 'id' | 'path' | 'version' | 'type'>,
  value: SecretText,
) => boolean

/**
 * The vault behind a server of the 1claw API, Sallyport's or another. The server judges and records every call for the
 * agent of the connection, so the caller given here says nothing; it only knows what the API lets it ask.
 */
export class RemoteVault implements VaultPort {
  readonly #connection: Connection
  readonly #vaultIds = new Map<string, VaultId>()
  readonly #listeners = new Set<() => void>()
  #changes = 0
  readonly #passed: ValuePassed
  /** Whether the server answers for one secret without its value; the older API only lists. */
  #describes = true

  constructor(connection: Connection, passed: ValuePassed = () => true) {
    this.#connection = connection
    this.#passed = passed
  }

  /** @throws {Fault} `VAULT_NOT_FOUND` */
  idOf(vault: string): Promise<VaultId> {
    return this.#vaultId(vault)
  }

  async listVaults(_caller: Caller): Promise<readonly VaultInfo[]> {
    return readVaults(await this.#connection.ask({ method: 'GET', path: '/v1/vaults' }))
  }

  async createVault(
    _caller: Caller,
    request: { readonly name: string; readonly description?: string },
  ): Promise<VaultInfo> {
    const body = JSON.stringify({ name: request.name, description: request.description ?? '' })
    return readVault(await this.#connection.ask({ method: 'POST', path: '/v1/vaults', body }))
  }

  async deleteVault(caller: Caller, vault: string): Promise<VaultInfo> {
    const id = await this.#vaultId(vault)
    const found = (await this.listVaults(caller)).find((one) => one.id === id)
    if (found === undefined) throw unknownVault(vault)
    await this.#connection.ask({ method: 'DELETE', path: `/v1/vaults/${id}` })
    this.#vaultIds.clear()
    return found
  }

  async list(_caller: Caller, vault: string, prefix = ''): Promise<SecretList> {
    const id = await this.#vaultId(vault)
    const query = prefix === '' ? '' : `?prefix=${encodeURIComponent(prefix)}`
    const body = await this.#connection.ask({
      method: 'GET',
      path: `/v1/vaults/${id}/secrets${query}`,
    })
    const { total, secrets } = readSecrets(body, id)
    return { total, secrets: secrets.filter((one) => one.path.startsWith(prefix)) }
  }

  async search(caller: Caller, vault: string, pattern: string): Promise<SecretList> {
    const { total, secrets } = await this.list(caller, vault)
    const matches = wildcard(pattern)
    return { total, secrets: secrets.filter((one) => matches(one.path)) }
  }

  /** Never reads the value: where the server has no such call, the list is looked through. */
  async describe(caller: Caller, vault: string, path: string): Promise<ListedSecret> {
    const id = await this.#vaultId(vault)
    if (this.#describes) {
      try {
        return readSecret(await this.#at('GET', id, 'secret-metadata', path), id)
      } catch (error) {
        if (!isNotOffered(error)) throw aboutPath(error, path)
        this.#describes = false
      }
    }
    const { secrets } = await this.list(caller, vault, path)
    const found = secrets.find((one) => one.path === path)
    if (found === undefined) throw aboutPath(new Fault('SECRET_NOT_FOUND', path), path)
    return found
  }

  async history(_caller: Caller, vault: string, path: string): Promise<readonly VersionInfo[]> {
    const id = await this.#vaultId(vault)
    return readVersions(await this.#about('GET', id, 'secret-versions', path))
  }

  async standing(caller: Caller, vault: string, path: string): Promise<PathStanding> {
    try {
      const { version, readable } = await this.describe(caller, vault, path)
      return { path, mayRead: readable, mayWrite: true, currentVersion: version, remedy: null }
    } catch (error) {
      if (!isFault(error, 'SECRET_NOT_FOUND')) throw error
      // Whether the path may be written is known when it is: the server judges the value that was typed.
      return { path, mayRead: true, mayWrite: true, currentVersion: null, remedy: null }
    }
  }

  async get(_caller: Caller, vault: string, path: string, version?: number): Promise<SecretRead> {
    return this.#read(await this.#vaultId(vault), path, version, '')
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
    const missing = options.all === true ? await this.#missing(caller, vault, wanted) : []
    if (missing.length > 0) return missing
    const id = await this.#vaultId(vault)
    const settled = await Promise.allSettled(
      wanted.map((path) => this.#read(id, path, undefined, '?purpose=use')),
    )
    return usedValues(wanted, settled)
  }

  /** Those that can't be read, found out without spending a read. */
  async #missing(
    caller: Caller,
    vault: string,
    paths: readonly string[],
  ): Promise<readonly VaultUse[]> {
    const missing: VaultUse[] = []
    for (const path of paths) {
      try {
        await this.describe(caller, vault, path)
      } catch (error) {
        if (!isUseFault(error)) throw error
        missing.push({ path, fault: error.code })
      }
    }
    return missing
  }

  async put(_caller: Caller, vault: string, request: PutRequest): Promise<StoredVersion> {
    const id = await this.#vaultId(vault)
    const body = await this.#about('PUT', id, 'secrets', request.path, {
      body: putBody(request),
      headers: ifVersion(request.ifVersion),
    })
    const stored = this.#stored(body, id)
    const isRecognised = this.#passed(stored, request.value)
    return isRecognised ? stored : { ...stored, notRedactable: true }
  }

  /** Type, metadata and limits are sent again: the older API keeps none of them. */
  async rotateAndStore(
    caller: Caller,
    vault: string,
    request: RotateRequest,
  ): Promise<StoredVersion> {
    const current = await this.describe(caller, vault, request.path)
    return this.put(caller, vault, {
      path: request.path,
      value: request.value,
      type: current.type,
      metadata: current.metadata,
      expiresAt: current.expiresAt,
      maxAccessCount: current.maxAccessCount,
      ifVersion: request.ifVersion ?? current.version,
    })
  }

  async rotateGenerated(
    _caller: Caller,
    vault: string,
    request: GenerateRequest,
  ): Promise<StoredVersion> {
    const id = await this.#vaultId(vault)
    const { length, charset } = request
    const body = await this.#about('POST', id, 'secret-rotate', request.path, {
      body: JSON.stringify({
        ...(length === undefined ? {} : { length }),
        ...(charset === undefined ? {} : { charset }),
      }),
      headers: ifVersion(request.ifVersion),
    })
    return this.#stored(body, id)
  }

  async delete(caller: Caller, vault: string, path: string): Promise<SecretInfo> {
    const info = await this.describe(caller, vault, path)
    await this.#about('DELETE', await this.#vaultId(vault), 'secrets', path)
    this.#changed()
    return info
  }

  async undelete(_caller: Caller, _vault: string, _path: string): Promise<SecretInfo> {
    throw notHere('Undeleting')
  }

  async destroy(_caller: Caller, _vault: string, _path: string, _version?: number): Promise<never> {
    throw notHere('Destroying')
  }

  async setVersionEnabled(
    caller: Caller,
    vault: string,
    path: string,
    version: number,
    enabled: boolean,
  ): Promise<VersionInfo> {
    if (enabled) throw notHere('Enabling a version')
    const id = await this.#vaultId(vault)
    await this.#about('POST', id, 'secret-version-disable', path, { suffix: `/${version}` })
    const versions = await this.history(caller, vault, path)
    const found = versions.find((one) => one.version === version)
    if (found === undefined) throw aboutPath(new Fault('SECRET_NOT_FOUND', path), path)
    return found
  }

  /** What inspection saw on this side stays on this side: the API has no place for it. */
  async noteInspection(_caller: Caller, _note: InspectionNote): Promise<void> {}

  /** Only this process's own changes are told of here, and those it may see. */
  async glimpse(): Promise<string> {
    return String(this.#changes)
  }

  /** Changes made through this process; a server does not tell of others'. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #changed(): void {
    this.#changes += 1
    for (const listener of this.#listeners) listener()
  }

  async #read(
    id: VaultId,
    path: string,
    version: number | undefined,
    query: string,
  ): Promise<SecretRead> {
    const body =
      version === undefined
        ? await this.#about('GET', id, 'secrets', path, { suffix: query })
        : await this.#about('GET', id, 'secret-version', path, { suffix: `/${version}${query}` })
    const read = readValue(body, id)
    this.#passed(read.info, read.value)
    return read
  }

  #stored(body: unknown, vaultId: VaultId): StoredVersion {
    const { id, path, type, version, metadata, created_at, expires_at, not_redactable } =
      readCreated(body)
    this.#changed()
    return {
      id: id as SecretId,
      vaultId,
      path,
      type,
      version,
      replaced: version > 1 ? version - 1 : null,
      metadata: metadata ?? {},
      createdAt: created_at,
      expiresAt: expires_at,
      ...(not_redactable === true ? { notRedactable: true } : {}),
    }
  }

  /** A name is looked up once; `default` that is not there is the first vault, as clients of the API expect. */
  async #vaultId(vault: string): Promise<VaultId> {
    if (isUuid(vault)) return vault as VaultId
    const known = this.#vaultIds.get(vault)
    if (known !== undefined) return known
    const vaults = readVaults(await this.#connection.ask({ method: 'GET', path: '/v1/vaults' }))
    const found =
      vaults.find((one) => one.name === vault) ?? (vault === 'default' ? vaults[0] : undefined)
    if (found === undefined) throw unknownVault(vault)
    this.#vaultIds.set(vault, found.id)
    return found.id
  }

  async #about(
    method: Ask['method'],
    id: VaultId,
    noun: string,
    path: string,
    rest: Rest = {},
  ): Promise<unknown> {
    try {
      return await this.#at(method, id, noun, path, rest)
    } catch (error) {
      throw aboutPath(error, path)
    }
  }

  async #at(
    method: Ask['method'],
    id: VaultId,
    noun: string,
    path: string,
    { suffix = '', ...rest }: Rest = {},
  ): Promise<unknown> {
    const encoded = path.split('/').map(encodeURIComponent).join('/')
    return this.#connection.ask({
      method,
      path: `/v1/vaults/${id}/${noun}/${encoded}${suffix}`,
      ...rest,
    })
  }
}

type Rest = Pick<Ask, 'body' | 'headers'> & {
  /** What follows the secret's path. */
  readonly suffix?: string
}

function ifVersion(version: number | undefined): Readonly<Record<string, string>> {
  if (version === undefined) return {}
  return version === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${version}"` }
}

function isNotOffered(error: unknown): boolean {
  if (isFault(error, 'NOT_OFFERED')) return true
  return isFault(error, 'NOT_FOUND') && !/\bsecret\b/i.test(error.message)
}

function unknownVault(vault: string): Fault {
  return new Fault('VAULT_NOT_FOUND', `There is no vault '${vault.slice(0, 100)}'.`, {
    details: { field: 'vault' },
  })
}

function notHere(what: string): Fault {
  return new Fault('NOT_OFFERED', `${what} is not offered through a server; do it where it runs.`)
}

/** `*` and `?` are wildcards over the whole path; a plain text matches anywhere. Case does not matter. */
function wildcard(pattern: string): (path: string) => boolean {
  const folded = pattern.toLowerCase()
  if (!/[*?]/.test(folded)) return (path) => path.toLowerCase().includes(folded)
  return (path) => matchesWildcard(path.toLowerCase(), folded)
}

/** Linear in the product of both lengths at worst: the last star is the only place to go back to. */
function matchesWildcard(text: string, pattern: string): boolean {
  let at = 0
  let own = 0
  let star = -1
  let mark = 0
  while (at < text.length) {
    const one = pattern[own]
    if (one === '*') {
      star = own++
      mark = at
    } else if (one === '?' || one === text[at]) {
      own++
      at++
    } else if (star >= 0) {
      own = star + 1
      at = ++mark
    } else {
      return false
    }
  }
  while (pattern[own] === '*') own++
  return own === pattern.length
}
