import { foldedName } from '../core/folded-name.ts'
import type { Caller } from '../core/principals.ts'
import type { Request } from '../mcp/wire/index.ts'
import type { CallPath } from './call-path.ts'
import { type Denial, deniedByPolicy } from './denial.ts'
import type { CallAllowed, CallJudged, Judgeable } from './judging.ts'
import type { Paid } from './rounds.ts'
import { isObject } from './tool-call.ts'

export const LISTEN = 'subscriptions/listen'
const RESOURCES = 'resourceSubscriptions'
const FOLDED_RESOURCES = foldedName(RESOURCES)
/** More than any client listens to at once. */
const MAX_RESOURCES = 1_000

/**
 * Judges a request to listen, and with it each resource that it names as the subscription that it is: servers of the
 * older revisions are asked for one. All of them go on, or none does, and they end with the request.
 */
export async function listeningJudged(
  path: CallPath,
  caller: Caller,
  request: Request,
  what: Judgeable,
  paid: Paid | null,
): Promise<CallJudged> {
  const judged = await path.judgeNow(what, caller, paid)
  if ('denial' in judged) return judged
  const all: CallAllowed[] = [judged]
  const settle: CallAllowed['settle'] = async (end, result) => {
    for (const one of all) await one.settle(end, one === judged ? result : undefined)
  }
  const named = resourcesIn(what.params)
  const denial = 'rule' in named ? named : await resourcesRefused(path, caller, request, named, all)
  if (denial === null) return all.length === 1 ? judged : { ...judged, settle }
  await settle('never-sent')
  return { denial }
}

/** What a request to listen names, each once. @returns why it does not go on where that cannot be told */
function resourcesIn({
  notifications,
}: Readonly<Record<string, unknown>>): readonly unknown[] | Denial {
  if (notifications === undefined || notifications === null) return []
  if (!isObject(notifications)) return refused("'notifications' must be an object.")
  const isLookAlike = (name: string): boolean =>
    name !== RESOURCES && foldedName(name) === FOLDED_RESOURCES
  if (Object.keys(notifications).some(isLookAlike))
    return refused("A name of 'notifications' could be taken for another.")
  const named = notifications[RESOURCES]
  if (named === undefined || named === null) return []
  return Array.isArray(named) && named.length <= MAX_RESOURCES
    ? [...new Set(named as readonly unknown[])]
    : refused(`'${RESOURCES}' must be a list of at most ${MAX_RESOURCES} resources.`)
}

/** @param allowed takes those that may go on @returns why one may not */
async function resourcesRefused(
  path: CallPath,
  caller: Caller,
  request: Request,
  uris: readonly unknown[],
  allowed: CallAllowed[],
): Promise<Denial | null> {
  for (const uri of uris) {
    const judged = await path.judgeNow(
      {
        message: request,
        name: 'resources/subscribe',
        isMethod: true,
        isFromServer: false,
        isPart: true,
        params: { uri },
        args: { uri },
      },
      caller,
    )
    if ('denial' in judged) return judged.denial
    allowed.push(judged)
  }
  return null
}

function refused(why: string): Denial {
  return deniedByPolicy('(listen)', why)
}
