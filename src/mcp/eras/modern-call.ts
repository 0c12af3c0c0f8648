import { askedLevel, memberOf, type Request } from '../wire/index.ts'
import { type Crossing, fieldsOf, memberText } from './rows.ts'

/** A request of the client, under way at the server. */
export interface Call {
  readonly idText: string
  readonly method: string
  /** As it came; not needed any more once it was held. */
  request: Request | null
  /** What it asks for, so that a retry can be told from another call; null until that is needed, or may be too late. */
  asks: string | null
  readonly capabilities: unknown
  readonly progressKey: string | null
  /** Who waits for it now; null while it is held. */
  waiting: Waiting | null
  /** What the server asked and was not answered, by the key the client knows it by. */
  readonly questions: Map<string, Request>
  /** Of those, what the client was not asked yet. */
  readonly unasked: Set<string>
  handle: string | null
  /** Since when it is held, by the clock of `tidy`; null until that looked. */
  heldSince: number | null
  /** The end that came while nobody waited. */
  ended: Ended | null
  /** The server refused it until the person was somewhere: then it is made again. */
  isOver: boolean
}

export interface Waiting {
  readonly idText: string
  readonly idKey: string
  readonly progressText: string | null
  readonly level: number
}

export type Ended = (waiting: Waiting) => Crossing

/** Of one call: more than any server asks before it is answered, and their characters. */
const MAX_QUESTIONS = 100
const MAX_QUESTIONS_LENGTH = 16_777_216

/** Whether its server may ask one thing more. */
export function hasRoom({ questions }: Call, { text }: Request): boolean {
  let length = text.length
  for (const one of questions.values()) length += one.text.length
  return questions.size < MAX_QUESTIONS && length <= MAX_QUESTIONS_LENGTH
}

export function waitingFor(message: Request): Waiting {
  const meta = memberText(message, message.params, '_meta') ?? '{}'
  return {
    idText: message.idText,
    idKey: message.idKey,
    progressText: memberOf(meta, 'progressToken'),
    level: askedLevel(metaOf(message)),
  }
}

export function metaOf(message: Request): Readonly<Record<string, unknown>> {
  return fieldsOf(fieldsOf(message.params?.value)['_meta'])
}
