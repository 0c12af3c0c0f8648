// What the suite writes down of its scenarios.
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface Check {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly errorMessage?: string
}

/** The checks of each scenario, in their order. */
export type Results = ReadonlyMap<string, readonly Check[]>

/** What counts as failed; a check that could not be made is told as information and is no failure. */
export const FAILED: ReadonlySet<string> = new Set(['FAILURE'])

/** What the suite wrote down there, by scenario; nothing where it wrote nothing. */
export async function checksIn(folder: string): Promise<Results> {
  const results = new Map<string, Check[]>()
  for (const file of await readdir(folder, { recursive: true }).catch(() => [])) {
    if (basename(file) !== 'checks.json') continue
    const scenario = dirname(file).replace(/^server-|-\d{4}-\d\d-\d\dT.*$/g, '')
    const text = await readFile(join(folder, file), 'utf8')
    results.set(scenario, [...(results.get(scenario) ?? []), ...(JSON.parse(text) as Check[])])
  }
  return results
}

/** The worst of what the suite wrote down there, by scenario and check. */
export async function resultsIn(folder: string): Promise<ReadonlyMap<string, Check>> {
  const results = new Map<string, Check>()
  for (const [scenario, checks] of await checksIn(folder))
    for (const [id, check] of worstOf(checks)) results.set(`${scenario}:${id}`, check)
  return results
}

const ORDER = ['FAILURE', 'WARNING', 'SUCCESS', 'INFO', 'SKIPPED']

/** A check may be made several times in one scenario; one failure is enough. */
export function worstOf(checks: readonly Check[]): ReadonlyMap<string, Check> {
  const worst = new Map<string, Check>()
  for (const check of checks) {
    const known = worst.get(check.id)
    const isWorse = known === undefined || ORDER.indexOf(check.status) < ORDER.indexOf(known.status)
    if (isWorse) worst.set(check.id, check)
  }
  return worst
}
