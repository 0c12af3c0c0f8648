import type { Caller } from '../core/principals.ts'
import type { Request } from '../mcp/wire/index.ts'
import type { CallPath } from './call-path.ts'
import { type Denial, deniedByPolicy } from './denial.ts'
import type { CallJudged, Judgeable } from './judging.ts'
import type { Paid } from './rounds.ts'
import { isObject } from './tool-call.ts'

export const LISTEN = 'subscriptions/listen'
/** More than any client listens to at once. */
const MAX_RESOURCES = 1_000

/** Judges a request to listen, and with it what it asks to be told of. */
export async function listeningJudged(
  path: CallPath,
  caller: Caller,
  request: Request,
  what: Judgeable,
  paid: Paid | null,
): Promise<CallJudged> {
  const judged = await path.judgeNow(what, caller, paid)
  if ('denial' in judged) return judged
  const denial = await resourcesRefused(path, caller, request, what.params)
  if (denial === null) return judged
  await judged.settle('never-sent')
  return { denial }
}

/**
 * Judges each resource that a request to listen names as the subscription that it is: servers of the older revisions
 * are asked for one.
 *
 * @param params of the request
 * @returns why it does not go on, or null
 */
async function resourcesRefused(
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
