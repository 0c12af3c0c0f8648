import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { platform, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Ledger } from '../../src/audit/index.ts'
import { silentLog } from '../../src/core/log.ts'
import { monotonicMs, sleep, systemClock } from '../../src/core/time.ts'
import { LocalVault } from '../../src/vault/index.ts'
import { outside, rows, run } from '../support/tampering.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, race, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const V = 'default'
const PROCESS = fileURLToPath(new URL('../support/vault-process.ts', import.meta.url))
const NOBODY = 65_534
const open = new OpenVaults()
afterEach(() => open.close(true))

function put(vault: TestVault, path: string, value: string, rest: object = {}) {
  return vault.vault.put(PERSON, V, { path, value: secret(value), ...rest })
}

function storeFile(vault: TestVault): string {
  return join(vault.settings.dataDir, 'vault.db')
}

describe('a store that cannot be used', () => {
  test('a newer schema is left alone', async () => {
    const vault = await open.fresh(SQLITE)
    outside(vault, (db) => db.exec("insert into schema_versions values (99, 'from the future')"))
    const again = openTestVault({ home: vault.home })
    await assert.rejects(again, fault('STORE_NEWER', /version 99.*upgrade sallyport/))
    outside(vault, (db) => db.exec('delete from schema_versions where version = 99'))
    await open.twin(vault)
  })

  test('a corrupt database is named with the cure, whatever part of it is gone', async () => {
    const vault = await open.fresh(SQLITE)
    for (let i = 0; i < 20; i += 1) await put(vault, `p/${i}`, 'x'.repeat(5_000))
    await open.shut(vault)
    const file = storeFile(vault)
    const whole = readFileSync(file)
    const damages: readonly [what: string, damage: () => void][] = [
      ['a header of something else', () => writeFileSync(file, Buffer.alloc(whole.length, 0x41))],
      ['the second half is missing', () => truncateSync(file, whole.length / 2)],
      [
        'a page in the middle is overwritten',
        () => {
          const damaged = Buffer.from(whole)
          damaged.fill(0xff, 8_192, 8_192 + 4_096)
          writeFileSync(file, damaged)
        },
      ],
    ]
    for (const [what, damage] of damages) {
      damage()
      const again = openTestVault({ home: vault.home })
      await assert.rejects(again, fault('STORE_CORRUPT', /restore the last backup/), what)
      writeFileSync(file, whole)
    }
    assert.equal(textOf(await (await open.twin(vault)).vault.get(PERSON, V, 'p/7')).length, 5_000)
  })

  test('a read-only directory is named', { skip: platform() === 'win32' }, async () => {
    const home = mkdtempSync(join(tmpdir(), 'sallyport-ro-'))
    const data = join(home, 'data')
    mkdirSync(data, { mode: 0o500 })
    const isRoot = userInfo().uid === 0
    if (isRoot) execFileSync('chown', ['-R', String(NOBODY), home])
    try {
      // Root may do everything, so the effective user is another one meanwhile.
      if (isRoot) process.seteuid?.(NOBODY)
      const opened = openTestVault({ home })
      await assert.rejects(opened, fault('STORE_UNAVAILABLE', /directory.*writable for this user/))
    } finally {
      if (isRoot) process.seteuid?.(0)
      chmodSync(data, 0o700)
      rmSync(home, { recursive: true, force: true })
    }
  })

  test('a full disk: what was acknowledged is there, and the process can end', async () => {
    const vault = await open.fresh(SQLITE)
    await put(vault, 'before', 'v')
    // A limit of 2,000 KiB on every file that the shell's child writes.
    const script = 'ulimit -f "$1"; shift; exec "$@"'
    const child = promisify(execFile)('/bin/bash', [
      '-c',
      script,
      'bash',
      '2000',
      process.execPath,
      PROCESS,
      vault.home,
      'fill',
      '200',
    ])
    const failed = (await child.catch((error: unknown) => error)) as { stdout: string }
    const lines = failed.stdout.trim().split('\n')
    const stored = lines.filter((line) => line.startsWith('stored '))
    assert.ok(stored.length > 3 && stored.length < 200, failed.stdout)
    assert.match(lines.at(-1) ?? '', /^fault AUDIT_UNAVAILABLE .*nothing was released or changed/)
    const list = await vault.vault.list(PERSON, V, 'f/')
    assert.equal(list.secrets.length, stored.length)
    for (const { path } of list.secrets)
      assert.equal(textOf(await vault.vault.get(PERSON, V, path)).length, 60_000)
  })

  test('a handle whose store is full refuses, keeps what it has, and closes', async () => {
    const vault = await open.fresh(SQLITE)
    await put(vault, 'p', 'v', { maxAccessCount: 3 })
    await vault.ledger.flush()
    const pages = await vault.db.read((reader) =>
      reader.get<{ page_count: number }>('pragma page_count'),
    )
    await vault.db.write((tx) => tx.get(`pragma max_page_count = ${pages?.page_count ?? 1}`))
    // The read has a value ready, but its record has no room, sooner or later.
    let denied: unknown = null
    let released = 0
    for (let i = 0; i < 60 && denied === null; i += 1)
      await put(vault, 'q', 'w'.repeat(40_000)).catch((error: unknown) => {
        denied = error
      })
    assert.ok(fault('AUDIT_UNAVAILABLE', /disk is full/)(denied))
    await assert.rejects(vault.vault.describe(PERSON, V, 'q'), fault('SECRET_NOT_FOUND'))
    for (let i = 0; i < 3; i += 1)
      await vault.vault.get(PERSON, V, 'p').then(
        () => (released += 1),
        (error: unknown) => fault('AUDIT_UNAVAILABLE')(error),
      )
    await open.shut(vault)
    const again = await open.twin(vault)
    assert.equal((await again.vault.describe(PERSON, V, 'p')).accessCount, released)
  })
})

