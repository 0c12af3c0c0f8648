import type { PageDesk } from '../ask/index.ts'
import { Fault } from '../core/faults.ts'
import type { AskDoors } from '../secret-tools/index.ts'
import type { Stack } from './open-stack.ts'

/**
 * Where people are asked on a server. Those to whom a registered agent belongs answer on a page, signed in; no dialog
 * of the server's own machine opens for what somebody elsewhere asks. The local agent asks as ever.
 *
 * @param site where browsers find the server
 */
export function serverDoors(stack: Stack, local: AskDoors, desk: PageDesk, site: string): AskDoors {
  return {
    ...local,
    async askSecret(question, signal) {
      if (question.asker === undefined) return local.askSecret(question, signal)
      throw new Fault(
        'INPUT_UNAVAILABLE',
        'The people of this agent are asked on a page only, and its client opens none.',
      )
    },
    pages: {
      async open(question, options) {
        if (question.asker === undefined) return desk.open(question, options)
        const openers = await peopleOf(stack, question.asker)
        const opened = await desk.open(question, { ...options, openers })
        return { ...opened, url: `${site}${new URL(opened.url).pathname}` }
      },
    },
  }
}

/** Who made the agent; of those that were made at the machine, who administers the organisation. */
async function peopleOf(
  { db, identity }: Pick<Stack, 'db' | 'identity'>,
  asker: string,
): Promise<ReadonlySet<string>> {
  const [kind, id = ''] = asker.split(':')
  if (kind === 'user') return new Set([id])
  const { agents, users } = identity.tables
  const people = await db.read(async (reader) => {
    const maker = (await agents.get(reader, 'id = ?', [id]))?.created_by.split(':') ?? []
    if (maker[0] === 'user' && maker[1] !== undefined) return [maker[1]]
    const all = await users.select(reader, 'state = ?', ['active'])
    return all.filter(({ role }) => role === 'owner' || role === 'admin').map((user) => user.id)
  })
  if (people.length > 0) return new Set(people)
  throw new Fault(
    'INPUT_UNAVAILABLE',
    'Nobody has an account on this server who could answer: run sallyport people setup there.',
  )
}
