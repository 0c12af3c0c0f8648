// The journal of calls: what is written is charged and recorded, whatever becomes of its writer.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs, {
  appendFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { afterEach, mock, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openCallRecord } from '../src/app/open-gateway.ts'
import type { CallJournal } from '../src/audit/index.ts'
import { isFault } from '../src/core/faults.ts'
import { Soon } from '../src/core/soon.ts'
import { sleep } from '../src/core/time.ts'
import { callOf, charge, journalOf, passing } from './support/journal-calls.ts'
import { PERSON, type TestVault } from './support/vault.ts'
import { OpenVaults, SQLITE } from './support/vault-stores.ts'

const vaults = new OpenVaults()
afterEach(() => vaults.close(false))

const KILLED = fileURLToPath(new URL('./support/journal-process.ts', import.meta.url))

const toBeCalled = (max: number) => ({
  text: {
    head: ',"action":"tool.call","actor":"agent:local"',
    detail: ',"detail":{"server":"s"',
    rest: '',
  },
  by: '"policy"',
  shadow: null,
  charges: [charge(max)],
})
const call = (journal: CallJournal, max = 100) => journal.call(toBeCalled(max))

const filesOf = ({ home }: TestVault): readonly string[] =>
  readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.calls-\d+-[0-9a-f]+$/.test(name))
    .map((name) => join(home, name))

const used = async ({ db }: TestVault): Promise<number> => {
  const row = await db.read((reader) =>
    reader.get<{ n: number }>('select coalesce(sum(used), 0) as n from gateway_counters'),
  )
  return row?.n ?? -1
}

test('of a process that is killed every call is charged and recorded, and the audit holds', async () => {
  const first = await vaults.fresh(SQLITE)
  await vaults.shut(first)
  const child = spawnSync(process.execPath, [KILLED, first.home, '15'], { encoding: 'utf8' })
  assert.equal(child.signal, 'SIGKILL')
  assert.equal(child.stdout, '31 passed')
  const next = await vaults.twin(first)
  // Recorded before what was written down before it.
  await next.identity.freezes.freeze(PERSON, { kind: 'agent', id: 'local' }, null)
  const calls = await next.audit.query({ action: 'tool.call', limit: 100 })
  assert.equal(calls.length, 31)
  // The ends of the first fifteen were written with the next; those of the last were still to be written.
  assert.equal(calls.filter(({ outcome }) => outcome === 'answered').length, 15)
  assert.equal(await used(next), 31)
  const [frozen] = await next.audit.query({ action: 'freeze' })
  const from = frozen?.at ?? assert.fail()
  const since = await next.audit.query({ from })
  assert.ok(since.some(({ seq }) => seq === frozen?.seq))
  assert.ok(since.every(({ at }) => at >= from))
  assert.deepEqual((await next.audit.verify()).findings, [])
})

test('of two processes one gets what is left, whoever wrote first', async () => {
  const one = await vaults.fresh(SQLITE)
  const other = await vaults.twin(one)
  const [a, b] = [await journalOf(one), await journalOf(other)]
  const passed = [call(b, 1), call(a, 1), call(b, 1), call(a, 1)].map(
    ({ reserved }) => 'taken' in reserved,
  )
  assert.deepEqual(passed, [true, false, false, false])
  await one.ledger.flush()
  const kinds = (await other.audit.query({ action: 'tool.call' })).map(({ kind }) => kind)
  assert.deepEqual(kinds.toSorted(), ['intent', 'refusal', 'refusal', 'refusal'])
  assert.deepEqual((await other.audit.verify()).findings, [])
})

const soon = (journal: CallJournal, max: number) => {
  const one = journal.callSoon(toBeCalled(max))
  return one instanceof Soon ? one.promise() : assert.fail('it does not wait for others')
}

test('calls that are written together are charged in their order, also among those of another process', async () => {
  const vault = await vaults.fresh(SQLITE)
  const [one, other] = [await journalOf(vault), await journalOf(await vaults.twin(vault))]
  one.gather()
  const waiting = Array.from({ length: 4 }, () => soon(one, 5))
  // Written while they wait, so in front of them.
  assert.ok('taken' in call(other, 5).reserved)
  assert.ok('taken' in call(other, 5).reserved)
  one.flush()
  const decided = await Promise.all(waiting)
  assert.deepEqual(
    decided.map(({ reserved }) => 'taken' in reserved),
    [true, true, true, false],
  )
  const places = decided.map(({ place }) => place)
  assert.deepEqual(
    places.toSorted((a, b) => a - b),
    places,
  )
  await other.ingest()
  assert.equal(await used(vault), 5)
})

