import { sha256 } from '../crypto/index.ts'
import { Frontier } from './tree.ts'

/** Leaves `from` to `to - 1`, counted from 0. */
export interface LeafRange {
  readonly from: number
  readonly to: number
}

/** The largest power of two below `size`, which is 2 or more. */
function splitOf(size: number): number {
  let half = 1
  while (half * 2 < size) half *= 2
  return half
}

function range(from: number, to: number): LeafRange {
  return { from, to }
}

/**
 * The subtrees whose roots prove that a leaf is in the tree, lowest first.
 *
 * @param index of the leaf, from 0
 * @see RFC 9162 section 2.1.3.1, PATH(m, D_n)
 */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`there is no leaf ${index} in ${size}`)
  const ranges: LeafRange[] = []
  let from = 0
  let to = size
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    ranges.push(index < middle ? range(middle, to) : range(from, middle))
    if (index < middle) to = middle
    else from = middle
  }
  return ranges.toReversed()
}

/**
 * The subtrees whose roots prove that the tree of `second` leaves begins with that of `first`, lowest first.
 *
 * @param first from 0; an empty tree begins every other, and every tree itself, without any proof
 * @see RFC 9162 section 2.1.4.1, PROOF(m, D_n)
 */
export function consistencyRanges(first: number, second: number): readonly LeafRange[] {
  if (!(first >= 0 && first <= second))
    throw new RangeError(`a tree of ${second} does not begin with ${first} leaves`)
  if (first === 0) return []
  const ranges: LeafRange[] = []
  let from = 0
  let to = second
  /** Whether the left edge of what is left is that of the whole tree, whose root the verifier knows. */
  let isWhole = true
  while (first < to) {
    const middle = from + splitOf(to - from)
    if (first <= middle) {
      ranges.push(range(middle, to))
      to = middle
    } else {
      ranges.push(range(from, middle))
      from = middle
      isWhole = false
    }
  }
  if (!isWhole) ranges.push(range(from, to))
  return ranges.toReversed()
}

/** The roots of several subtrees in one pass over the leaves. */
export class RangeRoots {
  readonly #ranges: readonly { readonly range: LeafRange; readonly tree: Frontier }[]
  #next = 0

  constructor(ranges: readonly LeafRange[]) {
    this.#ranges = ranges.map((one) => ({ range: one, tree: new Frontier() }))
  }

  add(leaf: Buffer): void {
    for (const { range: one, tree } of this.#ranges)
      if (this.#next >= one.from && this.#next < one.to) tree.append(leaf)
    this.#next += 1
  }

  /** 32 bytes each, in the order of the ranges. */
  roots(): readonly Buffer[] {
    return this.#ranges.map(({ range: one, tree }) => {
      if (tree.size !== one.to - one.from) throw new RangeError('leaves are missing from a subtree')
      return tree.root()
    })
  }
}

function parent(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(Buffer.concat([Buffer.of(1), left, right]))
}

/** Sizes may be beyond 32 bits, so the algorithms' shifts are divisions. */
const half = (one: number): number => Math.floor(one / 2)

export interface InclusionClaim {
  /** Hash of the leaf. */
  readonly leaf: Uint8Array
  /** From 0. */
  readonly index: number
  readonly size: number
  readonly proof: readonly Uint8Array[]
  readonly root: Uint8Array
}

/** @see RFC 9162 section 2.1.3.2 */
export function isIncluded({ leaf, index, size, proof, root }: InclusionClaim): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false
  let node = index
  let last = size - 1
  let hash: Uint8Array = leaf
  for (const step of proof) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      hash = parent(step, hash)
      while (node % 2 === 0 && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      hash = parent(hash, step)
    }
    node = half(node)
    last = half(last)
  }
  return last === 0 && Buffer.compare(hash, root) === 0
}

export interface ConsistencyClaim {
  readonly first: number
  readonly firstRoot: Uint8Array
  readonly second: number
  readonly secondRoot: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** @see RFC 9162 section 2.1.4.2; what it leaves out (equal sizes, nothing before) needs no proof and may have none */
export function isConsistent(claim: ConsistencyClaim): boolean {
  const { first, firstRoot, second, secondRoot, proof } = claim
  if (!isCount(first) || !isCount(second) || first > second) return false
  if (first === second) return proof.length === 0 && Buffer.compare(firstRoot, secondRoot) === 0
  if (first === 0)
    return proof.length === 0 && Buffer.compare(firstRoot, sha256(Buffer.alloc(0))) === 0
  const path = isPowerOfTwo(first) ? [firstRoot, ...proof] : proof
  const [start, ...steps] = path
  if (start === undefined || proof.length === 0) return false
  let node = first - 1
  let last = second - 1
  while (node % 2 === 1) {
    node = half(node)
    last = half(last)
  }
  let before: Uint8Array = start
  let after: Uint8Array = start
  for (const step of steps) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      before = parent(step, before)
      after = parent(step, after)
      while (node % 2 === 0 && node !== 0) {
        node = half(node)
        last = half(last)
      }
    } else {
      after = parent(after, step)
    }
    node = half(node)
    last = half(last)
  }
  return (
    last === 0 && Buffer.compare(before, firstRoot) === 0 && Buffer.compare(after, secondRoot) === 0
  )
}

function isCount(one: number): boolean {
  return Number.isSafeInteger(one) && one >= 0
}

function isPowerOfTwo(one: number): boolean {
  return one > 0 && Number.isInteger(Math.log2(one)) && 2 ** Math.round(Math.log2(one)) === one
}
