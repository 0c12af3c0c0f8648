/**
 * What both databases can carry: numbers are safe integers, text has no NUL character, bytes are Uint8Array, booleans
 * are 0 and 1. Anything else is refused before it is sent.
 */
export type SqlValue = string | number | Uint8Array | null

/** Rows have no prototype: spread one before it is compared with a literal. */
export type Row = Readonly<Record<string, SqlValue>>

export type Dialect = 'sqlite' | 'postgres'

/** Reads on one consistent snapshot. SQL uses `?` placeholders and the subset both databases share. */
export interface Reader {
  readonly dialect: Dialect
  all<R extends object = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]>
  get<R extends object = Row>(sql: string, params?: readonly SqlValue[]): Promise<R | undefined>
}

/**
 * A write transaction. Serialisable against every other write transaction on the same rows, if rows that are read in
 * order to be written are selected with the comment `lock` (slash, star, lock, star, slash) at the end of the
 * SQL: ` for update` on Postgres and nothing on SQLite, where there is one writer at a time.
 *
 * A statement that fails ends the transaction, or the innermost savepoint around it; swallowing its error does not
 * help: what follows fails with the same error, the commit too. A row whose key is taken is `CONFLICT`.
 * Savepoints of one transaction may be nested but must not overlap.
 */
export interface Tx extends Reader {
  /** @returns the number of rows changed */
  run(sql: string, params?: readonly SqlValue[]): Promise<number>
  /** Undoes only what `work` did when it throws, and throws on. */
  savepoint<T>(work: () => Promise<T>): Promise<T>
}

/** A write transaction that begins, works and ends before anything else of this process runs. */
export interface TxAtOnce {
  all<R extends object = Row>(sql: string, params: readonly SqlValue[]): R[]
  get<R extends object = Row>(sql: string, params: readonly SqlValue[]): R | undefined
  /** @returns the number of rows changed */
  run(sql: string, params: readonly SqlValue[]): number
}

/** Reads of one connection that stays open, without waiting: each statement sees the last commit of any process. */
export interface Glance {
  all<R extends object = Row>(sql: string, params: readonly SqlValue[]): R[]
  get<R extends object = Row>(sql: string, params: readonly SqlValue[]): R | undefined
  /** All that `work` reads is of one moment. */
  snapshot<T>(work: () => T): T
}

/** Work that is told what to ask the store, for a transaction of either kind. */
export type Steps<T> = Generator<StepOf, T, unknown>
type StepOf = readonly [kind: 'all' | 'run', sql: string, params: readonly SqlValue[]]

export function* allRows<R extends object>(sql: string, params: readonly SqlValue[]): Steps<R[]> {
  return (yield ['all', sql, params]) as R[]
}

export function* changeRows(sql: string, params: readonly SqlValue[]): Steps<number> {
  return (yield ['run', sql, params]) as number
}

export async function takeSteps<T>(tx: Tx, steps: Steps<T>): Promise<T> {
  let next = steps.next()
  while (next.done !== true) {
    const [kind, sql, params] = next.value
    next = steps.next(kind === 'all' ? await tx.all(sql, params) : await tx.run(sql, params))
  }
  return next.value
}

export function takeStepsAtOnce<T>(tx: TxAtOnce, steps: Steps<T>): T {
  let next = steps.next()
  while (next.done !== true) {
    const [kind, sql, params] = next.value
    next = steps.next(kind === 'all' ? tx.all(sql, params) : tx.run(sql, params))
  }
  return next.value
}

/**
 * When a commit is on the disk. `now`: before it is answered. `soon`: it survives the end of this process at once, and
 * a power cut after the next `settle` or durable commit; watchers of this handle are not called back. For records and
 * counts that nobody's rights hang on. On Postgres, which can end without this process, it is on the disk as well.
 */
export type Durability = 'now' | 'soon'

export interface WriteOptions {
  readonly deadlineMs?: number
  /** Default `now`. */
  readonly durability?: Durability
  /**
   * For work that waits for a person or reads a file between its statements. Without: on Postgres it is undone, and run
   * again, when nothing came of it for a third of `deadlineMs`, so that nobody waits long for a process that was stopped.
   */
  readonly mayPause?: boolean
}

export interface Db {
  readonly dialect: Dialect
  /** @throws {Fault} `STORE_UNAVAILABLE`, `STORE_CORRUPT` */
  read<T>(work: (reader: Reader) => Promise<T>): Promise<T>
  /**
   * Runs `work` in one transaction and commits it durably (fsync) before it resolves, unless `soon` is enough; rolls
   * back when `work` throws.
   * Waits for other writers asynchronously, up to `deadlineMs` (default 10 000). On Postgres `work` is run again after a
   * deadlock, a serialisation failure or a pause, so it must have no effect outside of the transaction. A write inside the work
   * of another write of the same handle waits for itself until the deadline.
   *
   * @throws {Fault} `STORE_BUSY` after the deadline, `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `CONFLICT`
   */
  write<T>(work: (tx: Tx) => Promise<T>, options?: WriteOptions): Promise<T>
  /**
   * Runs `work` in one transaction here and now and commits it `soon`; undoes it when it throws or gives null.
   *
   * @returns null when it has to be tried by `write`: another write is under way, here or in another process, or the
   *   database is not in this process
   * @throws {Fault} as `write`
   */
  writeAtOnce<T extends object>(work: (tx: TxAtOnce) => T | null): T | null
  /**
   * The same one every time, until the store is closed. Null where the database is not in this process.
   *
   * @throws {Fault} `STORE_UNAVAILABLE`, `STORE_BUSY`
   */
  glance(): Promise<Glance | null>
  /**
   * Resolves when all that was committed before is on the disk, whichever process committed it.
   *
   * @throws {Fault} `STORE_UNAVAILABLE`
   */
  settle(): Promise<void>
  /**
   * Drops what deleted rows leave behind in files: checkpoints and truncates the WAL on SQLite.
   *
   * @returns false when another process still needs the log, so the bytes are not gone yet; on Postgres always false
   */
  scrub(): Promise<boolean>
  /**
   * Calls back after a commit of any process: at once for this handle's own, within a second for others'.
   * It may be called without a change and must not throw.
   *
   * @returns ends the watch
   */
  watch(listener: () => void): () => void
  /**
   * While two answers are the same, nothing was committed between them by any process, but for `soon` commits of this
   * handle. Costs next to nothing where it can be told; where it cannot, no two answers are the same.
   */
  changeMark(): unknown
  /**
   * The process is about to end: whatever waits for the database after that long fails with `STORE_UNAVAILABLE`. The
   * last word counts. Does nothing where the database is in this process.
   */
  endWithin(ms: number): void
  close(): Promise<void>
}
