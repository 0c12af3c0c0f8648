import { isLoopback } from './arrival.ts'
import type { Binding } from './listener.ts'
import type { Stack } from './open-stack.ts'

/** Accounts are made by hand; a store that is written hundreds of times a second is asked for the first one at most so often. */
const LOOK_MS = 1_000

/**
 * Lets what waits for a person name the page of this server on which it is decided, where nobody has said how browsers
 * find it. Only a server that this machine alone reaches does so: whoever asks it can open `localhost` too, which behind
 * a proxy or at another address would be somebody else's. And only once somebody could sign in there.
 *
 * @param site where browsers on this machine find the server
 * @returns ends it
 */
export function namePages(
  { approvals, db, identity }: Pick<Stack, 'approvals' | 'db' | 'identity'>,
  { host, behindProxy }: Pick<Binding, 'host' | 'behindProxy'>,
  site: string,
): () => void {
  const isOfThisMachine = (isLoopback(host) || host === 'localhost') && behindProxy.length === 0
  if (!isOfThisMachine) return () => {}
  let timer: NodeJS.Timeout | null = null
  const end = (): void => {
    endWatch()
    if (timer !== null) clearTimeout(timer)
  }
  const look = async (): Promise<void> => {
    const { signIn } = await identity.people()
    if (!(await signIn.hasPeople())) return
    approvals.pagesAt(site)
    end()
  }
  // A store that does not answer says so to who asks for more; the next change is looked at again.
  const lookQuietly = (): void => void look().catch(() => {})
  const endWatch = db.watch(() => {
    timer ??= setTimeout(() => {
      timer = null
      lookQuietly()
    }, LOOK_MS).unref()
  })
  lookQuietly()
  return end
}
