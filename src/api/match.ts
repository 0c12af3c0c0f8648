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

interface Route {
  readonly operation: Operation
  readonly segments: readonly string[]
  /** Where `{path}` stands, or -1. */
  readonly wild: number
}

/**
 * Finds operations by the raw target, before anything is decoded, so that an encoded slash is never taken for a
 * boundary. Routes are kept by their first literal segments, so a look-up compares few of them.
 */
export class Router {
  readonly #routes = new Map<string, Route[]>()

  constructor(operations: readonly Operation[]) {
    for (const operation of operations) {
      const segments = operation.path.slice(1).split('/')
      const route = { operation, segments, wild: segments.indexOf('{path}') }
      const key = keyOf(segments, segments.length)
      const group = this.#routes.get(key)
      if (group === undefined) this.#routes.set(key, [route])
      else group.push(route)
    }
  }

  /**
   * @param path the raw path of the request's target, without its query
   * @throws {Fault} `BAD_INPUT` when a segment is badly encoded or the path of a secret is not well-formed
   */
  match(method: string, path: string): Matched | Unmatched {
    const parts = path.slice(1).split('/')
    const allow: Method[] = []
    for (const route of this.#routes.get(keyOf(parts, parts.length)) ?? []) {
      if (!fits(route, parts)) continue
      if (route.operation.method === method)
        return { operation: route.operation, params: paramsOf(route, parts) }
      allow.push(route.operation.method)
    }
    return { allow }
  }
}

/** The literal segments that any route of the API begins with: the version, the noun, and below vaults the inner noun. */
function keyOf(segments: readonly string[], length: number): string {
  const inner = length > 3 ? (segments[3] ?? '') : ''
  return `${segments[0] ?? ''}/${segments[1] ?? ''}/${inner.startsWith('{') ? '' : inner}`
}

function fits({ segments, wild }: Route, parts: readonly string[]): boolean {
  if (wild === -1) {
    if (parts.length !== segments.length) return false
    return segments.every((segment, index) => segment.startsWith('{') || segment === parts[index])
  }
  const after = segments.length - wild - 1
  if (parts.length < wild + 1 + after) return false
  return segments
    .slice(0, wild)
    .every((segment, index) => segment.startsWith('{') || segment === parts[index])
}

function paramsOf({ segments, wild }: Route, parts: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {}
  const end = wild === -1 ? segments.length : wild
  for (let index = 0; index < end; index += 1) {
    const segment = segments[index] ?? ''
    if (segment.startsWith('{')) params[segment.slice(1, -1)] = decoded(parts[index] ?? '')
  }
  if (wild === -1) return params
  const after = segments.length - wild - 1
  const rest = parts.slice(wild, parts.length - after)
  params['path'] = parsePath(rest.map(decoded).join('/'))
  for (let index = 0; index < after; index += 1) {
    const segment = segments[wild + 1 + index] ?? ''
    params[segment.slice(1, -1)] = decoded(parts[parts.length - after + index] ?? '')
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
