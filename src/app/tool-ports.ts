import type { AskPeople } from '../core/approval-port.ts'
import type { Settings } from '../core/config.ts'
import type { AccessGranting } from '../core/policy-port.ts'
import type { HandOn } from '../core/share-port.ts'
import type { VaultPort } from '../core/vault-port.ts'
import type { Stack } from './open-stack.ts'
import type { RemoteMode } from './remote-mode.ts'

/** What tools work on: the vault of a server where one is set, else the one on this machine. */
export function toolPorts(
  settings: Settings,
  remoteMode: () => Promise<RemoteMode | null>,
  stack: () => Promise<Stack>,
) {
  return {
    openVault: async (): Promise<VaultPort> => (await remoteMode())?.vault ?? (await stack()).vault,
    openPeople: async (): Promise<AskPeople> =>
      (await remoteMode())?.people ?? (await stack()).approvals.people,
    openPolicies: async (): Promise<AccessGranting> =>
      (await remoteMode())?.policies ?? (await stack()).policies,
    async openHandOn(): Promise<HandOn> {
      const remote = await remoteMode()
      if (remote !== null) return remote.handOn
      const { createHandOn } = await import('./vault-admin.ts')
      const site = settings.publicUrl ?? `http://localhost:${settings.port}`
      return createHandOn((await stack()).sharing.shares, site)
    },
  }
}
