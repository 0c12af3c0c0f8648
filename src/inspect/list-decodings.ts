import { type ByteList, PER_NUMBER } from './byte-lists.ts'
import { READINGS, type Reading } from './byte-numbers.ts'
import { Rewriting, type View } from './view.ts'

/** Each way to read the lists of numbers in a view, as runs of lower-case hex digits. */
export function listViews(view: View, margin: number): readonly View[] {
  const { lists } = view.numbers
  if (lists.length === 0) return NONE
  const views: View[] = []
  for (const [index, reading] of READINGS.entries()) {
    const rewriting = new Rewriting(view, margin)
    for (const list of lists)
      if (list.reading === index) rewrite(rewriting, view.units, list.numbers, reading)
    const decoded = rewriting.result()
    if (decoded !== null) views.push(decoded)
  }
  return views
}

const NONE: readonly View[] = []

function rewrite(
  rewriting: Rewriting,
  units: Uint16Array,
  numbers: ByteList['numbers'],
  reading: Reading,
): void {
  let done = numbers[0] as number
  for (let i = 0; i < numbers.length; i += PER_NUMBER) {
    const start = numbers[i] as number
    const end = numbers[i + 1] as number
    if (start > done) rewriting.replace(done, start, NOTHING)
    rewriting.replace(start, end, digitsOf(reading(units, start, end)), numbers[i + 2])
    done = end
  }
}

const NOTHING: readonly number[] = []
const DIGITS = '0123456789abcdef'
/** By byte: its two digits. */
const PAIRS: readonly (readonly number[])[] = Array.from({ length: 256 }, (_, byte) => [
  DIGITS.charCodeAt(byte >>> 4),
  DIGITS.charCodeAt(byte & 15),
])

/** Most numbers are one byte. */
function digitsOf(bytes: readonly number[] | null): readonly number[] {
  if (bytes?.length === 1) return PAIRS[bytes[0] ?? 0] ?? NOTHING
  return (bytes ?? NOTHING).flatMap((byte) => PAIRS[byte] ?? NOTHING)
}