test('calls that come one right after another are written together, and whoever comes later writes at once', async () => {
  const journal = await journalOf(await vaults.fresh(SQLITE))
  assert.ok(!(journal.callSoon(toBeCalled(1_000)) instanceof Soon))
  let together: unknown = null
  // A machine that is busy may let more time pass between two.
  for (let tries = 0; tries < 200 && !(together instanceof Soon); tries += 1)
    together = journal.callSoon(toBeCalled(1_000))
  assert.ok(together instanceof Soon)
  await together.promise()
  await sleep(2)
  assert.ok(!(journal.callSoon(toBeCalled(1_000)) instanceof Soon))
})

test('what is written while calls wait stands behind them, and what cannot be written lets none of them pass', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  journal.gather()
  const told: string[] = []
  const first = soon(journal, 1).then((one) => 'taken' in one.reserved)
  journal.inOrder(() => told.push('behind the first'))
  assert.ok('exceeded' in call(journal, 1).reserved)
  assert.deepEqual(told, ['behind the first'])
  assert.ok(await first)
  const [file = ''] = filesOf(vault)
  const waiting = [soon(journal, 9), soon(journal, 9)]
  journal.inOrder(() => told.push('behind the failed'))
  unlinkSync(file)
  journal.flush()
  assert.deepEqual(told, ['behind the first', 'behind the failed'])
  for (const one of waiting) await assert.rejects(one, { code: 'STORE_TAMPERED' })
})

test('the end of a call finds its record, whichever process took that into the audit', async () => {
  const one = await vaults.fresh(SQLITE)
  const other = await vaults.twin(one)
  const [a, b] = [await journalOf(one), await journalOf(other)]
  const { place } = call(a)
  await b.ingest()
  a.refund([{ counter: 'one counter', bucket: 0, amount: 1 }], {
    text: { head: ',"action":"tool.refund"', detail: ',"detail":{"server":"s"', rest: '' },
    of: place,
  })
  a.end(place, 'lost')
  await a.ingest()
  const [found] = await other.audit.query({ action: 'tool.call' })
  assert.equal(found?.outcome, 'lost')
  const [refund] = await other.audit.query({ action: 'tool.refund' })
  assert.deepEqual(JSON.parse(refund?.body ?? '').detail, { server: 's', call: found?.seq })
})

test('a torn entry spoils itself alone', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  call(journal)
  const [file = ''] = filesOf(vault)
  const entry = readFileSync(file)
  appendFileSync(file, entry.subarray(0, entry.byteLength - 20))
  assert.ok('taken' in call(journal).reserved)
  await vault.ledger.flush()
  assert.equal(await used(vault), 2)
  assert.deepEqual((await vault.audit.verify()).findings, [])
})

const again = (took: number) => ({
  ...toBeCalled(100),
  text: { ...toBeCalled(100).text, rest: `,"took":"${took}"` },
  charges: [{ ...charge(100), amount: took }],
})

/** A vault with a call that others may name. */
async function calledOnce() {
  const one = await vaults.fresh(SQLITE)
  const journal = await journalOf(one)
  journal.call(again(1))
  const [file = ''] = filesOf(one)
  return { one, journal, file }
}

test('of calls that are alike the first stands for the others, also to whoever begins to read behind it', async () => {
  const { one, journal, file } = await calledOnce()
  const first = readFileSync(file).byteLength
  journal.call(again(2))
  assert.ok(readFileSync(file).byteLength - first < first / 2)
  await journal.ingest()
  journal.call(again(3))
  // Another limit, and the first kind once more.
  journal.call({ ...again(4), charges: [charge(99)] })
  journal.call(again(5))
  const other = await vaults.twin(one)
  assert.ok('exceeded' in call(await journalOf(other), 1 + 2 + 3 + 1 + 5).reserved)
  await other.ledger.flush()
  assert.equal(await used(one), 1 + 2 + 3 + 1 + 5)
  const records = await other.audit.query({ action: 'tool.call' })
  assert.deepEqual(
    records.slice(1).map(({ body }) => JSON.parse(body).detail),
    [5, 4, 3, 2, 1].map((took) => ({ server: 's', took: `${took}` })),
  )
  assert.deepEqual((await other.audit.verify()).findings, [])
})

