import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { restoreBackup } from '../../src/app/restore.ts'
import { auditEvidence } from '../../src/audit/index.ts'
import { loadSettings } from '../../src/core/config.ts'
import { epochMs } from '../../src/core/time.ts'
import { keyFileSource } from '../../src/crypto/index.ts'
import { createBackups } from '../../src/vault/index.ts'
import { serveTestApi } from '../support/api.ts'
import { userWith } from '../support/registered.ts'
import { httpSink } from '../support/sink-servers.ts'
import { flip, kinds, outside, rows, run } from '../support/tampering.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const open = new OpenVaults()
const closing: (() => void | Promise<void>)[] = []
afterEach(async () => {
  await open.close(false)
  for (const close of closing.splice(0)) await close()
})

const DAY = 86_400_000
const FIRST = Date.parse('2025-01-01T00:00:00Z')
const at = (day: number) => epochMs(FIRST + day * DAY)

/** A store with a calendar of its own. */
interface Aged {
  readonly vault: TestVault
  today: number
}

async function aged(store = SQLITE): Promise<Aged> {
  const calendar = { today: 0 }
  const vault = await open.fresh(store, () => at(calendar.today))
  return Object.assign(calendar, { vault })
}

const put = (vault: TestVault, path: string) =>
  vault.vault.put(PERSON, 'default', { path, value: secret(`value of ${path}`) })

async function exported(vault: TestVault): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const line of vault.audit.export()) lines.push(line)
  return lines
}

async function checked(vault: TestVault, lines: readonly string[], checkpoints: object[]) {
  async function* pages() {
    yield lines
  }
  return auditEvidence.verifyExport(
    pages(),
    checkpoints.map((one) => JSON.stringify(one)),
    await vault.audit.checkpointKeys(),
  )
}

/** A year: secrets on day 0, one changed on day 100, reads every ten days, two checkpoints on the way. */
async function year(store = SQLITE) {
  const store0 = await aged(store)
  const { vault } = store0
  for (const path of ['a', 'b', 'c']) await put(vault, path)
  const early = await vault.audit.checkpoint()
  for (let day = 10; day < 360; day += 10) {
    store0.today = day
    await vault.vault.get(PERSON, 'default', 'a')
    if (day === 100) await put(vault, 'b')
  }
  store0.today = 365
  const before = await exported(vault)
  const late = await vault.audit.checkpoint()
  return Object.assign(store0, { early, late, before })
}

for (const store of [SQLITE, POSTGRES])
  describe(`pruning on ${store.name}`, { skip: store.skip }, () => {
    test('what is pruned leaves hashes; checks, checkpoints and proofs go on as before', async () => {
      const { vault, early, late, before } = await year(store)
      const bodies = before.map((line) => JSON.parse(line) as { seq?: number; body?: string })
      const { pruned, upTo, heldBy, skipped } = await vault.audit.prune(PERSON, at(200))
      assert.ok(pruned > 20 && pruned === upTo, `${pruned}`)
      assert.deepEqual([heldBy, skipped], [null, []])
      const report = await vault.audit.verify()
      assert.deepEqual(report.findings, [])
      assert.equal(report.pruned, upTo)
      assert.ok(report.rowsChecked > 6)
      const [oldest] = (await vault.audit.query({ limit: 1000 })).slice(-1)
      assert.equal(oldest?.seq, upTo + 1)
      assert.equal(oldest?.at, at(200))
      const after = await exported(vault)
      const copy = await checked(vault, after, [early, late])
      assert.deepEqual(copy.findings, [])
      assert.deepEqual(
        [copy.pruned, copy.first, copy.root],
        [upTo, 1, (await vault.audit.verify()).root],
      )
      assert.ok(early.size < upTo)
      const older = await checked(vault, before, [early])
      assert.deepEqual(older.findings, [])
      const keys = await vault.audit.checkpointKeys()
      const holds = (proof: object, against: object | null = null): boolean =>
        auditEvidence.checkProof(
          JSON.stringify(proof),
          keys,
          against === null ? null : JSON.stringify(against),
        ).ok
      assert.ok(holds(await vault.audit.proveConsistency(early.size), early))
      assert.ok(holds(await vault.audit.proveConsistency(early.size, late.size), early))
      assert.ok(holds(await vault.audit.proveInclusion(upTo + 3)))
      await assert.rejects(vault.audit.proveInclusion(5), fault('NOT_FOUND', /Record 5 was pruned/))
      const { body = '' } = bodies[4] ?? {}
      assert.ok(holds(await vault.audit.proveInclusion(5, undefined, body)))
      const other = bodies[5]?.body ?? ''
      await assert.rejects(vault.audit.proveInclusion(5, undefined, other), fault('BAD_INPUT'))
    })

    test('another process notices, goes on, and prunes further', async () => {
      const { vault, ...calendar } = await year(store)
      const twin = await open.twin(vault, () => at(366))
      assert.equal(textOf(await twin.vault.get(PERSON, 'default', 'b')), 'value of b')
      const first = await vault.audit.prune(PERSON, at(100))
      await twin.vault.get(PERSON, 'default', 'a')
      assert.deepEqual((await twin.audit.verify()).findings, [])
      const second = await twin.audit.prune(PERSON, at(300))
      assert.ok(second.upTo > first.upTo && second.pruned === second.upTo - first.upTo)
      assert.deepEqual((await vault.audit.verify()).findings, [])
      assert.deepEqual((await vault.audit.prune(PERSON, at(300))).pruned, 0)
      const both = await Promise.all([
        vault.audit.prune(PERSON, at(320)),
        twin.audit.prune(PERSON, at(330)),
      ])
      assert.deepEqual((await vault.audit.verify()).findings, [])
      assert.equal((await vault.audit.retention()).pruned, Math.max(...both.map((o) => o.upTo)))
      assert.ok(calendar.early.size > 0)
    })

    test('each prune is a record, by whom and how far', async () => {
      const { vault } = await year(store)
      const { upTo } = await vault.audit.prune(PERSON, at(200))
      const [entry] = await vault.audit.query({ action: 'audit.prune' })
      const {
        actor,
        rows: named,
        detail,
      } = JSON.parse(entry?.body ?? '{}') as {
        actor: string
        rows: object
        detail: Record<string, unknown>
      }
      assert.equal(actor, 'person:local')
      assert.deepEqual(named, [['audit_retention', 'all', 1]])
      assert.deepEqual(
        { ...detail, root: typeof detail['root'] },
        { from: 1, to: upTo, root: 'string', before: '2025-07-20T00:00:00.000Z' },
      )
    })
  })

