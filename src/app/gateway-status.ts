import type { AuditEntry } from '../core/admin-port.ts'
import type { StandingCount } from '../core/counter-port.ts'
import type { GatewayStatus, ServerStatus } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import { type Caller, type Channel, LOCAL_PERSON } from '../core/principals.ts'
import { type EpochMs, systemClock } from '../core/time.ts'
import { toldTo } from '../core/told.ts'
import { standingCounts, standingLimits } from '../gateway/index.ts'
import { openRegistryView } from './open-gateway.ts'
import type { Stack } from './open-stack.ts'

const PAGE = 1_000
/** More calls than that are not read: the figures then say of how many. */
const MAX_READ = 20_000

/** Servers with their calls since a moment, and what is used of limits; from the audit and the counters of all processes. */
export async function gatewayStatus(
  stack: Stack,
  log: Log,
  caller: Caller,
  since: EpochMs,
): Promise<GatewayStatus> {
  const { servers } = await stack.registry()
  const registered = await servers.list(caller)
  const counts = new Map<string, Counts>()
  for (const { name } of registered) counts.set(name, newCounts())
  const read = await eachCall(stack, since, (server, entry) => {
    const one = counts.get(server) ?? newCounts()
    counts.set(server, one)
    one.calls += 1
    one.lastAt ??= entry.at
    one.isWrapped ||= entry.channel === WRAPPED
    if (entry.kind === 'refusal') one.denied += 1
    else if (entry.outcome !== null && FAILED.has(entry.outcome)) one.failed += 1
  })
  const grants = await stack.identity.grants.list(caller, null)
  const named = [...new Set(grants.flatMap(({ policies }) => policies))]
  const view = await openRegistryView(stack, log)
  try {
    const { used, unknown } = await usedNow(stack)
    const limits = standingLimits(used, view, named)
    return {
      since,
      isCut: read >= MAX_READ,
      servers: [...counts].map(([name, one]): ServerStatus => {
        const known = registered.find((server) => server.name === name)
        return {
          name,
          kind: known?.target.kind ?? (one.isWrapped ? 'wrapped' : null),
          policies: known?.policies ?? [],
          calls: one.calls,
          denied: one.denied,
          failed: one.failed,
          lastAt: one.lastAt,
        }
      }),
      limits,
      limitsUnknown: unknown,
    }
  } finally {
    view.close()
  }
}

/** Servers and calls are shown although the counters are out of reach. */
async function usedNow({ db, counters }: Stack): Promise<{
  readonly used: readonly StandingCount[]
  readonly unknown: string | null
}> {
  const now = systemClock()
  if (counters === null)
    return { used: await db.read((reader) => standingCounts(reader, now)), unknown: null }
  try {
    return { used: await (await counters()).counters.look(now), unknown: null }
  } catch (error) {
    const { message, cure } = toldTo(error, LOCAL_PERSON)
    return { used: [], unknown: `${message} ${cure}` }
  }
}

interface Counts {
  calls: number
  denied: number
  failed: number
  lastAt: EpochMs | null
  /** Whether some came from a client that started it itself. */
  isWrapped: boolean
}

const WRAPPED: Channel = 'mcp-stdio'

const FAILED: ReadonlySet<string> = new Set([
  'tool-error',
  'never-sent',
  'refused-by-server',
  'lost',
  'timed-out',
])

function newCounts(): Counts {
  return { calls: 0, denied: 0, failed: 0, lastAt: null, isWrapped: false }
}

/** The newest first. @returns how many there were */
async function eachCall(
  { audit }: Stack,
  since: EpochMs,
  tell: (server: string, entry: AuditEntry) => void,
): Promise<number> {
  let before: number | undefined
  let read = 0
  while (read < MAX_READ) {
    const page = await audit.query({
      action: 'tool.call',
      from: since,
      limit: PAGE,
      ...(before !== undefined && { before }),
    })
    for (const entry of page) if (entry.server !== null) tell(entry.server, entry)
    read += page.length
    before = page.at(-1)?.seq
    if (page.length < PAGE) break
  }
  return read
}
