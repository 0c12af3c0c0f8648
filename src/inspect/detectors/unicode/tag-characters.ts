import type { Detector, Hit } from '../../detector.ts'
import { MARK } from '../../marks.ts'
import { asGiven } from './as-given.ts'
import { enoughHidden, WHOLE } from './readings.ts'

export const tagCharacters: Detector = {
  id: 'tag-characters',
  category: 'unicode_obfuscation',
  severity: 'high',
  confidence: 0.9,
  summary: 'tag characters (U+E0000–E007F) outside flags: ASCII that only machines read',
  needs: [],
  marks: MARK.hidden,
  reach: WHOLE,
  source: 'Unicode 17.0 chapter 23.9, tag characters; UTS #51 emoji tag sequences',
  find: asGiven((text, _from, _to, scene): readonly Hit[] =>
    enoughHidden(
      text,
      scene,
      ({ kind }) => kind === 'tag',
      ({ count }) => count >= 2,
    ).map(({ start, end, count }) => ({ start, end, ...(count < 2 ? { confidence: 0.6 } : {}) })),
  ),
  catches: [
    'Nice day.\u{e0072}\u{e0065}\u{e0061}\u{e0064}\u{e0020}\u{e006b}\u{e0065}\u{e0079}',
    'a\u{e0001}\u{e0065}\u{e006e}b',
    '\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067} without an end',
  ],
  ignores: [
    '\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} against \u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}',
  ],
}
