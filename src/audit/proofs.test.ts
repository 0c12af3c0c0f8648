import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  consistencyRanges,
  inclusionRanges,
  isConsistent,
  isIncluded,
  type LeafRange,
  RangeRoots,
} from './proofs.ts'

function sha(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

const leafOf = (entry: Uint8Array): Buffer => sha(Buffer.of(0), entry)
const nodeOf = (left: Uint8Array, right: Uint8Array): Buffer => sha(Buffer.of(1), left, right)

// RFC 9162 sections 2.1.1, 2.1.3.1 and 2.1.4.1 word by word.
function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
function mth(d: readonly Uint8Array[]): Buffer {
  const [only] = d
  if (only === undefined) return sha()
  if (d.length === 1) return leafOf(only)
  const k = split(d.length)
  return nodeOf(mth(d.slice(0, k)), mth(d.slice(k)))
}
function path(m: number, d: readonly Uint8Array[]): readonly Buffer[] {
  if (d.length === 1) return []
  const k = split(d.length)
  return m < k
    ? [...path(m, d.slice(0, k)), mth(d.slice(k))]
    : [...path(m - k, d.slice(k)), mth(d.slice(0, k))]
}
function subproof(m: number, d: readonly Uint8Array[], b: boolean): readonly Buffer[] {
  if (m === d.length) return b ? [] : [mth(d)]
  const k = split(d.length)
  return m <= k
    ? [...subproof(m, d.slice(0, k), b), mth(d.slice(k))]
    : [...subproof(m - k, d.slice(k), false), mth(d.slice(0, k))]
}

function rootsOf(ranges: readonly LeafRange[], entries: readonly Uint8Array[]): readonly Buffer[] {
  const roots = new RangeRoots(ranges)
  for (const entry of entries) roots.add(leafOf(entry))
  return roots.roots()
}

const hexes = (hashes: readonly Uint8Array[]): readonly string[] =>
  hashes.map((one) => Buffer.from(one).toString('hex'))

const trees = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 70 })

/** A tree and a leaf of it. */
const leaves = trees.chain((d) => fc.tuple(fc.constant(d), fc.nat(d.length - 1)))
/** A tree and how much of it there was before. */
const growths = trees.chain((d) => fc.tuple(fc.constant(d), fc.nat(d.length)))

test('inclusion: the proof is that of the recursive definition, and verifies', () => {
  fc.assert(
    fc.property(leaves, ([d, m]) => {
      const proof = rootsOf(inclusionRanges(m, d.length), d)
      assert.deepEqual(hexes(proof), hexes(path(m, d)))
      const claim = { leaf: leafOf(d[m]!), index: m, size: d.length, proof, root: mth(d) }
      assert.ok(isIncluded(claim))
    }),
  )
})

test('inclusion: another leaf, place, size, root or proof does not verify', () => {
  fc.assert(
    fc.property(leaves, fc.nat(), fc.nat(255), ([d, m], at, flip) => {
      const proof = path(m, d)
      const claim = { leaf: leafOf(d[m]!), index: m, size: d.length, proof, root: mth(d) }
      assert.ok(!isIncluded({ ...claim, leaf: flipped(claim.leaf, at, flip) }))
      assert.ok(!isIncluded({ ...claim, root: flipped(claim.root, at, flip) }))
      assert.ok(!isIncluded({ ...claim, index: d.length }))
      assert.ok(!isIncluded({ ...claim, index: -1 }))
      assert.ok(!isIncluded({ ...claim, index: m + 0.5 }))
      assert.ok(!isIncluded({ ...claim, proof: [...proof, sha()] }))
      if (proof.length > 0) {
        assert.ok(!isIncluded({ ...claim, proof: proof.slice(1) }))
        assert.ok(!isIncluded({ ...claim, proof: proof.slice(0, -1) }))
        const step = at % proof.length
        const other = proof.with(step, flipped(proof[step]!, at, flip))
        assert.ok(!isIncluded({ ...claim, proof: other }))
      }
      // Records have numbers, so no two of a real tree are alike; two that are stand for each other.
      const isAlike = (index: number): boolean => Buffer.compare(d[index]!, d[m]!) === 0
      for (let index = 0; index < d.length; index++)
        if (!isAlike(index)) assert.ok(!isIncluded({ ...claim, index }), `index ${index}`)
    }),
  )
})

test('consistency: the proof is that of the recursive definition, and verifies', () => {
  fc.assert(
    fc.property(growths, ([d, m]) => {
      const proof = rootsOf(consistencyRanges(m, d.length), d)
      assert.deepEqual(hexes(proof), m === 0 ? [] : hexes(subproof(m, d, true)))
      assert.ok(
        isConsistent({
          first: m,
          firstRoot: mth(d.slice(0, m)),
          second: d.length,
          secondRoot: mth(d),
          proof,
        }),
      )
    }),
  )
})

