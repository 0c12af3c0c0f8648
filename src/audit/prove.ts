import type { Checkpoint, ConsistencyProof, InclusionProof } from '../core/audit-evidence.ts'
import type { Db, Reader } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StoreId } from '../core/ids.ts'
import type { Clock } from '../core/time.ts'
import { readTree, recordsAfter } from './audit-repository.ts'
import { type CheckpointKey, signCheckpoint } from './checkpoint.ts'
import type { CheckpointKeys } from './checkpoint-keys.ts'
import type { HeadKeeper } from './head-keeper.ts'
import { consistencyRanges, inclusionRanges, type LeafRange, RangeRoots } from './proofs.ts'
import { leavesBetween } from './retention/leaves.ts'
import { prunedSize } from './retention/retention-repository.ts'
import type { Stamp } from './sinks/sink.ts'
import { Frontier, leafHash } from './tree.ts'

const PAGE = 500

export interface ProverOptions {
  readonly db: Db
  readonly storeId: StoreId
  readonly heads: HeadKeeper
  readonly clock: Clock
  readonly checkpointKeys: CheckpointKeys
}

/**
 * Statements on the tree for those who keep them elsewhere. What is older than the tree of this moment is computed from
 * the records, in one pass that must end at the tree's own root.
 */
export class Prover {
  readonly #options: ProverOptions

  constructor(options: ProverOptions) {
    this.#options = options
  }

  async checkpoint(size?: number): Promise<Checkpoint> {
    // Made first: the record of a new key belongs to the tree that is signed.
    await this.#key()
    await this.#requireSoundHead()
    const now = await this.#options.db.read((reader) => treeOf(reader))
    if (size === undefined || size === now.size) return this.#sign(now.size, now.root())
    requireSize('size', size, 0, now.size)
    const [root] = await this.#options.db.read((reader) => rootsOf(reader, [range(0, size)]))
    return this.#sign(size, root ?? new Frontier().root())
  }

  /** The tree as it is now, or as it was with its first `size` records, with what it takes to follow it from there. */
  async stamp(size?: number): Promise<Stamp> {
    await this.#key()
    await this.#requireSoundHead()
    const then = await this.#options.db.read(async (reader) => {
      const now = await treeOf(reader)
      if (size === undefined || size === now.size) return now
      requireSize('size', size, 0, now.size)
      return treeAt(reader, size)
    })
    return { checkpoint: await this.#sign(then.size, then.root()), frontier: then.pack() }
  }

  /** @param given the text of the record, for one that was pruned */
  async inclusion(seq: number, size?: number, given?: string): Promise<InclusionProof> {
    await this.#key()
    await this.#requireSoundHead()
    const { db } = this.#options
    const found = await db.read(async (reader) => {
      const { size: most } = await treeOf(reader)
      const whole = size ?? most
      requireSize('size', whole, 1, most)
      requireSize('seq', seq, 1, whole)
      const proof = inclusionRanges(seq - 1, whole)
      const own = range(seq - 1, seq)
      const [root, leaf, ...hashes] = await rootsOf(reader, [range(0, whole), own, ...proof])
      if (root === undefined || leaf === undefined) throw brokenTree()
      return { whole, root, hashes, record: await recordText(reader, seq, leaf, given) }
    })
    const { whole, root, hashes, record } = found
    return {
      type: 'sallyport-inclusion-1',
      seq,
      record,
      proof: hashes.map(hex),
      checkpoint: await this.#sign(whole, root),
    }
  }

  async consistency(first: number, second?: number): Promise<ConsistencyProof> {
    await this.#key()
    await this.#requireSoundHead()
    const found = await this.#options.db.read(async (reader) => {
      const { size: most } = await treeOf(reader)
      const whole = second ?? most
      requireSize('second', whole, 0, most)
      requireSize('first', first, 0, whole)
      const proof = consistencyRanges(first, whole)
      const roots = await rootsOf(reader, [range(0, first), range(0, whole), ...proof])
      return { whole, roots }
    })
    const [before, after, ...hashes] = found.roots
    if (before === undefined || after === undefined) throw brokenTree()
    return {
      type: 'sallyport-consistency-1',
      first: { size: first, root: hex(before) },
      proof: hashes.map(hex),
      checkpoint: await this.#sign(found.whole, after),
    }
  }

  #key(): Promise<CheckpointKey> {
    return this.#options.checkpointKeys.signing()
  }

  /** Nothing is signed that does not follow from what was kept apart from the store. */
  async #requireSoundHead(): Promise<void> {
    const { heads } = this.#options
    await heads.flush()
    if (heads.trouble !== null) throw brokenTree()
  }

  async #sign(size: number, root: Buffer): Promise<Checkpoint> {
    const { storeId, clock } = this.#options
    return signCheckpoint(await this.#key(), { storeId, size, root, at: clock() })
  }
}

async function treeOf(reader: Reader): Promise<Frontier> {
  const tree = await readTree(reader)
  return tree === null ? new Frontier() : new Frontier(tree.size, tree.frontier)
}

async function rootsOf(reader: Reader, ranges: readonly LeafRange[]): Promise<readonly Buffer[]> {
  const roots = new RangeRoots(ranges)
  await walk(reader, (leaf) => roots.add(leaf))
  return roots.roots()
}

async function treeAt(reader: Reader, size: number): Promise<Frontier> {
  const tree = new Frontier()
  await walk(reader, (leaf) => {
    if (tree.size < size) tree.append(leaf)
  })
  return tree
}

/** @throws {Fault} `AUDIT_BROKEN` when the records do not add up to the tree */
async function walk(reader: Reader, each: (leaf: Buffer) => void): Promise<void> {
  const tree = await treeOf(reader)
  const walked = new Frontier()
  for await (const leaves of leavesBetween(reader, 0, tree.size, PAGE)) {
    for (const { hash } of leaves) {
      walked.append(hash)
      each(hash)
    }
    // A long history is hashed for seconds; others have their turn in between.
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (!walked.pack().equals(tree.pack())) throw brokenTree()
}

function range(from: number, to: number): LeafRange {
  return { from, to }
}

function hex(hash: Buffer): string {
  return hash.toString('hex')
}

/** The stored bytes of a record; of one that was pruned what was given, if its hash is the one that was kept. */
async function recordText(
  reader: Reader,
  seq: number,
  leaf: Buffer,
  given: string | undefined,
): Promise<string> {
  const isPruned = seq <= (await prunedSize(reader))
  if (!isPruned) {
    const [row] = await recordsAfter(reader, seq - 1, 1)
    if (row?.seq !== seq) throw brokenTree()
    return Buffer.from(row.body).toString('utf8')
  }
  if (given === undefined)
    throw new Fault(
      'NOT_FOUND',
      `Record ${seq} was pruned and only its hash is left: give its line of a copy as record.`,
      { details: { field: 'record', seq } },
    )
  if (!leafHash(Buffer.from(given, 'utf8')).equals(leaf))
    throw new Fault('BAD_INPUT', `record is not what record ${seq} was.`, {
      details: { field: 'record', seq },
    })
  return given
}

function requireSize(field: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new Fault('BAD_INPUT', `${field} must be between ${min} and ${max}.`, {
    details: { field },
  })
}

function brokenTree(): Fault {
  return new Fault(
    'AUDIT_BROKEN',
    'The audit does not follow from its head or its records, so nothing is signed; run sallyport audit verify.',
  )
}
