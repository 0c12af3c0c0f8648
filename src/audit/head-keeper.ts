import type { Db } from '../core/db-port.ts'
import type { StoreId } from '../core/ids.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { MacKey } from '../crypto/index.ts'
import { readTree } from './audit-repository.ts'
import { type AdoptedHead, type Head, type HeadPlace, readHead, writeHead } from './head.ts'
import { leavesBetween } from './retention/leaves.ts'
import { Frontier } from './tree.ts'

/** How long after a commit the head may still be behind it. */
const DELAY_MS = 400
const PAGE = 200
/** More than a busy second has; beyond it the records are read again. */
const MAX_STATES = 4096

/** What was wrong with the head when this process last looked at it; such a head is kept as evidence. */
export type HeadTrouble = 'missing' | 'invalid' | 'behind' | 'forked'

export interface HeadKeeperOptions {
  readonly db: Db
  readonly place: HeadPlace
  readonly key: MacKey
  readonly storeId: StoreId
  readonly storeName: string
  readonly clock: Clock
  readonly log: Log
}

/**
 * Moves the head forward after commits. It is only ever replaced by a state that grew out of it: the records between
 * the two are hashed again from the store, so a tail that was cut and grown anew does not get a fresh head.
 */
export class HeadKeeper {
  readonly #options: HeadKeeperOptions
  #place: HeadPlace
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> = Promise.resolve()
  readonly #own = new OwnAppends()
  #trouble: HeadTrouble | null = null

  constructor(options: HeadKeeperOptions) {
    this.#options = options
    this.#place = options.place
  }

  /** Where the head is kept. */
  get place(): HeadPlace {
    return this.#place
  }

  get trouble(): HeadTrouble | null {
    return this.#trouble
  }

  /** On a store without records: writes the first head, so that later a missing one means something. */
  async begin(): Promise<void> {
    const { db, key, storeId } = this.#options
    const place = this.#place
    const tree = await db.read((reader) => readTree(reader))
    if (tree !== null) return
    await place.locked(async () => {
      const reading = await readHead(place, key, storeId)
      if (reading.state === 'missing') await this.#write(new Frontier())
    })
  }

  /** Makes the store as it is the new head, whatever was there, and tells what that was. For a restore, and the person. */
  async adopt(): Promise<AdoptedHead> {
    const { db, key, storeId } = this.#options
    const place = this.#place
    return place.locked(async () => {
      const reading = await readHead(place, key, storeId)
      const tree = await db.read((reader) => readTree(reader))
      await db.settle()
      const adopted = tree === null ? new Frontier() : new Frontier(tree.size, tree.frontier)
      await this.#write(adopted)
      this.#trouble = null
      return { found: reading, adopted }
    })
  }

