export const HEX_DIGIT = 1
export const BASE64_DIGIT = 2
/** What stands between the bytes of a dump. */
const SEPARATOR = 4
const CLASSES = new Uint8Array(65_536)
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_')
  CLASSES[char.charCodeAt(0)] = BASE64_DIGIT | (/[0-9A-Fa-f]/.test(char) ? HEX_DIGIT : 0)
for (const char of ': -,._') {
  const unit = char.charCodeAt(0)
  CLASSES[unit] = (CLASSES[unit] ?? 0) | SEPARATOR
}

/** By unit: 1 for all that a dump or a list of numbers is made of, line ends too. */
const DUMPED = new Uint8Array(65_536)
for (const char of '0123456789ABCDEFabcdefxX: -,._;"\'\t\r\n') DUMPED[char.charCodeAt(0)] = 1

/** Shorter runs cannot hold a value that is strong enough to be remembered. */
export const MIN_RUN = 24
const STEP = MIN_RUN / 2

/** Whether a unit may be part of a run of base64 or hex digits. */
export function isRunDigit(unit: number): boolean {
  return ((CLASSES[unit] ?? 0) & BASE64_DIGIT) !== 0
}

export function isHexDigit(unit: number): boolean {
  return ((CLASSES[unit] ?? 0) & HEX_DIGIT) !== 0
}

/** Where each run of 24 or more base64 digits begins and ends, by turns. Hex digits are among them. */
export function runsIn(units: Uint16Array, length: number): readonly number[] {
  const runs: number[] = []
  addRuns(runs, units, 0, length, BASE64_DIGIT)
  return runs
}

/** The runs of hex digits within the runs of base64 digits, in the same way. */
export function hexRunsIn(units: Uint16Array, runs: readonly number[]): readonly number[] {
  const found: number[] = []
  for (let i = 0; i < runs.length; i += 2)
    addRuns(found, units, runs[i] ?? 0, runs[i + 1] ?? 0, HEX_DIGIT)
  return found
}

/**
 * A run of 24 units holds two probes twelve units apart and everything between them, so that ordinary words are passed
 * over after one or two looks.
 */
function addRuns(
  runs: number[],
  units: Uint16Array,
  first: number,
  length: number,
  mask: number,
): void {
  for (let probe = first; probe + STEP < length; probe += STEP) {
    // All five at once: a branch that is foreseen is cheaper than a look that is saved.
    const common =
      (CLASSES[units[probe] as number] as number) &
      (CLASSES[units[probe + 3] as number] as number) &
      (CLASSES[units[probe + 6] as number] as number) &
      (CLASSES[units[probe + 9] as number] as number) &
      (CLASSES[units[probe + STEP] as number] as number)
    if ((common & mask) === 0) continue
    // What stands between these, too: words are seldom that long.
    const between =
      (CLASSES[units[probe + 1] as number] as number) &
      (CLASSES[units[probe + 2] as number] as number) &
      (CLASSES[units[probe + 4] as number] as number) &
      (CLASSES[units[probe + 5] as number] as number) &
      (CLASSES[units[probe + 7] as number] as number) &
      (CLASSES[units[probe + 8] as number] as number) &
      (CLASSES[units[probe + 10] as number] as number) &
      (CLASSES[units[probe + 11] as number] as number)
    if ((between & mask) === 0) continue
    let from = probe
    while (from > first && ((CLASSES[units[from - 1] as number] as number) & mask) !== 0) from -= 1
    let to = probe + 1
    while (to < length && ((CLASSES[units[to] as number] as number) & mask) !== 0) to += 1
    if (to - from >= MIN_RUN) runs.push(from, to)
    probe += Math.floor((to - probe) / STEP) * STEP
  }
}

/**
 * The end of the white space in which a line ends and the next one is indented, when digits go on behind it or the text
 * ends; -1 when no line ends at `at`.
 */
export function nextLine(units: Uint16Array, at: number, length: number): number {
  let next = at
  if (units[next] === 0x0d) next += 1
  if (next < length && units[next] === 0x0a) next += 1
  if (next === at || next > length) return -1
  while (next < length && (units[next] === 0x20 || units[next] === 0x09)) next += 1
  return next === length || isRunDigit(units[next] as number) ? next : -1
}

/** Digits that stand together in a dump: `6f:70`, `6f70 656e`. */
const GROUPS = [2, 4] as const

/** The shortest dump holds a probe of ten units wherever it begins. */
const DUMP_STEP = 16
export const PROBED = 10

/**
 * Where each dump of 24 or more hex digits with something between its groups begins and ends, by turns.
 *
 * @param look is told of each place where ten units may be of a dump or of a list of numbers
 */
