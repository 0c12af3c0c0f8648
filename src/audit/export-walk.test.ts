import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KeyId, StoreId } from '../core/ids.ts'
import { epochMs } from '../core/time.ts'
import { ed25519Pair, publicKeysFromPem, publicPem } from '../crypto/index.ts'
import { signCheckpoint } from './checkpoint.ts'
import { ExportWalk } from './export-walk.ts'
import { RecentTree } from './recent-tree.ts'
import { checkpointBatch } from './sinks/sink.ts'
import { Frontier, leafHash } from './tree.ts'

const STORE = '11111111-1111-4111-8111-111111111111' as StoreId
const pair = ed25519Pair(Buffer.alloc(32, 7))
const key = { id: '22222222-2222-4222-8222-222222222222' as KeyId, pair }
const keys = publicKeysFromPem(publicPem(pair.publicKey))

const bodyOf = (seq: number): string => `{"v":1,"seq":${seq},"at":1,"kind":"event","action":"x"}`
const record = (seq: number): string => JSON.stringify({ store: STORE, seq, body: bodyOf(seq) })
const leafOf = (seq: number): Buffer => leafHash(Buffer.from(bodyOf(seq)))

/** Trees of the sizes that are signed below, grown once. */
const TREES = new Map<number, Frontier>()
const SIGNED = [100, 250, 300, 1_000, 3_000, 5_000, 40_000, 50_000, 60_000, 70_000, 90_000]
const growing = new Frontier()
for (const size of SIGNED) {
  while (growing.size < size) growing.append(leafOf(growing.size + 1))
  TREES.set(size, growing.copy())
}

/** The line that a sink keeps of a checkpoint. */
function stampAt(size: number): string {
  const tree = TREES.get(size) ?? new Frontier()
  const statement = { storeId: STORE, size, root: tree.root(), at: epochMs(size) }
  const stamp = { checkpoint: signCheckpoint(key, statement), frontier: tree.pack() }
  return checkpointBatch(STORE, stamp).records[0]?.line ?? ''
}

function walked(lines: Iterable<string>) {
  const walk = new ExportWalk([], keys)
  for (const line of lines) walk.line(line)
  const { findings, ...report } = walk.end()
  return { kinds: findings.map(({ kind }) => kind), ...report }
}

function* records(from: number, to: number): Generator<string> {
  for (let seq = from; seq <= to; seq++) yield record(seq)
}

describe('a copy of a sink', () => {
  test('may hold a checkpoint thousands of records after its own, and before them', () => {
    const late = walked([...records(1, 40_000), stampAt(100), stampAt(40_000)])
    assert.deepEqual([late.kinds, late.stamps, late.proven], [[], 2, { from: 1, to: 40_000 }])
    const early = walked([...records(1, 10), stampAt(5_000), ...records(11, 5_000)])
    assert.deepEqual([early.kinds, early.proven], [[], { from: 1, to: 5_000 }])
  })

  test('says when one came too late to be looked at', () => {
    const { kinds } = walked([...records(1, 70_000), stampAt(100), stampAt(70_000)])
    assert.deepEqual(kinds, ['checkpoint-late'])
  })

  test('may hold thousands of records out of turn, and says when one comes again too late', () => {
    const turned = [...records(2, 60_000), record(1), stampAt(60_000)]
    assert.deepEqual(walked(turned).kinds, [])
    const again = [...records(1, 70_000), record(69_000), stampAt(70_000)]
    assert.deepEqual(walked(again).kinds, [])
    assert.deepEqual(walked([...again, record(1)]).kinds, ['record-repeated'])
  })

  test('that begins anywhere stands on the first checkpoint, however late that comes', () => {
    const later = walked([...records(1_001, 90_000), stampAt(50_000), stampAt(90_000)])
    assert.deepEqual(later.kinds, [])
    assert.deepEqual([later.first, later.proven?.to], [1_001, 90_000])
    const told = walked([stampAt(1_000), ...records(1_001, 3_000), stampAt(3_000)])
    assert.deepEqual([told.kinds, told.proven], [[], { from: 1_001, to: 3_000 }])
  })

  test('with a gap in the middle says so, and is followed again from the next checkpoint', () => {
    const { kinds, proven } = walked([
      ...records(1, 100),
      stampAt(100),
      ...records(201, 300),
      stampAt(250),
      stampAt(300),
    ])
    assert.deepEqual(kinds, ['record-missing'])
    assert.equal(proven?.to, 300)
  })

  test('whose records were all made anew contradicts its checkpoints', () => {
    const forged = [...records(1, 100)].map((line) => line.replace('\\"at\\":1', '\\"at\\":2'))
    assert.deepEqual(walked([...forged, stampAt(100)]).kinds, ['history-changed'])
  })
})

