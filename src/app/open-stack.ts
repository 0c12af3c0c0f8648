import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CheckpointKeys,
  createAuditPort,
  fileHeadPlace,
  HeadKeeper,
  type HeadPlace,
  JournalDoor,
  keychainHeadPlace,
  Ledger,
  retentionTable,
  Sinks,
  sinksTable,
} from '../audit/index.ts'
import type { AuditPort } from '../core/admin-port.ts'
import type { KeySourceKind, Settings } from '../core/config.ts'
import type { Db, Reader } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { GrantPort } from '../core/grant-port.ts'
import type { Log } from '../core/log.ts'
import type { PolicyPort } from '../core/policy-port.ts'
import type { RatePort } from '../core/rate-port.ts'
import { type Clock, systemClock } from '../core/time.ts'
import {
  chooseKeySource,
  type KeySource,
  keychainText,
  MacKey,
  readChoice,
  writeChoice,
} from '../crypto/index.ts'
import { createIdentity, type Identity } from '../identity/index.ts'
import { readSeal, StoreKeys } from '../keys/index.ts'
import { MIGRATIONS, migrate, openPostgres, openRates, openSqlite } from '../store/index.ts'
import {
  Canaries,
  createPathPolicies,
  Fingerprints,
  KnownTo,
  LocalVault,
  ProjectEvidenceReader,
  Quotas,
  sealedValueCheck,
  VaultKeys,
  VaultRights,
  type VaultTables,
  vaultTables,
} from '../vault/index.ts'
import { type Lazy, lazily } from './lazily.ts'
import { type OpenApprovals, openApprovals } from './open-approvals.ts'
import type { CountersApart } from './open-counters.ts'
import { type OpenRegistry, openRegistry, registryChecks } from './open-registry.ts'
import { canaryHooks, openSharing, type Sharing } from './open-sharing.ts'

export interface StackOptions {
  readonly settings: Settings
  readonly log: Log
  readonly clock?: Clock
  readonly sourceOf: (kind: KeySourceKind) => KeySource
  /** Told once, on the first run, which key source was picked and why. */
  readonly onFirstRun?: (reason: string) => void
}

/** Everything over one open store. */
export interface Stack {
  readonly rights: VaultRights
  readonly vaultKeys: VaultKeys
  readonly fingerprints: Fingerprints
  /** The values that principals know, for redaction. */
  readonly knownTo: KnownTo
  readonly db: Db
  readonly keys: StoreKeys
  readonly tables: VaultTables
  readonly ledger: Ledger
  /** Where calls of tools are written down before they are in the audit. */
  readonly journal: JournalDoor
  readonly heads: HeadKeeper
  readonly vault: LocalVault
  readonly identity: Identity
  /** Those of `identity`, made only for what is registered. */
  readonly grants: GrantPort
  /** What people are asked before something is done, and who else is told. */
  readonly approvals: OpenApprovals
  readonly audit: AuditPort
  /** Path policies of registered principals. */
  readonly policies: PolicyPort
  /** The limits, and what is spent of them; `Sharing` sets them. */
  readonly quotas: Quotas
  readonly canaries: Canaries
  readonly sharing: Sharing
  /** Limits on how fast something may be asked, which all processes of the store share. */
  readonly rates: RatePort
  /** The servers behind the gateway and the policies on their tools. */
  readonly registry: () => Promise<OpenRegistry>
  /** Where limits on tool calls are counted; null: in the store. */
  readonly counters: Lazy<CountersApart> | null
  readonly isNew: boolean
  close(): Promise<void>
}

