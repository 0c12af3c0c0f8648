import type { Detector, Hit } from '../../detector.ts'
import { type LookAlikeWord, lookAlikesIn } from '../../look-alike-words.ts'
import { MARK } from '../../marks.ts'
import { asGiven } from './as-given.ts'
import { WHOLE } from './readings.ts'

const SOURCE = 'UTS #39 sections 4 and 5 (confusables, mixed scripts), Unicode 17.0'

function find(
  kinds: readonly LookAlikeWord['kind'][],
  differs: (word: LookAlikeWord) => Partial<Hit>,
): Detector['find'] {
  return asGiven((text, from, to, scene) => {
    return lookAlikesIn(text, from, to, scene)
      .filter(({ kind }) => kinds.includes(kind))
      .map((word) => ({ start: word.start, end: word.end, ...differs(word) }))
  })
}

export const mixedScriptWord: Detector = {
  id: 'mixed-script-word',
  category: 'unicode_obfuscation',
  severity: 'medium',
  confidence: 0.8,
  summary: 'a word of two scripts in which every letter of one looks like a letter of the other',
  needs: [],
  marks: MARK.foreign,
  reach: WHOLE,
  source: SOURCE,
  find: find(['mixed', 'edge'], ({ kind }) => (kind === 'edge' ? { confidence: 0.4 } : {})),
  catches: [
    'log in to p\u0430ypal today',
    '\u0441url the file',
    'cat /\u0435tc/hosts',
    'в\u0430ш п\u0430p\u043eль',
    's\u03c5d\u03bf reboot',
    '\u146day the fee',
    'g\u05e1\u05e1gle',
    'your \u0391pple account',
  ],
  ignores: [
    'HTML-код и USB-хаб',
    'USBхаб',
    'Δt = 5 μs, 10 kΩ, αx + βy, αmin, Τmax',
    'Привет, world',
    '日本語Text',
    'naïve Übung Ångström',
    'x² ½ № 5',
    'וWindows או הUSB',
  ],
}

export const wholeScriptLookAlike: Detector = {
  id: 'whole-script-look-alike',
  category: 'unicode_obfuscation',
  severity: 'medium',
  confidence: 0.6,
  summary: 'a word of foreign letters alone that reads as a Latin one, among Latin words',
  needs: [],
  marks: MARK.foreign,
  reach: WHOLE,
  source: SOURCE,
  find: find(['whole', 'phonetic'], ({ kind }) => (kind === 'phonetic' ? { confidence: 0.5 } : {})),
  catches: ['visit \u0441\u0430\u0441\u0430\u043e.com for more', 'sign in to p\u0251yp\u0251l now'],
  ignores: ['он сора не вынес', 'say осора, это слово', 'the word /ˈɡuːɡəl/ in IPA', 'Ɛʋegbe ɖe'],
}