test('consistency: a history that was changed before or after does not verify', () => {
  fc.assert(
    fc.property(growths, fc.nat(), fc.nat(255), ([d, m], at, flip) => {
      const proof = m === 0 ? [] : subproof(m, d, true)
      const claim = {
        first: m,
        firstRoot: mth(d.slice(0, m)),
        second: d.length,
        secondRoot: mth(d),
        proof,
      }
      assert.ok(!isConsistent({ ...claim, firstRoot: flipped(claim.firstRoot, at, flip) }))
      if (m > 0)
        assert.ok(!isConsistent({ ...claim, secondRoot: flipped(claim.secondRoot, at, flip) }))
      assert.ok(!isConsistent({ ...claim, first: d.length + 1 }))
      assert.ok(!isConsistent({ ...claim, first: -1 }))
      assert.ok(!isConsistent({ ...claim, proof: [...proof, sha()] }))
      for (const [step, hash] of proof.entries()) {
        assert.ok(!isConsistent({ ...claim, proof: proof.toSpliced(step, 1) }))
        assert.ok(!isConsistent({ ...claim, proof: proof.with(step, flipped(hash, at, flip)) }))
      }
    }),
  )
})

test('consistency: nobody may change what came before and prove that he did not', () => {
  fc.assert(
    fc.property(growths, fc.nat(), ([d, m], at) => {
      fc.pre(m > 0)
      const changed = d.with(
        at % m,
        Buffer.from('something else entirely, longer than an entry is'),
      )
      const proof = subproof(m, changed, true)
      assert.ok(
        !isConsistent({
          first: m,
          firstRoot: mth(d.slice(0, m)),
          second: changed.length,
          secondRoot: mth(changed),
          proof,
        }),
      )
    }),
  )
})

function flipped(hash: Uint8Array, at: number, bits: number): Buffer {
  const copy = Buffer.from(hash)
  const index = at % copy.byteLength
  copy[index] = (copy[index] ?? 0) ^ (bits === 0 ? 1 : bits)
  return copy
}

/** The example of RFC 9162 section 2.1.5: a tree of 7 leaves. */
const RFC: readonly [what: string, ranges: readonly LeafRange[], expected: string][] = [
  ['the path of d0', inclusionRanges(0, 7), '1-2 2-4 4-7'],
  ['the path of d3', inclusionRanges(3, 7), '2-3 0-2 4-7'],
  ['the path of d4', inclusionRanges(4, 7), '5-6 6-7 0-4'],
  ['the path of d6', inclusionRanges(6, 7), '4-6 0-4'],
  ['from 3', consistencyRanges(3, 7), '2-3 3-4 0-2 4-7'],
  ['from 4', consistencyRanges(4, 7), '4-7'],
  ['from 6', consistencyRanges(6, 7), '4-6 6-7 0-4'],
  ['from 7', consistencyRanges(7, 7), ''],
  ['from nothing', consistencyRanges(0, 7), ''],
  ['one leaf', inclusionRanges(0, 1), ''],
]
for (const [what, ranges, expected] of RFC)
  test(`proofs: RFC 9162, ${what}`, () =>
    assert.equal(ranges.map(({ from, to }) => `${from}-${to}`).join(' '), expected))

test('proofs: sizes beyond 32 bits', () => {
  const size = 2 ** 40 + 2 ** 33 + 3
  assert.equal(inclusionRanges(size - 1, size).length, 3)
  assert.equal(inclusionRanges(0, size).length, 41)
  assert.equal(consistencyRanges(2 ** 40, size).length, 1)
  const [one, two, three] = ['one', 'two', 'three'].map((text) => sha(Buffer.from(text)))
  const root = nodeOf(three!, nodeOf(two!, one!))
  const claim = { leaf: one!, index: 2 ** 40 + 2 ** 33, size: 2 ** 40 + 2 ** 33 + 1, root }
  assert.ok(isIncluded({ ...claim, proof: [two!, three!] }))
  assert.ok(
    isConsistent({
      first: 2 ** 40,
      firstRoot: three!,
      second: 2 ** 40 + 2 ** 33,
      secondRoot: nodeOf(three!, two!),
      proof: [two!],
    }),
  )
})

test('proofs: what is not there cannot be proved', () => {
  assert.throws(() => inclusionRanges(7, 7), RangeError)
  assert.throws(() => inclusionRanges(-1, 7), RangeError)
  assert.throws(() => inclusionRanges(0, 0), RangeError)
  assert.throws(() => consistencyRanges(8, 7), RangeError)
  const roots = new RangeRoots([{ from: 0, to: 2 }])
  roots.add(sha())
  assert.throws(() => roots.roots(), RangeError)
})
