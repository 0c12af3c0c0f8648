import { packageVersion, type Settings } from '../core/config.ts'
import type { Log } from '../core/log.ts'
import type { ServerDefinition } from '../mcp/index.ts'
import {
  type AskDoors,
  type CallInspection,
  createSecretTools,
  type SecretSession,
} from '../secret-tools/index.ts'
import { withKnownValues } from './known-values.ts'
import type { Stack } from './open-stack.ts'
import type { RemoteMode } from './remote-mode.ts'
import { toolPorts } from './tool-ports.ts'

/** The secrets server over the vault of this machine, or over that of a server where one is set. */
export async function openSecretTools(parts: {
  readonly settings: Settings
  readonly log: Log
  readonly remoteMode: () => Promise<RemoteMode | null>
  readonly stack: () => Promise<Stack>
  readonly openDoors: () => Promise<AskDoors>
  readonly inspecting: () => Promise<CallInspection>
}): Promise<ServerDefinition<SecretSession>> {
  const { settings, log, remoteMode, stack, openDoors } = parts
  const knownTo = async () => (await remoteMode())?.known ?? (await stack()).knownTo
  return createSecretTools({
    version: packageVersion(),
    ...toolPorts(settings, remoteMode, stack),
    openDoors,
    log,
    inspection: withKnownValues(await parts.inspecting(), knownTo),
  })
}
