import { Fault } from '../core/faults.ts'
import { parsePath } from '../policy/index.ts'
import type { Method, Operation } from './operation.ts'

/** The operation that a target names, with the segments that its path names. */
export interface Matched {
  readonly operation: Operation
  readonly params: Readonly<Record<string, string>>
}

/** Nothing is there, or only other methods. */
export interface Unmatched {
  readonly allow: readonly Method[]
}

/** What may follow one segment. */
interface Place {
  readonly literals: Map<string, Place>
  /** One segment of any text. */
  any: Place | null
  readonly ends: Route[]
  /** Routes whose path of a secret begins here. */
  readonly wild: Route[]
}

interface Route {
  readonly operation: Operation
  readonly segments: readonly string[]
  /** How many segments stand before the path of a secret, or all of them. */
  readonly before: number
  /** How many follow it; -1 when there is no such path. */
  readonly after: number
}

/**
 * Finds operations by the raw target, before anything is decoded, so that an encoded slash is never taken for a
 * boundary. A literal segment is preferred to one that may be anything.
 */
export class Router {
  readonly #root: Place = place()

  constructor(operations: readonly Operation[]) {
    for (const operation of operations) {
      const segments = operation.path.slice(1).split('/')
      const wild = segments.indexOf('{path}')
      const before = wild === -1 ? segments.length : wild
      const after = wild === -1 ? -1 : segments.length - wild - 1
      let at = this.#root
      for (const segment of segments.slice(0, before)) at = entered(at, segment)
      const route = { operation, segments, before, after }
      if (wild === -1) at.ends.push(route)
      else at.wild.push(route)
    }
  }

  /**
   * @param path the raw path of the request's target, without its query
   * @throws {Fault} `BAD_INPUT` when a segment is badly encoded or the path of a secret is not well-formed
   */
  match(method: string, path: string): Matched | Unmatched {
    const parts = path.slice(1).split('/')
    const routes = routesAt(this.#root, parts, 0)
    for (const route of routes)
      if (route.operation.method === method)
        return { operation: route.operation, params: paramsOf(route, parts) }
    return { allow: [...new Set(routes.map(({ operation }) => operation.method))] }
  }
}

function place(): Place {
  return { literals: new Map(), any: null, ends: [], wild: [] }
}

function entered(at: Place, segment: string): Place {
  if (segment.startsWith('{')) {
    at.any ??= place()
    return at.any
  }
  const known = at.literals.get(segment)
  if (known !== undefined) return known
  const made = place()
  at.literals.set(segment, made)
  return made
}

const NONE: readonly Route[] = []

function routesAt(at: Place, parts: readonly string[], index: number): readonly Route[] {
  const left = parts.length - index
  if (left === 0) return at.ends
  const literal = at.literals.get(parts[index] ?? '')
  const exact = literal === undefined ? NONE : routesAt(literal, parts, index + 1)
  if (exact.length > 0) return exact
  // Nothing has an empty name: what ends in a slash, or has two, is no place.
  const next = parts[index] === '' ? null : at.any
  const any = next === null ? NONE : routesAt(next, parts, index + 1)
  if (any.length > 0) return any
  return at.wild.filter(({ after }) => left > after && areNamed(parts, after))
}

/** Whether the last segments, which follow the path of a secret, are something. */
function areNamed(parts: readonly string[], count: number): boolean {
  return count <= 0 || !parts.slice(-count).includes('')
}

function paramsOf({ segments, before, after }: Route, parts: readonly string[]) {
  const params: Record<string, string> = {}
  for (let index = 0; index < before; index += 1) {
    const segment = segments[index] ?? ''
    if (segment.startsWith('{')) params[segment.slice(1, -1)] = decoded(parts[index] ?? '')
  }
  if (after === -1) return params
  const end = parts.length - after
  params['path'] = parsePath(parts.slice(before, end).map(decoded).join('/'))
  for (let index = 0; index < after; index += 1) {
    const segment = segments[before + 1 + index] ?? ''
    params[segment.slice(1, -1)] = decoded(parts[end + index] ?? '')
  }
  return params
}

function decoded(segment: string): string {
  if (!segment.includes('%')) return segment
  let text: string
  try {
    text = decodeURIComponent(segment)
  } catch {
    throw badSegment('has bad percent-encoding')
  }
  // Joined again, a decoded slash would look like a boundary that the sender did not write.
  if (text.includes('/')) throw badSegment('has an encoded slash')
  return text
}

function badSegment(what: string): Fault {
  return new Fault('BAD_INPUT', `A segment of the path ${what}.`, { details: { field: 'path' } })
}
