import { type LargeLine, type Refused, readMessage } from '../mcp/wire/index.ts'
import type { LargeIntakeOptions } from './large-intake.ts'

let parts: typeof import('./large-intake.ts') | null = null
let loading: Promise<unknown> | null = null

/**
 * What takes up a message that is too large for memory. Null while the code for that is being loaded: few need it, and
 * so long the message is held as others are.
 */
export function largeIntake(options: LargeIntakeOptions): LargeLine | null {
  if (parts !== null) return new parts.LargeIntake(options)
  loading ??= import('./large-intake.ts').then(
    (loaded) => {
      parts = loaded
    },
    () => {
      loading = null
    },
  )
  return null
}

/** A request that has no answer, because what would have been it was too large or was none. */
export interface LeftUnanswered {
  readonly idKey: string
  readonly why: string
}

/** @returns none when it cannot be told which */
export function leftUnanswered(refused: Refused): readonly LeftUnanswered[] {
  const { isAnswer, idText, message, answers = [idText] } = refused
  if (isAnswer !== true) return []
  const why = whyLost(message)
  return answers.flatMap((one) => {
    const request = readMessage(`{"jsonrpc":"2.0","id":${one},"method":"ping"}`)
    return request.kind === 'request' ? [{ idKey: request.idKey, why }] : []
  })
}

/** @param problem of what would have been the answer */
export function whyLost(problem: string): string {
  return `The server's answer is not valid. ${problem}`
}
