// What the first use of the vault on this machine takes, behind one door: each door costs a start some of its time.
export { createApprovedFiles } from '../vault/index.ts'
export { agentIn } from './agent-here.ts'
export { openStack } from './open-stack.ts'
export { tellOfApprovals } from './tell-of-approvals.ts'
