import { type Detector, matchesOf } from '../../detector.ts'
import { MARK } from '../../marks.ts'
import { asGiven } from './as-given.ts'

const glued = matchesOf(
  /(?<=[A-Za-z][.!?:]?)(?:[\ue000-\uf8fe]|[\udb80-\udbff][\udc00-\udfff]){1,256}/g,
)

export const privateUse: Detector = {
  id: 'private-use-character',
  category: 'unicode_obfuscation',
  severity: 'low',
  confidence: 0.5,
  summary:
    'private-use characters glued to the end of a word or sentence, or several in a row there: nobody sees them, icon fonts stand apart',
  needs: [],
  marks: MARK.hidden,
  source: 'Unicode 17.0 chapter 23.5, private-use characters',
  find: asGiven(glued),
  catches: ['Reads the clock.\ue001 Then more', 'word\ue123\ue124\ue125'],
  ignores: ['\ue0b0 main \uf126 2', 'Made on a Mac\uf8ff', '<i>\uf015</i>', 'icon: "\ue900"'],
}