/** Opens the store that the settings name, with its keys, its audit tree and its vaults; makes them on the first run. */
export async function openStack(options: StackOptions): Promise<Stack> {
  const { settings, log } = options
  const clock = options.clock ?? systemClock
  const { db, name } = await openStore(settings)
  try {
    await migrate(db, MIGRATIONS)
    if (settings.databaseUrl === null) await refuseEmptiedStore(settings, name, db)
    const keys = await StoreKeys.open({
      db,
      clock,
      sourceOf: options.sourceOf,
      firstSource: () => firstSource(settings, options.onFirstRun),
    })
    const tables = vaultTables(keys.rowMac)
    const headKey = new MacKey((await db.read((reader) => keys.active(reader, 'head-mac'))).key)
    const seal = await db.read((reader) => keys.sealRow(reader))
    const place = headPlaceFor(settings, keys.storeId, seal.source)
    const heads = new HeadKeeper({
      db,
      place,
      key: headKey,
      storeId: keys.storeId,
      storeName: name,
      clock,
      log,
    })
    await heads.begin()
    const sinksOfStore = sinksTable(keys.rowMac)
    const outgoing = lazily(async () =>
      (await import('../net/index.ts')).outgoing({
        allow: settings.netAllow,
        caFile: settings.netCa,
      }),
    )
    const sinks = await Sinks.open({
      db,
      keys,
      table: sinksOfStore,
      storeId: keys.storeId,
      clock,
      log,
      outgoing,
    })
    const ledger = new Ledger({ db, keys, heads, clock, log, sinks })
    const journal = new JournalDoor({ db, keys, ledger, clock, log, base: storeFile(settings) })
    ledger.keep(journal)
    const checkpointKeys = new CheckpointKeys(db, keys, ledger)
    const retentionOfStore = retentionTable(keys.rowMac)
    const identity = createIdentity({ db, ledger, keys, clock, log, net: outgoing })
    const site = settings.publicUrl
    const approvals = openApprovals({ db, ledger, keys, clock, log, identity, net: outgoing, site })
    const rights = new VaultRights(tables, new ProjectEvidenceReader(), identity.standing)
    const vaultKeys = new VaultKeys(keys)
    const fingerprints = await Fingerprints.open(db, keys)
    const knownTo = new KnownTo({ db, clock, key: fingerprints.key })
    const quotas = new Quotas(tables, settings.billingUrl)
    const canaries = new Canaries(tables, log, canaryHooks(identity, approvals))
    const vault = await LocalVault.open({
      db,
      ledger,
      keys,
      tables,
      rights,
      vaultKeys,
      fingerprints,
      quotas,
      canaries,
      standing: identity.standing,
      actApprovals: approvals.approvals,
      clock,
    })
    const standing = identity.standing
    const { rates, close: closeRates } = openRates(db, join(settings.dataDir, 'rates.db'), clock)
    const opened = { db, ledger, keys, tables, rights, quotas, canaries, vault, standing, clock }
    const sharing = openSharing({ ...opened, rates, vaultKeys, fingerprints, identity, approvals })
    const registry = openRegistry({
      db,
      ledger,
      clock,
      keys,
      identity,
      settings,
      log,
      vault,
      net: outgoing,
    })
    const { counters: address, netCa: caFile } = settings
    const { storeId } = keys
    const counters =
      address &&
      lazily(async () => {
        const { openCounters } = await import('./open-counters.ts')
        return openCounters({ db, ledger, clock, storeId, address, caFile, log })
      })
    const audit = createAuditPort({
      db,
      keys,
      ledger,
      heads,
      clock,
      sinks,
      sinksTable: sinksOfStore,
      retentionTable: retentionOfStore,
      checkpointKeys,
      storeId: keys.storeId,
      get place() {
        return heads.place
      },
      headKey,
      storeChecks: [sealedValueCheck(keys, tables)],
      rowChecks: [
        ...[
          keys.rows.table,
          sinksOfStore,
          retentionOfStore,
          ...Object.values(tables),
          ...Object.values(identity.tables),
          approvals.tables.approvals,
          approvals.tables.webhooks,
        ].map((table) => ({
          table: table.name,
          rows: (reader: Reader) => table.checkedRows(reader),
        })),
        ...registryChecks(registry),
      ],
    })
    return {
      db,
      keys,
      tables,
      ledger,
      journal,
      heads,
      vault,
      identity,
      grants: {
        ...identity.grants,
        create: async (...asked) => (await registry()).createGrant(...asked),
      },
      approvals,
      rights,
      vaultKeys,
      fingerprints,
      knownTo,
      quotas,
      canaries,
      sharing,
      rates,
      registry,
      counters,
      audit,
      policies: createPathPolicies({
        ...opened,
        audit,
        standing: identity.standing,
        approvals: approvals.approvals,
      }),
      isNew: keys.isNew,
      async close() {
        knownTo.close()
        try {
          await identity.close()
          await approvals.deliveries.close()
          await (await counters?.made())?.close()
          await ledger.close()
        } finally {
          try {
            await sinks.close()
            await closeRates()
          } finally {
            await db.close()
            await (await outgoing.made())?.close()
          }
        }
      },
    }
  } catch (error) {
    await db.close()
    throw error
  }
}

