// What people do with policies as texts. A door of its own: whoever judges calls loads none of it.

export { outcomeOfCall } from './call-outcome.ts'
export { convertedPolicy } from './convert-policy.ts'
export { amountText } from './cost.ts'
export { type CallExplanation, explainCall, type SeenTest } from './explain-call.ts'
export { formattedPolicy } from './format-policy.ts'
export type { Outcome } from './model.ts'
export { policyBeside, readPolicyCases, runPolicyCases } from './policy-cases.ts'
export {
  casesFault,
  formatOf,
  policyFault,
  readToolPolicy,
  toolPolicyOf,
} from './read-tool-policy.ts'
export {
  type Choose,
  everyWay,
  type OpenQuestion,
  type RecordedParts,
  type RecordedSubject,
  replayedPolicy,
  replayedSettlement,
  shownSubjectPath,
  UNRECORDED,
  UNRECORDED_TEXT,
  Unrecorded,
  unknownCostOf,
} from './replayed-policy.ts'
export { type ListedTool, suggestedPolicy } from './suggest-policy.ts'
