import type { Settings } from '../core/config.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { type ServerDefinition, serveOverStdio } from '../mcp/index.ts'
import type { AskDoors, CallInspection, SecretSession } from '../secret-tools/index.ts'

export interface StdioParts {
  readonly settings: Settings
  readonly log: Log
  readonly inspecting: () => Promise<CallInspection>
  readonly secretTools: (doors: () => Promise<AskDoors>) => Promise<ServerDefinition<SecretSession>>
  readonly doors: () => Promise<AskDoors>
  readonly agent: () => Promise<Caller>
}

/** Serves the client that started this process until it goes. */
export async function serveStdio(parts: StdioParts, signal: AbortSignal): Promise<void> {
  const { settings, log } = parts
  if (settings.localOnly) {
    const { serveScanner } = await import('./scanner.ts')
    return serveScanner(await parts.inspecting(), log, signal)
  }
  const connection = serveOverStdio(await parts.secretTools(parts.doors), {
    session: async () => ({ caller: await parts.agent(), vault: settings.vault }),
    log,
  })
  signal.addEventListener('abort', () => void connection.close(), { once: true })
  await connection.closed
}
