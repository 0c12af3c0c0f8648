import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStack, type Stack } from '../../src/app/open-stack.ts'
import { type Environment, loadSettings, type Settings } from '../../src/core/config.ts'
import { Fault } from '../../src/core/faults.ts'
import { silentLog } from '../../src/core/log.ts'
import { type Caller, LOCAL_PERSON, localAgent } from '../../src/core/principals.ts'
import type { SecretText } from '../../src/core/secret-text.ts'
import type { Clock } from '../../src/core/time.ts'
import { hashAtCost, keyFileSource, passphraseSource } from '../../src/crypto/index.ts'

// Tests give passwords and passphrases by the hundred; what these cost is tested where they are hashed.
hashAtCost('least')

export const PERSON: Caller = { principal: LOCAL_PERSON, channel: 'cli' }
export const AGENT: Caller = { principal: localAgent(null), channel: 'mcp-stdio' }

/** The agent in a project, by the real path of its folder. */
export function agentIn(project: string): Caller {
  return { principal: localAgent(project), channel: 'mcp-stdio' }
}

export interface TestVault extends Stack {
  readonly home: string
  readonly settings: Settings
}

/** A real embedded vault with a key file in a folder of its own; `dispose` closes and removes it. */
export async function openTestVault(
  options: {
    readonly home?: string
    readonly clock?: Clock
    readonly env?: Environment
    /** Answers for the passphrase source; without it there is only the key file. */
    readonly askUnlock?: () => Promise<SecretText>
  } = {},
): Promise<TestVault & { dispose(): Promise<void> }> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  const settings = loadSettings({
    SALLYPORT_HOME: home,
    SALLYPORT_KEY_SOURCE: 'keyfile',
    ...options.env,
  })
  const stack = await openStack({
    settings,
    log: silentLog,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    sourceOf: (kind) => {
      if (kind === 'keyfile') return keyFileSource(settings)
      if (kind === 'keychain' || options.askUnlock === undefined)
        throw new Fault('KEY_SOURCE_UNAVAILABLE', `No ${kind} in this test.`)
      return passphraseSource({
        socketPath: join(settings.stateDir, 'no-agent'),
        askPassphrase: options.askUnlock,
      })
    },
  })
  return {
    ...stack,
    home,
    settings,
    async dispose() {
      await stack.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
