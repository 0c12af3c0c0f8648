import type { Scene } from '../../detector.ts'
import { type HiddenRun, hiddenIn } from '../../normalise.ts'

/** More runs of one detector make it no worse, and the scanner keeps fewer; each detector counts its own. */
const ENOUGH = 256

/** What hides or belongs somewhere else shows only with the whole text in view. */
export const WHOLE = { before: Number.POSITIVE_INFINITY, after: Number.POSITIVE_INFINITY } as const

/** What stands hidden in a text as far as one detector reports it: up to enough of the worst. */
export function enoughHidden(
  text: string,
  scene: Scene,
  isOf: (run: HiddenRun) => boolean,
  isWorst: (run: HiddenRun) => boolean = () => true,
): HiddenRun[] {
  const runs: HiddenRun[] = []
  let worst = 0
  for (const run of hiddenIn(text, 0, text.length, scene)) {
    if (worst >= ENOUGH) break
    if (!isOf(run)) continue
    runs.push(run)
    if (isWorst(run)) worst += 1
  }
  return runs
}
