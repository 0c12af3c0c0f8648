// Policies in the rules of Intercept, and what becomes of calls under them.
import assert from 'node:assert/strict'
import { epochMs } from '../../src/core/time.ts'
import {
  type CallSubject,
  decideTool,
  readToolPolicy,
  type ToolDecision,
  type ToolPolicy,
} from '../../src/policy/tool-policy/index.ts'

export const yaml = async (text: string): Promise<ToolPolicy> => {
  const read = await readToolPolicy(Buffer.from(text), 'yaml')
  return 'policy' in read ? read.policy : assert.fail(JSON.stringify(read.problems, null, 1))
}
export const problemsOf = async (text: string): Promise<readonly string[]> => {
  const read = await readToolPolicy(Buffer.from(text), 'yaml')
  return 'policy' in read ? [] : read.problems.map(({ problem }) => problem)
}
export const callOf = (tool: string, args: object): CallSubject => ({
  tool,
  args: { ...args },
  principal: 'agent:local',
  labels: [],
  client: null,
  at: epochMs(Date.UTC(2026, 10, 20, 12)),
  annotations: null,
  toolClass: null,
})
export const decide = (policy: ToolPolicy, tool: string, args: object = {}): ToolDecision =>
  decideTool(policy, callOf(tool, args))
export const allowed = (policy: ToolPolicy, tool: string, args: object = {}): boolean =>
  decide(policy, tool, args).allowed
export const denial = (policy: ToolPolicy, tool: string, args: object = {}) => {
  const decision = decide(policy, tool, args)
  return decision.allowed ? null : [decision.name ?? decision.rule, decision.reason]
}
/** A tool with one rule of conditions. */
export const withConditions = (...conditions: readonly string[]): Promise<ToolPolicy> =>
  yaml(`version: "1"
tools:
  t:
    rules:
      - name: r
        on_deny: No.
        conditions: [${conditions.join(', ')}]`)

export const AMOUNTS = `version: "1"
tools:
  pay:
    rules:
      - name: cap
        conditions: [{path: state.pay.spent, op: lt, value: 10}]
        state: {counter: spent, window: day, increment_from: args.amount}`
