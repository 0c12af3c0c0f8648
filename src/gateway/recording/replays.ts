import { setImmediate } from 'node:timers/promises'
import { changeLane, type Ledger, type RecordDraft } from '../../audit/index.ts'
import type { Db } from '../../core/db-port.ts'
import type { StandingPort } from '../../core/identity-port.ts'
import type { Caller } from '../../core/principals.ts'
import type { ReplayPort, ReplayRequest } from '../../core/replay-port.ts'
import { type Clock, epochMs } from '../../core/time.ts'
import { attendedLane } from '../../identity/index.ts'
import { type ToolPolicy, toolPolicyOf, windowOf } from '../../policy/tool-policy/index.ts'
import type { PoliciesNow } from '../applied-policies.ts'
import { revisionOfText } from '../policies.ts'
import { lookedUp } from '../registry-lookup.ts'
import type { Recordings } from './recordings.ts'
import { Replay } from './replay.ts'

const MONTH_MS = 31 * 86_400_000
/** So many entries are gone through before others have their turn. */
const AT_A_TIME = 200

interface Asking {
  readonly caller: Caller
  readonly record: RecordDraft
}

const LOOKED = changeLane<Asking, null>('policy.replay', async (_tx, { record }) => ({
  value: null,
  record,
}))

/** Drafts tried on what was recorded. Arguments are shown to a person who is there, everything else to who may look. */
export function createReplays(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly standing: StandingPort
  readonly recordings: Recordings
}): ReplayPort {
  const { ledger, standing, recordings } = parts
  const shown = attendedLane(standing, 'policy.replay', async (_tx, { record }: Asking) => ({
    value: null,
    record,
  }))
  return {
    async replay(caller, request) {
      const drafts = await Promise.all(
        request.drafts.map(async ({ name, text }) => ({
          name,
          policy: await toolPolicyOf(name, text),
          revision: revisionOfText(text),
        })),
      )
      const asking = { caller, record: recordOf(caller, request, drafts) }
      await lookedUp(parts, caller, 'policy.replay', async () => null)
      await ledger.commit(request.showsArguments ? shown : LOOKED, asking)
      const { since, server, showsArguments } = request
      const replay = new Replay({ drafts, since, showsArguments })
      const from = epochMs(Math.max(0, since - longestWindow(drafts)))
      let count = 0
      for await (const one of recordings.entries({ server, since: from }, () => {
        replay.unreadable += 1
      })) {
        replay.add(one)
        count += 1
        if (count % AT_A_TIME === 0) await setImmediate()
      }
      return replay.report()
    },
  }
}

function recordOf(caller: Caller, request: ReplayRequest, drafts: PoliciesNow): RecordDraft {
  return {
    kind: 'event',
    action: 'policy.replay',
    caller,
    detail: {
      server: request.server?.slice(0, 64) ?? null,
      drafts: drafts.map(({ revision }) => revision),
      arguments: request.showsArguments,
    },
  }
}

/** What was counted longer ago than this counts for none of the limits. */
function longestWindow(drafts: PoliciesNow): number {
  return Math.max(0, ...drafts.flatMap(({ policy }) => limitsOf(policy).map(lengthOf)))
}

function limitsOf({ allTools, tools, byClass, methods }: ToolPolicy) {
  return [allTools, ...tools.values(), ...byClass.values(), ...methods.values()].flatMap(
    ({ limits }) => limits,
  )
}

function lengthOf(limit: Parameters<typeof windowOf>[0]): number {
  const window = windowOf(limit)
  if (window.kind === 'month') return MONTH_MS
  return window.lengthMs + (window.kind === 'sliding' ? window.partMs : 0)
}
