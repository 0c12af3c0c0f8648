import { randomBytes } from 'node:crypto'
import type { CountersAddress } from '../core/counters-address.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { monotonicMs } from '../core/time.ts'
import { RedisLink, Unanswered } from './redis-counters-link.ts'
import { FOUND, MARK, type Script } from './redis-counters-scripts.ts'

/** What the store knows of its counters elsewhere. */
export interface CountersMark {
  /** What stands there as long as nothing was lost. */
  readonly marker: string
  /** So many changes were made there, at least. */
  readonly changes: number
}

/** Where a store keeps the mark of its counters, for all of its processes. */
export interface CountersMarks {
  /** Null: nothing was ever counted there. */
  read(): Promise<CountersMark | null>
  /**
   * Writes down that counting begins. Of several processes one does it, and the others get what it wrote.
   *
   * @param put puts a marker there and gives what is there then
   */
  begin(put: (marker: string) => Promise<CountersMark>): Promise<CountersMark>
  /** Writes down how many changes were seen; may be lost with the power. */
  saw(mark: CountersMark): Promise<void>
}

export interface RedisCountersOptions {
  readonly address: CountersAddress
  /** PEM file of authorities that are trusted beside those of the system, or null. */
  readonly caFile: string | null
  /** Stores that share a Redis have counters of their own. */
  readonly storeId: string
  readonly marks: CountersMarks
  readonly log: Log
  /**
   * Whose clock counts. Redis' is one for all nodes, so that no node has a window of its own; the callers' is for
   * tests, which have to step it. Default: redis.
   */
  readonly time?: 'redis' | 'callers'
  /** How long a call waits to be counted, milliseconds. Default: 1,000. */
  readonly patienceMs?: number
}

const PATIENCE_MS = 1_000
const MAX_UNDERWAY = 4_096
/** What this process did last is known in Redis for an hour after it. */
const KNOWN_MS = 30 * 60_000
const SAVE_EVERY_MS = 1_000

/** A change on its way. Its place is free again when it is known what became of it. */
export interface Operation {
  readonly place: number
  readonly id: number
}

/**
 * What a process changes in the counters of a store. A change has a place and an id, so that one whose answer was lost
 * is made once however often it is asked for.
 *
 * Nothing may be forgotten there: a marker, the number of changes and the last one of each process say whether something
 * was. Then no change is made, until a person accepts what is there.
 */
export class RedisChanges {
  readonly #options: RedisCountersOptions
  readonly #link: RedisLink
  readonly #process = randomBytes(12).toString('base64url')
  readonly #prefix: string
  readonly #free: number[] = []
  #places = 0
  #lastId = 0
  #mark: CountersMark | null = null
  #marking: Promise<CountersMark> | null = null
  #changes = 0
  #savedAt = Number.NEGATIVE_INFINITY
  #savedChanges = 0
  #answered: { readonly operation: Operation; readonly at: number } | null = null
  #isLostSaid = false
  readonly #behind = new Set<Promise<unknown>>()
  readonly patienceMs: number

  constructor(options: RedisCountersOptions) {
    this.#options = options
    this.patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#link = new RedisLink({ ...options, patienceMs: this.patienceMs })
    // In a cluster all of these are in one place.
    this.#prefix = `sallyport:{${options.storeId}}:`
  }

  /**
   * Puts a marker there, where none is or the one there says that something was lost.
   *
   * @param isForced in place of any other, too
   * @returns what is there then
   */
  async mark(marker: string, isForced: boolean): Promise<CountersMark> {
    const said = String(
      await this.read(MARK, [this.key('standing')], () => [marker, isForced ? '1' : '0']),
    )
    const [held = '', changes = '0'] = said.split(' ')
    return { marker: held, changes: Number(changes) }
  }

  /** What is there now, without putting anything there. */
  async found(): Promise<CountersMark | null> {
    const said = await this.read(FOUND, [this.key('standing')], () => [])
    if (typeof said !== 'string') return null
    const [marker = '', changes = '0'] = said.split(' ')
    return { marker, changes: Number(changes) }
  }

