import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../../src/core/config.ts'
import { type FaultCode, isFault } from '../../src/core/faults.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import type { Clock } from '../../src/core/time.ts'
import type { SecretRead } from '../../src/core/vault-port.ts'
import { databaseWithSchema, freshDatabase, postgresMissing } from './postgres.ts'
import { openTestVault, type TestVault } from './vault.ts'

/** A database that a vault can be kept in. */
export interface VaultStore {
  readonly name: 'sqlite' | 'postgres'
  readonly skip: false | string
  /** Settings that lead to a new store, which holds nothing. */
  fresh(): Promise<Environment>
  /** The same where not even the schema has been made. */
  empty(): Promise<Environment>
}

export const SQLITE: VaultStore = {
  name: 'sqlite',
  skip: false,
  fresh: () => Promise.resolve({}),
  empty: () => Promise.resolve({}),
}

export const POSTGRES: VaultStore = {
  name: 'postgres',
  skip: postgresMissing(),
  fresh: async () => ({ SALLYPORT_DATABASE_URL: await databaseWithSchema() }),
  empty: async () => ({ SALLYPORT_DATABASE_URL: await freshDatabase() }),
}

interface OpenVault {
  readonly vault: TestVault
  readonly env: Environment
  isClosed: boolean
}

/** The vaults that one test opened: handles that share a home share a store. */
export class OpenVaults {
  readonly #open: OpenVault[] = []

  async fresh(store: VaultStore, clock?: Clock): Promise<TestVault> {
    return this.#keep({ env: await store.fresh(), clock })
  }

  /** Another handle on the same store, as another process has it. */
  async twin(vault: TestVault, clock?: Clock): Promise<TestVault> {
    const env = this.#open.find((one) => one.vault === vault)?.env ?? {}
    return this.#keep({ home: vault.home, env, clock })
  }

  /** Several handles on one new store, opened at once. */
  async atOnce(store: VaultStore, count: number): Promise<readonly TestVault[]> {
    const env = await store.empty()
    const home = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
    return Promise.all(
      Array.from({ length: count }, () => this.#keep({ home, env, clock: undefined })),
    )
  }

  /** Closes one handle now; its store can be opened again with `twin`. */
  async shut(vault: TestVault): Promise<void> {
    for (const one of this.#open.filter((each) => each.vault === vault)) one.isClosed = true
    await vault.close()
  }

  /** Closes all. @param audited whether every store that is open must verify clean first */
  async close(audited: boolean): Promise<void> {
    const all = this.#open.splice(0)
    const open = all.filter((one) => !one.isClosed)
    try {
      for (const { vault } of audited ? open : [])
        assert.deepEqual((await vault.audit.verify()).findings, [])
    } finally {
      for (const { vault } of open) await vault.close()
      for (const { vault } of all) rmSync(vault.home, { recursive: true, force: true })
    }
  }

  async #keep(how: { home?: string; env: Environment; clock: Clock | undefined }) {
    const vault = await openTestVault({
      env: how.env,
      ...(how.home === undefined ? {} : { home: how.home }),
      ...(how.clock === undefined ? {} : { clock: how.clock }),
    })
    this.#open.push({ vault, env: how.env, isClosed: false })
    return vault
  }
}

export function secret(text: string): SecretText {
  return SecretText.fromText(text)
}

export function textOf(read: SecretRead): string {
  return read.value.reveal()
}

/** For `assert.rejects`: the code, and what the message says. */
export function fault(code: FaultCode, message: RegExp = /./): (error: unknown) => true {
  return (error) => {
    if (!isFault(error)) throw error
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  }
}

/** Runs all at once; the values of those that succeeded, the codes of the faults of the others. */
export async function race<T>(
  work: readonly Promise<T>[],
): Promise<{ readonly values: readonly T[]; readonly faults: readonly string[] }> {
  const settled = await Promise.allSettled(work)
  return {
    values: settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    faults: settled.flatMap((one) =>
      one.status === 'rejected' ? [isFault(one.reason) ? one.reason.code : String(one.reason)] : [],
    ),
  }
}
