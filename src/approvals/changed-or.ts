import type { Db } from '../core/db-port.ts'

/** A store with much traffic changes all the time; nobody has to see a decision sooner than this. */
const MIN_MS = 100
const MAX_MS = 2_000_000_000

/**
 * Listens for changes from now on, so that one between a look and the wait for the next is not missed.
 *
 * @param signal its reason is thrown by `wait`
 */
export function changedOr(
  db: Db,
  signal: AbortSignal,
): { wait(ms: number): Promise<void>; end(): void } {
  let changed = (): void => {}
  let hasChanged = false
  const end = db.watch(() => {
    hasChanged = true
    changed()
  })
  return {
    end,
    async wait(ms) {
      signal.throwIfAborted()
      await new Promise<void>((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', onAbort)
        }
        const finish = (): void => {
          done()
          resolve()
        }
        const onAbort = (): void => {
          done()
          reject(signal.reason as Error)
        }
        let timer = setTimeout(finish, Math.min(ms, MAX_MS))
        const soon = (): void => {
          clearTimeout(timer)
          timer = setTimeout(finish, Math.min(ms, MIN_MS))
        }
        let isSoon = false
        changed = (): void => {
          if (isSoon) return
          isSoon = true
          soon()
        }
        signal.addEventListener('abort', onAbort, { once: true })
        if (hasChanged) changed()
      })
    },
  }
}
