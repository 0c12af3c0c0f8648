import { Fault } from '../core/faults.ts'

/** Why a bearer does not count. Recorded, and never told to whoever showed it. */
export type RefusedBy =
  | 'malformed'
  | 'unknown'
  | 'bad-signature'
  | 'other-organisation'
  | 'other-agent'
  | 'other-subject'
  | 'other-server'
  | 'not-yet-valid'
  | 'expired'
  | 'revoked'
  | 'rotated'
  | 'disabled'
  | 'deleted'
  | 'frozen'
  | 'no-proof'
  | 'bad-proof'
  | 'replayed-proof'
  | 'wrong-password'

/** One text for every reason: what is wrong with a bearer is nobody's business but the audit's. */
export function unauthenticated(): Fault {
  return new Fault('UNAUTHENTICATED', 'The token or key is missing, wrong or no longer valid.')
}
