import type { InspectionSwitches } from '../core/config.ts'
import { holdsHeld, mayHold } from '../core/held-values.ts'
import type { Beside } from '../core/known-texts.ts'
import type { Caller } from '../core/principals.ts'
import type { InspectionNote } from '../core/vault-port.ts'
import {
  type Extra,
  extrasOf,
  type Message,
  readMessage,
  searchable,
  withMembers,
} from '../mcp/wire/index.ts'
import type { KnownValues, Seen } from './message-inspection.ts'
import { isObject } from './tool-call.ts'

export interface MessageSearchOptions {
  readonly switches: InspectionSwitches
  readonly known: (caller: Caller) => KnownValues | null | Promise<KnownValues | null>
  readonly knownIn: (value: unknown, known: KnownValues, beside?: Beside) => readonly Seen[]
  /** As `knownIn`, of a value that may not be in memory. */
  readonly seenIn: (
    caller: Caller,
    tool: string,
    value: unknown,
    known: KnownValues,
    beside?: Beside,
  ) => Promise<readonly Seen[]>
  /** @throws when it cannot be written down: then the message does not pass */
  readonly report: (
    caller: Caller,
    seen: readonly Seen[],
    note: Pick<InspectionNote, 'tool' | 'direction' | 'decision'>,
  ) => Promise<void>
  readonly refusalText: (tool: string, seen: readonly Seen[]) => string
}

/**
 * What stands in a message beside that by which it is judged: of a call of a tool its arguments, of any other request
 * its parameters, of an answer what it says.
 */
export function besideJudged(message: Message): Beside {
  const extras = eachOf(valuesOf(extrasOf(message)))
  const id = message.kind === 'notification' ? undefined : message.idKey?.slice(1)
  if (message.kind === 'response') return { searched: [...extras, id], judged: [] }
  const { method } = message
  const params = method === 'tools/call' ? message.params?.value : undefined
  if (!isObject(params)) return { searched: [...extras, method, id], judged: [] }
  const { name, arguments: _, inputResponses, ...others } = params
  return {
    searched: [...eachOf(others), ...extras, name, method, id],
    judged: inputResponses === undefined ? [] : [inputResponses],
  }
}

/** Each member by itself, and of `_meta` each of its own. */
function eachOf(members: Readonly<Record<string, unknown>>): readonly unknown[] {
  return Object.entries(members).flatMap(([name, value]) =>
    name === '_meta' && isObject(value)
      ? Object.entries(value).map(([inner, one]) => ({ [name]: { [inner]: one } }))
      : { [name]: value },
  )
}

/** Searches messages for known values where nobody judges what they say. */
export class MessageSearch {
  readonly #options: MessageSearchOptions

  constructor(options: MessageSearchOptions) {
    this.#options = options
  }

  /**
   * Searches all of a message of an agent.
   *
   * @returns why it does not go on, or null. At once where there is nothing to wait for.
   */
  whole(caller: Caller, message: Message): string | null | Promise<string | null> {
    const { switches } = this.#options
    if (!switches.isEnabled || switches.exfiltration === 'off') return null
    const known = this.#options.known(caller)
    return known instanceof Promise
      ? known.then((one) => this.#whole(caller, message, one))
      : this.#whole(caller, message, known)
  }

  #whole(
    caller: Caller,
    message: Message,
    known: KnownValues | null,
  ): string | null | Promise<string | null> {
    if (known === null || known.reach() === 0) return null
    const value = searchable(message.text)
    // Answers are judged, so that there are only parameters to tell from the rest.
    const { params, ...others } = isObject(value) ? value : { params: value }
    const beside = { searched: eachOf(others), judged: [] }
    const isClean = !holdsHeld(value) && this.#options.knownIn(params, known, beside).length === 0
    return isClean ? null : this.#found(caller, message, known, params, beside)
  }

