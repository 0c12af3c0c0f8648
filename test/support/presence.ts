import { SecretText } from '../../src/core/secret-text.ts'
import { systemClock } from '../../src/core/time.ts'
import { LocalPresence } from '../../src/vault/index.ts'
import { openTestVault, type TestVault } from './vault.ts'

/** The person sets the presence passphrase, or what it is kept as anew: each proof of it then costs the least there is. */
export async function setPresence(vault: TestVault, passphrase: string): Promise<void> {
  await new LocalPresence({
    ...vault,
    clock: systemClock,
    ask: async () => SecretText.fromText(passphrase),
    system: null,
  }).set()
}

/** The same in a home that no one has open. */
export async function setPresenceIn(home: string, passphrase: string): Promise<void> {
  const vault = await openTestVault({ home })
  try {
    await setPresence(vault, passphrase)
  } finally {
    await vault.close()
  }
}
