import { toolPolicyOf } from '../policy/tool-policy/index.ts'
import type { PoliciesNow } from './applied-policies.ts'

const NAME = '(removed)'

/** What judges calls of a program that still runs, though the server it was started for was removed. */
export async function policiesOfRemoved(server: string): Promise<PoliciesNow> {
  const on_deny = `The server '${server}' was removed since sallyport wrap was started, and what has its name now is another one. Start it again.`
  const all_tools = { deny_if: [{ conditions: [], on_deny }] }
  // The first says why, the second denies methods too.
  const documents = [{ default: 'allow', all_tools }, { default: 'deny' }]
  return Promise.all(
    documents.map(async (document) => {
      const text = JSON.stringify({ version: '1', ...document })
      const policy = await toolPolicyOf(NAME, Buffer.from(text))
      return { name: NAME, policy, revision: 'removed' }
    }),
  )
}