test('a call whose longer one was changed counts nowhere, and is told', async () => {
  const { one, journal, file } = await calledOnce()
  await journal.ingest()
  journal.call(again(2))
  const bytes = readFileSync(file)
  bytes.write('tool.seen', bytes.indexOf('tool.call'))
  writeFileSync(file, bytes)
  const other = await vaults.twin(one)
  await other.ledger.flush()
  assert.equal(await used(one), 1)
  assert.equal((await other.audit.query({ action: 'audit.journal-spoiled' })).length, 1)
  assert.equal((await other.audit.verify()).findings.length > 0, true)
})

test('what a power cut leaves blank is no trouble', async () => {
  const first = await vaults.fresh(SQLITE)
  call(await journalOf(first))
  await vaults.shut(first)
  const [file = ''] = filesOf(first)
  const entry = readFileSync(file)
  entry.fill(0, 40)
  appendFileSync(file, Buffer.concat([entry, Buffer.alloc(100)]))
  const next = await vaults.twin(first)
  assert.ok('taken' in call(await journalOf(next), 2).reserved)
  await next.ledger.flush()
  assert.equal(await used(next), 2)
  assert.deepEqual((await next.audit.verify()).findings, [])
})

test('nor is a call whose longer one a power cut left blank', async () => {
  const { one, journal, file } = await calledOnce()
  const first = readFileSync(file).byteLength
  journal.call(again(2))
  writeFileSync(file, readFileSync(file).fill(0, 0, first))
  const other = await vaults.twin(one)
  assert.ok('taken' in call(await journalOf(other), 1).reserved)
  await other.ledger.flush()
  assert.equal(await used(one), 1)
  assert.deepEqual((await other.audit.verify()).findings, [])
})

test('a sealed file that its process did not remove goes with the next one', async () => {
  const first = await vaults.fresh(SQLITE)
  const journal = await journalOf(first)
  const [file = ''] = filesOf(first)
  const rest = `,"took":"${'x'.repeat(1_000_000)}"`
  for (let n = 0; n < 9; n += 1)
    journal.call({
      text: { head: ',"action":"a"', detail: ',"detail":{"server":"s"', rest },
      by: '"p"',
      shadow: null,
      charges: [],
    })
  const kept = `${file}-kept`
  linkSync(file, kept)
  await vaults.shut(first)
  renameSync(kept, file)
  assert.equal(filesOf(first).length, 2)
  const next = await vaults.twin(first)
  await (await journalOf(next)).ingest()
  assert.equal(filesOf(first).length, 1)
  assert.deepEqual((await next.audit.verify()).findings, [])
})

for (const [what, foreign] of [
  ['bytes of others', () => Buffer.from('\nsomething that is no entry\n')],
  ['an entry that is put there again', (entry: Buffer) => entry],
  [
    'an entry that was changed',
    (entry: Buffer) => Buffer.from(entry.toString().replace('\t1\t100', '\t0\t100')),
  ],
] as const)
  test(`${what}: not counted, and told`, async () => {
    const vault = await vaults.fresh(SQLITE)
    const journal = await journalOf(vault)
    call(journal)
    const [file = ''] = filesOf(vault)
    appendFileSync(file, foreign(readFileSync(file)))
    assert.ok('taken' in call(journal).reserved)
    await vault.ledger.flush()
    assert.equal(await used(vault), 2)
    const { findings } = await vault.audit.verify()
    assert.deepEqual(
      findings.map(({ kind }) => kind),
      ['journal-spoiled'],
    )
    // A person has looked at it.
    await vault.audit.acceptHead(PERSON)
    assert.deepEqual((await vault.audit.verify()).findings, [])
  })

test('a journal that was cut under a process lets nothing pass until another is begun', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  call(journal)
  await journal.ingest()
  const [file = ''] = filesOf(vault)
  truncateSync(file, 10)
  assert.throws(
    () => call(journal),
    (error) => isFault(error, 'STORE_TAMPERED'),
  )
  assert.throws(
    () => call(journal),
    (error) => isFault(error, 'STORE_TAMPERED'),
  )
  await journal.ingest()
  assert.equal(filesOf(vault).length, 2)
  assert.ok('exceeded' in call(journal, 1).reserved)
  assert.ok('taken' in call(journal, 2).reserved)
  await vault.ledger.flush()
  const { findings } = await vault.audit.verify()
  assert.deepEqual(
    findings.map(({ kind }) => kind),
    ['journal-lost'],
  )
})

