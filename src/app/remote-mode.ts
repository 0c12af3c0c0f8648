import type { AskPeople } from '../core/approval-port.ts'
import type { RemoteSettings, Settings } from '../core/config.ts'
import type { AccessGranting } from '../core/policy-port.ts'
import type { HandOn } from '../core/share-port.ts'
import { systemClock } from '../core/time.ts'
import type { VaultPort } from '../core/vault-port.ts'
import { outgoing } from '../net/index.ts'
import {
  Connection,
  RemoteHandOn,
  RemotePeople,
  RemotePolicies,
  RemoteVault,
} from '../remote/index.ts'
import { KnownInMemory, type PrincipalValues } from '../vault/index.ts'

export interface RemoteMode {
  readonly vault: VaultPort
  /** Whom the server asks. */
  readonly people: AskPeople
  readonly handOn: HandOn
  readonly policies: AccessGranting
  /** What passed through this process, for redaction. */
  readonly known: { of(): Promise<PrincipalValues> }
  close(): Promise<void>
}

/** The vault of a server in place of the one on this machine: no store, no key, no presence gate. */
export function openRemoteMode(settings: Settings, remote: RemoteSettings): RemoteMode {
  const way = outgoing({ allow: settings.netAllow, caFile: settings.netCa })
  const { baseUrl, credential } = remote
  const known = new KnownInMemory()
  const connection = new Connection({ baseUrl, credential, outgoing: way, clock: systemClock })
  const vault = new RemoteVault(connection, (secret, value) =>
    known.note(secret, value, secret.type),
  )
  return {
    vault,
    handOn: new RemoteHandOn(connection, vault),
    people: new RemotePeople(connection),
    policies: new RemotePolicies(connection, (name) => vault.idOf(name)),
    known: { of: () => Promise.resolve(known.values) },
    close: () => way.close(),
  }
}
