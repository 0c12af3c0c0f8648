import type { Expectation } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { Answered, Call } from './operation.ts'

const LONGEST = 1_024
/** Strong entity tags (RFC 9110, 8.8.3), one or several. */
const TAGS = /^"[!#-~]+"(?:[ \t]*,[ \t]*"[!#-~]+")*$/

/**
 * What `If-Match` and `If-None-Match` say must be there.
 *
 * @throws {Fault} `BAD_INPUT` for what is neither `*` nor strong tags: passed over, it would change what its sender meant
 *   to keep
 */
export function expectationOf(call: Pick<Call, 'header'>): Expectation | undefined {
  const match = call.header('if-match')
  const none = call.header('if-none-match')
  if (match !== null && none !== null)
    throw bad('If-Match', 'If-Match and If-None-Match can not both hold.', 'send one of them')
  if (none !== null) {
    if (none.trim() === '*') return 'nothing'
    throw bad('If-None-Match', 'If-None-Match must be *: nothing is there yet.', 'send *')
  }
  if (match === null) return undefined
  const text = match.trim()
  if (text === '*') return 'something'
  if (text.length > LONGEST || !TAGS.test(text))
    throw bad(
      'If-Match',
      'If-Match must be * or the ETags of answers, each in its quotes.',
      'send the ETag as it was answered; a weak one (W/"…") was changed on its way',
    )
  return text.split(',').map((one) => one.trim().slice(1, -1))
}

/** The answer that shows one thing, with the tag of the state it shows. */
export function shownAs({ tag }: { readonly tag: string }, answered: Answered): Answered {
  return { ...answered, headers: { ...answered.headers, ETag: `"${tag}"` } }
}

function bad(field: string, message: string, remedy: string): Fault {
  return new Fault('BAD_INPUT', message, { details: { field, remedy } })
}
