import { Frontier } from './tree.ts'

/** Between two kept frontiers. */
const BLOCK = 1_024
/** Kept blocks: 2 MiB of hashes. */
const BLOCKS = 64

interface Block {
  /** The tree before the block's first leaf. */
  readonly before: Frontier
  readonly leaves: Buffer[]
}

/** A tree that still knows its last 64 thousand leaves or so, and what it was at each of them. */
export class RecentTree {
  readonly #tree: Frontier
  #blocks: Block[]

  /** @param start goes on from there */
  constructor(start: Frontier = new Frontier()) {
    this.#tree = start.copy()
    this.#blocks = [{ before: start.copy(), leaves: [] }]
  }

  get size(): number {
    return this.#tree.size
  }

  append(leaf: Buffer): void {
    let block = this.#blocks.at(-1)
    if (block === undefined || block.leaves.length === BLOCK) {
      block = { before: this.#tree.copy(), leaves: [] }
      this.#blocks.push(block)
      if (this.#blocks.length > BLOCKS) this.#blocks.shift()
    }
    block.leaves.push(leaf)
    this.#tree.append(leaf)
  }

  root(): Buffer {
    return this.#tree.root()
  }

  /** The tree when it had that size; null when that is too long ago, or yet to come. */
  at(size: number): Frontier | null {
    if (size === this.size) return this.#tree.copy()
    const block = this.#blockWith(size)
    if (block === null) return null
    const tree = block.before.copy()
    for (const leaf of block.leaves.slice(0, size - tree.size)) tree.append(leaf)
    return tree
  }

  /** The leaf of a record; null when it came too long ago, or did not come yet. */
  leaf(seq: number): Buffer | null {
    const block = this.#blockWith(seq - 1)
    return block?.leaves[seq - 1 - block.before.size] ?? null
  }

  /** The block in which the tree grew beyond that size. */
  #blockWith(size: number): Block | null {
    return (
      this.#blocks.find(
        ({ before, leaves }) => size >= before.size && size < before.size + leaves.length,
      ) ?? null
    )
  }
}
