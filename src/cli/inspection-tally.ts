import type { AuditEntry, AuditPort } from '../core/admin-port.ts'
import type { EpochMs } from '../core/time.ts'

/** What one detector did to calls in a while. Each call counts once, under the worst that came of it. */
export interface DetectorTally {
  readonly detector: string
  /** Calls that it refused. */
  readonly refused: number
  /** Calls that it would have refused, had the mode been `block`. */
  readonly wouldRefuse: number
  /** Calls that went on with cleaned arguments. */
  readonly changed: number
  /** Calls that an entry of the allow-list let through. */
  readonly allowed: number
  /** Calls and answers in which it was only seen. */
  readonly recorded: number
  readonly modes: readonly string[]
  readonly tools: readonly string[]
  readonly lastAt: EpochMs
}

interface Tally {
  refused: number
  wouldRefuse: number
  changed: number
  allowed: number
  recorded: number
  readonly modes: Set<string>
  readonly tools: Set<string>
  lastAt: EpochMs
}

const ACTIONS: ReadonlySet<string> = new Set([
  'inspection.refused',
  'inspection.changed',
  'inspection.passed',
])
const PAGE = 1_000

/** What the records of inspection say since a time, by detector, the one that stops most first. */
export async function tallied(
  audit: Pick<AuditPort, 'query'>,
  from: EpochMs,
): Promise<readonly DetectorTally[]> {
  const tallies = new Map<string, Tally>()
  for await (const entry of entriesOf(audit, from))
    if (ACTIONS.has(entry.action)) add(tallies, entry)
  return [...tallies]
    .map(([detector, { modes, tools, ...counts }]) => ({
      detector,
      ...counts,
      modes: [...modes].toSorted(),
      tools: [...tools].toSorted(),
    }))
    .toSorted(
      (a, b) =>
        b.refused + b.wouldRefuse - (a.refused + a.wouldRefuse) ||
        b.changed - a.changed ||
        b.recorded - a.recorded ||
        (a.detector < b.detector ? -1 : 1),
    )
}

async function* entriesOf(
  audit: Pick<AuditPort, 'query'>,
  from: EpochMs,
): AsyncGenerator<AuditEntry> {
  let before: number | null = null
  for (;;) {
    const page: readonly AuditEntry[] = await audit.query({
      action: 'inspection.*',
      from,
      limit: PAGE,
      ...(before !== null && { before }),
    })
    yield* page
    const last = page.at(-1)
    if (page.length < PAGE || last === undefined) return
    before = last.seq
  }
}

function add(tallies: Map<string, Tally>, { action, at, body }: AuditEntry): void {
  const detail = detailOf(body)
  const { blocking, allowed, mode, tool, direction } = detail
  const seen = new Set(detail.findings.map((line) => line.split(' ', 1)[0] ?? ''))
  for (const detector of new Set([...seen, ...blocking, ...allowed])) {
    const tally: Tally = tallies.get(detector) ?? {
      refused: 0,
      wouldRefuse: 0,
      changed: 0,
      allowed: 0,
      recorded: 0,
      modes: new Set(),
      tools: new Set(),
      lastAt: at,
    }
    tallies.set(detector, tally)
    tally[columnOf(action, direction, detector, detail)] += 1
    tally.modes.add(mode)
    tally.tools.add(tool)
    if (at > tally.lastAt) tally.lastAt = at
  }
}

function columnOf(
  action: string,
  direction: string,
  detector: string,
  { blocking, allowed }: Detail,
): 'refused' | 'wouldRefuse' | 'changed' | 'allowed' | 'recorded' {
  // Answers are never refused.
  if (direction === 'output') return 'recorded'
  if (blocking.includes(detector)) {
    if (action === 'inspection.refused') return 'refused'
    if (action === 'inspection.passed') return 'wouldRefuse'
  }
  if (allowed.includes(detector)) return 'allowed'
  return action === 'inspection.changed' ? 'changed' : 'recorded'
}

interface Detail {
  readonly tool: string
  readonly mode: string
  readonly direction: string
  readonly findings: readonly string[]
  readonly blocking: readonly string[]
  readonly allowed: readonly string[]
}

function detailOf(body: string): Detail {
  const parsed = JSON.parse(body) as { readonly detail?: Readonly<Record<string, unknown>> }
  const detail = parsed.detail ?? {}
  const text = (name: string): string => (typeof detail[name] === 'string' ? detail[name] : '')
  const list = (name: string): readonly string[] => {
    const value = detail[name]
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
  }
  return {
    tool: text('tool'),
    mode: text('mode'),
    direction: text('direction'),
    findings: list('findings'),
    blocking: list('blocking'),
    allowed: list('allowed'),
  }
}
