export { amountText, type Charge, settlementOf } from './cost.ts'
export {
  bothAsk,
  type Denied,
  decideMethod,
  decideResult,
  decideTool,
  hidesSubject,
  isListed,
  type LiftedVerdict,
  type NeedsApproval,
  type ResultDecision,
  type RuleSays,
  type ToolDecision,
} from './decide.ts'
export type { PolicyProblem } from './document-reader.ts'
export type {
  Asker,
  CallSubject,
  LimitScope,
  MethodSubject,
  ToolLimit,
  ToolPolicy,
} from './model.ts'
export { OPEN_METHODS } from './open-methods.ts'
export {
  formatOf,
  MAX_POLICY_BYTES,
  type PolicyFormat,
  policyFault,
  type ReadToolPolicy,
  readToolPolicy,
  toolPolicyOf,
  warnedPolicyOf,
} from './read-tool-policy.ts'
export { foundInResult, recordSecondsOf, resultPathsOf } from './recording.ts'
export { windowOf, windowText } from './windows.ts'
export { withoutNames } from './without-names.ts'
