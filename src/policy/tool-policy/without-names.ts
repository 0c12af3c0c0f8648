import type { ToolPolicy } from './model.ts'

const known = new WeakMap<ToolPolicy, ToolPolicy>()

/** A policy as it holds for tools that it names nowhere: a hidden tool that is judged by it looks like one of these. */
export function withoutNames(policy: ToolPolicy): ToolPolicy {
  let without = known.get(policy)
  if (without === undefined) {
    without = {
      ...policy,
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
