import { type Detector, matchesOf } from '../../detector.ts'
import { MARK } from '../../marks.ts'
import { asGiven } from './as-given.ts'

const MATHEMATICAL =
  /(?:\ud835[\udc00-\udfcb]|[\u24b6-\u24e9]|\ud83c[\udd30-\udd49\udd50-\udd69\udd70-\udd89]){4,256}/g
const FULL_WIDTH = /[\uff21-\uff3a\uff41-\uff5a]{2,256}/g
/** Full-width Latin is ordinary where Chinese, Japanese and Korean stand beside it. */
const EAST_ASIAN = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff66-\uff9f]/
const NEAR = 64

export const mathematicalLetters: Detector = {
  id: 'mathematical-letters',
  category: 'unicode_obfuscation',
  severity: 'medium',
  confidence: 0.7,
  summary:
    'words in mathematical, circled or squared letters, which read as plain ones and match none',
  needs: [],
  marks: MARK.foreign,
  source: 'Unicode 17.0 Mathematical Alphanumeric Symbols, Enclosed Alphanumerics; NFKC (UAX #15)',
  find: asGiven(matchesOf(MATHEMATICAL)),
  catches: ['\u{1d5f6}\u{1d5f4}\u{1d5fb}\u{1d5fc}\u{1d5ff}\u{1d5f2} that', 'ⓐⓓⓜⓘⓝ only'],
  ignores: ['𝔼[X] = ∑ 𝑝ᵢ xᵢ, 𝑥 ∈ ℝ', 'Ⓐ and Ⓑ', '\u{1f1e9}\u{1f1ea}'],
}

export const fullWidthLetters: Detector = {
  id: 'full-width-letters',
  category: 'unicode_obfuscation',
  severity: 'medium',
  confidence: 0.7,
  summary: 'words in full-width Latin letters with no East Asian text near',
  needs: [],
  marks: MARK.foreign,
  source: 'Unicode 17.0 Halfwidth and Fullwidth Forms; UAX #11; NFKC (UAX #15)',
  find: asGiven(
    matchesOf(FULL_WIDTH, ({ 0: word }, start, text) =>
      EAST_ASIAN.test(text.slice(Math.max(0, start - NEAR), start + word.length + NEAR))
        ? { confidence: 0.3 }
        : {},
    ),
  ),
  catches: ['ｄｅｌｅｔｅ all of it', '；ｌｓ　－ｌａ'],
  ignores: ['ＮＨＫのニュース', '请使用ＵＳＢ接口', '価格：１００円（税込）', 'Ａ and Ｂ'],
}
