// Policies in the rules of Intercept, and what becomes of calls under them.
import assert from 'node:assert/strict'
import {
  decideTool,
  readToolPolicy,
  type ToolDecision,
  type ToolPolicy,
} from '../../src/policy/tool-policy/index.ts'
import { toolCall } from './tool-calls.ts'

export const yaml = async (text: string): Promise<ToolPolicy> => {
  const read = await readToolPolicy(Buffer.from(text), 'yaml')
  return 'policy' in read ? read.policy : assert.fail(JSON.stringify(read.problems, null, 1))
}
export const problemsOf = async (text: string): Promise<readonly string[]> => {
  const read = await readToolPolicy(Buffer.from(text), 'yaml')
  return 'policy' in read ? [] : read.problems.map(({ problem }) => problem)
}
export const decide = (policy: ToolPolicy, tool: string, args: object = {}): ToolDecision =>
  decideTool(policy, toolCall(tool, args))
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
