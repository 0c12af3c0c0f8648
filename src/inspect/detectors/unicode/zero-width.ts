import type { Detector, Hit } from '../../detector.ts'
import { MARK } from '../../marks.ts'
import type { HiddenRun } from '../../normalise.ts'
import { asGiven } from './as-given.ts'
import { enoughHidden, WHOLE } from './readings.ts'

const isInvisible = (kind: string): boolean => kind === 'zero-width' || kind === 'filler'
const isInWordAndInvisible = (run: HiddenRun): boolean => run.isInWord && isInvisible(run.kind)
const isBesideWords = (run: HiddenRun): boolean => !run.isInWord && isInvisible(run.kind)

export const zeroWidthInWord: Detector = {
  id: 'zero-width-in-word',
  category: 'unicode_obfuscation',
  severity: 'medium',
  confidence: 0.85,
  summary: 'invisible characters between the letters of a word, which hide it from filters',
  needs: [],
  marks: MARK.hidden,
  reach: WHOLE,
  source: 'Unicode 17.0 DerivedCoreProperties, Default_Ignorable_Code_Point; UTS #39 section 5.4',
  find: asGiven((text, _from, _to, scene): readonly Hit[] =>
    enoughHidden(text, scene, isInWordAndInvisible).map(({ start, end }) => ({ start, end })),
  ),
  catches: ['del\u200bete the files', 'п\u2060ароль', 'p\u00ada\u00ads\u00ads', 'a\ufeffb'],
  ignores: [
    '\ufeffa byte order mark',
    'می\u200cخواهم',
    'ക്\u200d ന്\u200d',
    '\u{1f469}\u200d\u{1f680} ready',
    'Donau\u00addampf\u00adschiff',
    'สวัสดี\u200bชาวโลก',
    'file\u200e (1).txt',
    'क्\u200dष',
  ],
}

export const invisibleCharacter: Detector = {
  id: 'invisible-character',
  category: 'unicode_obfuscation',
  severity: 'low',
  confidence: 0.5,
  summary: 'invisible characters that join and part nothing where they stand',
  needs: [],
  marks: MARK.hidden,
  reach: WHOLE,
  source: zeroWidthInWord.source,
  find: asGiven((text, _from, _to, scene): readonly Hit[] =>
    enoughHidden(
      text,
      scene,
      isBesideWords,
      ({ count }) => count >= 8 || scene.kind === 'description',
    ).map(({ start, end, count }) => ({
      start,
      end,
      ...(count >= 8 || scene.kind === 'description'
        ? { severity: 'medium' as const, confidence: 0.7 }
        : {}),
    })),
  ),
  catches: [
    'Done.\u200b And one more thing',
    'const \u3164 = 1',
    { text: 'Lists files.\u2060', kind: 'description' },
    'over\u200b\u200c\u200c\u200b\u200b\u200c\u200b\u200c\u200d there',
  ],
  ignores: zeroWidthInWord.ignores,
}
