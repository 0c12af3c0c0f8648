/** How far back the words are looked for that make a phrase an example. UTF-16 units. */
const BEFORE = 90
const AFTER = 60

/** In the same sentence, so few units before the phrase: it is spoken of, not said. */
const NEAR = 50
const SPEAKING_OF =
  /\b(?:such as|for example|e\.g\.|for instance|examples?|phrases?|strings?|patterns?|payloads?|sentences?|(?:expected|mock|canned|sample) (?:output|response|reply|input)|detects?|blocks?|flags?|matches|contain(?:s|ing)?|attempts?(?: like)?|attacks?(?: like)?|called|saying|says|asks?|asked|whether|known as|labell?ed|wie zum beispiel|z\. ?b\.|par exemple|por ejemplo|por exemplo|ad esempio|например)\b/gi

function isSpokenOf(before: string): boolean {
  // What ends a sentence does so wherever it stands, but for the dots of an abbreviation.
  for (const match of before.matchAll(SPEAKING_OF)) {
    const end = match.index + match[0].length
    if (before.length - end <= NEAR && !SENTENCE_END.test(before.slice(end))) return true
  }
  return false
}
const SENTENCE_END = /[.!?\n]/
const OPENING_QUOTE = /["'`“‘«„「『(]\s?$/
const ABOUT_ATTACKS =
  /\b(?:prompt injections?|injection (?:attack|attempt|phrase|string|pattern)s?|jailbreak(?:s|ing)? (?:attempt|prompt|attack)s?|red[- ]team(?:ing)?|attackers?|adversarial|malicious (?:prompt|input|instruction)s?|scanner|detect(?:s|ion|or)|test(?:s|ing)? (?:case|fixture)s?|owasp)\b/i
const ORDERS = /\b(?:obey|comply|follow whatever|you must)\b/i

/**
 * Whether a phrase is quoted as an example rather than addressed to the reader: named in the same sentence as a string,
 * an example or an attack, or put in quotes or a code span in a text about attacks.
 */
export function isMention(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - BEFORE), start)
  if (isSpokenOf(before) && !ORDERS.test(text.slice(end, end + AFTER))) return true
  if (!OPENING_QUOTE.test(before)) return false
  const around = text.slice(Math.max(0, start - 3 * BEFORE), Math.min(text.length, end + AFTER * 2))
  return ABOUT_ATTACKS.test(around)
}

/** Below what counts: a hint for those who look at everything. */
export const HINT = 0.4

/** The confidence of a phrase, or that of a hint when it is only spoken of. */
export function unlessMentioned(
  text: string,
  start: number,
  end: number,
  confidence: number,
): number {
  return isMention(text, start, end) ? Math.min(confidence, HINT) : confidence
}
