import type { Log } from '../core/log.ts'
import type { PolicyProblem } from '../policy/tool-policy/index.ts'

/** Not everybody has a policy validated first. @param where - the file, or the name that it is kept under */
export function warnOf(
  log: Log,
  where: Readonly<Record<string, string>>,
  warnings: readonly PolicyProblem[],
): void {
  for (const { line, column, problem } of warnings)
    log.warn(`the policy may say what is not meant: ${problem}`, { ...where, line, column })
}