export function dumpsIn(
  units: Uint16Array,
  length: number,
  look: (probe: number) => void,
): readonly number[] {
  const dumps: number[] = []
  for (let probe = 0; probe + PROBED <= length; probe += DUMP_STEP) {
    // One of the probes of a dump stands wholly in it: some of its units are looked at first.
    const common =
      (DUMPED[units[probe] as number] as number) &
      (DUMPED[units[probe + 2] as number] as number) &
      (DUMPED[units[probe + 4] as number] as number) &
      (DUMPED[units[probe + 7] as number] as number) &
      (DUMPED[units[probe + 9] as number] as number)
    if (common === 0) continue
    look(probe)
    let to = 0
    for (let marks = separatorsAt(units, probe); marks !== 0 && to === 0; marks &= marks - 1)
      to = dumpAround(units, probe + (31 - Math.clz32(marks & -marks)) / 3, length, dumps)
    if (to > probe) probe += Math.floor((to - probe) / DUMP_STEP) * DUMP_STEP
  }
  return dumps
}

/** The lowest bit of each class. */
const FIRST_OF_TWOS = 0o111
const FIRST_OF_FOURS = 0o11111

/** Which of ten units have a group of hex digits between themselves and another separator: a bit of three for each. */
function separatorsAt(units: Uint16Array, probe: number): number {
  // Three bits of class for each unit: what is asked of all of them is asked at once.
  const classes =
    (CLASSES[units[probe] as number] as number) |
    ((CLASSES[units[probe + 1] as number] as number) << 3) |
    ((CLASSES[units[probe + 2] as number] as number) << 6) |
    ((CLASSES[units[probe + 3] as number] as number) << 9) |
    ((CLASSES[units[probe + 4] as number] as number) << 12) |
    ((CLASSES[units[probe + 5] as number] as number) << 15) |
    ((CLASSES[units[probe + 6] as number] as number) << 18) |
    ((CLASSES[units[probe + 7] as number] as number) << 21) |
    ((CLASSES[units[probe + 8] as number] as number) << 24) |
    ((CLASSES[units[probe + 9] as number] as number) << 27)
  const pairs = (classes >>> 2) & (classes >>> 3) & (classes >>> 6)
  const twos = pairs & (classes >>> 11) & FIRST_OF_TWOS
  const fours = pairs & (classes >>> 9) & (classes >>> 12) & (classes >>> 17) & FIRST_OF_FOURS
  return twos | fours
}

/** How the digits of a dump stand together. */
interface Layout {
  readonly group: number
  readonly separator: number
}

/** @returns where the dump ends that has a separator at `at`, 0 when there is none */
function dumpAround(units: Uint16Array, at: number, length: number, dumps: number[]): number {
  const separator = units[at] as number
  const first = dumps.at(-1) ?? 0
  for (const group of GROUPS) {
    if (!isGroup(units, at + 1, group, length) || !isGroup(units, at - group, group, length))
      continue
    const from = dumpStart(units, at - group, first, { group, separator })
    const to = dumpEnd(units, from, length, { group, separator })
    if (((to - from) / (group + 1)) * group < MIN_RUN - 1) continue
    dumps.push(from, to)
    return to
  }
  return 0
}

function isGroup(units: Uint16Array, at: number, size: number, length: number): boolean {
  if (at < 0 || at + size > length) return false
  for (let i = at; i < at + size; i++) if (!isHexDigit(units[i] as number)) return false
  return true
}

function dumpStart(
  units: Uint16Array,
  from: number,
  first: number,
  { group, separator }: Layout,
): number {
  let start = from
  for (;;) {
    const isBehind = (end: number): boolean =>
      end - group >= first && isGroup(units, end - group, group, start)
    const line = lineBefore(units, start, separator)
    if (units[start - 1] === separator && isBehind(start - 1)) start -= group + 1
    else if (line !== -1 && isBehind(line)) start = line - group
    else return start
  }
}

/** The end of what stands in the line before, when `at` begins its line; -1 when it does not. */
function lineBefore(units: Uint16Array, at: number, separator: number): number {
  let end = at
  while (isBlank(units[end - 1])) end -= 1
  if (units[end - 1] !== 0x0a) return -1
  end -= 1
  if (units[end - 1] === 0x0d) end -= 1
  return units[end - 1] === separator ? end - 1 : end
}

/** Groups go on behind a separator, a line end, or both. The last one may be shorter. */
function dumpEnd(
  units: Uint16Array,
  from: number,
  length: number,
  { group, separator }: Layout,
): number {
  let end = from + group
  for (;;) {
    const behind = units[end] === separator ? end + 1 : end
    const line = nextLine(units, behind, length)
    const next = line === -1 ? behind : line
    if (next === end) return end
    if (isGroup(units, next, group, length)) end = next + group
    else return isGroup(units, next, 2, length) ? next + 2 : end
  }
}

function isBlank(unit: number | undefined): boolean {
  return unit === 0x20 || unit === 0x09
}

/** Where the run of digits begins that a text ends with, or its length when it ends with none. */
export function trailingRun(units: Uint16Array, length: number): number {
  let at = length
  while (at > 0 && isRunDigit(units[at - 1] ?? 0)) at -= 1
  return at
}
