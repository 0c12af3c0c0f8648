import { nearest } from '../../core/nearest.ts'
import { problemText, quoted, shortened } from '../quoted.ts'
import type { JsonMember, JsonNode } from './json-tree.ts'

/** What is wrong with a document, and where. Lines and columns from 1, columns in UTF-16 units. */
export interface PolicyProblem {
  readonly line: number
  readonly column: number
  /** A sentence part: `'max' must be a whole number from 0`. */
  readonly problem: string
}

/** The members of an object of the document by name. */
export type Fields = ReadonlyMap<string, JsonMember>

const MAX_SOURCE = 80
/** Nobody reads more, and each is looked up among the names that there are. */
const MAX_PROBLEMS = 1_000

/** Gathers what is wrong while a document is read, so that all of it is told at once. */
export class DocumentReader {
  readonly problems: PolicyProblem[] = []
  /** What is right, and perhaps not meant. */
  readonly warnings: PolicyProblem[] = []
  readonly #text: string
  readonly #places = new Map<string, number>()
  #lineStarts: readonly number[] | null = null

  constructor(text: string) {
    this.#text = text
  }

  /** @returns undefined, in place of what could not be read */
  refuse(offset: number, problem: string): undefined {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(this.#at(offset, problem))
    return undefined
  }

  warn(offset: number, problem: string): void {
    this.warnings.push(this.#at(offset, problem))
  }

  /** Remembers where something stands that is known by its pointer from then on. */
  mark(pointer: string, offset: number): void {
    if (!this.#places.has(pointer)) this.#places.set(pointer, offset)
  }

  warnAt(pointer: string, problem: string): void {
    this.warn(this.#places.get(pointer) ?? 0, problem)
  }

  lineOf(offset: number): number {
    return this.#at(offset, '').line
  }

  #at(offset: number, problem: string): PolicyProblem {
    this.#lineStarts ??= [0, ...[...this.#text.matchAll(/\n/g)].map(({ index }) => index + 1)]
    let [low, high] = [0, this.#lineStarts.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    const column = offset - (this.#lineStarts[low] ?? 0) + 1
    return { line: low + 1, column, problem: problemText(problem) }
  }

  /** What stands in the document for a value, in one line of at most 80 characters. */
  source({ start, end }: JsonNode): string {
    const text = this.#text.slice(start, end).replaceAll(/\s+/g, ' ').trim()
    return shortened(text, MAX_SOURCE)
  }

  /**
   * The members of an object, each of which must be known and stand there once.
   *
   * @param others - names that another form of the object would have, offered as well
   */
  fields(
    node: JsonNode,
    what: string,
    known: readonly string[],
    others: readonly string[] = [],
  ): Fields | undefined {
    const members = this.members(node, what)
    if (members === undefined) return undefined
    for (const { key, keyStart } of members.values())
      if (!known.includes(key) && this.problems.length < MAX_PROBLEMS)
        this.refuse(keyStart, `there is no ${quoted(key)}${hint(key, [...known, ...others])}`)
    return members
  }

  /** The members of an object whose names are anybody's. */
  members(node: JsonNode, what: string): Fields | undefined {
    if (node.kind !== 'object') return this.refuse(node.start, `${what} must be an object`)
    const members = new Map<string, JsonMember>()
    for (const member of node.members)
      if (members.has(member.key))
        this.refuse(member.keyStart, `${quoted(member.key)} stands there twice`)
      else members.set(member.key, member)
    return members
  }

  list(member: JsonMember | undefined): readonly JsonNode[] {
    if (member === undefined) return []
    if (member.value.kind === 'list') return member.value.items
    this.refuse(member.value.start, `'${member.key}' must be a list`)
    return []
  }

  text(member: JsonMember | undefined): string | undefined {
    if (member === undefined) return undefined
    return member.value.kind === 'text' && member.value.value !== ''
      ? member.value.value
      : this.refuse(member.value.start, `'${member.key}' must be a text`)
  }

  flag(member: JsonMember | undefined): boolean | undefined {
    if (member === undefined) return undefined
    const { value } = member
    return value.kind === 'plain' && value.value !== null
      ? value.value
      : this.refuse(value.start, `'${member.key}' must be true or false`)
  }

  oneOf<const C extends string>(
    member: JsonMember | undefined,
    choices: readonly C[],
  ): C | undefined {
    if (member === undefined) return undefined
    const { value } = member
    const chosen = choices.find((one) => value.kind === 'text' && one === value.value)
    if (chosen !== undefined) return chosen
    const near = value.kind === 'text' ? nearest(value.value, choices) : null
    return this.refuse(
      value.start,
      `'${member.key}' must be one of ${choices.join(', ')}${near === null ? '' : `; did you mean '${near}'?`}`,
    )
  }

  wholeNumber(member: JsonMember | undefined, least: number, most: number): number | undefined {
    if (member === undefined) return undefined
    const { value } = member
    const number = value.kind === 'number' ? Number(value.source) : Number.NaN
    return Number.isSafeInteger(number) && number >= least && number <= most
      ? number
      : this.refuse(value.start, `'${member.key}' must be a whole number from ${least} to ${most}`)
  }

  /** @returns undefined when it is missing, which is told at the object */
  needed(fields: Fields, name: string, owner: JsonNode, what: string): JsonMember | undefined {
    return fields.get(name) ?? this.refuse(owner.start, `${what} needs '${name}'`)
  }
}

/** Names of other formats for the same thing. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['hidden', 'hide'],
  ['denyif', 'deny_if'],
  ['deny', 'deny_if'],
  ['rules', 'require'],
  ['alltools', 'all_tools'],
  ['ratelimit', 'rate_limit'],
  ['limit', 'limits'],
  ['operator', 'op'],
  ['field', 'path'],
])

function hint(key: string, known: readonly string[]): string {
  const typed = key.slice(0, 40).toLowerCase()
  const other = OTHER_NAMES.get(typed.replaceAll(/[^a-z]/g, ''))
  const near = other !== undefined && known.includes(other) ? other : nearest(typed, known)
  return near === null ? `; there are ${known.join(', ')}` : `; did you mean '${near}'?`
}