test('a backup carries what was pruned along: restored elsewhere, it verifies and goes on', async () => {
  const { vault, early } = await year()
  const { upTo } = await vault.audit.prune(PERSON, at(200))
  const home = mkdtempSync(join(tmpdir(), 'sallyport-pruned-'))
  closing.push(() => rmSync(home, { recursive: true, force: true }))
  const file = join(home, 'backup')
  const phrase = secret('violet harbour lantern')
  await createBackups(vault).backup(file, { passphrase: phrase })
  const settings = loadSettings({ SALLYPORT_HOME: home, SALLYPORT_KEY_SOURCE: 'keyfile' })
  const sourceOf = () => keyFileSource(settings)
  await restoreBackup({ settings, file, sourceOf, ask: async () => phrase })
  const restored = await openTestVault({ home, clock: () => at(370) })
  closing.unshift(() => restored.close())
  const report = await restored.audit.verify()
  assert.deepEqual([report.findings, report.pruned], [[], upTo])
  const copy = await checked(restored, await exported(restored), [early])
  assert.deepEqual(copy.findings, [])
  assert.ok((await restored.audit.prune(PERSON, at(300))).pruned > 0)
  assert.deepEqual((await restored.audit.verify()).findings, [])
})

test('over HTTP a pruned record is not found, and what is left is proved as before', async () => {
  const { vault } = await year()
  const { upTo } = await vault.audit.prune(PERSON, at(200))
  const api = await serveTestApi(vault)
  closing.push(() => api.stop())
  const { key } = await userWith(vault, 'auditor')
  const proof = (seq: number) => api.ask(`/v1/audit/proofs/inclusion?seq=${seq}`, { bearer: key })
  assert.equal((await proof(5)).status, 404)
  assert.equal((await proof(upTo + 1)).status, 200)
  const { status, body } = await api.ask('/v1/audit/verify', { bearer: key })
  assert.deepEqual([status, (body as { chain_valid: boolean }).chain_valid], [200, true])
})

test('nothing younger than thirty days, nothing from an audit that does not hold', async () => {
  const store = await year()
  const { vault } = store
  await assert.rejects(vault.audit.prune(PERSON, at(336)), fault('BAD_INPUT', /30 days ago/))
  await assert.rejects(vault.audit.setRetention(PERSON, 29 * DAY), fault('BAD_INPUT', /30 and/))
  flip(vault, 'audit_records', 'body', 'seq = 40')
  await assert.rejects(vault.audit.prune(PERSON, at(100)), fault('AUDIT_BROKEN', /record-changed/))
  assert.equal((await vault.audit.retention()).pruned, 0)
})

