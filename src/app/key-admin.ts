import type { KeyPort } from '../core/admin-port.ts'
import type { Settings } from '../core/config.ts'
import { writeChoice } from '../crypto/index.ts'
import { createKeyAdmin } from '../vault/index.ts'
import { headPlaceFor, type Stack } from './open-stack.ts'

/** The commands about keys, which also move what follows the key source: the choice written down, and the head. */
export function openKeyAdmin(parts: {
  readonly settings: Settings
  readonly stack: Stack
  /** Has a new passphrase typed, unless one was given already. */
  readonly newPassphrase: () => Promise<void>
}): KeyPort {
  const { settings, stack } = parts
  const admin = createKeyAdmin({
    ...stack,
    writeChoice: (kind) => writeChoice(settings.configDir, kind),
  })
  return {
    ...admin,
    async changeSource(to) {
      // Typed before the transaction begins: nobody else can write while it runs.
      if (to === 'passphrase') await parts.newPassphrase()
      const changed = await admin.changeSource(to)
      await stack.heads.moveTo(headPlaceFor(settings, stack.keys.storeId, to))
      return changed
    },
  }
}
