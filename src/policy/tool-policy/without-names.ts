import type { ToolPolicy } from './model.ts'

const known = new WeakMap<ToolPolicy, ToolPolicy>()

/**
 * A policy as it holds for a hidden tool: as for tools that it names nowhere, where those are not denied. What its
 * server does not have is its server's to say.
 */
export function withoutNames(policy: ToolPolicy): ToolPolicy {
  let without = known.get(policy)
  if (without === undefined) {
    without = {
      ...policy,
      fallback: 'allow',
      hide: new Set(),
      tools: new Map(),
      classes: new Map(),
      byClass: new Map(),
      foldedTools: new Set(),
      foldedHidden: new Set(),
    }
    known.set(policy, without)
  }
  return without
}
