import {
  type Steps,
  type Tx,
  type TxAtOnce,
  takeSteps,
  takeStepsAtOnce,
} from '../../core/db-port.ts'
import { Fault } from '../../core/faults.ts'
import type { EpochMs } from '../../core/time.ts'
import type { MacKey } from '../../crypto/index.ts'
import {
  appendRecords,
  lockTree,
  type RecordRow,
  type TreeRow,
  treeAtOnce,
} from '../audit-repository.ts'
import type { Grown, Growth } from '../ledger.ts'
import { encodeRecord, type Outcome, type RecordDraft } from '../record.ts'
import { Frontier } from '../tree.ts'
import { EPOCH_RECORDS, isEpochOver, rowOfBody, type TreeWriter } from '../tree-writer.ts'
import type { ChangedCounts } from './counter-state.ts'
import type { Entry, RecordText } from './entries.ts'
import {
  dropPlacesBefore,
  type JournalRow,
  readJournal,
  saveCounts,
  saveJournal,
  savePlaces,
  seqOfPlace,
} from './journal-repository.ts'
import { OpenCalls } from './open-calls.ts'
import { type Decided, placeOf, type Replay } from './replay.ts'

/** All that stood in the journal at one moment and was not in the tree. */
interface Plan {
  readonly items: readonly Decided[]
  readonly counts: ChangedCounts
  readonly row: JournalRow
  readonly isNextFile: boolean
}

interface Progress {
  tree: TreeRow
  /** Records of calls whose end was not come to yet, by place. */
  readonly open: OpenCalls
  readonly ends: (readonly [seq: number, result: Outcome])[]
}

/**
 * Takes what the journal holds into the tree, and what was charged into the rows of the counters, in the transaction
 * that says how far it came. Whoever comes first does it for everybody.
 */
export class Ingestion implements Growth {
  readonly #key: MacKey
  readonly #replay: Replay
  #plan: Plan | null = null

  constructor(key: MacKey, replay: Replay) {
    this.#key = key
    this.#replay = replay
  }

