import type { Ledger } from '../audit/index.ts'
import type { Settings } from '../core/config.ts'
import type { Db, Reader } from '../core/db-port.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { VaultPort } from '../core/vault-port.ts'
import type { Registry } from '../gateway/index.ts'
import type { Logins } from '../gateway/oauth/index.ts'
import { grantsNaming, type Identity, revokeGrantsOf } from '../identity/index.ts'
import type { CheckedRow, StoreKeys } from '../keys/index.ts'
import type { Outgoing } from '../net/index.ts'
import { lazily } from './lazily.ts'

const gateway = () => import('../gateway/index.ts')

export interface OpenRegistry extends Registry {
  /** The gateway's logins at servers. */
  readonly logins: () => Promise<Logins>
}

export interface RegistryParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly keys: StoreKeys
  readonly identity: Identity
  readonly settings: Pick<Settings, 'vault' | 'clientDocument'>
  readonly log: Log
  readonly vault: Pick<VaultPort, 'use'>
  readonly net: () => Promise<Outgoing>
}

/** The servers behind the gateway, over one open store; loaded by whoever asks for them first. */
export function openRegistry(parts: RegistryParts): () => Promise<OpenRegistry> {
  const { db, ledger, clock, keys, identity } = parts
  const { standing, grants } = identity
  return lazily(async () => {
    const { createRegistry } = await gateway()
    const logins = lazily(async () => openLogins(parts, registry))
    const registry = createRegistry({
      db,
      ledger,
      clock,
      standing,
      grants,
      revokeGrants: (tx, server, at) => revokeGrantsOf(identity.tables, tx, server, at),
      grantsNaming: (tx, policy) => grantsNaming(identity.tables, tx, policy),
      rowMac: keys.rowMac,
      revoke: async (...login) => (await logins()).revoke(...login),
    })
    return { ...registry, logins }
  })
}

async function openLogins(parts: RegistryParts, { tables }: Registry): Promise<Logins> {
  const { db, ledger, clock, keys, identity, settings, log, vault, net } = parts
  const { Logins } = await import('../gateway/oauth/index.ts')
  const { headersOf, personOf, resolvedFor } = await import('./http-server.ts')
  const values = async () => vault
  return new Logins({
    db,
    ledger,
    clock,
    keys,
    log,
    tables,
    net,
    standing: identity.standing,
    document: settings.clientDocument,
    headersOf: async ({ name, target }, channel) =>
      target.kind === 'http' && target.headers.length > 0
        ? headersOf(settings, values, target.headers, personOf(name, channel)).headers()
        : {},
    async valueOf({ server, channel }, reference) {
      const texts = [{ name: 'client secret', value: reference }]
      const [resolved] = await resolvedFor(settings, values, texts, personOf(server, channel))
      if (resolved === undefined) throw new RangeError('one text is one value')
      return resolved.value
    },
  })
}

/** Its tables, for whoever verifies every row of the store. */
export function registryChecks(registry: () => Promise<Registry>): readonly {
  readonly table: string
  readonly rows: (reader: Reader) => Promise<readonly CheckedRow[]>
}[] {
  return (['servers', 'policies', 'logins'] as const).map((which) => ({
    table: `gateway_${which}`,
    rows: async (reader) => (await registry()).tables[which].checkedRows(reader),
  }))
}