describe('the epoch that a line states', () => {
  const BEGINS = new Map([
    [1, 'A'],
    [5, 'B'],
  ])
  const epochAt = (seq: number): string => (seq < 5 ? 'A' : 'B')
  const lineOf = (seq: number, rest: object): string => {
    const epoch = BEGINS.get(seq)
    const action = epoch === undefined ? 'x' : 'audit.epoch'
    const rows = epoch === undefined ? {} : { rows: [['keys', epoch, 1]] }
    const body = JSON.stringify({ v: 1, seq, at: 1, kind: 'event', action, ...rows })
    return JSON.stringify({ seq, epoch: epochAt(seq), body, mac: '00', ...rest })
  }
  const copy = (from: number, to: number, bent: ReadonlyMap<number, object>, rest: object = {}) =>
    Array.from({ length: to - from + 1 }, (_, at) =>
      lineOf(from + at, { ...rest, ...bent.get(from + at) }),
    )
  const ofEpochs = (lines: readonly string[]): readonly (number | null)[] => {
    const walk = new ExportWalk([], keys)
    for (const line of lines) walk.line(line)
    return walk
      .end()
      .findings.filter(({ kind }) => kind === 'epoch-changed')
      .map(({ seq }) => seq)
  }
  const cases: readonly [what: string, lines: readonly string[], found: readonly number[]][] = [
    ['as it was written', copy(1, 8, new Map()), []],
    ['another one', copy(1, 8, new Map([[3, { epoch: 'C' }]])), [3]],
    ['the one before', copy(1, 8, new Map([[7, { epoch: 'A' }]])), [7]],
    ['the next one, too early', copy(1, 8, new Map([[4, { epoch: 'B' }]])), [4]],
    ['of the record that begins it', copy(1, 8, new Map([[5, { epoch: 'A' }]])), [5]],
    ['none', copy(1, 8, new Map([[2, { epoch: undefined }]])), [2]],
    ['a number', copy(1, 8, new Map([[2, { epoch: 7 }]])), [2]],
    ['a copy that begins later, as it was', copy(3, 8, new Map()), []],
    ['a copy that begins later, another one', copy(2, 8, new Map([[4, { epoch: 'C' }]])), [4]],
    ['behind a gap', [...copy(1, 3, new Map()), ...copy(6, 8, new Map())], []],
  ]
  for (const [what, lines, found] of cases)
    test(what, () => assert.deepEqual(ofEpochs(lines), found))

  test('out of turn in the copy of a sink', () => {
    const lines = copy(1, 8, new Map([[7, { epoch: 'A' }]]), { store: STORE })
    assert.deepEqual(ofEpochs(lines.toReversed()), [7])
    assert.deepEqual(ofEpochs(copy(1, 8, new Map(), { store: STORE }).toReversed()), [])
  })

  test('twice, and two of them', () => {
    const again = lineOf(3, { store: STORE, epoch: 'B' })
    for (const order of [1, -1]) {
      const lines = [...copy(1, 8, new Map(), { store: STORE }), again]
      const { kinds } = walked(order === 1 ? lines : lines.toReversed())
      assert.ok(kinds.includes('record-changed'), String(order))
    }
  })
})

test('a tree knows what it was for thousands of leaves, and no longer', () => {
  const recent = new RecentTree()
  const plain = new Frontier()
  const packed = new Map<number, string>([[0, '']])
  for (let seq = 1; seq <= 70_000; seq++) {
    recent.append(leafOf(seq))
    plain.append(leafOf(seq))
    if ([1, 1_023, 1_024, 1_025, 10_000, 69_632, 69_999, 70_000].includes(seq))
      packed.set(seq, plain.pack().toString('hex'))
  }
  for (const size of [10_000, 69_632, 69_999, 70_000])
    assert.equal(recent.at(size)?.pack().toString('hex'), packed.get(size))
  for (const size of [0, 1_023, 70_001]) assert.equal(recent.at(size), null)
  assert.deepEqual(recent.leaf(69_633), leafOf(69_633))
  assert.equal(recent.leaf(1), null)
  assert.equal(recent.leaf(70_001), null)
})
