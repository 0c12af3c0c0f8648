/** Classes of units that runs are read by where a pattern would read them again and again. */
const CLASS = { alphanumeric: 1, base64: 2, base64url: 4 } as const

export type UnitClass = keyof typeof CLASS

const ASCII = 128
const CLASSES = new Uint8Array(ASCII)

function add(bits: number, units: string): void {
  for (let at = 0; at < units.length; at++) {
    const unit = units.charCodeAt(at)
    CLASSES[unit] = (CLASSES[unit] ?? 0) | bits
  }
}

add(
  CLASS.alphanumeric | CLASS.base64 | CLASS.base64url,
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
)
add(CLASS.base64, '+/=')
add(CLASS.base64url, '-_')

/** @param unit - a UTF-16 unit, or NaN as `charCodeAt` says where there is none */
export function isIn(unitClass: UnitClass, unit: number): boolean {
  return ((CLASSES[unit] ?? 0) & CLASS[unitClass]) !== 0
}

/** Where the run of units of a class that begins at `from` ends, `most` units behind it at the farthest. */
export function runEnd(unitClass: UnitClass, text: string, from: number, most: number): number {
  const bits = CLASS[unitClass]
  const limit = Math.min(text.length, from + most)
  let end = from
  while (end < limit && ((CLASSES[text.charCodeAt(end)] ?? 0) & bits) !== 0) end += 1
  return end
}

/** Base64 without what fills it up at the end. */
export function withoutPadding(base64: string): string {
  let end = base64.length
  while (end > 0 && base64[end - 1] === '=') end -= 1
  return base64.slice(0, end)
}
