import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Db, Tx } from '../../src/core/db-port.ts'
import { isFault } from '../../src/core/faults.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import {
  type DumpedRow,
  dumpTables,
  emptyTables,
  loadTables,
  migrate,
  openPostgres,
  openSqlite,
} from '../../src/store/index.ts'
import { freshDatabase, postgresMissing } from '../support/postgres.ts'
import { CONTRACT_SCHEMA } from '../support/store-schema.ts'

const PROCESS = fileURLToPath(new URL('../support/store-process.ts', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'sallyport-store-'))
let files = 0

interface Driver {
  readonly name: string
  readonly skip: false | string
  freshPlace(): Promise<string>
  open(place: string): Promise<Db>
}

const sqlite: Driver = {
  name: 'sqlite',
  skip: false,
  freshPlace: () => Promise.resolve(join(directory, `s${++files}`, 'store.db')),
  open: (file) => openSqlite({ file }),
}
const postgres: Driver = {
  name: 'postgres',
  skip: postgresMissing(),
  freshPlace: freshDatabase,
  open: (url) => openPostgres({ url }),
}

const opened: Db[] = []
after(async () => {
  for (const db of opened) await db.close()
  rmSync(directory, { recursive: true, force: true })
})

async function open(driver: Driver, place: string): Promise<Db> {
  const db = await driver.open(place)
  opened.push(db)
  return db
}

async function fresh(driver: Driver): Promise<{ db: Db; place: string }> {
  const place = await driver.freshPlace()
  const db = await open(driver, place)
  await migrate(db, CONTRACT_SCHEMA)
  return { db, place }
}

const INSERT = 'insert into things (part, place, body, note) values (?, ?, ?, ?)'

async function places(db: Db): Promise<number[]> {
  const rows = await db.read((reader) =>
    reader.all<{ place: number }>('select place from things order by part, place'),
  )
  return rows.map((row) => row.place)
}

function inProcess(...args: string[]): Promise<unknown> {
  return promisify(execFile)(process.execPath, [PROCESS, ...args])
}

async function until(claim: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = monotonicMs() + withinMs
  while (!claim() && monotonicMs() < deadline) await sleep(5)
  return claim()
}

