import type { KeyObject } from 'node:crypto'
import type { AuditFinding } from '../core/admin-port.ts'
import type { CheckedCheckpoint, Checkpoint, ExportReport } from '../core/audit-evidence.ts'
import { checkpointOf, isSigned, parsed } from './checkpoint.ts'
import { ExportEpochs, epochBegunBy } from './export-epochs.ts'
import { RecentTree } from './recent-tree.ts'
import { decodeRecord, type StoredRecord } from './record.ts'
import { Frontier, leafHash } from './tree.ts'

/** More findings than this say nothing new. */
const MAX_FINDINGS = 100
/** Records of a sink that may come before one with a smaller number. */
const MAX_AHEAD = 65_536
const HASH_BYTES = 32
const FRONTIER = /^(?:[0-9a-f]{64}){0,53}$/

type Members = Readonly<Record<string, unknown>>

export function objectOf(value: unknown): Members | null {
  return typeof value === 'object' && value !== null ? (value as Members) : null
}

/** What is kept of a record's line. */
interface Line {
  readonly leaf: Buffer
  readonly epoch: string | null
  /** The epoch that begins with it. */
  readonly begun: string | null
}

/** A checkpoint that stood among the records, with the tree that its root is of. */
interface Stamp {
  readonly checkpoint: Checkpoint
  readonly frontier: Frontier
}

/**
 * Reads a copy of the audit line by line: what `audit export` wrote, which is in order and ends with a head, or what a
 * sink kept, where records may come twice and out of turn and checkpoints stand between them. A sink's copy may begin
 * anywhere: its first checkpoint says on what it stands.
 */
export class ExportWalk {
  readonly #against: readonly Checkpoint[]
  readonly #keys: readonly KeyObject[]
  readonly #findings: AuditFinding[] = []
  /** Roots at the sizes of the checkpoints to hold it against. */
  readonly #roots = new Map<number, string>()
  /** Null while nothing says what the next records stand on. */
  #tree: RecentTree | null = new RecentTree()
  #next = 1
  #first = 1
  /** The store that the lines of a sink name. */
  #store: string | null = null
  #head: Members | string | null = null
  /** Records that came before their turn. */
  readonly #ahead = new Map<number, Line>()
  readonly #epochs = new ExportEpochs()
  /** Stamps of trees that are yet to grow. */
  #stamps: Stamp[] = []
  #stamped = 0
  #proven = 0
  /** Records to this one came before the first checkpoint of a copy that begins later than the audit. */
  #unproven = 0
  #pruned = 0
  /** As far as the records say that others were pruned. */
  #mayBePruned = 0

  constructor(against: readonly Checkpoint[], keys: readonly KeyObject[]) {
    this.#against = against
    this.#keys = keys
    this.#grown()
  }

  line(text: string | null): void {
    if (text === '') return
    const value = text === null ? null : objectOf(parsed(text))
    if (value === null) return this.#unreadable('cannot be read')
    if (this.#head !== null && !('head' in value)) this.#afterEnd(value)
    if ('head' in value) this.#head = headOf(value['head'])
    else if ('pruned' in value) this.#leaves(objectOf(value['pruned']))
    else if ('checkpoint' in value) this.#stamp(value)
    else this.#record(value)
  }

  #unreadable(why: string): void {
    this.#found('line-unreadable', `the line after record ${this.#next - 1} ${why}`)
  }

