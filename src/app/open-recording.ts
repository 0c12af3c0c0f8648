import type { Log } from '../core/log.ts'
import { systemClock } from '../core/time.ts'
import { CallRecorder } from '../gateway/index.ts'
import type { CallInspection } from '../secret-tools/index.ts'
import { withKnownValues } from './known-values.ts'
import { lazily } from './lazily.ts'
import type { Stack } from './open-stack.ts'

/** Takes down the calls whose policies say so; what writes them is loaded by the first of them. */
export function openRecorder(parts: {
  readonly stack: () => Promise<Stack>
  readonly inspection: CallInspection
  readonly log: Log
}): CallRecorder {
  const { stack, inspection, log } = parts
  const clock = systemClock
  const writer = lazily(async () => {
    const { Recordings, recordingWriter } = await import('../gateway/recording/index.ts')
    const { db, keys, ledger } = await stack()
    return recordingWriter({
      recordings: new Recordings({ db, keys, ledger, clock }),
      inspection: withKnownValues(inspection, async () => (await stack()).knownTo),
      clock,
    })
  })
  return new CallRecorder({ writer, log, clock })
}
