/** Between pieces of a text that do not belong together. A noncharacter: no value holds it. */
export const BREAK = 0xffff

/** Texts up to this long are copied to the same place again and again: room that is made anew costs more than the copy. */
const KEPT_UNITS = 32_768

const kept = new Uint16Array(KEPT_UNITS)
let isKeptTaken = false

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/**
 * Hands over the UTF-16 units of a text as an array, which is read several times faster than the text. The array may be
 * longer than the text, and is wiped when `use` is done: it must not be kept.
 */
export function withUnits<T>(text: string, use: (units: Uint16Array) => T): T {
  const { length } = text
  if (length > KEPT_UNITS || isKeptTaken) return use(filled(new Uint16Array(length), text))
  isKeptTaken = true
  try {
    return use(filled(kept, text))
  } finally {
    kept.fill(0, 0, length)
    isKeptTaken = false
  }
}

/** The UTF-16 units of a text, to keep. */
export function unitsOf(text: string): Uint16Array {
  return filled(new Uint16Array(text.length), text)
}

function filled(units: Uint16Array, text: string): Uint16Array {
  if (IS_LITTLE_ENDIAN)
    Buffer.from(units.buffer, units.byteOffset, units.byteLength).write(text, 'utf16le')
  else for (let at = 0; at < text.length; at++) units[at] = text.charCodeAt(at)
  return units
}
