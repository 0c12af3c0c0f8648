import type { Reader, SqlValue, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { RowMac } from '../crypto/index.ts'

/** A row that carries rights, with its columns' own names; `revision` grows by one with every change. */
export interface MacRow {
  readonly revision: number
}

/** What `audit verify` asks of every row. */
export interface CheckedRow {
  readonly id: string
  readonly revision: number
  readonly isValid: boolean
}

type Stored<R> = R & { readonly mac: Uint8Array }

/** Few statement shapes, so that they stay prepared: rows are cut into at most one of each but the largest. */
const CHUNKS = [64, 32, 16, 8, 4, 2, 1] as const

/**
 * A table whose rows carry a MAC over all their columns. Nothing read through it has been changed from outside, and
 * nothing is written through it unsigned.
 */
export class MacTable<R extends MacRow> {
  readonly name: string
  readonly #mac: RowMac
  readonly #columns: readonly (keyof R & string)[]
  readonly #key: readonly (keyof R & string)[]
  readonly #later: ReadonlySet<string>
  readonly #statements = new Map<string, string>()

  /**
   * @param columns every column but `mac`, in the order in which they are authenticated
   * @param key the primary key's columns
   * @param later the last of the columns, where rows are older than they are: authenticated where they are not null, so
   *   that what was signed before there was such a column still verifies. Each comes with its name, so none can be put
   *   into a signed row, taken out of it or be taken for another.
   */
  constructor(
    mac: RowMac,
    name: string,
    columns: readonly (keyof R & string)[],
    key: readonly (keyof R & string)[],
    later: readonly (keyof R & string)[] = [],
  ) {
    this.#mac = mac
    this.name = name
    this.#columns = columns
    this.#key = key
    this.#later = new Set(later)
  }

  /** The primary key as one text. */
  idOf(row: R): string {
    const [first, ...others] = this.#key
    if (first !== undefined && others.length === 0) return String(row[first])
    return this.#key.map((column) => String(row[column])).join('/')
  }

  /** @param where SQL after `where`, with `?` placeholders */
  async select(reader: Reader, where: string, params: readonly SqlValue[]): Promise<R[]> {
    const rows = await reader.all<Stored<R>>(`select * from ${this.name} where ${where}`, params)
    return rows.map((row) => this.verified(row))
  }

  async get(reader: Reader, where: string, params: readonly SqlValue[]): Promise<R | null> {
    const rows = await this.select(reader, where, params)
    return rows[0] ?? null
  }

  isValid(row: Stored<R>): boolean {
    return this.#mac.verify(this.name, this.idOf(row), this.#fields(row), row.mac)
  }

  /** @throws {Fault} `STORE_TAMPERED` when the MAC does not hold */
  verified(row: Stored<R>): R {
    if (this.isValid(row)) return row
    throw new Fault(
      'STORE_TAMPERED',
      `A row of ${this.name} was changed outside Sallyport; it is refused.`,
      { details: { table: this.name, id: this.idOf(row) } },
    )
  }

  /** Inserts rows, or replaces those whose revision is one less. @throws {Fault} `VERSION_CONFLICT` when one is not */
  save(tx: Tx, rows: readonly R[]): Promise<void> {
    return this.#write(tx, rows, 'upsert', (params, row) => {
      for (const column of this.#columns) params.push(row[column] as SqlValue)
      params.push(this.#mac.sign(this.name, this.idOf(row), this.#fields(row)))
    })
  }

  /**
   * Replaces rows whose revision is one less and in which, since they were verified, only `counter` changed: the MAC
   * covers the whole row, but only what changed is written. For tables with a key of one text column.
   *
   * @throws {Fault} `VERSION_CONFLICT` when one is not there with that revision
   */
  saveCounter(tx: Tx, rows: readonly R[], counter: keyof R & string): Promise<void> {
    return this.#write(tx, rows, counter, (params, row) => {
      const id = this.idOf(row)
      const mac = this.#mac.sign(this.name, id, this.#fields(row))
      params.push(id, row[counter] as SqlValue, row.revision, mac)
    })
  }

  async #write(
    tx: Tx,
    rows: readonly R[],
    kind: 'upsert' | (keyof R & string),
    bind: (params: SqlValue[], row: R) => void,
  ): Promise<void> {
    let at = 0
    const sent: Promise<number>[] = []
    for (const chunk of CHUNKS) {
      for (; rows.length - at >= chunk; at += chunk) {
        const params: SqlValue[] = []
        for (const row of rows.slice(at, at + chunk)) bind(params, row)
        sent.push(tx.run(this.#statement(tx, kind, chunk), params))
      }
    }
    let changed = 0
    for (const count of await Promise.all(sent)) changed += count
    if (changed !== rows.length)
      throw new Fault('VERSION_CONFLICT', `A row of ${this.name} was changed meanwhile; try again.`)
  }

  #statement(tx: Tx, kind: 'upsert' | (keyof R & string), count: number): string {
    const name = `${tx.dialect} ${kind} ${count}`
    const known = this.#statements.get(name)
    if (known !== undefined) return known
    const sql = kind === 'upsert' ? this.#upsert(count) : this.#counterUpdate(tx, kind, count)
    this.#statements.set(name, sql)
    return sql
  }

  async remove(tx: Tx, row: R): Promise<void> {
    await tx.run(
      `delete from ${this.name} where ${this.#key.map((column) => `${column} = ?`).join(' and ')}`,
      this.#key.map((column) => row[column] as SqlValue),
    )
  }

  /** Every row as it stands, verified or not. */
  async stored(reader: Reader): Promise<readonly R[]> {
    return reader.all<Stored<R>>(`select * from ${this.name}`)
  }

  async checkedRows(reader: Reader): Promise<readonly CheckedRow[]> {
    const rows = await reader.all<Stored<R>>(`select * from ${this.name}`)
    return rows.map((row) => ({
      id: this.idOf(row),
      revision: row.revision,
      isValid: this.isValid(row),
    }))
  }

  #fields(row: R): SqlValue[] {
    if (this.#later.size === 0) return this.#columns.map((column) => row[column] as SqlValue)
    return this.#columns.flatMap((column) =>
      this.#later.has(column)
        ? row[column] === null
          ? []
          : [column, row[column] as SqlValue]
        : [row[column] as SqlValue],
    )
  }

  #counterUpdate(tx: Tx, counter: string, count: number): string {
    const [key] = this.#key
    if (key === undefined || this.#key.length !== 1)
      throw new RangeError(`${this.name} has no key of one column`)
    // PostgreSQL takes a parameter in a list of values for text unless told otherwise; SQLite knows no bytea to cast to.
    const typed = '(cast(? as text), cast(? as bigint), cast(? as bigint), cast(? as bytea))'
    const plain = '(?, ?, ?, ?)'
    const first = tx.dialect === 'postgres' ? typed : plain
    const values = [first, ...Array.from({ length: count - 1 }, () => plain)].join(', ')
    return `update ${this.name} set ${counter} = v.column2, revision = v.column3, mac = v.column4
      from (values ${values}) v
      where ${this.name}.${key} = v.column1 and ${this.name}.revision = v.column3 - 1`
  }

  #upsert(count: number): string {
    const columns = [...this.#columns, 'mac']
    const values = `(${columns.map(() => '?').join(', ')})`
    const updates = columns
      .filter((column) => !this.#key.includes(column as keyof R & string))
      .map((column) => `${column} = excluded.${column}`)
    return `insert into ${this.name} (${columns.join(', ')})
      values ${Array.from({ length: count }, () => values).join(', ')}
      on conflict (${this.#key.join(', ')}) do update set ${updates.join(', ')}
      where ${this.name}.revision = excluded.revision - 1`
  }
}