  /** Keeps the head in another place from now on, beginning with what it says now. */
  async moveTo(place: HeadPlace): Promise<void> {
    await this.flush()
    if (this.#trouble !== null) return
    const tree = await this.#options.db.read((reader) => readTree(reader))
    this.#place = place
    await place.locked(() =>
      this.#write(tree === null ? new Frontier() : new Frontier(tree.size, tree.frontier)),
    )
  }

  /** Asks for the head to be written soon. */
  touch(): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#keepUp().catch((error: unknown) => {
        this.#options.log.error('the head of the audit tree could not be written', {
          place: this.#place.name,
          reason: error instanceof Error ? error.message : 'unknown',
        })
      })
    }, DELAY_MS)
    this.#timer.unref()
  }

  /** Writes the head now. */
  flush(): Promise<void> {
    return this.#soon(0)
  }

  /** Leaves a head that another process has just moved alone for once: one of them reading the records is enough. */
  async #keepUp(): Promise<void> {
    await this.#soon(DELAY_MS)
  }

  #soon(freshMs: number): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#forward(freshMs))
    return this.#writing
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.flush()
  }

  /** @param freshMs a head of another process that is younger than this is left for the next time */
  async #forward(freshMs: number): Promise<void> {
    const { db, key, storeId } = this.#options
    const place = this.#place
    const tree = await db.read((reader) => readTree(reader))
    if (tree === null) return
    // A head must not outlive a power cut that its records do not.
    await db.settle()
    const now = new Frontier(tree.size, tree.frontier)
    await place.locked(async () => {
      const reading = await readHead(place, key, storeId)
      if (reading.state !== 'valid') {
        this.#troubled(reading.state)
        return
      }
      const head = new Frontier(reading.head.size, reading.head.frontier)
      if (head.size > now.size) {
        // Another process may have committed and moved the head since this one looked at the tree.
        const later = await db.read((reader) => readTree(reader))
        if (later === null || later.size < head.size) this.#troubled('behind')
        return
      }
      if (head.size === now.size && head.pack().equals(now.pack())) return
      if (this.#own.lead(head, now)) {
        this.#trouble = null
        await this.#write(now)
        return
      }
      const age = this.#options.clock() - reading.head.at
      if (age >= 0 && age < freshMs) {
        this.touch()
        return
      }
      if (!(await this.#grewFrom(head, now))) {
        this.#troubled('forked')
        return
      }
      this.#trouble = null
      await this.#write(now)
    })
  }

  /** Whether the tree `now` is what the records after the head make of it. */
  async #grewFrom(head: Frontier, now: Frontier): Promise<boolean> {
    const frontier = head.copy()
    return this.#options.db.read(async (reader) => {
      for await (const leaves of leavesBetween(reader, frontier.size, now.size, PAGE)) {
        for (const { hash } of leaves) frontier.append(hash)
        // A busy store may have grown by thousands of records; nobody should wait for all of them.
        await new Promise((resolve) => setImmediate(resolve))
      }
      return frontier.pack().equals(now.pack())
    })
  }

  /** Tells that this process committed records that took the tree from one frontier to another, of `size`. */
  appended(before: Buffer, after: Buffer, size: number): void {
    this.#own.add(before, after, size)
    this.touch()
  }

  async #write(frontier: Frontier): Promise<void> {
    const { key, storeId, storeName, clock } = this.#options
    const head: Head = {
      storeId,
      size: frontier.size,
      frontier: frontier.pack(),
      at: clock(),
      store: storeName,
    }
    await writeHead(this.#place, key, head)
    this.#own.written(frontier)
  }

  #troubled(trouble: HeadTrouble): void {
    if (this.#trouble === trouble) return
    this.#trouble = trouble
    this.#options.log.error(
      'the audit tree does not follow from its head; run sallyport audit verify',
      {
        trouble,
        place: this.#place.name,
      },
    )
  }
}

/**
 * The states of the tree that this process itself made since the head it wrote last. While there is no gap between
 * them, nothing has to be read again to know that the tree grew out of the head.
 */
class OwnAppends {
  /** The frontier that the states follow from. */
  #start: Buffer | null = null
  #last: Buffer | null = null
  /** By size. */
  readonly #states = new Map<number, Buffer>()

  add(before: Buffer, after: Buffer, size: number): void {
    if (this.#last?.equals(before) !== true || this.#states.size >= MAX_STATES) {
      this.#states.clear()
      this.#start = before
    }
    this.#states.set(size, after)
    this.#last = after
  }

  /** Whether they lead from one state of the tree to another. */
  lead(from: Frontier, to: Frontier): boolean {
    return (
      this.#start?.equals(from.pack()) === true &&
      this.#states.get(to.size)?.equals(to.pack()) === true
    )
  }

  /** A head was written: from now on what follows it matters. */
  written(head: Frontier): void {
    const packed = head.pack()
    if (this.#states.get(head.size)?.equals(packed) === true) {
      for (const size of this.#states.keys()) if (size <= head.size) this.#states.delete(size)
      this.#start = packed
    } else if (this.#start?.equals(packed) !== true) {
      this.#states.clear()
      this.#start = packed
      this.#last = packed
    }
  }
}
