import { Fault } from './faults.ts'

/** What a server that was asked to end answers to whatever comes then. */
export function stopping(): Fault {
  return new Fault('STOPPING', 'The server is ending.', { details: { retryAfterSeconds: 1 } })
}
