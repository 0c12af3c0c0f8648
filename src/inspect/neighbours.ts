/** Members that name the value beside them: `{"name": "API_KEY", "value": "…"}`. */
const NAMING: ReadonlySet<string> = new Set([
  'name',
  'key',
  'variable',
  'env',
  'header',
  'field',
  'parameter',
])
/** Members that say nothing of themselves and are named by a neighbour. */
const NAMED: ReadonlySet<string> = new Set(['value', 'val', 'default'])

const MAX_NAME = 64
/** `--api-key`, of a list of arguments. */
const FLAG = /^--?[A-Za-z][\w-]{1,62}$/
/** `API_KEY`, `x-api-key`, `password`: one word as names are written. */
const NAME = /^[A-Za-z_][\w.-]{1,63}$/

/** What names the members of an object that say nothing of themselves, or null. */
export function nameForMembers(
  members: Iterable<readonly [key: string, text: unknown]>,
): string | null {
  for (const [key, text] of members)
    if (NAMING.has(key.toLowerCase()) && typeof text === 'string' && text.length <= MAX_NAME)
      return text
  return null
}

/** Whether a member is named by its neighbour. */
export function isNamedBeside(key: string): boolean {
  return NAMED.has(key.toLowerCase())
}

/**
 * What names an element of an array: the flag before it, or, in a pair, the first of the two. Null where the list's
 * own name has to do.
 */
export function nameForElement(before: unknown, length: number): string | null {
  if (typeof before !== 'string' || before.length > MAX_NAME) return null
  if (FLAG.test(before)) return before.replace(/^-{1,2}/, '')
  return length === 2 && NAME.test(before) ? before : null
}