test('as it was set: at most once a day, by nobody but the program, and for ever without', async () => {
  const store = await year()
  const { vault } = store
  assert.equal(await vault.audit.pruneAsSet(), null)
  assert.deepEqual(await vault.audit.setRetention(PERSON, 100 * DAY), {
    keepMs: 100 * DAY,
    pruned: 0,
    prunedAt: null,
  })
  const report = await vault.audit.pruneAsSet()
  assert.ok((report?.pruned ?? 0) > 30)
  const [entry] = await vault.audit.query({ action: 'audit.prune' })
  assert.equal(entry?.actor, 'sallyport')
  assert.equal((await vault.audit.query({ limit: 1000 })).at(-1)?.at, at(270))
  store.today = 365.9
  assert.equal(await vault.audit.pruneAsSet(), null)
  store.today = 381
  assert.ok((await vault.audit.pruneAsSet()) !== null)
  assert.equal((await vault.audit.query({ limit: 1000 })).at(-1)?.at, at(290))
  await vault.audit.setRetention(PERSON, null)
  store.today = 800
  assert.equal(await vault.audit.pruneAsSet(), null)
  assert.deepEqual((await vault.audit.verify()).findings, [])
})

describe('sinks', () => {
  const sinks = (url: string, mode: string): string =>
    JSON.stringify({
      sinks: [{ name: 'siem', kind: 'webhook', mode, url, key: 'k'.repeat(32) }],
    })

  test('what a required sink lacks stays, to the record', async () => {
    const store = await year()
    const { vault } = store
    const siem = await httpSink()
    closing.push(() => siem.close())
    await vault.audit.setSinks(PERSON, sinks(siem.url, 'required'))
    await vault.vault.get(PERSON, 'default', 'a')
    await vault.ledger.flush()
    await open.shut(vault)
    // As when a sink was away for long: nobody brought it more than this.
    run(vault, 'update audit_sink_cursors set delivered = 17')
    const again = await open.twin(vault, () => at(365))
    siem.answer = 200
    const held = await again.audit.prune(PERSON, at(200))
    assert.ok(held.upTo >= 17)
    if (held.upTo === 17) assert.equal(held.heldBy, 'siem')
    assert.ok(held.upTo <= (await again.audit.sinks())[0]!.delivered)
    assert.deepEqual((await again.audit.verify()).findings, [])
  })

  test('while a required sink fails nothing is pruned', async () => {
    const { vault } = await year()
    const siem = await httpSink()
    closing.push(() => siem.close())
    siem.answer = 500
    await vault.audit.setSinks(PERSON, sinks(siem.url, 'required')).catch(() => undefined)
    await vault.vault.get(PERSON, 'default', 'a').catch(() => undefined)
    const ended = await vault.audit.prune(PERSON, at(200)).then(
      ({ pruned, heldBy }) => ({ pruned, heldBy }),
      ({ code }: { code: string }) => ({ code }),
    )
    assert.deepEqual(ended, { pruned: 0, heldBy: 'siem' })
    assert.equal(rows(vault, 'select count(*) as n from audit_leaves')[0]?.['n'], 0)
  })

  test('a best-effort sink that was away begins after what was pruned, and the record names it', async () => {
    const { vault } = await year()
    const siem = await httpSink()
    closing.push(() => siem.close())
    siem.answer = 500
    await vault.audit.setSinks(PERSON, sinks(siem.url, 'best-effort'))
    const { upTo, skipped, heldBy } = await vault.audit.prune(PERSON, at(200))
    assert.deepEqual([skipped, heldBy], [['siem'], null])
    const [entry] = await vault.audit.query({ action: 'audit.prune' })
    assert.match(entry?.body ?? '', /"unexported":\["siem"\]/)
    siem.answer = 200
    const twin = await open.twin(vault, () => at(366))
    await twin.vault.get(PERSON, 'default', 'a')
    for (let i = 0; i < 500 && siem.received.length === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    const [line = ''] = siem.received[0]?.body.toString().split('\n') ?? []
    assert.equal((JSON.parse(line) as { seq: number }).seq, upTo + 1)
  })
})

describe('whoever can write the store', () => {
  const pruned = async (): Promise<TestVault> => {
    const { vault } = await year()
    await vault.audit.prune(PERSON, at(200))
    return vault
  }
  const cases: readonly [what: string, tamper: (vault: TestVault) => void, found: string[]][] = [
    [
      'changes a hash',
      (vault) => flip(vault, 'audit_leaves', 'hashes', '1 = 1'),
      ['history-changed', 'pruned-changed', 'tree-changed'],
    ],
    ['removes the hashes', (vault) => run(vault, 'delete from audit_leaves'), ['pruned-changed']],
    [
      'says of a row that an older revision was the last',
      (vault) =>
        run(vault, `update audit_vouched set revision = revision - 1 where place like 'secrets/%'`),
      ['pruned-changed'],
    ],
    [
      'forgets what was vouched for',
      (vault) => run(vault, `delete from audit_vouched where place like 'vaults/%'`),
      ['pruned-changed', 'row-added'],
    ],
    [
      'adds a record where one was pruned',
      (vault) =>
        run(
          vault,
          'insert into audit_records select 7, epoch_key_id, body, mac from audit_records limit 1',
        ),
      ['record-added'],
    ],
    [
      'moves the cut',
      (vault) => run(vault, 'update audit_retention set size = size + 1'),
      ['pruned-changed', 'row-changed', 'tail-cut'],
    ],
    [
      'takes the row of it away',
      (vault) => run(vault, 'delete from audit_retention'),
      ['pruned-changed', 'record-missing', 'row-missing', 'tail-cut'],
    ],
    [
      'removes a record that was not pruned',
      (vault) =>
        run(vault, 'delete from audit_records where seq = (select min(seq) from audit_records)'),
      ['record-missing', 'tail-cut'],
    ],
  ]
  for (const [what, tamper, found] of cases)
    test(`${what}: it is found`, async () => {
      const vault = await pruned()
      tamper(vault)
      const seen = await kinds(vault)
      for (const kind of found) assert.ok(seen.includes(kind), `${kind} in ${seen.join(' ')}`)
      await assert.rejects(vault.audit.prune(PERSON, at(300)))
    })

  test('puts a row back as it was when the records of it were still there: it is found', async () => {
    const { vault } = await year()
    const row = rows(vault, `select * from secrets where path = 'c'`)[0]!
    await put(vault, 'c')
    await vault.audit.prune(PERSON, at(300))
    const names = Object.keys(row)
    run(
      vault,
      `insert or replace into secrets (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`,
      ...Object.values(row),
    )
    assert.deepEqual(await kinds(vault), ['row-rolled-back'])
  })

  test('hides records of a copy as if they had been pruned: it is found', async () => {
    const { vault, before } = await year()
    await vault.audit.prune(PERSON, at(100))
    const whole = await exported(vault)
    const [leaves = ''] = whole
    const { to } = (JSON.parse(leaves) as { pruned: { to: number } }).pruned
    assert.ok(to > 10)
    // Its own hashes before a copy in which no record tells of a prune.
    const forged = [
      leaves,
      ...before.filter((line) => (JSON.parse(line) as { seq?: number }).seq! > to),
      before.at(-1)!,
    ]
    const { findings } = await checked(vault, forged, [])
    assert.deepEqual(
      findings.map(({ kind }) => kind),
      ['record-withheld'],
    )
  })
})

test('a process that is killed while it prunes leaves a store that holds, and another goes on', async () => {
  const store = await aged()
  const { vault } = store
  await put(vault, 'a')
  for (let i = 0; i < 4; i++)
    await Promise.allSettled(
      Array.from({ length: 4_000 }, (_, k) => vault.vault.get(PERSON, 'default', `none/${k}`)),
    )
  await vault.ledger.flush()
  const program = join(import.meta.dirname, '../support/vault-process.ts')
  const child = spawn(
    process.execPath,
    [program, vault.home, 'prune', '1', '2025-06-01T00:00:00Z'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const ended = once(child, 'close')
  const cut = (): number =>
    outside(vault, (db) =>
      Number(db.prepare('select max(last) as cut from audit_leaves').get()?.['cut']),
    )
  while (child.exitCode === null && cut() < 5_000)
    await new Promise((resolve) => setTimeout(resolve, 2))
  child.kill('SIGKILL')
  await ended
  assert.ok(cut() >= 5_000)
  store.today = 400
  assert.deepEqual((await vault.audit.verify()).findings, [])
  const { upTo } = await vault.audit.prune(PERSON, at(151))
  assert.ok(upTo > 16_000)
  assert.deepEqual((await vault.audit.verify()).findings, [])
  assert.equal(
    rows(vault, 'select count(*) as n from audit_records where seq <= 16000')[0]?.['n'],
    0,
  )
})
