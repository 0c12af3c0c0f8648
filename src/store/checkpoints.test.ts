import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sleep } from '../core/time.ts'
import { Checkpoints } from './checkpoints.ts'
import { openSqlite } from './sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-checkpoints-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const BLOB = new Uint8Array(65_536)
const BLOBS = 200

test('a busy store has its log brought over by another thread, and is whole when it is closed', async () => {
  const file = join(folder, 'store.db')
  const db = await openSqlite({ file })
  const automatic = async (): Promise<unknown> =>
    db.write((tx) => tx.get<{ wal_autocheckpoint: number }>('pragma wal_autocheckpoint'))
  await db.write((tx) => tx.run('create table blobs (n integer primary key, blob blob not null)'))
  assert.deepEqual({ ...((await automatic()) as object) }, { wal_autocheckpoint: 1_000 })
  const add = (n: number) =>
    db.write((tx) => tx.run('insert into blobs (n, blob) values (?, ?)', [n, BLOB]), {
      durability: 'soon',
    })
  for (let n = 0; n < 8; n += 1) await add(n)
  for (let tries = 0; tries < 500; tries += 1) {
    if (JSON.stringify(await automatic()).includes('16384')) break
    await sleep(10)
  }
  assert.deepEqual({ ...((await automatic()) as object) }, { wal_autocheckpoint: 16_384 })
  for (let n = 8; n < BLOBS; n += 1) {
    await add(n)
    if (n % 8 === 0) await sleep(5)
  }
  const half = (BLOBS * BLOB.byteLength) / 2
  for (let tries = 0; tries < 500 && statSync(file).size < half; tries += 1) await sleep(10)
  assert.ok(statSync(file).size >= half)
  await db.close()
  assert.equal(existsSync(`${file}-wal`), false)
  const again = await openSqlite({ file })
  const found = await again.read((reader) =>
    reader.get<{ n: number }>('select count(*) as n from blobs'),
  )
  assert.equal(found?.n, BLOBS)
  await again.close()
})

test('a thread that cannot be begun leaves it to SQLite', async () => {
  const set: number[] = []
  const checkpoints = new Checkpoints(join(folder, 'missing', 'store.db'), (pages) =>
    set.push(pages),
  )
  for (let n = 0; n < 100; n += 1) {
    checkpoints.committed('soon')
    await sleep(5)
  }
  await checkpoints.close()
  assert.deepEqual(set, [])
})
