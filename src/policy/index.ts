export {
  ACCESS_PERMISSIONS,
  type AccessConditions,
  type AccessPermission,
} from '../core/policy-port.ts'
export {
  type AccessMoment,
  conditionsCover,
  parseConditions,
} from './access-conditions.ts'
export {
  type AccessDecision,
  type AccessLayer,
  type AccessQuestion,
  type AccessSubject,
  type CompiledAccess,
  compileAccess,
  decideAccess,
} from './access-decision.ts'
export {
  type AccessCandidate,
  type AccessExplained,
  type AccessHolder,
  type ConsideredPolicy,
  explainAccess,
  type PolicyOutcome,
  whoMay,
} from './access-explain.ts'
export {
  checkGrant,
  type GrantCheck,
  type Granter,
  type GrantLack,
  type GrantPlace,
  type WantedGrant,
} from './access-grant.ts'
export {
  type AccessPolicy,
  type AccessTerms,
  accessPermissionFor,
  checkAccessPolicy,
} from './access-policy.ts'
export { addressIn, rangeProblem } from './address-range.ts'
export { type FoundProject, findProject } from './find-project.ts'
export { compileGlob, type GlobMatch } from './glob.ts'
export { isPath, MAX_PATH_CHARS, parsePath, parsePathFromUrl, parsePrefix } from './path.ts'
export {
  compilePolicies,
  type Judgement,
  judge,
  type PathJudge,
  type PathPolicy,
  PERMISSIONS,
  type Permission,
} from './path-policy.ts'
export { parseProjectFile } from './project-file.ts'
export {
  DEFAULT_AGENT_POLICIES,
  PROJECT_FILES,
  type ProjectFileName,
  type ProjectList,
  policiesOf,
} from './project-list.ts'
