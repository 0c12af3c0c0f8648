import { createAskPassphrase, findSystemPresence } from '../ask/index.ts'
import { systemClock } from '../core/time.ts'
import { LocalPresence } from '../vault/index.ts'
import type { Stack } from './open-stack.ts'

/** The presence gate over the store, with the operating system's own check where it has one. */
export async function openPresence({ db, ledger, tables }: Stack): Promise<LocalPresence> {
  const system = await findSystemPresence()
  const ask = createAskPassphrase()
  return new LocalPresence({ db, ledger, tables, clock: systemClock, ask, system })
}
