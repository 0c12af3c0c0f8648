import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { Db } from '../../src/core/db-port.ts'
import { isFault } from '../../src/core/faults.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { migrate, openPostgres } from '../../src/store/index.ts'
import { freshDatabase, postgresMissing, query } from '../support/postgres.ts'
import { CONTRACT_SCHEMA } from '../support/store-schema.ts'

const opened: Db[] = []
after(async () => {
  for (const db of opened) await db.close()
})

async function open(url: string): Promise<Db> {
  const db = await openPostgres({ url })
  opened.push(db)
  return db
}

/** Ends every connection to the database, as a restart of the server would. */
function endConnections(url: string): Promise<unknown> {
  const name = new URL(url).pathname.slice(1)
  return query(
    url.replace(/test_\d+$/, 'postgres'),
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
  )
}

describe('PostgreSQL', { skip: postgresMissing() }, () => {
  test('a server that would lose acknowledged writes is refused', async () => {
    const url = await freshDatabase()
    const name = new URL(url).pathname.slice(1)
    await query(url, `alter database ${name} set synchronous_commit = off`)
    await assert.rejects(open(url), (error) => {
      assert.ok(isFault(error, 'STORE_UNAVAILABLE'))
      assert.match(error.message, /synchronous_commit is off; set synchronous_commit = on\.$/)
      return true
    })
    await query(url, `alter database ${name} set synchronous_commit = local`)
    await open(url)
  })

  test('a wrong password, database or port is named without the password', async () => {
    const url = await freshDatabase()
    const right = new URL(url)
    const cases: readonly [change: (url: URL) => void, message: RegExp][] = [
      [(bad) => (bad.password = 'hunter-2'), /refuses this user or password/],
      [(bad) => (bad.pathname = '/absent'), /does not exist; create the database/],
      [(bad) => (bad.port = '1'), /can't be reached/],
    ]
    for (const [change, message] of cases) {
      const bad = new URL(url)
      change(bad)
      await assert.rejects(open(bad.href), (error) => {
        assert.ok(isFault(error, 'STORE_UNAVAILABLE'))
        assert.match(error.message, message)
        assert.equal(error.message.includes(bad.password), false)
        assert.equal(error.message.includes(right.password), false)
        return true
      })
    }
    await assert.rejects(open('mysql://u:p@localhost/x'), (error) => isFault(error, 'BAD_INPUT'))
  })

  test('a deadlock is resolved by running one of the two again', async () => {
    const db = await open(await freshDatabase())
    await migrate(db, CONTRACT_SCHEMA)
    await db.write((tx) => tx.run("insert into counters (id, n) values ('d', 0)"))
    let runs = 0
    const both = (first: string, second: string): Promise<void> =>
      db.write(async (tx) => {
        runs += 1
        await tx.run('update counters set n = n + 1 where id = ?', [first])
        await sleep(100)
        await tx.run('update counters set n = n + 1 where id = ?', [second])
      })
    await Promise.all([both('c', 'd'), both('d', 'c')])
    // On a slow machine they may meet again.
    assert.ok(runs >= 3, `${runs} runs`)
    const rows = await db.read((reader) => reader.all('select id, n from counters order by id'))
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      [
        { id: 'c', n: 2 },
        { id: 'd', n: 2 },
      ],
    )
  })

  for (const mayPause of [false, true])
    test(`a write that pauses ${mayPause ? 'and says so is waited for' : 'is undone for those who wait, and run again'}`, async () => {
      const url = await freshDatabase()
      const [db, other] = [await open(url), await open(url)]
      await migrate(db, CONTRACT_SCHEMA)
      let runs = 0
      const update = 'update counters set n = n + 1'
      const paused = db.write(
        async (tx) => {
          runs += 1
          await tx.run(update)
          if (runs === 1) await sleep(2_200)
          await tx.run(update)
        },
        { deadlineMs: 3_000, mayPause },
      )
      await sleep(100)
      const before = monotonicMs()
      await other.write((tx) => tx.run(update))
      const waited = monotonicMs() - before
      await paused
      assert.equal(runs, mayPause ? 1 : 2)
      assert.equal(waited < 1_500, !mayPause, `${waited} ms`)
      const row = await db.read((reader) => reader.get('select n from counters'))
      assert.deepEqual({ ...row }, { n: 3 })
    })

  test('idle connections that die are replaced', async () => {
    const url = await freshDatabase()
    const db = await open(url)
    await migrate(db, CONTRACT_SCHEMA)
    await endConnections(url)
    await sleep(50)
    assert.equal(await db.write((tx) => tx.run('update counters set n = 5')), 1)
  })

  test('a connection that dies inside a transaction fails it, and only it', async () => {
    const url = await freshDatabase()
    const db = await open(url)
    await migrate(db, CONTRACT_SCHEMA)
    const work = db.write(async (tx) => {
      await tx.run('update counters set n = 5')
      await endConnections(url)
      await tx.run('update counters set n = 6')
    })
    await assert.rejects(work, (error) => isFault(error, 'STORE_UNAVAILABLE'))
    const row = await db.read((reader) => reader.get('select n from counters'))
    assert.deepEqual({ ...row }, { n: 0 })
  })

  test('a watch whose connection dies listens again and calls back', async () => {
    const url = await freshDatabase()
    const db = await open(url)
    const other = await open(url)
    await migrate(db, CONTRACT_SCHEMA)
    let calls = 0
    db.watch(() => {
      calls += 1
    })
    await sleep(200)
    await endConnections(url)
    calls = 0
    const deadline = monotonicMs() + 2000
    while (calls === 0 && monotonicMs() < deadline) await sleep(10)
    assert.equal(calls > 0, true)
    await sleep(50)
    calls = 0
    await other.write((tx) => tx.run('update counters set n = 5'))
    await sleep(200)
    assert.equal(calls > 0, true)
  })
})
