import type { Reader, Tx } from '../../core/db-port.ts'
import type { KeyId } from '../../core/ids.ts'
import type { EpochMs } from '../../core/time.ts'
import type { RowMac } from '../../crypto/index.ts'
import { MacTable } from '../../keys/index.ts'

/** All sinks in one row: it may say that there are none, but once it was there it is never gone. */
export interface SinksRow {
  readonly id: 'all'
  readonly key_id: KeyId
  /** JSON of the configurations. */
  readonly sealed: Uint8Array
  readonly set_at: EpochMs
  readonly revision: number
}

export type SinksTable = MacTable<SinksRow>

export function sinksTable(mac: RowMac): SinksTable {
  return new MacTable<SinksRow>(
    mac,
    'audit_sinks',
    ['id', 'key_id', 'sealed', 'set_at', 'revision'],
    ['id'],
  )
}

export function readSinks(table: SinksTable, reader: Reader): Promise<SinksRow | null> {
  return table.get(reader, "id = 'all'", [])
}

interface CursorColumns {
  readonly sink: string
  readonly delivered: number
}

/** How far each sink is, by name. */
export async function readCursors(reader: Reader): Promise<ReadonlyMap<string, number>> {
  const rows = await reader.all<CursorColumns>('select sink, delivered from audit_sink_cursors')
  return new Map(rows.map(({ sink, delivered }) => [sink, delivered]))
}

/** The last checkpoint of a sink. */
export interface CheckpointMark {
  /** 0 for none yet. */
  readonly at: EpochMs
  /** Where there is none yet: on how many records those that the sink gets stand. */
  readonly size: number
}

/** By the sink's name. */
export async function readCheckpointMarks(
  reader: Reader,
): Promise<ReadonlyMap<string, CheckpointMark>> {
  const rows = await reader.all<CheckpointMark & { readonly sink: string }>(
    'select sink, checkpoint_at as at, checkpoint_size as size from audit_sink_cursors',
  )
  return new Map(rows.map(({ sink, at, size }) => [sink, { at, size }]))
}

/** Lets one of the processes that want to send a checkpoint do it. @returns whether this one may */
export async function takeCheckpointTurn(
  tx: Tx,
  sink: string,
  before: CheckpointMark,
  next: CheckpointMark,
): Promise<boolean> {
  const changed = await tx.run(
    `update audit_sink_cursors set checkpoint_at = ?, checkpoint_size = ?
     where sink = ? and checkpoint_at = ? and checkpoint_size = ?`,
    [next.at, next.size, sink, before.at, before.size],
  )
  return changed === 1
}

/** A cursor only moves forward. */
export async function moveCursor(tx: Tx, sink: string, delivered: number): Promise<void> {
  await tx.run('update audit_sink_cursors set delivered = ? where sink = ? and delivered < ?', [
    delivered,
    sink,
    delivered,
  ])
}

/** Brings every cursor up to one: what lies before it is no longer there. @returns the sinks that lack some of it for good */
export async function passOver(tx: Tx, delivered: number): Promise<readonly string[]> {
  const behind = await tx.all<CursorColumns>(
    'select sink, delivered from audit_sink_cursors where delivered < ? order by sink',
    [delivered],
  )
  for (const { sink } of behind) await moveCursor(tx, sink, delivered)
  return behind.map(({ sink }) => sink)
}

export async function addCursor(tx: Tx, sink: string, delivered: number): Promise<void> {
  await tx.run(
    `insert into audit_sink_cursors (sink, delivered, follower, follows_until, checkpoint_at, checkpoint_size)
     values (?, ?, null, 0, 0, ?)`,
    [sink, delivered, delivered],
  )
}

export async function removeCursor(tx: Tx, sink: string): Promise<void> {
  await tx.run('delete from audit_sink_cursors where sink = ?', [sink])
}

/** Makes `follower` the one process that brings a sink what it lacks. @returns whether it is now */
export async function takeTurn(
  tx: Tx,
  sink: string,
  follower: string,
  now: EpochMs,
  until: EpochMs,
): Promise<boolean> {
  const changed = await tx.run(
    `update audit_sink_cursors set follower = ?, follows_until = ?
     where sink = ? and (follower is null or follower = ? or follows_until < ?)`,
    [follower, until, sink, follower, now],
  )
  return changed === 1
}

/** Lets another process follow at once. */
export async function giveTurns(tx: Tx, follower: string): Promise<void> {
  await tx.run(
    'update audit_sink_cursors set follower = null, follows_until = 0 where follower = ?',
    [follower],
  )
}
