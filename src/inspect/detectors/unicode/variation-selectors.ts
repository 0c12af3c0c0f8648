import type { Detector, Hit } from '../../detector.ts'
import { MARK } from '../../marks.ts'
import { asGiven } from './as-given.ts'
import { enoughHidden, WHOLE } from './readings.ts'

export const variationSelectors: Detector = {
  id: 'variation-selectors',
  category: 'unicode_obfuscation',
  severity: 'medium',
  confidence: 0.6,
  summary:
    'variation selectors in a row or after letters that have no variants: 256 of them carry any byte unseen',
  needs: [],
  marks: MARK.hidden,
  reach: WHOLE,
  source:
    'Unicode 17.0 chapter 23.4; StandardizedVariants.txt and the Ideographic Variation Database',
  find: asGiven((text, _from, _to, scene): readonly Hit[] =>
    enoughHidden(
      text,
      scene,
      ({ kind }) => kind === 'variation',
      ({ count }) => count >= 4,
    ).map(({ start, end, count }) => ({
      start,
      end,
      ...(count >= 4 ? { severity: 'high' as const, confidence: 0.9 } : {}),
    })),
  ),
  catches: [
    'Hi \u{1f600}\u{e0157}\u{e0158}\u{e0151}\u{e0110} there',
    'ab\ufe00\ufe01c',
    'x\u{e0101}y',
  ],
  ignores: [
    '\u2764\ufe0f and 1\ufe0f\u20e3',
    '葛\u{e0100}飾区',
    '\u{1f468}\u200d\u2764\ufe0f\u200d\u{1f468}',
  ],
}
