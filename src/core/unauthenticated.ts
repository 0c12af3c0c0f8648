import { Fault } from './faults.ts'

/** One text for every reason, none at all among them: what is wrong with a bearer is nobody's business but the audit's. */
export function unauthenticated(): Fault {
  return new Fault('UNAUTHENTICATED', 'The token or key is missing, wrong or no longer valid.')
}
