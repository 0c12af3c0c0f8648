import { Fault } from './faults.ts'

/** Somebody signed in, and may have gone away since. */
export function stepUpRequired(): Fault {
  return new Fault('STEP_UP_REQUIRED', 'Prove again that it is you, then do the same once more.')
}
