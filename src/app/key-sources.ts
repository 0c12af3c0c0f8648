import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { AskPassphrase } from '../core/ask-port.ts'
import type { KeySourceKind, Settings } from '../core/config.ts'
import type { Db } from '../core/db-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import type { SecretText } from '../core/secret-text.ts'
import { monotonicMs, sleep, systemClock } from '../core/time.ts'
import {
  agentLock,
  agentPut,
  agentStatus,
  type KeySource,
  keychainSource,
  keyFileSource,
  passphraseSource,
  serveUnlockAgent,
  unlockSocketPath,
} from '../crypto/index.ts'
import { readSeal } from '../keys/index.ts'
import { UNLOCK_AGENT } from './unlock-agent-name.ts'

const DEFAULT_IDLE_MS = 30 * 60_000
const START_MS = 5_000

export type AskUnlock = (purpose: 'unlock' | 'new-unlock') => Promise<SecretText>

/** Where nobody can be asked, the vault is locked: what is missing is not the presence gate. */
export async function askForUnlock(
  ask: AskPassphrase,
  purpose: 'unlock' | 'new-unlock',
): Promise<SecretText> {
  const action = purpose === 'unlock' ? 'open the vault' : 'seal the vault'
  try {
    return await ask({ action, detail: null, purpose }, new AbortController().signal)
  } catch (error) {
    if (!isFault(error, 'PRESENCE_UNAVAILABLE')) throw error
    throw new Fault(
      'VAULT_LOCKED',
      'The vault is locked, and nobody can be asked for its passphrase here.',
      {
        details: { remedy: 'run sallyport unlock in a terminal, or give --passphrase-fd' },
        cause: error,
      },
    )
  }
}

/** @param ask how the passphrase is asked for; null where nobody may be asked, as in an MCP server */
export function sourcesFor(
  settings: Settings,
  ask: AskUnlock | null,
): (kind: KeySourceKind) => KeySource {
  return (kind) => {
    switch (kind) {
      case 'keychain':
        return keychainSource()
      case 'keyfile':
        return keyFileSource(settings)
      case 'passphrase':
        return passphraseSource({
          socketPath: unlockSocketPath(settings.stateDir),
          ...(ask === null ? {} : { askPassphrase: ask }),
        })
    }
  }
}

/** Opens the store only as far as its keys, hands them to the unlock agent, and closes it again. */
export async function unlockStore(
  settings: Settings,
  ask: AskUnlock,
  idleMs: number | null,
): ReturnType<typeof unlockKeys> {
  const { openStore } = await import('./open-stack.ts')
  const { db } = await openStore(settings)
  try {
    return await unlockKeys(db, settings, ask, idleMs)
  } finally {
    await db.close()
  }
}

/** Opens the seal key once and hands it to an agent that keeps it for the other processes of this user. */
export async function unlockKeys(
  db: Db,
  settings: Settings,
  ask: AskUnlock,
  idleMs: number | null,
): Promise<{ readonly idleMs: number }> {
  const seal = await db.read((reader) => readSeal(reader))
  if (seal === null) throw new Fault('NOT_FOUND', 'There is no vault yet; run sallyport up.')
  if (seal.source !== 'passphrase')
    throw new Fault(
      'UNSUPPORTED',
      `The keys are opened by the ${seal.source}; nothing needs unlocking.`,
    )
  const key = await sourcesFor(settings, ask)('passphrase').open(seal)
  try {
    const socketPath = unlockSocketPath(settings.stateDir)
    const running = await agentStatus(socketPath)
    const wanted = idleMs ?? DEFAULT_IDLE_MS
    if (running === null || (idleMs !== null && running.idleMs !== idleMs)) {
      await agentLock(socketPath)
      await startAgent(socketPath, wanted)
    }
    await agentPut(socketPath, seal, key)
    return { idleMs: (await agentStatus(socketPath))?.idleMs ?? wanted }
  } finally {
    key.fill(0)
  }
}

/** @returns false when nothing was unlocked */
export function lockKeys(settings: Settings): Promise<boolean> {
  return agentLock(unlockSocketPath(settings.stateDir))
}

/** The keys go over the socket, never through the arguments or the environment of the agent. */
async function startAgent(socketPath: string, idleMs: number): Promise<void> {
  const launcher = process.argv[1] ?? fileURLToPath(import.meta.url)
  const child = spawn(
    process.execPath,
    [...process.execArgv, launcher, UNLOCK_AGENT, socketPath, String(idleMs)],
    { detached: true, stdio: 'ignore', cwd: '/' },
  )
  child.unref()
  const deadline = monotonicMs() + START_MS
  while ((await agentStatus(socketPath)) === null) {
    if (monotonicMs() > deadline || child.exitCode !== null)
      throw new Fault(
        'KEY_SOURCE_UNAVAILABLE',
        'The unlock agent did not start; run the command again.',
      )
    await sleep(20)
  }
}

/** The agent process: serves until it is locked or idle. */
export async function runUnlockAgent(socketPath: string, idleMs: number): Promise<void> {
  const agent = await serveUnlockAgent({ socketPath, idleMs, clock: systemClock })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.once(signal, () => void agent.close())
  await agent.ended
}
