import type { Engine, InspectContext, Located } from './engine.ts'
import type { Finding } from './finding.ts'
import { type AllowEntry, allowanceOf, type InspectSettings, isBlocking } from './settings.ts'
import { cleanedValue } from './surgical.ts'
import { type Verdict, verdictOf } from './verdict.ts'

/** What is to be done with a value. */
export interface Judgement {
  readonly verdict: Verdict
  /** All of them, hints included, but for detectors that are off. Of the value as it was given. */
  readonly findings: readonly Finding[]
  /** Those that refuse it; in mode `log_only` those that would. In mode `surgical` what cleaning could not remove. */
  readonly blocking: readonly Finding[]
  readonly isBlocked: boolean
  /** Findings that would block and that an entry of the allow-list lets through. */
  readonly allowed: readonly { readonly finding: Finding; readonly entry: AllowEntry }[]
  /** Mode `surgical`, when something was removed: what goes on in place of the value. */
  readonly cleaned?: unknown
}

const CLEAN: Judgement = {
  verdict: 'clean',
  findings: [],
  blocking: [],
  isBlocked: false,
  allowed: [],
}

/** What one cut lays bare is cut in the next round. */
const MAX_ROUNDS = 4

/**
 * Inspects a value and decides by the settings that hold for it.
 *
 * @param now - milliseconds since the epoch, for the expiry of allow-list entries
 */
export function judge(
  engine: Engine,
  value: unknown,
  context: InspectContext,
  settings: InspectSettings,
  now: number,
): Judgement {
  const blocks = (finding: Finding): boolean => isBlocking(finding, settings, now)
  const locate = (one: unknown): readonly Located[] =>
    engine.locate(one, context).filter(({ finding }) => !settings.off.includes(finding.detector))

  const located = locate(value)
  if (located.length === 0) return CLEAN
  const findings = located.map(({ finding }) => finding)
  const blocking = findings.filter(blocks)
  const allowed = findings.flatMap((finding) => {
    const entry = allowanceOf(finding, settings, now)
    const isBlockedOtherwise = isBlocking(finding, { ...settings, allow: [] }, now)
    return entry !== null && isBlockedOtherwise ? [{ finding, entry }] : []
  })
  const plain = { verdict: verdictOf(findings), findings, allowed }
  if (settings.mode !== 'surgical')
    return { ...plain, blocking, isBlocked: settings.mode === 'block' && blocking.length > 0 }

  const isJudged = ({ finding }: Located): boolean => allowanceOf(finding, settings, now) === null
  let cleaned = value
  let left = located
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = cleanedValue(cleaned, left.filter(isJudged), blocks)
    if (next === cleaned) break
    cleaned = next
    left = locate(cleaned)
  }
  const remaining = left.map(({ finding }) => finding).filter(blocks)
  if (remaining.length > 0) return { ...plain, blocking: remaining, isBlocked: true }
  return { ...plain, blocking: [], isBlocked: false, ...(cleaned === value ? {} : { cleaned }) }
}
