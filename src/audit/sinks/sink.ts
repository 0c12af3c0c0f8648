import type { Checkpoint } from '../../core/audit-evidence.ts'
import type { StoreId } from '../../core/ids.ts'
import { type EpochMs, epochMs, parseInstant } from '../../core/time.ts'
import type { RecordRow } from '../audit-repository.ts'
import { decodeRecord } from '../record.ts'

/** A record on its way to a sink. */
export interface SinkRecord {
  readonly seq: number
  readonly at: EpochMs
  readonly kind: string
  /** One line of JSON as `audit export` writes it, with the store's id, without a newline. */
  readonly line: string
}

/** At least one record, numbers ascending; or a checkpoint alone, which stands where a record would. */
export interface SinkBatch {
  readonly storeId: StoreId
  readonly records: readonly SinkRecord[]
  readonly isCheckpoint?: true
}

/** A signed statement on the tree, with what it takes to follow the tree from there. */
export interface Stamp {
  readonly checkpoint: Checkpoint
  /** Of the tree of that size: roots of its perfect subtrees. */
  readonly frontier: Uint8Array
}

/** A place that keeps records. */
export interface Sink {
  /**
   * Resolves when the other side has all of them. After an error or the signal any part may have arrived, and all are
   * sent again: the numbers tell who has seen them.
   */
  send(batch: SinkBatch, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export function sinkRecord(storeId: StoreId, row: RecordRow): SinkRecord {
  const body = Buffer.from(row.body).toString('utf8')
  const record = decodeRecord(row.body)
  const line = JSON.stringify({
    store: storeId,
    seq: row.seq,
    epoch: row.epochKeyId,
    body,
    mac: Buffer.from(row.mac).toString('hex'),
  })
  return { seq: row.seq, at: record?.at ?? (0 as EpochMs), kind: record?.kind ?? 'event', line }
}

/** The line says on what the records after it stand, so that a copy may begin with it. */
export function checkpointBatch(storeId: StoreId, { checkpoint, frontier }: Stamp): SinkBatch {
  const line = JSON.stringify({
    store: storeId,
    checkpoint,
    frontier: Buffer.from(frontier).toString('hex'),
  })
  const at = parseInstant(checkpoint.at) ?? epochMs(0)
  const records = [{ seq: checkpoint.size, at, kind: 'checkpoint', line }]
  return { storeId, records, isCheckpoint: true }
}

/** `FIRST-LAST` of records, `SIZE-checkpoint` of a checkpoint. */
export function batchName(
  { records, isCheckpoint }: SinkBatch,
  written: (seq: number) => string,
): string {
  const first = written(records[0]?.seq ?? 0)
  return `${first}-${isCheckpoint === true ? 'checkpoint' : written(records.at(-1)?.seq ?? 0)}`
}

/** One record a line, with a newline after each. */
export function linesOfBatch({ records }: SinkBatch): Buffer {
  return Buffer.from(`${records.map(({ line }) => line).join('\n')}\n`, 'utf8')
}

/** `00000000000000000042`: sorts as text as it does as a number. */
export function paddedSeq(seq: number | undefined): string {
  return String(seq ?? 0).padStart(20, '0')
}
