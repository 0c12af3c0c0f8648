import { digestWithHeld } from '../../core/held-values.ts'
import type { Request } from './envelope.ts'
import { sortedMembers } from './members.ts'

const OF_ONE_TRY: ReadonlySet<string> = new Set(['_meta', 'inputResponses', 'requestState'])

/**
 * SHA-256 of what a request asks for: its method and parameters, without what belongs to one try. The retry with which
 * a client goes on in the middle of a call (2026-07-28, "Multi Round-Trip Requests") has the same one.
 *
 * @throws {Fault} `NOT_FOUND` when a large value of it is forgotten
 */
export function askedDigest({ text, method, params }: Request): string {
  const of = params === null ? '{}' : text.slice(params.start, params.end)
  const asked = sortedMembers(of, (name) => !OF_ONE_TRY.has(name))
  return digestWithHeld(`[${JSON.stringify(method)},${asked}]`)
}
