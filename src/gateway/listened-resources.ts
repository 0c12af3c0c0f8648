import type { Caller } from '../core/principals.ts'
import type { Request } from '../mcp/wire/index.ts'
import type { CallPath } from './call-path.ts'
import { type Denial, deniedByPolicy } from './denial.ts'
import { isObject } from './tool-call.ts'

/** More than any client listens to at once. */
const MAX_RESOURCES = 1_000

/**
 * Judges each resource that a request to listen names as the subscription that it is: servers of the older revisions
 * are asked for one.
 *
 * @param params of the request
 * @returns why it does not go on, or null
 */
export async function resourcesRefused(
  path: CallPath,
  caller: Caller,
  request: Request,
  params: Readonly<Record<string, unknown>>,
): Promise<Denial | null> {
  const { notifications } = params
  const named = isObject(notifications) ? notifications['resourceSubscriptions'] : undefined
  if (named === undefined || named === null) return null
  if (!Array.isArray(named) || named.length > MAX_RESOURCES)
    return deniedByPolicy(
      '(listen)',
      `'resourceSubscriptions' must be a list of at most ${MAX_RESOURCES} resources.`,
    )
  for (const uri of named as readonly unknown[]) {
    const judged = await path.judgeNow(
      {
        message: request,
        name: 'resources/subscribe',
        isMethod: true,
        isFromServer: false,
        params: { uri },
        args: { uri },
      },
      caller,
    )
    if ('denial' in judged) return judged.denial
    await judged.settle('answered')
  }
  return null
}