  /** @returns null when it has to be done by `later`: an epoch has to begin, or its key has to be read */
  atOnce(tx: TxAtOnce, writer: TreeWriter, now: EpochMs): Grown | null {
    const tree = treeAtOnce(tx)
    if (tree === null || isEpochOver(tree, now)) return null
    const mac = writer.heldMac(tree.epochKeyId)
    if (mac === undefined) return null
    const plan = takeStepsAtOnce(tx, this.#begin())
    if (recordsIn(plan.items) + 1 > roomIn(tree)) {
      this.undone()
      return null
    }
    const before = Buffer.from(tree.frontier)
    const progress: Progress = { tree, open: new OpenCalls(), ends: [] }
    takeStepsAtOnce(tx, append(progress, mac, plan.items))
    takeStepsAtOnce(tx, this.#end(progress, mac, now, plan))
    return grown(before, progress.tree)
  }

  async later(tx: Tx, writer: TreeWriter, now: EpochMs): Promise<Grown> {
    let stored = await lockTree(tx)
    const before = Buffer.from(stored?.frontier ?? [])
    const plan = await takeSteps(tx, this.#begin())
    const open = new OpenCalls()
    const ends: Progress['ends'] = []
    for (let from = 0; ; ) {
      const drafts: RecordDraft[] = []
      const tree = await writer.epoch(tx, stored, now, drafts)
      const { after } = await writer.append(tx, tree, now, drafts)
      const size = tree.size + drafts.length
      const progress: Progress = { tree: { ...tree, size, frontier: after }, open, ends }
      const mac = await writer.mac(tx, tree.epochKeyId)
      // The record of the outcomes may make it one more.
      const items = plan.items.slice(from, from + Math.max(1, roomIn(progress.tree)))
      await takeSteps(tx, append(progress, mac, items))
      from += items.length
      if (from >= plan.items.length) {
        await takeSteps(tx, this.#end(progress, mac, now, plan))
        return grown(before, progress.tree)
      }
      stored = progress.tree
    }
  }

  /** What was planned is in the store. */
  done(): void {
    const plan = this.#plan
    this.#plan = null
    if (plan !== null) this.#replay.ingestedTo(placeOf(plan.row.generation, plan.row.offset))
  }

  /** It is not. */
  undone(): void {
    if (this.#plan !== null) this.#replay.state.putBack(this.#plan.counts)
    this.#plan = null
  }

  /** Reads to the end of the journal, so that what is stored is its state there. */
  *#begin(): Steps<Plan> {
    const replay = this.#replay
    const stored = yield* readJournal(this.#key)
    if (stored === null) throw new Fault('STORE_TAMPERED', 'The store names no call journal.')
    const place = placeOf(stored.generation, stored.offset)
    replay.catchUp()
    // Somebody put back an older store, or this one was asleep while its journal was replaced.
    if (place < replay.pendingFrom || place > replay.place) replay.load()
    else replay.ingestedTo(place)
    const { generation, id, offset, state, pending } = replay
    this.#plan = {
      items: pending.slice(),
      counts: state.takeChanged(),
      row: { generation, id, offset, lastAt: state.lastAt },
      isNextFile: generation !== stored.generation,
    }
    return this.#plan
  }

  *#end(progress: Progress, mac: MacKey, now: EpochMs, plan: Plan): Steps<void> {
    const { ends, open } = progress
    if (ends.length > 0) {
      const draft: RecordDraft = { kind: 'outcome', action: 'outcome', caller: null, ends }
      yield* appendBodies(progress, mac, [(seq) => encodeRecord(seq, now, draft)])
    }
    yield* savePlaces(open.left())
    if (plan.isNextFile) yield* dropPlacesBefore(placeOf(plan.row.generation - 1, 0))
    yield* saveCounts(plan.counts)
    yield* saveJournal(this.#key, plan.row)
  }
}

function grown(before: Buffer, { frontier, size }: TreeRow): Grown {
  return { before, after: Buffer.from(frontier), size }
}

function roomIn({ size, epochFrom }: TreeRow): number {
  return EPOCH_RECORDS - (size - epochFrom)
}

function recordsIn(items: readonly Decided[]): number {
  let count = 0
  for (const { entry } of items) if (isRecorded(entry)) count += 1
  return count
}

function isRecorded(entry: Entry | number): boolean {
  if (typeof entry === 'number') return true
  return entry.kind === 'change' ? entry.record !== null : RECORDED.has(entry.kind)
}

const RECORDED: ReadonlySet<string> = new Set(['call', 'refusal'])

type BodyOf = (seq: number) => Buffer

function* appendBodies(progress: Progress, mac: MacKey, bodies: readonly BodyOf[]): Steps<void> {
  const { tree } = progress
  const frontier = new Frontier(tree.size, tree.frontier)
  const rows: RecordRow[] = []
  for (const bodyOf of bodies)
    rows.push(rowOfBody(frontier, tree.epochKeyId, mac, bodyOf(frontier.size + 1)))
  progress.tree = { ...tree, size: frontier.size, frontier: frontier.pack() }
  yield* appendRecords(progress.tree, rows)
}

function* append(progress: Progress, mac: MacKey, items: readonly Decided[]): Steps<void> {
  const { tree, open, ends } = progress
  const bodies: BodyOf[] = []
  for (const { place, at, entry, reserved } of items) {
    if (typeof entry === 'number') {
      bodies.push(spoiledBody(at, entry))
      continue
    }
    for (const [of, end] of entry.ends) {
      const seq = open.seqOf(of) ?? (yield* seqOfPlace(of, true))
      open.end(of)
      if (seq !== null) ends.push([seq, end])
    }
    if (entry.kind === 'refusal') bodies.push(bodyOf(at, 'refusal', entry.text, entry.by))
    else if (entry.kind === 'call') {
      const { text, by, charges } = entry
      if (reserved !== null && 'exceeded' in reserved) {
        const rule = charges.find(({ counter }) => counter === reserved.exceeded.charge.counter)
        bodies.push(bodyOf(at, 'refusal', text, rule?.ruleText ?? '"limit"'))
        continue
      }
      const lifted = reserved?.shadow?.counter
      const shadow =
        entry.shadow ?? charges.find(({ counter }) => counter === lifted)?.ruleText ?? null
      open.begin(place, tree.size + bodies.length + 1)
      bodies.push(bodyOf(at, 'intent', text, by, shadow === null ? '' : `,"shadow":${shadow}`))
    } else if (entry.kind === 'change' && entry.record !== null) {
      const { text, of } = entry.record
      const seq = of === null ? null : (open.seqOf(of) ?? (yield* seqOfPlace(of, false)))
      bodies.push(bodyOf(at, 'event', text, null, seq === null ? '' : `,"call":${seq}`))
    }
  }
  if (bodies.length > 0) yield* appendBodies(progress, mac, bodies)
}

/** @param more members of the detail, each with the comma before it */
function bodyOf(
  at: EpochMs,
  kind: RecordDraft['kind'],
  { head, detail, rest }: RecordText,
  by: string | null,
  more = '',
): BodyOf {
  const because = by === null ? '' : `,"by":${by}`
  return (seq) =>
    Buffer.from(
      `{"v":1,"seq":${seq},"at":${at},"kind":"${kind}"${head}${because}${detail}${rest}${more}}}`,
      'utf8',
    )
}

function spoiledBody(at: EpochMs, bytes: number): BodyOf {
  return (seq) =>
    encodeRecord(seq, at, {
      kind: 'event',
      action: 'audit.journal-spoiled',
      caller: null,
      detail: { bytes },
    })
}