/** The keychain where the keys are kept in one, else a file apart from the store. */
export function headPlaceFor(settings: Settings, storeId: string, source: string): HeadPlace {
  const file = join(settings.stateDir, 'heads', `${storeId}.json`)
  if (source !== 'keychain') return fileHeadPlace(file)
  return keychainHeadPlace(keychainText('sallyport', `${storeId}:head`), file)
}

export function storeFile(settings: Settings): string {
  return join(settings.dataDir, 'vault.db')
}

/** @param purpose a restore may fill the place of a store that was lost */
export async function openStore(
  settings: Settings,
  purpose: 'use' | 'restore' = 'use',
): Promise<{ db: Db; name: string }> {
  if (settings.localOnly)
    throw new Fault('UNSUPPORTED', 'SALLYPORT_LOCAL_ONLY is set: no vault is opened.', {
      details: { remedy: 'unset SALLYPORT_LOCAL_ONLY, or use sallyport mcp and sallyport inspect' },
    })
  if (settings.databaseUrl !== null) {
    const db = await openPostgres({ url: settings.databaseUrl })
    return { db, name: new URL(settings.databaseUrl).pathname.slice(1) }
  }
  const file = storeFile(settings)
  if (purpose === 'use' && !existsSync(file)) await refuseLostStore(settings, file)
  return { db: await openSqlite({ file }), name: file }
}

/** A head without its store is a store that was deleted or moved, not a first run. */
export async function refuseLostStore(settings: Settings, file: string): Promise<void> {
  const lost = await lostHead(settings, file)
  if (lost !== null) throw lost
}

/** So is one whose file was emptied. The heads are read first: another process may be at its first run right now. */
async function refuseEmptiedStore(settings: Settings, file: string, db: Db): Promise<void> {
  const isEmpty = async (): Promise<boolean> =>
    (await db.read((reader) => readSeal(reader))) === null
  if (!(await isEmpty())) return
  const lost = await lostHead(settings, file)
  if (lost !== null && (await isEmpty())) throw lost
}

async function lostHead(settings: Settings, file: string): Promise<Fault | null> {
  const directory = join(settings.stateDir, 'heads')
  const names = await readdir(directory).catch(() => [])
  for (const name of names.filter((one) => one.endsWith('.json'))) {
    const head = parseLostHead(await readFile(join(directory, name), 'utf8').catch(() => ''))
    if (head?.store === file && head.size > 0)
      return new Fault(
        'STORE_TAMPERED',
        `The store '${file}' is gone, but its audit head says that it held ${head.size} records: ` +
          `restore a backup, or move '${join(directory, name)}' away to begin anew.`,
        { details: { file, records: head.size } },
      )
  }
  return null
}

function parseLostHead(text: string): { store: string; size: number } | null {
  try {
    const { store, size } = JSON.parse(text) as { store?: unknown; size?: unknown }
    return typeof store === 'string' && typeof size === 'number' ? { store, size } : null
  } catch {
    return null
  }
}

/** The source that was written down, or the one picked now. */
export async function firstSource(
  settings: Settings,
  onFirstRun: ((reason: string) => void) | undefined,
): Promise<KeySourceKind> {
  const written = await readChoice(settings.configDir)
  if (written !== null) return written
  const { kind, reason } =
    settings.keySource === null
      ? await chooseKeySource()
      : {
          kind: settings.keySource,
          reason: `The key is kept by the ${settings.keySource}, as set.`,
        }
  await writeChoice(settings.configDir, kind)
  onFirstRun?.(reason)
  return kind
}