describe('the record that cannot be written', () => {
  test('a lock held past the deadline denies the read and spends nothing', async () => {
    const vault = await open.fresh(SQLITE)
    await put(vault, 'p', 'v', { maxAccessCount: 1 })
    await vault.ledger.flush()
    const { ledger, impatient } = await impatientVault(vault, 300)
    const holder = new DatabaseSync(storeFile(vault))
    holder.exec('begin immediate')
    const since = monotonicMs()
    const both = await race<unknown>([
      impatient.get(PERSON, V, 'p'),
      impatient.put(PERSON, V, { path: 'q', value: secret('w') }),
    ])
    assert.deepEqual(both.faults, ['AUDIT_UNAVAILABLE', 'AUDIT_UNAVAILABLE'])
    assert.ok(monotonicMs() - since < 2_000)
    holder.exec('rollback')
    holder.close()
    await ledger.flush()
    assert.equal((await vault.vault.describe(PERSON, V, 'p')).accessCount, 0)
    await assert.rejects(vault.vault.describe(PERSON, V, 'q'), fault('SECRET_NOT_FOUND'))
    assert.equal(textOf(await impatient.get(PERSON, V, 'p')), 'v')
    await ledger.close()
  })

  test('a record without a place is no release: the table of records is gone', async () => {
    const vault = await open.fresh(SQLITE)
    await put(vault, 'p', 'v')
    await vault.ledger.flush()
    outside(vault, (db) => db.exec('alter table audit_records rename to elsewhere'))
    await assert.rejects(vault.vault.get(PERSON, V, 'p'), fault('AUDIT_UNAVAILABLE'))
    await assert.rejects(vault.vault.list(PERSON, V), fault('AUDIT_UNAVAILABLE'))
    outside(vault, (db) => db.exec('alter table elsewhere rename to audit_records'))
    assert.equal((await vault.vault.get(PERSON, V, 'p')).info.accessCount, 1)
  })

  test('a process whose last outcome cannot be recorded ends all the same', async () => {
    const vault = await open.fresh(SQLITE)
    await put(vault, 'p', 'v')
    await vault.ledger.flush()
    await vault.vault.get(PERSON, V, 'p')
    outside(vault, (db) => db.exec('alter table audit_records rename to elsewhere'))
    const closed = open.shut(vault).then(() => 'closed')
    assert.equal(await Promise.race([closed, sleep(3_000).then(() => 'waiting')]), 'closed')
    outside(vault, (db) => db.exec('alter table elsewhere rename to audit_records'))
    const twin = await open.twin(vault)
    const [read] = await twin.audit.query({ path: 'p', action: 'secret.read' })
    assert.deepEqual([read?.kind, read?.outcome], ['intent', null])
  })

  test('what was spent and does not open stays spent and is recorded so', async () => {
    const vault = await open.fresh(SQLITE)
    await put(vault, 'p', 'v', { maxAccessCount: 2 })
    await put(vault, 'q', 'w')
    const sealed = rows(vault, 'select sealed from sealed_values where rowid = 1')[0]?.['sealed']
    const store = 'update sealed_values set sealed = ? where rowid = 1'
    run(vault, store, new Uint8Array(50))
    await assert.rejects(vault.vault.get(PERSON, V, 'p'), fault('STORE_TAMPERED', /does not open/))
    assert.equal((await vault.vault.describe(PERSON, V, 'p')).accessCount, 1)
    const [read] = await vault.audit.query({ path: 'p', action: 'secret.read' })
    assert.deepEqual([read?.kind, read?.outcome], ['intent', 'unopenable'])
    assert.equal(textOf(await vault.vault.get(PERSON, V, 'q')), 'w')
    run(vault, store, sealed ?? null)
  })
})

/** The same store behind a ledger that waits less. */
async function impatientVault(vault: TestVault, deadlineMs: number) {
  const { db, keys, heads } = vault
  const ledger = new Ledger({ db, keys, heads, clock: systemClock, log: silentLog, deadlineMs })
  return {
    ledger,
    impatient: await LocalVault.open({
      ...vault,
      standing: vault.identity.standing,
      actApprovals: vault.approvals.approvals,
      ledger,
      clock: systemClock,
    }),
  }
}
