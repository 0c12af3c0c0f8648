import { type Caller, localAgent } from '../core/principals.ts'
import { findProject } from '../policy/index.ts'

/** The agent that works in a directory: that of the project which the directory belongs to. */
export function agentIn(directory: string, channel: Caller['channel']): Caller {
  return { principal: localAgent(findProject(directory)?.project ?? null), channel }
}