for (const driver of [sqlite, postgres])
  describe(`store on ${driver.name}`, { skip: driver.skip, concurrency: false }, () => {
    test('a commit is visible to another handle, and after reopening', async () => {
      const { db, place } = await fresh(driver)
      const other = await open(driver, place)
      assert.equal(await db.write((tx) => tx.run(INSERT, ['a', 1, null, null])), 1)
      assert.deepEqual(await places(other), [1])
      await db.close()
      await other.close()
      assert.deepEqual(await places(await open(driver, place)), [1])
    })

    test('a commit that need not wait for the disk is there for others, and the next one waits again', async () => {
      const { db, place } = await fresh(driver)
      const other = await open(driver, place)
      const waits =
        driver.name === 'sqlite'
          ? 'pragma synchronous'
          : "select current_setting('synchronous_commit') as synchronous"
      const commit = (place: number, durability: 'now' | 'soon') =>
        db.write(
          async (tx) => {
            await tx.run(INSERT, ['a', place, null, null])
            return (await tx.get<{ synchronous: number | string }>(waits))?.synchronous
          },
          { durability },
        )
      let heard = 0
      const stop = db.watch(() => {
        heard += 1
      })
      await sleep(50)
      heard = 0
      const [full, none] = driver.name === 'sqlite' ? [2, 1] : ['on', 'on']
      assert.equal(await commit(1, 'soon'), none)
      assert.deepEqual(await places(other), [1])
      assert.equal(heard, 0)
      await db.settle()
      assert.equal(await commit(2, 'now'), full)
      assert.equal(await commit(3, 'soon'), none)
      assert.equal(await commit(4, 'now'), full)
      await until(() => heard > 0, 1_000)
      assert.ok(heard > 0)
      stop()
      await db.close()
      await assert.rejects(db.settle(), { code: 'STORE_UNAVAILABLE' })
    })

    test('a mark stays the same only while nobody commits what others care for', async () => {
      const { db, place } = await fresh(driver)
      const other = await open(driver, place)
      const insert = (to: Db, at: number, durability: 'now' | 'soon') =>
        to.write((tx) => tx.run(INSERT, ['a', at, null, null]), { durability })
      let mark = db.changeMark()
      const isSame = (): boolean => {
        const before = mark
        mark = db.changeMark()
        return before === mark
      }
      await insert(db, 1, 'soon')
      if (driver.name === 'sqlite') assert.ok(isSame())
      await insert(db, 2, 'now')
      assert.ok(!isSame())
      await insert(other, 3, 'soon')
      assert.ok(!isSame())
      await insert(other, 4, 'now')
      assert.ok(!isSame())
    })

    test('work that throws leaves nothing behind', async () => {
      const { db } = await fresh(driver)
      const work = db.write(async (tx) => {
        await tx.run(INSERT, ['a', 1, null, null])
        throw new Error('enough')
      })
      await assert.rejects(work, { message: 'enough' })
      assert.deepEqual(await places(db), [])
    })

    test('a savepoint that throws undoes only itself', async () => {
      const { db } = await fresh(driver)
      await db.write(async (tx) => {
        await tx.run(INSERT, ['a', 1, null, null])
        const inner = tx.savepoint(async () => {
          await tx.run(INSERT, ['a', 2, null, null])
          await tx.savepoint(() => tx.run(INSERT, ['a', 3, null, null]))
          throw new Error('enough')
        })
        await assert.rejects(inner, { message: 'enough' })
        await tx.savepoint(() => tx.run(INSERT, ['a', 4, null, null]))
      })
      assert.deepEqual(await places(db), [1, 4])
    })

    test('a statement that fails inside a savepoint leaves the transaction alive', async () => {
      const { db } = await fresh(driver)
      await db.write(async (tx) => {
        await tx.run(INSERT, ['a', 1, null, null])
        const twice = tx.savepoint(() => tx.run(INSERT, ['a', 1, null, null]))
        await assert.rejects(twice, (error) => isFault(error, 'CONFLICT'))
        // The second is still on its way when the first has failed.
        const large = new Uint8Array(20_000_000)
        const both = tx.savepoint(() =>
          Promise.all([
            tx.run(INSERT, ['a', 1, null, null]),
            tx.run(INSERT, ['a', 9, large, null]),
          ]),
        )
        await assert.rejects(both, (error) => isFault(error, 'CONFLICT'))
        await tx.run(INSERT, ['a', 2, null, null])
      })
      assert.deepEqual(await places(db), [1, 2])
    })

    test('a statement that fails outside a savepoint ends the transaction, even when swallowed', async () => {
      const { db } = await fresh(driver)
      const swallow = async (tx: Tx): Promise<void> => {
        await tx.run(INSERT, ['a', 1, null, null])
        await tx.run(INSERT, ['a', 1, null, null]).catch(() => {})
      }
      await assert.rejects(db.write(swallow), (error) => isFault(error, 'CONFLICT'))
      const goesOn = db.write(async (tx) => {
        await swallow(tx)
        await tx.run(INSERT, ['a', 2, null, null])
      })
      await assert.rejects(goesOn, (error) => isFault(error, 'CONFLICT'))
      const inSavepoint = db.write((tx) => tx.savepoint(() => swallow(tx)))
      await assert.rejects(inSavepoint, (error) => isFault(error, 'CONFLICT'))
      assert.deepEqual(await places(db), [])
    })

    test('a transaction that is over can not be used again', async () => {
      const { db } = await fresh(driver)
      const leaked = await db.write((tx) => Promise.resolve({ tx }))
      const late = db.write(async () => {
        await leaked.tx.run(INSERT, ['a', 1, null, null])
      })
      await assert.rejects(late, { message: 'the transaction is over' })
      assert.deepEqual(await places(db), [])
    })

    test('a savepoint that is not awaited refuses the commit', async () => {
      const { db } = await fresh(driver)
      let finish = (): void => {}
      const gate = new Promise<void>((resolve) => {
        finish = resolve
      })
      let loose: Promise<unknown> = Promise.resolve()
      const work = db.write((tx) => {
        loose = tx.savepoint(() => gate)
        return Promise.resolve()
      })
      await assert.rejects(work, /savepoint was still open/)
      finish()
      await assert.rejects(loose, { message: 'the transaction is over' })
      await db.write((tx) => tx.run(INSERT, ['a', 1, null, null]))
      assert.deepEqual(await places(db), [1])
    })

    test('two handles that read, add and write lose no update', async () => {
      const { db, place } = await fresh(driver)
      const other = await open(driver, place)
      const increment = async (handle: Db): Promise<void> => {
        for (let i = 0; i < 500; i += 1)
          await handle.write(async (tx) => {
            const row = await tx.get<{ n: number }>(
              'select n from counters where id = ? /*lock*/',
              ['c'],
            )
            await tx.run('update counters set n = ? where id = ?', [(row?.n ?? 0) + 1, 'c'])
          })
      }
      await Promise.all([increment(db), increment(other)])
      const row = await db.read((reader) => reader.get('select n from counters'))
      assert.deepEqual({ ...row }, { n: 1000 })
    })

    test('two processes lose no update', async () => {
      const { db, place } = await fresh(driver)
      await Promise.all([
        inProcess(place, 'increment', '200'),
        inProcess(place, 'increment', '200'),
      ])
      const row = await db.read((reader) => reader.get('select n from counters'))
      assert.deepEqual({ ...row }, { n: 400 })
    })

    test('a read sees one snapshot while others commit', async () => {
      const { db } = await fresh(driver)
      const count = 'select count(*) as n from things'
      await db.read(async (reader) => {
        assert.deepEqual({ ...(await reader.get(count)) }, { n: 0 })
        await db.write((tx) => tx.run(INSERT, ['a', 1, null, null]))
        assert.deepEqual({ ...(await reader.get(count)) }, { n: 0 })
      })
      assert.deepEqual(await places(db), [1])
    })

    test('a read can not write', async () => {
      const { db } = await fresh(driver)
      await assert.rejects(
        db.read((reader) => reader.all(`${INSERT} returning place`, ['a', 1, null, null])),
        (error) => isFault(error, 'STORE_UNAVAILABLE'),
      )
      assert.deepEqual(await places(db), [])
    })

    test('bytes, unicode, null and large numbers come back as they went in', async () => {
      const { db } = await fresh(driver)
      const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)
      const text = 'é 漢字 👩‍🚀 \' " \\ $1 ? %_ \n'
      await db.write(async (tx) => {
        await tx.run(INSERT, ['a', Number.MAX_SAFE_INTEGER, bytes, text])
        await tx.run(INSERT, ['a', Number.MIN_SAFE_INTEGER, new Uint8Array(), ''])
        await tx.run(INSERT, ['b', 0, null, null])
      })
      const rows = await db.read((reader) =>
        reader.all('select place, body, note from things order by part, place'),
      )
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [
          { place: -9007199254740991, body: new Uint8Array(), note: '' },
          { place: 9007199254740991, body: bytes, note: text },
          { place: 0, body: null, note: null },
        ],
      )
      const sum = await db.read((reader) =>
        reader.get("select sum(place) as total, count(*) as n from things where part = 'a'"),
      )
      assert.deepEqual({ ...sum }, { total: 0, n: 2 })
    })

    test('a number that can not be read exactly is said to be corrupt', async () => {
      const { db } = await fresh(driver)
      const work = db.read((reader) => reader.all('select 9007199254740993 as n'))
      await assert.rejects(work, (error) => isFault(error, 'STORE_CORRUPT'))
    })

    test('what one of the databases could not hold is refused by both', async () => {
      const { db } = await fresh(driver)
      const insert = (...params: (string | number | null)[]): Promise<number> =>
        db.write((tx) => tx.run(INSERT, params))
      await assert.rejects(insert('a', 1.5, null, null), RangeError)
      await assert.rejects(insert('a', 2 ** 53, null, null), RangeError)
      await assert.rejects(insert('a', 1, null), RangeError)
      await assert.rejects(insert('a', 1, null, null, null), RangeError)
      await assert.rejects(insert('a\0', 1, null, null), (error) => isFault(error, 'BAD_INPUT'))
      assert.deepEqual(await places(db), [])
    })

    test('a question mark in a literal, name or comment is not a parameter', async () => {
      const { db } = await fresh(driver)
      const row = await db.read((reader) =>
        reader.get(
          `select 'it''s ?' as a, note as "b?" /* ? */ -- ?
            from (select ? as note) as inner_rows where note = ?`,
          ['x', 'x'],
        ),
      )
      assert.deepEqual({ ...row }, { a: "it's ?", 'b?': 'x' })
    })

    test('text sorts by its bytes', async () => {
      const { db } = await fresh(driver)
      await db.write(async (tx) => {
        for (const part of ['b', 'a-b', 'é', 'B', 'a', 'aB', 'a_b', '_'])
          await tx.run(INSERT, [part, 1, null, null])
      })
      const rows = await db.read((reader) =>
        reader.all<{ part: string }>('select part from things order by part'),
      )
      assert.deepEqual(
        rows.map((row) => row.part),
        ['B', '_', 'a', 'a-b', 'aB', 'a_b', 'b', 'é'],
      )
    })

    test('waiting for a writer ends at the deadline', async () => {
      const { db, place } = await fresh(driver)
      const other = await open(driver, place)
      const touch = "update counters set n = n + 1 where id = 'c'"
      await db.write(async (tx) => {
        await tx.run(touch)
        const start = monotonicMs()
        const work = other.write((inner) => inner.run(touch), { deadlineMs: 150 })
        await assert.rejects(work, (error) => isFault(error, 'STORE_BUSY'))
        const waited = monotonicMs() - start
        assert.ok(waited > 90 && waited < 1500, `waited ${waited} ms`)
      })
      assert.equal(await other.write((tx) => tx.run(touch), { deadlineMs: 150 }), 1)
    })

    test('six processes that start together migrate once', async () => {
      const place = await driver.freshPlace()
      await Promise.all(Array.from({ length: 6 }, () => inProcess(place, 'migrate')))
      const db = await open(driver, place)
      const rows = await db.read((reader) =>
        reader.all('select version, name from schema_versions order by version'),
      )
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [
          { version: 1, name: 'counters' },
          { version: 2, name: 'things' },
        ],
      )
      const counters = await db.read((reader) => reader.all('select n from counters'))
      assert.equal(counters.length, 1)
    })

    test('steps are added one by one, and a newer or foreign schema is refused', async () => {
      const db = await open(driver, await driver.freshPlace())
      assert.equal(await migrate(db, CONTRACT_SCHEMA.slice(0, 1)), 1)
      assert.equal(await migrate(db, CONTRACT_SCHEMA), 2)
      assert.equal(await migrate(db, CONTRACT_SCHEMA), 2)
      await assert.rejects(migrate(db, CONTRACT_SCHEMA.slice(0, 1)), (error) =>
        isFault(error, 'STORE_NEWER'),
      )
      const renamed = [CONTRACT_SCHEMA[0]!, { version: 2, name: 'other', statements: [] }]
      await assert.rejects(migrate(db, renamed), (error) => isFault(error, 'STORE_CORRUPT'))
    })

    test('a step that fails leaves the schema as it was', async () => {
      const { db } = await fresh(driver)
      const broken = [
        ...CONTRACT_SCHEMA,
        {
          version: 3,
          name: 'broken',
          statements: [
            'create table extra (id text primary key)',
            'insert into nowhere values (1)',
          ],
        },
      ]
      await assert.rejects(migrate(db, broken))
      await assert.rejects(db.read((reader) => reader.all('select * from extra')))
      assert.equal(await migrate(db, CONTRACT_SCHEMA), 2)
    })

    test('a watch hears of commits of this handle, and of another process within a second', async () => {
      const { db, place } = await fresh(driver)
      let calls = 0
      const stop = db.watch(() => {
        calls += 1
      })
      await sleep(250)
      calls = 0
      await db.write((tx) => tx.run(INSERT, ['a', 1, null, null]))
      assert.equal(await until(() => calls > 0, 100), true)
      await sleep(250)
      calls = 0
      await inProcess(place, 'increment', '1')
      assert.equal(await until(() => calls > 0, 1000), true)
      stop()
      await sleep(20)
      calls = 0
      await db.write((tx) => tx.run(INSERT, ['a', 2, null, null]))
      assert.equal(await until(() => calls > 0, 300), false)
    })

    test('a closed store answers that it is closed', async () => {
      const { db } = await fresh(driver)
      await db.close()
      await db.close()
      const closed = { code: 'STORE_UNAVAILABLE', message: 'The store is closed.' }
      await assert.rejects(
        db.read((reader) => reader.all('select 1 as one')),
        closed,
      )
      await assert.rejects(
        db.write((tx) => tx.run('delete from things')),
        closed,
      )
    })

    test('a dump with an unknown table, column or value is refused', async () => {
      const { db } = await fresh(driver)
      const cases: readonly DumpedRow[] = [
        { table: 'nowhere', row: { part: 'a' } },
        { table: 'schema_versions', row: { version: 3, name: 'x' } },
        { table: 'things; drop table things', row: { part: 'a' } },
        { table: 'things', row: { part: 'a', place: 1, other: 1 } },
        { table: 'things', row: { part: 'a', place: 1, 'note) values (1); --': 'x' } },
        { table: 'things', row: { part: 'a', place: 1.5 } },
      ]
      for (const row of cases)
        await assert.rejects(
          db.write((tx) => loadTables(tx, [row])),
          (error) => isFault(error, 'BAD_INPUT'),
          JSON.stringify(row),
        )
      assert.deepEqual(await places(db), [])
    })
  })

