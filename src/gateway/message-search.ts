import type { InspectionSwitches } from '../core/config.ts'
import { holdsHeld } from '../core/held-values.ts'
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
  readonly knownIn: (value: unknown, known: KnownValues) => readonly Seen[]
  /** As `knownIn`, of a value that may not be in memory. */
  readonly seenIn: (
    caller: Caller,
    tool: string,
    value: unknown,
    known: KnownValues,
  ) => Promise<readonly Seen[]>
  /** @throws when it cannot be written down: then the message does not pass */
  readonly report: (
    caller: Caller,
    seen: readonly Seen[],
    note: Pick<InspectionNote, 'tool' | 'direction' | 'decision'>,
  ) => Promise<void>
  readonly refusalText: (tool: string, seen: readonly Seen[]) => string
}

/** Members of the parameters of a call that are looked at one by one. */
const BY_THEMSELVES: ReadonlySet<string> = new Set(['name', 'arguments', 'inputResponses'])

/**
 * What stands in a message beside that by which it is judged: of a call of a tool its arguments, of any other request
 * its parameters, of an answer what it says.
 */
export function besideJudged(message: Message): Readonly<Record<string, unknown>> {
  const extras = valuesOf(extrasOf(message))
  const id = message.kind === 'notification' ? undefined : message.idKey?.slice(1)
  if (message.kind === 'response') return { extras, called: [id] }
  const { method } = message
  const params = method === 'tools/call' ? message.params?.value : undefined
  if (!isObject(params)) return { extras, called: [method, id] }
  const others = Object.entries(params).filter(([name]) => !BY_THEMSELVES.has(name))
  // What one may be split over stands side by side.
  const { name } = params
  return { params: Object.fromEntries(others), extras, called: [name, method, id] }
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
    const isClean = !holdsHeld(value) && this.#options.knownIn(value, known).length === 0
    return isClean ? null : this.#found(caller, message, value, known)
  }

  async #found(
    caller: Caller,
    message: Message,
    value: unknown,
    known: KnownValues,
  ): Promise<string | null> {
    const { switches, seenIn, report, refusalText } = this.#options
    const tool = toolOf(message)
    const seen = await seenIn(caller, tool, value, known)
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
    if (message.kind !== 'response') {
      const id = message.kind === 'request' ? message.idKey.slice(1) : ''
      const seen = this.#options.knownIn({ id, method: message.method }, known)
      if (seen.length > 0) return this.#refused(caller, message, seen)
    }
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
    const { seenIn, report } = this.#options
    const tool = toolOf(message)
    const extras = extrasOf(message)
    const seenOf = (some: readonly Extra[]): Promise<readonly Seen[]> =>
      seenIn(caller, tool, valuesOf(some), known)
    const taken: Extra[] = []
    const found: Seen[] = []
    for (const extra of extras) {
      const seen = await seenOf([extra])
      if (seen.length > 0) taken.push(extra)
      found.push(...seen)
    }
    const left = extras.filter((one) => !taken.includes(one))
    // One may be split over several.
    const across = await seenOf(left)
    if (across.length > 0) taken.push(...left)
    if (taken.length === 0) return message
    await report(caller, [...found, ...across], { tool, direction: 'output', decision: 'changed' })
    return withoutExtras(message, taken)
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

/** As rules of inspection know it. */
function toolOf(message: Message): string {
  return message.kind === 'response' ? 'answer' : message.method
}
