// Calls as policies judge them: of the local agent, at noon, where nothing else is said.
import { epochMs } from '../../src/core/time.ts'
import type { Asker, CallSubject } from '../../src/policy/tool-policy/index.ts'

export const ASKER: Asker = {
  principal: 'agent:local',
  labels: [],
  client: null,
  at: epochMs(Date.UTC(2026, 10, 20, 12)),
}

export function toolCall(
  tool: string,
  args: object = {},
  more: Partial<CallSubject> = {},
): CallSubject {
  return { ...ASKER, tool, args: { ...args }, annotations: null, toolClass: null, ...more }
}
