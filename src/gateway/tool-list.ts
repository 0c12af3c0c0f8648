import { isListedByAll, type PoliciesNow } from './applied-policies.ts'
import { isObject } from './tool-call.ts'

/** Tells clients for how long they may keep a list, in milliseconds: a policy may change. */
const MAX_TTL_MS = 1_000

/**
 * The answer to `tools/list` without the tools that a policy does not show.
 *
 * @returns the same value when nothing had to be taken out
 */
export function shownTools(result: unknown, policies: PoliciesNow): unknown {
  if (!isObject(result) || !Array.isArray(result['tools'])) return result
  const tools: readonly unknown[] = result['tools']
  const shown = tools.filter(
    // What has no name cannot be called, and nobody could say whether it is allowed.
    (tool) =>
      isObject(tool) && typeof tool['name'] === 'string' && isListedByAll(policies, tool['name']),
  )
  if (shown.length === tools.length) return result
  const filtered: Record<string, unknown> = { ...result, tools: shown }
  if ('cacheScope' in result) filtered['cacheScope'] = 'private'
  const ttl = result['ttlMs']
  if (typeof ttl === 'number') filtered['ttlMs'] = Math.min(ttl, MAX_TTL_MS)
  return filtered
}
