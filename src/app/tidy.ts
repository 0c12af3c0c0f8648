import { changeLane, type RowRevision, type Settled } from '../audit/index.ts'
import type { SqlValue, Tx } from '../core/db-port.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import type { MacRow, MacTable } from '../keys/index.ts'
import type { Stack } from './open-stack.ts'
import { deleteEnded } from './tidy-repository.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Rows of a table that one transaction removes: its record names each of them. */
const AT_ONCE = 100

/** What is over, and how long it is kept after that, so that people can still look at it. */
interface Rule {
  readonly what: string
  readonly keptMs: number
  /** Removes rows that were over before an instant. @returns those that the record has to name, and how many went */
  remove(tx: Tx, before: EpochMs): Promise<{ rows: readonly RowRevision[]; count: number }>
}

/**
 * Removes what no longer counts: what is over stays for some time, then goes, and a record names it. The audit keeps
 * what was recorded of it, and nothing goes that a limit still counts.
 *
 * @returns how many rows of each kind
 */
export async function tidy(stack: Stack): Promise<ReadonlyMap<string, number>> {
  const rules = rulesOf(stack)
  const lane = changeLane('store.tidy', (tx, _none: null, at) => tidied(rules, tx, at))
  const removed = new Map<string, number>()
  for (;;) {
    const { value } = await stack.ledger.commit(lane, null)
    for (const [what, count] of value) removed.set(what, (removed.get(what) ?? 0) + count)
    if (![...value.values()].some((count) => count >= AT_ONCE)) return removed
  }
}

function rulesOf({ identity, approvals, tables }: Stack): readonly Rule[] {
  const { userSessions, userLinks, endedTokens } = identity.tables
  const over = (before: EpochMs): readonly SqlValue[] => [before]
  return [
    rule('sessions', DAY_MS, userSessions, 'ends_at < ?', over),
    rule('links', 7 * DAY_MS, userLinks, 'expires_at < ?', over),
    // A node whose clock is behind must still find it.
    rule('ended_tokens', HOUR_MS, endedTokens, 'ends_at < ?', over),
    rule('shares', 90 * DAY_MS, tables.shares, 'expires_at < ?', over),
    rule(
      'approvals',
      90 * DAY_MS,
      approvals.tables.approvals,
      'expires_at < ? and coalesce(decided_at, 0) < ? and coalesce(consumed_at, 0) < ?',
      (before) => [before, before, before],
    ),
    // They carry no rights, and no record ever named them.
    unnamed(rule('notices', 7 * DAY_MS, approvals.tables.deliveries, NOTICES, over)),
  ]
}

const NOTICES = "state = 'given-up' and next_at < ?"

function unnamed(named: Rule): Rule {
  return {
    ...named,
    remove: async (tx, before) => ({ ...(await named.remove(tx, before)), rows: [] }),
  }
}

function rule<R extends MacRow>(
  what: string,
  keptMs: number,
  table: MacTable<R>,
  where: string,
  params: (before: EpochMs) => readonly SqlValue[],
): Rule {
  return {
    what,
    keptMs,
    async remove(tx, before) {
      const gone = await table.select(tx, `${where} limit ${AT_ONCE} /*lock*/`, params(before))
      for (const row of gone) await table.remove(tx, row)
      const rows = gone.map((row) => [table.name, table.idOf(row), null] as const)
      return { rows, count: gone.length }
    },
  }
}

async function tidied(
  rules: readonly Rule[],
  tx: Tx,
  at: EpochMs,
): Promise<Settled<ReadonlyMap<string, number>>> {
  const removed = new Map<string, number>()
  const rows: RowRevision[] = []
  for (const { what, keptMs, remove } of rules) {
    const gone = await remove(tx, epochMs(at - keptMs))
    if (gone.count > 0) removed.set(what, gone.count)
    rows.push(...gone.rows)
  }
  await deleteEnded(tx, at)
  const record =
    rows.length === 0
      ? null
      : {
          kind: 'change' as const,
          action: 'store.tidy',
          caller: null,
          rows,
          detail: Object.fromEntries(removed),
        }
  return { value: removed, record }
}
