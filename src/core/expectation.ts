import { Fault } from './faults.ts'

/** What must be there for a change to be made: a thing in a state that one of these tags names, a thing, or nothing. */
export type Expectation = readonly string[] | 'something' | 'nothing'

/**
 * Names one state of a thing, and nothing of what it holds. To callers it is opaque.
 *
 * @param numbers those that together are never the same again: the row's revision, and when it was made where a name can
 *   come back after its row has gone
 */
export function stateTag(...numbers: readonly number[]): string {
  return numbers.map((one) => one.toString(36)).join('-')
}

/**
 * Why a change is not made, or null. Asked in the transaction of the change, once it is known that the caller may make it:
 * the answer tells what is there.
 *
 * @param current tag of what is there; null: nothing
 */
export function unmet(expected: Expectation | undefined, current: string | null): Fault | null {
  if (expected === undefined) return null
  if (expected === 'nothing')
    return current === null
      ? null
      : conflict(
          'There is one already.',
          'change that one, naming its ETag, or choose another name',
        )
  if (current === null)
    return conflict(
      'There is none to change.',
      'make it: send If-None-Match: * in place of If-Match',
    )
  if (expected === 'something' || expected.includes(current)) return null
  return conflict(
    'It was changed since it was read.',
    'read it again, and send the ETag that it has now in If-Match',
  )
}

function conflict(message: string, remedy: string): Fault {
  return new Fault('VERSION_CONFLICT', message, { details: { remedy } })
}
