export {
  type Asked,
  administrationProblem,
  attendedLane,
  lookProblem,
  refusedRecord,
} from './administration.ts'
export { freezeWithin } from './freezes.ts'
export { type Grants, grantsNaming, revokeGrantsOf } from './grants.ts'
export { createIdentity, type Identity, type IdentityParts } from './identity.ts'
export {
  type AgentRow,
  type EndedTokenRow,
  type FreezeRow,
  type IdentityTables,
  identityTables,
  type OrganisationRow,
  type UserKeyRow,
  type UserRow,
  type WorkloadRuleRow,
} from './identity-rows.ts'
export { AUDIENCE, issuerOf } from './issuer.ts'
export type { People } from './people.ts'
export { earliest, Standing } from './standing.ts'
