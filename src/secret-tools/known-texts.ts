import { redactedIn, knownIn as spansIn } from '../core/known-texts.ts'
import type { ToolAnswer } from '../mcp/index.ts'
import type { KnownValues } from './inspection.ts'
import { KNOWN_VALUE, type Seen } from './seen.ts'

/** Where known values stand in the arguments of a call; what lies below one of them is not named. */
export function knownIn(value: unknown, known: KnownValues): readonly Seen[] {
  return spansIn(value, known).map(({ start, end, top, isTopText, isName, isAcross }) => ({
    detector: KNOWN_VALUE,
    category: 'secret_exfiltration',
    severity: 'critical',
    place: isAcross
      ? 'several fields'
      : `${top ?? 'the whole'}${isTopText ? '' : '.*'}${isName ? ' (a name)' : ''}`,
    start,
    end,
    path: null,
  }))
}

/** The text says what the fields say, so a value that is split over these is not taken to go on in it. */
export function redactedAnswer(answer: ToolAnswer, known: KnownValues): ToolAnswer {
  return {
    ...answer,
    text: known.redact(answer.text),
    structured: redactedIn(answer.structured, known),
  }
}
