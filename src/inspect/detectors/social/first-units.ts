/**
 * Which units a pattern can begin with, read from its source: what our own tables of patterns are written in, no more.
 * Wherever the source is not clear enough the answer is "any".
 */

/** Lower case; null for any. */
export type FirstUnits = ReadonlySet<string> | null

interface Item {
  readonly first: FirstUnits
  readonly mayBeEmpty: boolean
  readonly end: number
}

const NOTHING: FirstUnits = new Set()

/** The offset just after the bracket that closes the one at `at`. */
function closeOf(source: string, at: number): number {
  let depth = 0
  let isClass = false
  for (let index = at; index < source.length; index += 1) {
    const unit = source.charAt(index)
    if (unit === '\\') index += 1
    else if (unit === '[') isClass = true
    else if (unit === ']') isClass = false
    else if (!isClass && unit === '(') depth += 1
    else if (!isClass && unit === ')') depth -= 1
    if (!isClass && depth === 0 && (unit === ')' || unit === ']')) return index + 1
  }
  throw new RangeError(`the pattern '${source}' has an open bracket`)
}

/** `a|b(?:c|d)` as `a` and `b(?:c|d)`. */
export function alternativesOf(source: string): readonly string[] {
  const found: string[] = []
  let from = 0
  for (let at = 0; at < source.length; at += 1) {
    const unit = source.charAt(at)
    if (unit === '\\') at += 1
    else if (unit === '(' || unit === '[') at = closeOf(source, at) - 1
    else if (unit === '|') {
      found.push(source.slice(from, at))
      from = at + 1
    }
  }
  found.push(source.slice(from))
  return found
}

function unionOf(all: readonly FirstUnits[]): FirstUnits {
  const units = new Set<string>()
  for (const one of all) {
    if (one === null) return null
    for (const unit of one) units.add(unit)
  }
  return units
}

/** Of a class without ranges; any for all others. */
function ofClass(inner: string): FirstUnits {
  if (/^\^|\\[^\]\\/-]|\w-\w/.test(inner)) return null
  return new Set(inner.replaceAll('\\', '').toLowerCase())
}

function itemAt(source: string, at: number): Item {
  const unit = source.charAt(at)
  if (unit === '(') {
    const end = closeOf(source, at)
    const inner = source.slice(at + 1, end - 1)
    if (/^\?(?:<?[=!])/.test(inner)) return { first: NOTHING, mayBeEmpty: true, end }
    const plain = inner.replace(/^\?:/, '')
    return { first: firstUnitsOf(plain), mayBeEmpty: false, end }
  }
  if (unit === '[') {
    const end = closeOf(source, at)
    return { first: ofClass(source.slice(at + 1, end - 1)), mayBeEmpty: false, end }
  }
  if (unit === '^' || unit === '$') return { first: NOTHING, mayBeEmpty: true, end: at + 1 }
  if (unit === '.') return { first: null, mayBeEmpty: false, end: at + 1 }
  if (unit !== '\\') return { first: new Set([unit.toLowerCase()]), mayBeEmpty: false, end: at + 1 }
  const escaped = source.charAt(at + 1)
  const end = at + 2
  if (escaped === 'b') return { first: NOTHING, mayBeEmpty: true, end }
  if (escaped === 'n') return { first: new Set(['\n']), mayBeEmpty: false, end }
  if (/\w/.test(escaped)) return { first: null, mayBeEmpty: false, end }
  return { first: new Set([escaped]), mayBeEmpty: false, end }
}

function firstOfOne(source: string): FirstUnits {
  const firsts: FirstUnits[] = []
  for (let at = 0; at < source.length; ) {
    const { first, mayBeEmpty, end } = itemAt(source, at)
    firsts.push(first)
    const [times = ''] = /^(?:[?*+]|\{\d+(?:,\d*)?\})\??/.exec(source.slice(end)) ?? []
    if (!mayBeEmpty && !/^(?:[?*]|\{0)/.test(times)) return unionOf(firsts)
    at = end + times.length
  }
  return null
}

/** The units that a match of the pattern can begin with. */
export function firstUnitsOf(source: string): FirstUnits {
  return unionOf(alternativesOf(source).map(firstOfOne))
}

interface Branch {
  readonly source: string
  readonly first: FirstUnits
}

/** The alternatives, those of a leading group each by itself: `(?:a|b)c` is `ac` and `bc`. */
function branchesOf(source: string): readonly Branch[] {
  return alternativesOf(source).flatMap((one): readonly Branch[] => {
    const end = one.startsWith('(?:') ? closeOf(one, 0) : 0
    const after = one.slice(end)
    if (end === 0 || /^[?*+{]/.test(after)) return [{ source: one, first: firstOfOne(one) }]
    return branchesOf(one.slice(3, end - 1)).map((inner) => {
      const branch = `${inner.source}${after}`
      return { source: branch, first: firstOfOne(branch) }
    })
  })
}

/**
 * The parts of a pattern by the unit they can begin with.
 *
 * @returns for a unit in lower case, or null for those beyond ASCII, the pattern of what can begin there; null for nothing
 */
export function byFirstUnit(source: string): (unit: string | null) => string | null {
  const branches = branchesOf(source)
  const isPossible = (first: FirstUnits, unit: string | null): boolean =>
    first === null || (unit === null ? [...first].some((one) => one > '\u007f') : first.has(unit))
  return (unit) => {
    const possible = branches.filter(({ first }) => isPossible(first, unit))
    return possible.length === 0 ? null : possible.map((one) => one.source).join('|')
  }
}