  async #found(
    caller: Caller,
    message: Message,
    known: KnownValues,
    params: unknown,
    beside: Beside,
  ): Promise<string | null> {
    const { switches, seenIn, report, refusalText } = this.#options
    const tool = toolOf(message)
    const seen = await seenIn(caller, tool, params, known, beside)
    if (seen.length === 0) return null
    const isRefused = switches.exfiltration === 'block'
    const decision = isRefused ? 'refused' : 'passed'
    await report(caller, seen, { tool, direction: 'input', decision })
    return isRefused ? refusalText(tool, seen) : null
  }

  /**
   * A message of a server without known values beside its parameters, its result or its error.
   *
   * @returns the same where there is nothing to take out; null when it may not be passed on at all
   */
  envelope(caller: Caller, message: Message): Message | null | Promise<Message | null> {
    const { switches } = this.#options
    if (!switches.isEnabled || !switches.redactsSecrets) return message
    const known = this.#options.known(caller)
    return known instanceof Promise
      ? known.then((one) => this.#envelope(caller, message, one))
      : this.#envelope(caller, message, known)
  }

  #envelope(
    caller: Caller,
    message: Message,
    known: KnownValues | null,
  ): Message | null | Promise<Message | null> {
    if (known === null || known.reach() === 0) return message
    // An answer has the id that its request was given by the client.
    if (message.kind === 'response') return this.#unnamed(caller, message, known)
    const id = message.kind === 'request' ? message.idKey.slice(1) : ''
    const beside = { searched: [id, message.method], judged: judgedOf(message) }
    if (mayHold() && holdsHeld(beside.judged))
      return this.#options
        .seenIn(caller, message.method, undefined, known, beside)
        .then((seen) => this.#named(caller, message, known, seen))
    return this.#named(caller, message, known, this.#options.knownIn(undefined, known, beside))
  }

  /** @param seen in its id and method */
  #named(
    caller: Caller,
    message: Message,
    known: KnownValues,
    seen: readonly Seen[],
  ): Message | null | Promise<Message | null> {
    return seen.length > 0
      ? this.#refused(caller, message, seen)
      : this.#unnamed(caller, message, known)
  }

  #unnamed(
    caller: Caller,
    message: Message,
    known: KnownValues,
  ): Message | Promise<Message | null> {
    return message.hasExtras ? this.#withoutKnown(caller, message, known) : message
  }

  async #refused(caller: Caller, message: Message, seen: readonly Seen[]): Promise<null> {
    const tool = toolOf(message)
    await this.#options.report(caller, seen, { tool, direction: 'output', decision: 'refused' })
    return null
  }

  async #withoutKnown(
    caller: Caller,
    message: Message,
    known: KnownValues,
  ): Promise<Message | null> {
    const { report } = this.#options
    const tool = toolOf(message)
    const extras = extrasOf(message)
    const seenIn = (value: unknown, beside?: Beside): Promise<readonly Seen[]> =>
      this.#options.seenIn(caller, tool, value, known, beside)
    // One may be split over several, and over what is judged.
    const seenAmong = (some: readonly Extra[]): Promise<readonly Seen[]> =>
      seenIn(undefined, { searched: eachOf(valuesOf(some)), judged: judgedOf(message) })
    if ((await seenAmong(extras)).length === 0) return message
    const taken: Extra[] = []
    const left: Extra[] = []
    const found: (readonly Seen[])[] = []
    for (const extra of extras) {
      const seen = await seenIn(valuesOf([extra]))
      if (seen.length === 0) left.push(extra)
      else taken.push(extra)
      found.push(seen)
    }
    const across = left.length === 0 ? [] : await seenAmong(left)
    const seen = [...found, across].flat()
    await report(caller, seen, { tool, direction: 'output', decision: 'changed' })
    return withoutExtras(message, across.length > 0 ? extras : taken)
  }
}

/** @param taken default: all of them */
export function withoutExtras(
  message: Message,
  taken: readonly Extra[] = extrasOf(message),
): Message | null {
  const edits = Object.fromEntries(taken.map(({ name }) => [name, null]))
  const left = readMessage(withMembers(message.text, edits))
  return left.kind === 'refused' ? null : left
}

function valuesOf(extras: readonly Extra[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(extras.map(({ name, text }) => [name, searchable(text)]))
}

/** What others look through. */
function judgedOf(message: Message): readonly unknown[] {
  const part = message.kind === 'response' ? message.body : message.params
  return part === null ? [] : [part.value]
}

/** As rules of inspection know it. */
function toolOf(message: Message): string {
  return message.kind === 'response' ? 'answer' : message.method
}
