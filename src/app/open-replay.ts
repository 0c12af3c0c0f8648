import type { ReplayPort } from '../core/replay-port.ts'
import { systemClock } from '../core/time.ts'
import { createReplays, Recordings } from '../gateway/recording/index.ts'
import type { Stack } from './open-stack.ts'

/** Drafts of policies, tried on the recorded calls of a store. */
export function openReplay({ db, ledger, keys, identity }: Stack): ReplayPort {
  const clock = systemClock
  const { standing } = identity
  const recordings = new Recordings({ db, keys, ledger, clock })
  return createReplays({ db, ledger, clock, standing, recordings })
}