  #afterEnd({ seq }: Members): void {
    const what = typeof seq === 'number' ? `record ${seq}` : 'a line'
    this.#found(
      'record-added',
      `${what} stands after the end`,
      typeof seq === 'number' ? seq : null,
    )
  }

  #record({ store, seq, epoch, body }: Members): void {
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || typeof body !== 'string')
      return this.#unreadable('is no record')
    const bytes = Buffer.from(body, 'utf8')
    const record = decodeRecord(bytes)
    if (record?.seq !== seq)
      this.#found('record-changed', `record ${seq} stands in another record's place`, seq)
    if (record !== null) this.#notePrune(record)
    const line: Line = {
      leaf: leafHash(bytes),
      epoch: typeof epoch === 'string' ? epoch : null,
      begun: record === null ? null : epochBegunBy(record),
    }
    if (typeof store === 'string') this.#sinkRecord(store, seq, line)
    else this.#exportRecord(seq, line)
  }

  #exportRecord(seq: number, line: Line): void {
    if (seq !== this.#next) {
      this.#found('record-missing', `records ${this.#next} to ${seq - 1} are not there`, seq)
      this.#epochs.skip(seq)
    }
    this.#next = seq + 1
    this.#inTurn(seq, line)
  }

  #inTurn(seq: number, { leaf, epoch, begun }: Line): void {
    const problem = this.#epochs.next(seq, epoch, begun)
    if (problem !== null) this.#found('epoch-changed', problem, seq)
    this.#append(leaf)
  }

  #sinkRecord(store: string, seq: number, line: Line): void {
    this.#ofStore(store)
    if (seq >= this.#next && this.#tree !== null) {
      if (seq === this.#next) {
        this.#next += 1
        this.#inTurn(seq, line)
        this.#drain()
        return
      }
    } else if (seq < this.#next) {
      // A sink is told everything at least once.
      const known = this.#tree?.leaf(seq) ?? this.#ahead.get(seq)?.leaf ?? null
      if (known !== null && !(known.equals(line.leaf) && this.#epochs.agrees(seq, line.epoch)))
        this.#found('record-changed', `record ${seq} comes twice and says two things`, seq)
      else if (known === null && seq > this.#unproven)
        this.#found('record-repeated', `record ${seq} comes again too late to be compared`, seq)
      return
    }
    const before = this.#ahead.get(seq)
    if (before !== undefined && !(before.leaf.equals(line.leaf) && before.epoch === line.epoch))
      this.#found('record-changed', `record ${seq} comes twice and says two things`, seq)
    this.#ahead.set(seq, line)
    if (this.#ahead.size > MAX_AHEAD) this.#passGap()
  }

  #ofStore(store: string): void {
    this.#store ??= store
    if (this.#store !== store)
      this.#found('other-store', `lines are of the stores ${this.#store} and ${store}`)
  }

  #append(leaf: Buffer): void {
    this.#tree?.append(leaf)
    this.#grown()
  }

  #drain(): void {
    for (;;) {
      const seq = this.#next
      const line = this.#ahead.get(seq)
      if (line === undefined || this.#tree === null) return
      this.#ahead.delete(seq)
      this.#next += 1
      this.#inTurn(seq, line)
    }
  }

  /** The next record does not come any more: what follows stands on the next checkpoint. */
  #passGap(): void {
    const lowest = [...this.#ahead.keys()].reduce((one, other) => Math.min(one, other))
    if (this.#tree !== null) {
      if (this.#tree.size === 0) this.#first = lowest
      else
        this.#found(
          'record-missing',
          `records ${this.#next} to ${lowest - 1} are not there`,
          this.#next,
        )
      this.#tree = null
      this.#next = lowest
    }
    this.#anchor()
    if (this.#tree !== null || this.#ahead.size <= MAX_AHEAD) return
    for (const seq of [...this.#ahead.keys()].toSorted((a, b) => a - b).slice(0, MAX_AHEAD / 2))
      this.#leave(seq)
  }

  /** Nothing vouches for it: no checkpoint came before. */
  #leave(seq: number): void {
    this.#ahead.delete(seq)
    this.#unproven = Math.max(this.#unproven, seq)
    this.#next = Math.max(this.#next, seq + 1)
  }

  /** Goes on from the first checkpoint that is not before the next record. */
  #anchor(): void {
    const [stamp] = this.#stamps
      .filter(({ checkpoint }) => checkpoint.size >= this.#next - 1)
      .toSorted((one, other) => one.checkpoint.size - other.checkpoint.size)
    if (this.#tree !== null || stamp === undefined) return
    const { size } = stamp.checkpoint
    for (const seq of this.#ahead.keys()) if (seq <= size) this.#leave(seq)
    this.#tree = new RecentTree(stamp.frontier)
    this.#next = size + 1
    this.#epochs.skip(this.#next)
    this.#grown()
    this.#drain()
  }

  #stamp({ store, checkpoint: value, frontier: packed }: Members): void {
    const checkpoint = checkpointOf(value)
    if (checkpoint === null || typeof store !== 'string' || typeof packed !== 'string')
      return this.#unreadable('is no checkpoint')
    this.#ofStore(store)
    const frontier = frontierOf(checkpoint, packed)
    if (frontier === null || checkpoint.store !== store || !isSigned(checkpoint, this.#keys)) {
      this.#found('checkpoint-unsigned', `no key signed the checkpoint of ${checkpoint.at}`)
      return
    }
    if (this.#tree === null || checkpoint.size > this.#tree.size) {
      this.#stamps.push({ checkpoint, frontier })
      return
    }
    const then = this.#tree.at(checkpoint.size)
    if (then !== null) this.#checkStamp(checkpoint, then)
    else if (checkpoint.size >= this.#first)
      this.#found(
        'checkpoint-late',
        `the checkpoint of ${checkpoint.at} came too late to be held against its ${checkpoint.size} records; give it as a file`,
      )
  }

  #checkStamp({ at, root, size }: Checkpoint, tree: Frontier): void {
    this.#stamped += 1
    if (tree.root().toString('hex') === root) this.#proven = Math.max(this.#proven, size)
    else
      this.#found(
        'history-changed',
        `the first ${size} records are not those that the checkpoint of ${at} signed`,
      )
  }

  #leaves(value: Members | null): void {
    const { from, to, leaves } = value ?? {}
    const hashes = typeof leaves === 'string' ? Buffer.from(leaves, 'base64') : null
    if (
      typeof from !== 'number' ||
      typeof to !== 'number' ||
      hashes === null ||
      hashes.byteLength !== (to - from + 1) * HASH_BYTES
    )
      return this.#unreadable('holds no hashes')
    if (from !== this.#next)
      this.#found('record-missing', `records ${this.#next} to ${from - 1} are not there`, from)
    for (let at = 0; at < hashes.byteLength; at += HASH_BYTES)
      this.#append(hashes.subarray(at, at + HASH_BYTES))
    this.#next = to + 1
    this.#pruned = to
    this.#epochs.skip(this.#next)
  }

  /** The record of a prune comes after what it pruned. */
  #notePrune({ action, detail }: StoredRecord): void {
    const to = action === 'audit.prune' ? detail?.['to'] : undefined
    if (typeof to === 'number') this.#mayBePruned = Math.max(this.#mayBePruned, to)
  }

  #grown(): void {
    const tree = this.#tree
    if (tree === null) return
    const { size } = tree
    if (this.#against.some((one) => one.size === size))
      this.#roots.set(size, tree.root().toString('hex'))
    if (!this.#stamps.some(({ checkpoint }) => checkpoint.size <= size)) return
    const reached = this.#stamps.filter(({ checkpoint }) => checkpoint.size === size)
    this.#stamps = this.#stamps.filter(({ checkpoint }) => checkpoint.size > size)
    for (const { checkpoint } of reached) {
      const now = tree.at(size)
      if (now !== null) this.#checkStamp(checkpoint, now)
    }
  }

  end(): ExportReport {
    while (this.#ahead.size > 0) {
      const before = this.#ahead.size
      this.#passGap()
      if (this.#ahead.size === before) break
    }
    const size = Math.max(this.#tree?.size ?? this.#next - 1, ...this.#ahead.keys())
    for (const { checkpoint } of this.#stamps) this.#cut(checkpoint)
    if (this.#pruned > this.#mayBePruned)
      this.#found(
        'record-withheld',
        `records to ${this.#pruned} are there as hashes alone, and no record says that they were pruned`,
      )
    this.#checkHead()
    const checkpoints = this.#against.map((one) => this.#checked(one))
    return {
      ok: this.#findings.length === 0,
      first: this.#first,
      size,
      pruned: this.#pruned,
      root: this.#tree?.root().toString('hex') ?? '',
      proven:
        this.#proven === 0
          ? null
          : { from: Math.max(this.#first, this.#unproven + 1), to: this.#proven },
      stamps: this.#stamped,
      checkpoints,
      findings: this.#findings,
    }
  }

  #cut({ at, size }: Checkpoint): void {
    this.#found(
      'tail-cut',
      `the checkpoint of ${at} saw ${size} records, ${this.#tree?.size ?? 0} are there`,
    )
  }

  #checkHead(): void {
    const head = this.#head
    if (head === null) {
      if (this.#store === null)
        this.#found('export-cut', 'the export does not end with its head: it was cut')
      else if (this.#stamped === 0 && this.#against.length === 0)
        this.#found('checkpoint-missing', 'no checkpoint stands among the records or was given')
      if (this.#store !== null) this.#checkStores(this.#store)
      return
    }
    if (typeof head === 'string') {
      this.#found(`head-${head}`, `when this was exported, the head was ${head}`)
      return
    }
    const { store, size, frontier } = head
    const tree = this.#tree
    if (typeof size !== 'number' || size > (tree?.size ?? 0))
      this.#found('tail-cut', `its head saw ${String(size)} records, ${tree?.size ?? 0} are there`)
    else if (tree?.at(size)?.pack().toString('hex') !== frontier)
      this.#found('history-changed', `its first ${size} records are not those of its head`)
    this.#checkStores(store)
  }

  #checkStores(store: unknown): void {
    for (const one of this.#against)
      if (one.store !== store)
        this.#found('other-store', `the checkpoint of ${one.at} is of another store`)
  }

  #checked(one: Checkpoint): CheckedCheckpoint {
    const before = this.#findings.length
    if (!isSigned(one, this.#keys))
      this.#found('checkpoint-unsigned', `no key signed the checkpoint of ${one.at}`)
    const root = this.#roots.get(one.size)
    if (root === undefined && one.size < this.#first && one.size > 0)
      this.#found(
        'checkpoint-early',
        `the checkpoint of ${one.at} saw ${one.size} records, the copy begins with record ${this.#first}`,
      )
    else if (root === undefined) this.#cut(one)
    else if (root !== one.root)
      this.#found(
        'history-changed',
        `the first ${one.size} records are not those that the checkpoint of ${one.at} signed`,
      )
    else this.#proven = Math.max(this.#proven, one.size)
    const { size, at } = one
    return { size, at, holds: this.#findings.length === before }
  }

  #found(kind: string, detail: string, seq: number | null = null): void {
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push({ kind, detail, seq })
  }
}

function headOf(value: unknown): Members | string {
  return objectOf(value) ?? (value === 'missing' ? 'missing' : 'invalid')
}

/** The tree of a checkpoint, if what stands beside it is that tree. */
function frontierOf({ size, root }: Checkpoint, packed: string): Frontier | null {
  if (!FRONTIER.test(packed)) return null
  try {
    const frontier = new Frontier(size, Buffer.from(packed, 'hex'))
    return frontier.root().toString('hex') === root ? frontier : null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
