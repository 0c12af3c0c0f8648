import { createHash } from 'node:crypto'
import { Fault } from './faults.ts'

const MAX_DEPTH = 64

/**
 * One text for one JSON value, whatever its order and spacing was.
 *
 * @throws {Fault} `BAD_INPUT` for what has no canonical form: numbers that are none, lone surrogates, members without a
 *   value, nesting beyond 64 levels
 * @see RFC 8785
 */
export function canonicalJson(value: unknown): string {
  return written(value, 0)
}

/** SHA-256 of the canonical form, hex. */
export function jsonDigest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value), 'utf8').digest('hex')
}

function written(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw noForm(`is nested deeper than ${MAX_DEPTH} levels`)
  switch (typeof value) {
    case 'string':
      return writtenText(value)
    case 'boolean':
      return String(value)
    case 'number':
      if (!Number.isFinite(value)) throw noForm('holds a number that JSON has not')
      // What ECMAScript writes is what the RFC demands; of minus zero it writes 0.
      return String(value)
    case 'object':
      if (value === null) return 'null'
      return Array.isArray(value) ? writtenList(value, depth) : writtenObject(value, depth)
    default:
      throw noForm('holds something that JSON has not')
  }
}

function writtenText(text: string): string {
  if (!text.isWellFormed()) throw noForm('holds half of a character')
  return JSON.stringify(text)
}

function writtenList(list: readonly unknown[], depth: number): string {
  return `[${list.map((one) => written(one, depth + 1)).join(',')}]`
}

function writtenObject(object: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null)
    throw noForm('holds something that JSON has not')
  // The default order of strings is that of their UTF-16 units, as the RFC has it.
  const members = Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members
    .map(([name, one]) => `${writtenText(name)}:${written(one, depth + 1)}`)
    .join(',')}}`
}

function noForm(what: string): Fault {
  return new Fault('BAD_INPUT', `The JSON ${what}.`, { details: { field: 'arguments' } })
}
