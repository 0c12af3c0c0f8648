import { baseRuns } from './decode/base-runs.ts'
import { escapeRuns } from './decode/escapes.ts'
import { foldedRuns, smuggledRuns } from './decode/fold.ts'
import { numberRuns, rotatedRuns, wideRuns } from './decode/lists.ts'
import type { EncodedRun, FindEncoded } from './decoder.ts'
import { Expansions } from './expansions.ts'
import { marksOf } from './marks.ts'

/**
 * What stands encoded or disguised in a text, one layer deep: base64 and its variants, hex, base32, percent and backslash
 * escapes, HTML entities, quoted-printable, lists of character codes, UTF-16, ROT13 where the text gives it away, tag
 * characters, variation selectors, and look-alike letters (`fold`). Only what decodes to text is a run, so that hashes,
 * keys and certificates are none.
 */
export const findEncoded: FindEncoded = (text, scene, expansions = new Expansions()) => {
  const runs: EncodedRun[] = []
  const marks = scene.marks ?? marksOf(text)
  baseRuns(text, expansions, runs)
  escapeRuns(text, marks, runs)
  numberRuns(text, marks, runs)
  wideRuns(text, marks, runs)
  rotatedRuns(text, scene.via, runs)
  smuggledRuns(text, marks, runs)
  foldedRuns(text, marks, scene, runs)
  return runs
}