test('a journal that one process found changed and replaced is left by the others, too', async () => {
  const one = await vaults.fresh(SQLITE)
  const other = await vaults.twin(one)
  const [a, b] = [await journalOf(one), await journalOf(other)]
  call(b)
  call(a)
  const [file = ''] = filesOf(one)
  truncateSync(file, statSync(file).size - 10)
  // To the one that had not read so far, the other did not come to the end of its write.
  assert.ok('taken' in call(b).reserved)
  assert.throws(
    () => call(a),
    (error) => isFault(error, 'STORE_TAMPERED'),
  )
  await a.ingest()
  await assert.rejects(b.ingest(), { code: 'STORE_TAMPERED' })
  assert.throws(
    () => call(b),
    (error) => isFault(error, 'STORE_TAMPERED'),
  )
  await b.ingest()
  const before = await used(one)
  for (const journal of [a, b]) assert.ok('taken' in call(journal).reserved)
  assert.ok('exceeded' in call(b, before + 2).reserved)
  await Promise.all([one.ledger.flush(), other.ledger.flush()])
  assert.equal(await used(one), before + 2)
})

for (const [what, harm, findings] of [
  ['is gone', (file: string) => unlinkSync(file), ['journal-lost']],
  // As after a power cut: all that is missing was in the store already.
  ['is shorter than the store says', (file: string) => truncateSync(file, 1), []],
] as const)
  test(`a journal that ${what}: counts stay, and another is begun`, async () => {
    const first = await vaults.fresh(SQLITE)
    call(await journalOf(first))
    await vaults.shut(first)
    harm(filesOf(first)[0] ?? '')
    const next = await vaults.twin(first)
    assert.ok('exceeded' in call(await journalOf(next), 1).reserved)
    const found = (await next.audit.verify()).findings.map(({ kind }) => kind)
    assert.deepEqual(found, findings)
  })

test('a full file is followed by another, and the old one goes', async () => {
  const one = await vaults.fresh(SQLITE)
  const other = await vaults.twin(one)
  const [a, b] = [await journalOf(one), await journalOf(other)]
  call(b)
  const before = filesOf(one)
  // Entries of a hundred kilobytes each fill it soon.
  const rest = `,"took":"${'x'.repeat(100_000)}"`
  for (let n = 0; n < 90; n += 1)
    a.call({
      text: { head: ',"action":"tool.call"', detail: ',"detail":{"server":"s"', rest },
      by: '"p"',
      shadow: null,
      charges: [],
    })
  call(b)
  // Both find it full; the seal that stands first counts.
  await Promise.all([a.ingest(), b.ingest()])
  const after = filesOf(one)
  assert.equal(after.length, 1)
  assert.notDeepEqual(after, before)
  assert.ok('exceeded' in call(b, 2).reserved)
  assert.ok('taken' in call(a, 3).reserved)
  await one.ledger.flush()
  assert.equal(await used(one), 3)
  assert.deepEqual((await one.audit.verify()).findings, [])
})

for (const files of [1, 2])
  test(`who wrote nothing for long goes on where the others are, in file ${files}`, async () => {
    const one = await vaults.fresh(SQLITE)
    const other = await vaults.twin(one)
    const [busy, idle] = [await journalOf(one), await journalOf(other)]
    assert.ok('taken' in call(idle, 5_000).reserved)
    const many = (count: number) => {
      for (let n = 0; n < count; n += 1) busy.call({ ...again(1), charges: [charge(5_000)] })
    }
    many(1_000)
    if (files === 2) {
      const rest = `,"took":"${'x'.repeat(1_000_000)}"`
      const text = { ...toBeCalled(1).text, rest }
      for (let n = 0; n < 9; n += 1) busy.call({ ...toBeCalled(1), text, charges: [] })
    }
    await busy.ingest()
    many(10)
    await sleep(60)
    assert.ok('exceeded' in call(idle, 1_011).reserved)
    assert.ok('taken' in call(idle, 1_012).reserved)
    assert.ok('exceeded' in call(busy, 1_012).reserved)
    await Promise.all([one.ledger.flush(), other.ledger.flush()])
    assert.equal(await used(one), 1_012)
    assert.deepEqual((await one.audit.verify()).findings, [])
  })

