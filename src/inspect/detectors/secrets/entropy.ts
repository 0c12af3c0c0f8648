const ASCII = 128
/** How often each unit of ASCII stands in the text that is looked at. */
const counts = new Uint16Array(ASCII)
const MAX_COUNTED = 0xffff

/** Counts the units of a text of ASCII; false where it is none or too long for that. */
function count(text: string): boolean {
  if (text.length > MAX_COUNTED) return false
  counts.fill(0)
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= ASCII) return false
    counts[unit] = (counts[unit] as number) + 1
  }
  return true
}

function countsOf(text: string): Iterable<number> {
  const counted = new Map<number, number>()
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    counted.set(unit, (counted.get(unit) ?? 0) + 1)
  }
  return counted.values()
}

/** Shannon entropy of the units of a text, bits per unit. 0 for the empty text. */
export function entropyOf(text: string): number {
  let bits = 0
  for (const times of count(text) ? counts : countsOf(text)) {
    if (times === 0) continue
    const share = times / text.length
    bits -= share * Math.log2(share)
  }
  return bits
}

/** How many of the characters differ from all before them. */
export function distinctUnits(text: string): number {
  if (!count(text)) return new Set(text).size
  let distinct = 0
  for (const times of counts) if (times > 0) distinct += 1
  return distinct
}

/** How often a unit is the next or the same as the one before it (`abcd`, `1234`, `xxxx`), 0–1. */
export function runShare(text: string): number {
  if (text.length < 2) return 0
  let steps = 0
  for (let at = 1; at < text.length; at++) {
    const step = text.charCodeAt(at) - text.charCodeAt(at - 1)
    if (step === 0 || step === 1) steps += 1
  }
  return steps / (text.length - 1)
}
