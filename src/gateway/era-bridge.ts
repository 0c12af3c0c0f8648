import type { CallOutcome } from '../audit/index.ts'
import type { Log } from '../core/log.ts'
import { monotonicMs } from '../core/time.ts'
import type { Crossing, Translator } from '../mcp/eras/index.ts'
import {
  ERA_ERRORS,
  type Message,
  memberOf,
  type Refused,
  type Request,
  type Response,
  readMessage,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import { newHandle } from './held-handles.ts'
import { isNotUnderstood, unansweredFor } from './http-exchange.ts'
import { inDoubtAs } from './relay-messages.ts'
import { isObject } from './tool-call.ts'

/** What is known of a server's era, to all who speak to it. */
export interface KnownEra {
  /** It ended on a first word of the newer era: from then on it is begun with in the older way. */
  isOld: boolean
}

export interface EraBridgeOptions {
  readonly toServer: (text: string, message: Message | null) => void
  readonly hear: (message: Message | Refused, about: string | null) => void | Promise<void>
  readonly failed: (idKey: string, end: CallOutcome, why: string) => void
  readonly log: Log
  /** Left out: nothing was known before. */
  readonly known?: KnownEra
  /** How long a server may take until it says its first word. */
  readonly startMs: number
  /** It took longer, and whoever waited was told. */
  readonly onSilent?: () => void
  /** A server that says nothing to a first word of the newer era for so long is asked in the older way too. */
  readonly silenceMs?: number
}

/** A server that said nothing is asked in the older way: for whom, and under which id. */
interface Older {
  readonly translator: Translator
  readonly idKey: string
}

/** The first word of a client, on its way to a server whose era it will show. */
interface Asking {
  readonly first: Request
  /** Whether we asked and not the client: then it does not hear the answer. */
  readonly isOurs: boolean
  /** Whether its answer shows the era; not while the server is asked in the other way. */
  isOpen: boolean
  /** Beside that, where it is. */
  older: Older | null
  /** What the client said meanwhile. */
  readonly queue: [text: string, message: Message | null][]
}

const TIDY_MS = 1_000
const SILENCE_MS = 30_000
const LATE = 'The server did not answer in time.'
const HELD_BY_ERA: ReadonlySet<unknown> = new Set(Object.values(ERA_ERRORS))
const PROBE = 'sallyport-probe'
/** Ids of a server that is asked in both ways: none is one of its client. */
const OLDER_IDS = 'sallyport-'
/** What a server that has started answers soon. All else may be work, for which it has the time of a call. */
const ANSWERED_SOON = /^ping$|\/list$/

/**
 * Stands between a client and its server and looks at their first words. When both speak the same era, all that follows
 * goes by untouched; when they do not, it is translated. A client whose first words the server did not understand is
 * never told so: the server is asked in its own way.
 */
export class EraBridge {
  readonly #options: EraBridgeOptions
  #asking: Asking | null = null
  #translator: Translator | null = null
  #timer: NodeJS.Timeout | undefined
  #silence: NodeJS.Timeout | undefined
  /** Runs from the first such request on until the server says something, and while it is asked for its era. */
  #start: NodeJS.Timeout | undefined
  /** Requests for a soon answer that went by untouched to a server that said nothing yet; null once it did. */
  #unheard: Set<string> | null = new Set()
  /** Whether what waits in the translator waits for a server that said nothing. */
  #isUnbegun = false
  /** What the client is to hear, in order. */
  #speaking: Promise<void> = Promise.resolve()
  readonly #known: KnownEra
  /** Whether all that was written to the server are questions for its era. */
  #isUntold = true
  /** Whether it ended on one and is being started again, and whether it ever was. */
  #isAway = false
  #isAnew = false

  constructor(options: EraBridgeOptions) {
    this.#options = options
    this.#known = options.known ?? { isOld: false }
  }

  /** Whether messages are translated. */
  get isAcross(): boolean {
    return this.#translator !== null
  }

  close(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#silence)
    this.#stopClock()
    this.#translator = null
    this.#over()
  }

  /**
   * The server ended by itself. One of an older era may do so on the first word of the newer one: where it said nothing
   * before, it is to be started once more, and what the client says meanwhile waits.
   *
   * @returns whether it is; `startedAgain` is called then, or `serverEnded`
   */
  mayBeOlder(): boolean {
    if (this.#unheard === null) return false
    const { isOpen = false, first } = this.#asking ?? {}
    const isOld = isOpen && first?.method === 'server/discover' && this.#isUntold && !this.#isAnew
    this.#known.isOld = isOld
    if (!isOld) return false
    this.#options.log.debug('the server ended on the first word of a newer era')
    clearTimeout(this.#silence)
    if (this.#asking !== null) this.#asking.older = null
    this.#isAnew = true
    this.#isAway = true
    return true
  }

  startedAgain(): void {
    this.#isAway = false
    if (this.#asking !== null) this.#say(this.#asking)
  }

  /** The server is gone, or says nothing: what waited for its first word was never written. */
  serverEnded(why: string): void {
    const failing = this.#translator?.giveUp?.(why) ?? []
    if (this.#asking !== null) this.#giveUp(this.#asking, why)
    this.close()
    for (const one of failing)
      if (one.to === 'nobody') this.#options.failed(one.about, one.end, one.why)
  }

  /** Resolves when all that the client said so far is on its way, whatever era the server shows. */
  async settled(): Promise<void> {
    while (this.#asking !== null || this.#translator?.isHolding === true)
      await new Promise<void>((resolve) => {
        this.#onMoved = resolve
      })
  }

  /** For who waits until what waits is on its way. */
  #onMoved: (() => void) | null = null

  #over(): void {
    this.#asking = null
    this.#onMoved?.()
  }

  /** @param message what `text` was made of, where that is at hand */
  fromClient(text: string, message: Message | null): void {
    const isBeginning = message?.kind === 'request' && isGreeting(message)
    if (this.#isSame && this.#asking === null && !isBeginning) {
      this.#options.toServer(text, message)
      return
    }
    const one = message?.text === text ? message : readMessage(text)
    if (one.kind === 'request' && isGreeting(one)) {
      // Clients of several eras begin again when they do not like what they found, or found nothing: some servers
      // say nothing at all to what they do not know.
      const waiting = this.#asking?.queue ?? []
      this.close()
      this.#ask(one, false, waiting)
    } else if (this.#asking !== null) this.#asking.queue.push([text, message])
    else if (this.#translator !== null) {
      if (one.kind !== 'refused') void this.#carry(this.#translator.fromClient(one))
    } else if (one.kind !== 'request' || versionNamedBy(one) === null) {
      if (one.kind === 'request' && this.#unheard !== null && ANSWERED_SOON.test(one.method)) {
        this.#unheard.add(one.idKey)
        if (this.#start === undefined) this.#startClock()
      }
      this.#isUntold = false
      this.#options.toServer(text, message)
    } else if (one.method === 'server/discover') this.#ask(one, false)
    else {
      this.#ask(probeFor(one), true)
      this.fromClient(text, message)
    }
  }

  #isSame = false

  #ask(first: Request, isOurs: boolean, queue: Asking['queue'] = []): void {
    this.#isSame = false
    const asking = { first, isOurs, isOpen: true, older: null, queue }
    this.#asking = asking
    this.#startClock()
    if (!this.#isAway) this.#say(asking)
  }

  #say(asking: Asking): void {
    const { first } = asking
    const isNewer = first.method !== 'initialize'
    if (isNewer && this.#known.isOld) {
      void this.#cross(asking, () => {})
      return
    }
    if (isNewer) {
      const { silenceMs = SILENCE_MS } = this.#options
      this.#silence = setTimeout(() => void this.#askOlder(asking), silenceMs).unref()
    }
    this.#options.toServer(first.text, first)
  }

  /** Some servers say nothing at all to what they do not know, others are slow to start: what is answered counts. */
  async #askOlder(asking: Asking): Promise<void> {
    const { ModernClient } = await import('../mcp/eras/index.ts')
    if (this.#asking !== asking || !asking.isOpen || this.#isAway) return
    const translator = new ModernClient({ newHandle, ids: OLDER_IDS })
    const [greeting] = translator.fromClient(asking.first)
    const read = greeting?.to === 'server' ? readMessage(greeting.text) : null
    if (read?.kind !== 'request') return
    asking.older = { translator, idKey: read.idKey }
    this.#options.toServer(read.text, null)
  }

  /** @param crossings what its translator makes of the answer to the older way */
  #goOlder(asking: Asking, { translator }: Older, crossings: readonly Crossing[]): void {
    asking.isOpen = false
    const { isOurs } = asking
    this.#goOn(
      asking,
      translator,
      isOurs ? crossings.filter(({ to }) => to === 'server') : crossings,
    )
  }

  #startClock(): void {
    clearTimeout(this.#start)
    this.#start = setTimeout(() => this.#late(), this.#options.startMs).unref()
  }

  #stopClock(): void {
    clearTimeout(this.#start)
    this.#start = undefined
    this.#isUnbegun = false
  }

  /** It was given its time. Whoever waits was never heard by anybody, and the next asks again. */
  #late(): void {
    const asking = this.#asking
    const unheard = [...(this.#unheard ?? [])]
    if (asking?.isOurs === false) unheard.push(asking.first.idKey)
    this.serverEnded(LATE)
    for (const idKey of unheard) this.#options.failed(idKey, 'timed-out', LATE)
    if (this.#unheard === null) return
    this.#known.isOld = false
    this.#unheard.clear()
    this.#options.onSilent?.()
  }

  /** One message of the server. */
  heard(message: Message | Refused, about: string | null): void | Promise<void> {
    const asking = this.#asking
    const older = asking?.older ?? null
    const isOlder = older !== null && message.kind === 'response' && message.idKey === older.idKey
    if (asking?.isOpen === true && isOlder && message.outcome === 'error') {
      asking.older = null
      return undefined
    }
    // What ended once may be another program by now.
    const isRefused =
      this.#known.isOld &&
      this.#isUnbegun &&
      message.kind === 'response' &&
      message.outcome === 'error'
    if ((this.#unheard !== null || this.#start !== undefined) && message.kind !== 'refused') {
      // Of a server that is asked for its era, no other word helps those who wait.
      const isAsked = asking !== null || this.#isUnbegun
      if (!isAsked || message.kind === 'response') {
        this.#unheard = null
        this.#stopClock()
      }
    }
    if (asking !== null && isOlder) {
      this.#goOlder(asking, older, older.translator.fromServer(message, about))
      return this.#speaking
    }
    if (
      asking?.isOpen === true &&
      message.kind === 'response' &&
      message.idKey === asking.first.idKey
    )
      return this.#decide(asking, message)
    if (this.#translator === null) return this.#options.hear(message, about)
    if (message.kind === 'refused') {
      this.#options.log.warn('the server sent what is no message', { reason: message.message })
      return Promise.resolve()
    }
    const crossings = this.#translator.fromServer(message, about)
    if (isRefused) {
      this.#known.isOld = false
      this.close()
    }
    return this.#carry(crossings, message)
  }

  /** A request that the server will not answer. @param status of HTTP, when it had one */
  failed(idKey: string, end: CallOutcome, why: string, status: number | null = null): void {
    const asking = this.#asking
    const older = asking?.older ?? null
    if (asking !== null && older?.idKey === idKey && isEndOfRequest(end)) {
      if (asking.isOpen) asking.older = null
      else this.#goOlder(asking, older, older.translator.failed(idKey, end, why))
      return
    }
    if (asking?.isOpen === true && idKey === asking.first.idKey) {
      if (status !== null && isNotUnderstood(status)) {
        void this.#cross(asking, () => this.#options.failed(idKey, end, why))
        return
      }
      if (asking.isOurs) this.#giveUp(asking, why)
      else {
        this.#stopClock()
        this.#options.failed(idKey, end, why)
        this.#goOn(asking, null)
      }
    } else if (this.#translator !== null && isEndOfRequest(end))
      void this.#carry(this.#translator.failed(idKey, end, why))
    else {
      const isLast = this.#unheard?.delete(idKey) === true && this.#unheard.size === 0
      if (isLast && this.#asking === null) this.#stopClock()
      this.#options.failed(idKey, end, why)
    }
  }

  async #decide(asking: Asking, answer: Response): Promise<void> {
    const { first, isOurs } = asking
    if (isUnderstood(first, answer)) {
      this.#isSame = true
      if (!isOurs) await this.#options.hear(answer, first.idKey)
      this.#goOn(asking, null)
      return
    }
    const { status } = answer
    if (status === undefined || isNotUnderstood(status)) {
      await this.#cross(asking, () => this.#options.hear(answer, first.idKey))
      return
    }
    // Who is let in, or what broke, tells nothing of eras.
    if (isOurs) this.#giveUp(asking, unansweredFor(status).message)
    else {
      await this.#options.hear(answer, first.idKey)
      this.#goOn(asking, null)
    }
  }

  /**
   * The server did not understand its client.
   *
   * @param refuse tells the client so, for the case that the server understands the other way as little
   */
  async #cross(asking: Asking, refuse: () => Promise<void> | void): Promise<void> {
    const { first, isOurs } = asking
    asking.isOpen = false
    if (asking.older !== null) return
    const { LegacyClient, ModernClient } = await import('../mcp/eras/index.ts')
    if (this.#asking !== asking) return
    if (first.method !== 'initialize') {
      this.#options.log.debug('the server is of an older era than its client')
      const translator = new ModernClient({ newHandle })
      this.#isUnbegun = this.#start !== undefined
      this.#goOn(asking, translator, isOurs ? [] : translator.fromClient(first))
      return
    }
    this.#options.log.debug('the client is of an older era than its server')
    const translator = new LegacyClient()
    // What the client hears first is whether the server speaks the newer era at all.
    const begun = (crossings: readonly Crossing[]): readonly Crossing[] =>
      this.#begin(asking, translator, refuse, crossings)
    this.#translator = {
      fromClient: (message) => translator.fromClient(message),
      fromServer: (message) => begun(translator.fromServer(message)),
      failed: (idKey, end, why) => begun(translator.failed(idKey, end, why)),
      tidy: () => [],
      isHolding: true,
    }
    await this.#carry(translator.fromClient(first))
  }

  #begin(
    asking: Asking,
    translator: Translator,
    refuse: () => Promise<void> | void,
    crossings: readonly Crossing[],
  ): readonly Crossing[] {
    const answer = crossings.find((one) => one.to === 'client' && one.about === asking.first.idKey)
    if (answer?.to !== 'client') return crossings
    const isRefused = memberOf(answer.text, 'error') !== null
    if (isRefused) {
      void refuse()
      this.#goOn(asking, null)
      return []
    }
    // Behind its answer, and before what comes next.
    queueMicrotask(() => this.#goOn(asking, translator))
    return crossings
  }

  /** The server is not there or lets nobody in: whoever waited for its era hears that, and the next asks again. */
  #giveUp(asking: Asking, why: string): void {
    this.#over()
    clearTimeout(this.#silence)
    this.#stopClock()
    for (const [text, message] of asking.queue.splice(0)) {
      const one = message?.text === text ? message : readMessage(text)
      if (one.kind === 'request') this.#options.failed(one.idKey, 'never-sent', why)
    }
  }

  /** What waited goes on. */
  #goOn(asking: Asking, translator: Translator | null, crossings: readonly Crossing[] = []): void {
    if (this.#asking !== asking) return
    this.#over()
    clearTimeout(this.#silence)
    this.#translator = translator
    if (translator !== null) {
      clearInterval(this.#timer)
      this.#timer = setInterval(() => {
        void this.#carry(translator.tidy(monotonicMs()))
      }, TIDY_MS)
      this.#timer.unref()
    }
    void this.#carry(crossings)
    for (const [text, message] of asking.queue.splice(0)) this.fromClient(text, message)
  }

  /** @param of what the server said, where they are made of that */
  #carry(crossings: readonly Crossing[], of: Message | null = null): Promise<void> {
    for (const one of crossings) {
      if (one.to === 'server') this.#options.toServer(one.text, null)
      else this.#speaking = this.#speaking.then(() => this.#speak(one, of))
    }
    this.#onMoved?.()
    return this.#speaking
  }

  async #speak(
    one: Exclude<Crossing, { readonly to: 'server' }>,
    of: Message | null,
  ): Promise<void> {
    try {
      if (one.to === 'nobody') this.#options.failed(one.about, one.end, one.why)
      else {
        const said = readMessage(one.text)
        await this.#options.hear(of === null ? said : inDoubtAs(of, said), one.about)
      }
    } catch {
      this.#options.log.error('a translated message could not be passed on')
    }
  }
}

/** Of a client with sessions. One that names its revision has none, whatever it calls its request. */
function isGreeting(message: Request): boolean {
  return message.method === 'initialize' && versionNamedBy(message) === null
}

function isEndOfRequest(end: CallOutcome): end is 'never-sent' | 'refused-by-server' | 'lost' {
  return end === 'never-sent' || end === 'refused-by-server' || end === 'lost'
}

/** Whether an answer shows that the server speaks the era of the question. */
function isUnderstood({ method }: Request, answer: Response): boolean {
  const { value } = answer.body
  if (answer.outcome === 'result')
    return method === 'initialize' || (isObject(value) && Array.isArray(value['supportedVersions']))
  // Only modern servers have these words for what they do not take.
  return method !== 'initialize' && isObject(value) && HELD_BY_ERA.has(value['code'])
}

/** Asks a server which eras it speaks, with what its client says of itself. */
function probeFor({ params }: Request): Request {
  const meta = isObject(params?.value) ? params.value['_meta'] : undefined
  const read = readMessage(
    JSON.stringify({
      jsonrpc: '2.0',
      id: PROBE,
      method: 'server/discover',
      params: { _meta: meta },
    }),
  )
  if (read.kind !== 'request') throw new Error('a request was made that is none')
  return read
}
