import { mentionsHeld } from '../core/held-values.ts'
import { sseEvent } from '../mcp/wire/index.ts'
import { firstEvent } from './first-event.ts'
import type { DoorResponse } from './http-request.ts'

/** Of one stream that its client may come back to. */
const MAX_KEPT = 256
const MAX_KEPT_BYTES = 1_048_576

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  // Else a proxy in front keeps events back until it has enough of them.
  'X-Accel-Buffering': 'no',
}

interface Kept {
  readonly number: number
  readonly text: string
}

/**
 * Messages for a client as server-sent events. One whose client may come back (a name is given) keeps its last events,
 * so that what was said while the connection was gone is not lost. It begins with an event that has an id and no data,
 * so that a client whose connection breaks off before the first message knows where to go on.
 */
export class EventStream {
  readonly name: string | null
  readonly #onUntold: ((text: string) => void) | null
  /** While its client is waited for. */
  #catchingUp: Promise<void> | null = null
  #response: DoorResponse | null = null
  #kept: Kept[] = []
  #keptBytes = 0
  #count = 0
  /** Number of the last event that went over a connection. */
  #said = 0
  #isDone = false
  /** While an event with large values is written, the others wait. */
  #large: Promise<void> | null = null
  /** Characters of those. */
  #waitingBehind = 0

  /**
   * @param name part of the ids of its events; null: nobody comes back to it
   * @param onUntold told of what never went over a connection, and is not kept any longer
   */
  constructor(name: string | null, onUntold: ((text: string) => void) | null = null) {
    this.name = name
    this.#onUntold = onUntold
  }

  get isAttached(): boolean {
    return this.#response !== null
  }

  /** Whether its last event was said. */
  get isDone(): boolean {
    return this.#isDone
  }

  /**
   * Goes on over this connection.
   *
   * @param after number of the last event that the client has; null: of the last one that went out
   */
  attach(
    response: DoorResponse,
    headers: Readonly<Record<string, string>>,
    after: number | null,
  ): void {
    this.#response?.end()
    this.#response = response
    response.once('close', () => {
      if (this.#response === response) this.#response = null
    })
    response.writeHead(200, { ...HEADERS, ...headers })
    const from = after ?? this.#said
    // Clients wait for the first byte.
    const isPrimed = this.name !== null && after === null && knowsPriming(response.req)
    response.write(isPrimed ? `id: ${this.name}-${from}\ndata: \n\n` : ': \n\n')
    for (const { number, text } of this.#kept)
      if (number > from) this.#write(response, text, number)
    this.#said = this.#count
    if (this.#isDone) this.#finish(response)
  }

  event(text: string): void {
    if (this.#isDone) return
    this.#count += 1
    if (this.#response !== null) this.#said = this.#count
    if (this.name !== null) this.#keep({ number: this.#count, text })
    if (this.#response === null) return
    this.#write(this.#response, text, this.#count)
  }

  /** Its client has to come back to hear more. */
  hangUp(): void {
    this.#response?.end()
    this.#response = null
  }

  /** Its last event was said. */
  end(): void {
    this.#isDone = true
    if (this.#response !== null) this.#finish(this.#response)
    this.#response = null
  }

  /** Its client cannot come back to it any more. */
  forget(): void {
    while (this.#kept.length > 0) this.#drop()
  }

  /** A comment, so that nobody on the way takes the connection for dead. */
  touch(): void {
    if (this.#large === null) this.#response?.write(': \n\n')
  }

  /** Whether its client takes no more right now. */
  get isBehind(): boolean {
    return this.#response?.writableNeedDrain === true
  }

  /** What its client did not take yet, in bytes or about that. */
  get waiting(): number {
    return (this.#response?.writableLength ?? 0) + this.#waitingBehind
  }

  /** Ends the connection, with all that waits. */
  cut(): void {
    this.#response?.destroy()
  }

  /** Resolves when the client takes more, or is gone. */
  async caughtUp(): Promise<void> {
    while (this.#large !== null) await this.#large
    const response = this.#response
    if (response?.writableNeedDrain !== true) return
    // Several may wait, and some of them give up: there is one listener for all.
    this.#catchingUp ??= firstEvent(response, 'drain', 'close').finally(() => {
      this.#catchingUp = null
    })
    await this.#catchingUp
  }

  #write(response: DoorResponse, text: string, number: number): void {
    const id = this.name === null ? null : `${this.name}-${number}`
    const isLarge = mentionsHeld(text)
    if (!isLarge && this.#large === null) {
      response.write(sseEvent(text, id))
      return
    }
    const before = this.#large ?? Promise.resolve()
    this.#waitingBehind += text.length
    const now = (async () => {
      await before
      this.#waitingBehind -= text.length
      if (isLarge) await (await import('./large-http.ts')).writeLargeEvent(response, text, id)
      else response.write(sseEvent(text, id))
    })().finally(() => {
      if (this.#large === now) this.#large = null
    })
    this.#large = now
  }

  #finish(response: DoorResponse): void {
    if (this.#large === null) response.end()
    else void this.#large.then(() => this.#finish(response))
  }

  #keep(one: Kept): void {
    this.#kept.push(one)
    this.#keptBytes += one.text.length
    while (this.#kept.length > MAX_KEPT || this.#keptBytes > MAX_KEPT_BYTES) this.#drop()
  }

  #drop(): void {
    const dropped = this.#kept.shift()
    if (dropped === undefined) return
    this.#keptBytes -= dropped.text.length
    if (dropped.number > this.#said) this.#onUntold?.(dropped.text)
  }
}

/** From then on clients take an event without data for the place to go on from, and no older one for a message. */
const FIRST_WITH_PRIMING = '2025-11-25'
const REVISION = /^\d{4}-\d\d-\d\d$/

function knowsPriming({ headers }: DoorResponse['req']): boolean {
  const { 'mcp-protocol-version': version } = headers
  return typeof version === 'string' && REVISION.test(version) && version >= FIRST_WITH_PRIMING
}

/** The name and number in the id of an event, or null. */
export function eventPlace(
  id: string | null,
): { readonly name: string; readonly number: number } | null {
  const [, name, number] = /^([0-9a-z]{1,20})-(\d{1,12})$/.exec(id ?? '') ?? []
  return name === undefined ? null : { name, number: Number(number) }
}