  /**
   * Whether what is there is what was counted, as far as can be told.
   *
   * @returns whether Redis logs its writes to disk, so that it may be started anew
   * @throws {Fault} `COUNTERS_UNAVAILABLE`, `COUNTERS_LOST`
   */
  async check(): Promise<{ readonly isLogged: boolean }> {
    const known = await this.#options.marks.read()
    const there = await this.found()
    if (known !== null && (there?.marker !== known.marker || there.changes < known.changes))
      throw this.#lost()
    return { isLogged: this.#link.isLogged }
  }

  /** One change, made once. @throws {Unanswered} @throws {Fault} `COUNTERS_UNAVAILABLE`, `COUNTERS_LOST` */
  async make(
    script: Script,
    { place, id }: Operation,
    counters: readonly string[],
    own: readonly string[],
    until: number,
  ): Promise<string> {
    const keys = [
      this.key('standing'),
      this.key(`process:${this.#process}`),
      this.key('counter'),
      ...counters.map((counter) => this.counter(counter)),
    ]
    for (let known = await this.#standing(); ; ) {
      const { marker } = known
      const said = String(
        await this.#link.run(
          script,
          keys,
          () => {
            const least = String(this.#changes)
            return [marker, least, String(place), String(id), ...this.#lastAnswered(), ...own]
          },
          until,
        ),
      )
      if (!said.startsWith('marker ')) {
        this.#answer(said, { place, id })
        return said
      }
      const now = await this.#options.marks.read()
      // A person may have accepted that they begin anew.
      if (now === null || now.marker === marker) throw this.#lost()
      known = now
      if (this.#mark?.marker !== now.marker) this.#know(now)
    }
  }

  #answer(said: string, operation: Operation): void {
    this.#isLostSaid = false
    const changes = /^[tcu] (\d+)/.exec(said)?.[1]
    if (changes === undefined) return
    this.#changes = Math.max(this.#changes, Number(changes))
    if (this.#answered === null || this.#answered.operation.id < operation.id)
      this.#answered = { operation, at: monotonicMs() }
    if (monotonicMs() - this.#savedAt >= SAVE_EVERY_MS) this.keep(this.#save())
  }

  #lastAnswered(): readonly [place: string, id: string] {
    const answered = this.#answered
    if (answered === null || monotonicMs() - answered.at > KNOWN_MS) return ['', '']
    const { place, id } = answered.operation
    return [String(place), String(id)]
  }

  async #standing(): Promise<CountersMark> {
    if (this.#mark !== null) return this.#mark
    this.#marking ??= this.#begun().finally(() => {
      this.#marking = null
    })
    return this.#marking
  }

  async #begun(): Promise<CountersMark> {
    const { marks } = this.#options
    let mark = await marks.read()
    if (mark === null) {
      // Nobody waits for a Redis that is away while the store is locked.
      await this.found()
      mark = await marks.begin((marker) => this.mark(marker, false))
    }
    this.#know(mark)
    return mark
  }

  #know(mark: CountersMark): void {
    this.#mark = mark
    this.#changes = mark.changes
    this.#savedChanges = mark.changes
    this.#answered = null
  }

  async #save(): Promise<void> {
    const mark = this.#mark
    if (mark === null || this.#changes === this.#savedChanges) return
    this.#savedAt = monotonicMs()
    this.#savedChanges = this.#changes
    await this.#options.marks.saw({ marker: mark.marker, changes: this.#changes })
  }

  #lost(): Fault {
    const { shown } = this.#options.address
    const fault = new Fault(
      'COUNTERS_LOST',
      `What was counted at '${shown}' is not there any more, or not all of it.`,
      { details: { counters: shown } },
    )
    if (!this.#isLostSaid)
      this.#options.log.error('calls with limits are denied: what was counted is lost', {
        reason: fault.message,
        cure: fault.help,
      })
    this.#isLostSaid = true
    return fault
  }

  /** @throws {Fault} `COUNTERS_UNAVAILABLE` when too many are on their way */
  begin(): Operation {
    const place = this.#free.pop() ?? this.#places
    if (place === this.#places) {
      if (place >= MAX_UNDERWAY)
        throw new Fault('COUNTERS_UNAVAILABLE', 'Too many calls wait to be counted.')
      this.#places += 1
    }
    this.#lastId += 1
    return { place, id: this.#lastId }
  }

  /** It is known what became of it. */
  end({ place }: Operation): void {
    this.#free.push(place)
  }

  /** What goes on behind the back of whoever asked for it. */
  keep(work: Promise<unknown>): void {
    const kept = work.catch((error: unknown) => {
      this.#options.log.warn('counters could not be put right', {
        reason: error instanceof Error ? error.message : '',
      })
    })
    this.#behind.add(kept)
    void kept.then(() => this.#behind.delete(kept))
  }

  /** What may be asked as often as it likes. */
  async read(
    script: Script,
    keys: readonly string[],
    given: () => readonly string[],
  ): Promise<unknown> {
    try {
      return await this.#link.run(script, keys, given, await this.until())
    } catch (error) {
      throw error instanceof Unanswered ? error.fault : error
    }
  }

  /** How long a call that is asked now has, monotonic milliseconds. */
  async until(): Promise<number> {
    await this.#link.loaded()
    return monotonicMs() + this.patienceMs
  }

  key(name: string): string {
    return `${this.#prefix}${name}`
  }

  counter(name: string): string {
    return `${this.#prefix}counter:${name}`
  }
  /** What is under way is waited for, for a moment. */
  async close(): Promise<void> {
    const waiting = Promise.allSettled(this.#behind)
    let timer: NodeJS.Timeout | undefined
    await Promise.race([
      waiting,
      new Promise((resolve) => {
        timer = setTimeout(resolve, this.patienceMs)
      }),
    ])
    clearTimeout(timer)
    await this.#save().catch(() => {})
    await this.#link.close()
  }
}
