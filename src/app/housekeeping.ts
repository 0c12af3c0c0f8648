import { asFault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Stack } from './open-stack.ts'

const FIRST_MS = 60_000
const EVERY_MS = 3_600_000

/** What a server does beside serving, once an hour: what is over goes, and old records as it was set. */
export interface Housekeeping {
  /** Resolves when what was under way has ended. */
  stop(): Promise<void>
}

/** @param firstMs when it begins, milliseconds from now */
export function keepHouse(stack: Stack, log: Log, firstMs = FIRST_MS): Housekeeping {
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | null = null
  const isDue = (ms: number): void => {
    timer = setTimeout(() => {
      running = inOrder(stack, log).finally(() => {
        if (timer !== null) isDue(EVERY_MS)
      })
    }, ms)
    timer.unref()
  }
  isDue(firstMs)
  return {
    async stop() {
      if (timer !== null) clearTimeout(timer)
      timer = null
      await running
    },
  }
}

/** Nothing of it may disturb the server: what fails is said and tried again an hour later. */
async function inOrder(stack: Stack, log: Log): Promise<void> {
  try {
    const { tidy } = await import('./tidy.ts')
    const removed = await tidy(stack)
    if (removed.size > 0) log.info('what was over was removed', Object.fromEntries(removed))
  } catch (error) {
    log.warn('what is over could not be removed', { reason: asFault(error).message })
  }
  try {
    const report = await stack.audit.pruneAsSet()
    if (report !== null)
      log.info('old audit records were pruned', { pruned: report.pruned, up_to: report.upTo })
    if (report !== null && report.heldBy !== null)
      log.warn('an audit sink keeps records from being pruned', { sink: report.heldBy })
  } catch (error) {
    log.error('old audit records could not be pruned', { reason: asFault(error).message })
  }
}