test('a freeze holds within a tenth of a second on every process', async () => {
  const one = await vaults.fresh(SQLITE)
  const other = await vaults.twin(one)
  const record = await openCallRecord(other)
  assert.ok('taken' in (await passing(record, callOf(10))))
  await one.identity.freezes.freeze(PERSON, { kind: 'agent', id: 'local' }, null)
  await sleep(60)
  await assert.rejects(async () => passing(record, callOf(10)), { code: 'ACCESS_DENIED' })
})

test('a durable call is on the disk before it goes on, and the waits of many are one', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  const record = await openCallRecord(vault)
  const passed = await Promise.all(
    Array.from({ length: 40 }, async () => passing(record, { ...callOf(100), isDurable: true })),
  )
  assert.equal(passed.filter((one) => 'taken' in one).length, 40)
  await journal.ingest()
  assert.equal((await vault.audit.query({ action: 'tool.call', limit: 100 })).length, 40)
})

test('a durable call that comes alone is on the disk before it goes on too, or it does not go on', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  const record = await openCallRecord(vault)
  const apart = mock.method(fs, 'fdatasync')
  const { fdatasyncSync } = fs
  let isBroken = false
  const inPlace = mock.method(fs, 'fdatasyncSync', (fd: number) => {
    if (isBroken) throw new Error('EIO')
    fdatasyncSync(fd)
  })
  syncBuiltinESMExports()
  try {
    const durable = async () => passing(record, { ...callOf(10_000), isDurable: true })
    const syncs = () => apart.mock.callCount() + inPlace.mock.callCount()
    // A disk that is busy may be too slow to be waited for in place.
    for (let tries = 0; tries < 500 && inPlace.mock.callCount() < 5; tries += 1) {
      const before = syncs()
      const passed = await durable()
      assert.ok(syncs() > before)
      assert.ok('taken' in passed && passed.ref !== null)
      journal.end(passed.ref, 'answered')
    }
    assert.ok(inPlace.mock.callCount() > 0)
    isBroken = true
    const failing = async () => {
      for (let tries = 0; tries < 500; tries += 1) {
        const passed = await durable()
        if ('taken' in passed && passed.ref !== null) journal.end(passed.ref, 'answered')
      }
    }
    await assert.rejects(failing, { code: 'AUDIT_UNAVAILABLE' })
    // It counts nowhere, and its record says that nobody got it.
    await vault.ledger.flush()
    const calls = await vault.audit.query({ action: 'tool.call', limit: 1_000 })
    assert.equal(calls[0]?.outcome, 'never-sent')
    assert.equal(await used(vault), calls.filter((one) => one.outcome === 'answered').length)
    // While another one is under way nobody is kept waiting.
    const underway = inPlace.mock.callCount()
    call(journal)
    await durable()
    assert.equal(inPlace.mock.callCount(), underway)
  } finally {
    apart.mock.restore()
    inPlace.mock.restore()
    syncBuiltinESMExports()
  }
})

test('what is written is sent to the disk within 50 ms, and calls wait where it does not take it', async () => {
  const vault = await vaults.fresh(SQLITE)
  const journal = await journalOf(vault)
  const record = await openCallRecord(vault)
  const { fdatasync } = fs
  let isBroken = false
  const sync = mock.method(fs, 'fdatasync', (fd: number, done: fs.NoParamCallback) => {
    if (isBroken) setImmediate(() => done(new Error('EIO')))
    else fdatasync(fd, done)
  })
  syncBuiltinESMExports()
  try {
    const recorded = async () => {
      const sql = 'select count(*) as count from audit_records'
      return (await vault.db.read((reader) => reader.get<{ count: number }>(sql)))?.count ?? 0
    }
    const before = await recorded()
    call(journal)
    assert.equal(sync.mock.callCount(), 0)
    await sleep(60)
    assert.equal(sync.mock.callCount(), 1)
    await sleep(60)
    assert.equal(sync.mock.callCount(), 1)
    assert.equal(await recorded(), before)
    isBroken = true
    call(journal)
    await sleep(60)
    assert.equal(vault.ledger.mayWriteDown(journal.rights()), false)
    await passing(record, callOf(100))
    assert.ok((await recorded()) > before)
  } finally {
    sync.mock.restore()
    syncBuiltinESMExports()
  }
})