describe('a dump', { skip: postgres.skip }, () => {
  for (const [from, to] of [
    [sqlite, postgres],
    [postgres, sqlite],
  ] as const)
    test(`of ${from.name} loads on ${to.name} and dumps the same again`, async () => {
      const { db } = await fresh(from)
      await db.write(async (tx) => {
        for (let i = 0; i < 1200; i += 1)
          await tx.run(INSERT, [i % 2 === 0 ? 'é' : 'Z', i, Uint8Array.of(i & 255, 0), `n${i}`])
        await tx.run(INSERT, ['a', -1, null, null])
      })
      const dump = async (source: Db): Promise<string[]> =>
        source.read(async (reader) => {
          const lines: string[] = []
          for await (const row of dumpTables(reader, ['counters', 'things']))
            lines.push(JSON.stringify(row))
          return lines
        })
      const lines = await dump(db)
      assert.equal(lines.length, 1202)
      assert.equal(lines[0], '{"table":"counters","row":{"id":"c","n":0}}')
      assert.equal(
        lines[1],
        '{"table":"things","row":{"part":"Z","place":1,"body":{"base64":"AQA="},"note":"n1"}}',
      )
      assert.equal(
        lines[601],
        '{"table":"things","row":{"part":"a","place":-1,"body":null,"note":null}}',
      )
      const { db: target } = await fresh(to)
      const loaded = await target.write(async (tx) => {
        await emptyTables(tx, ['counters', 'things'])
        return loadTables(
          tx,
          lines.map((line) => JSON.parse(line) as DumpedRow),
        )
      })
      assert.equal(loaded, 1202)
      assert.deepEqual(await dump(target), lines)
    })
})
