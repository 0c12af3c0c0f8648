import type { Detector, Hit } from '../../detector.ts'
import { MARK } from '../../marks.ts'
import { asGiven } from './as-given.ts'
import { enoughHidden, WHOLE } from './readings.ts'

export const bidiControl: Detector = {
  id: 'bidi-control',
  category: 'unicode_obfuscation',
  severity: 'high',
  confidence: 0.7,
  summary:
    'direction overrides, and embeddings or isolates with no right-to-left text near: what a person sees has another order than what is read',
  needs: [],
  marks: MARK.hidden,
  reach: WHOLE,
  source: 'UAX #9; UTR #36 section 3.4; CVE-2021-42574 (Trojan Source)',
  find: asGiven((text, _from, _to, scene): readonly Hit[] =>
    enoughHidden(
      text,
      scene,
      ({ kind }) => kind === 'bidi',
      ({ isOverride }) => isOverride,
    ).map(({ start, end, isOverride }) => ({
      start,
      end,
      ...(isOverride ? { confidence: 0.9 } : {}),
    })),
  ),
  catches: [
    'invoice_\u202efdp.exe',
    { text: 'if (level != "user\u202e \u2066// only admins\u2069 \u2066") {', kind: 'code' },
    'return \u2067; do_nothing() */',
  ],
  ignores: [
    'שם הקובץ הוא \u2066report.pdf\u2069 והוא מוכן',
    'السعر \u202a$25\u202c فقط',
    'left\u200e and right\u200f marks',
  ],
}
