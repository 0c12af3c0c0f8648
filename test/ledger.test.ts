import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Lane, Ledger } from '../src/audit/index.ts'
import type { Db, Durability } from '../src/core/db-port.ts'
import { silentLog } from '../src/core/log.ts'
import { monotonicMs, sleep, systemClock } from '../src/core/time.ts'
import { openTestVault, PERSON } from './support/vault.ts'

const stack = await openTestVault()
after(() => stack.dispose())

const notes: Lane<string, null> = {
  name: 'notes',
  work: async (_tx, members) =>
    members.map((action) => ({ value: null, record: { kind: 'event', action, caller: PERSON } })),
}

/** Longer than the time after which outcomes are recorded on their own. */
const slow: Lane<null, null> = {
  name: 'slow',
  work: async () => {
    await sleep(150)
    return [{ value: null, record: null }]
  },
}

test('whoever comes back some microtasks after an answer is served, not left waiting', async () => {
  const start = monotonicMs()
  for (let hops = 0; hops < 40; hops += 1) {
    await stack.ledger.commit(notes, `after ${hops}`)
    for (let hop = 0; hop < hops; hop += 1) await Promise.resolve()
  }
  // One that is forgotten waits for the five seconds of its deadline.
  assert.ok(monotonicMs() - start < 4_000)
})

test('an outcome that comes while a batch is written is recorded soon, without a next call', async () => {
  const { record } = await stack.ledger.commit(notes, 'an intent')
  const busy = stack.ledger.commit(slow, null)
  await sleep(20)
  stack.ledger.outcome(record, 'dropped')
  await busy
  const deadline = monotonicMs() + 3_000
  while (!(await lastRecord()).includes('dropped')) {
    assert.ok(monotonicMs() < deadline, 'the outcome is not recorded')
    await sleep(10)
  }
})

/** Work goes to the real store; what is asked of the disk is noted, and may be refused. */
function watched(db: Db): { db: Db; asked: (Durability | 'settle')[]; refuses: boolean } {
  const seen: ReturnType<typeof watched> = {
    asked: [],
    refuses: false,
    db: {
      ...db,
      dialect: db.dialect,
      read: (work) => db.read(work),
      write: (work, options) => {
        seen.asked.push(options?.durability ?? 'now')
        return db.write(work, options)
      },
      settle: () => {
        seen.asked.push('settle')
        return seen.refuses ? Promise.reject(new Error('no space')) : db.settle()
      },
    },
  }
  return seen
}

const event = (tell: string): Lane<null, null> => ({
  name: tell,
  ...(tell === 'soon' && { durability: 'soon' }),
  work: async (_tx, members) =>
    members.map(() => ({ value: null, record: { kind: 'event', action: tell, caller: PERSON } })),
})

test('what need not wait for the disk is on it within 50 ms, and waits where it does not take it', async () => {
  const seen = watched(stack.db)
  const { keys, heads } = stack
  const ledger = new Ledger({ db: seen.db, keys, heads, clock: systemClock, log: silentLog })
  const [soon, now] = [event('soon'), event('now')]
  await ledger.commit(soon, null)
  assert.deepEqual(seen.asked, ['soon'])
  await sleep(60)
  assert.deepEqual(seen.asked, ['soon', 'settle'])
  await Promise.all([ledger.commit(soon, null), ledger.commit(now, null)])
  assert.deepEqual(seen.asked.slice(2), ['now'])
  seen.refuses = true
  await ledger.commit(soon, null)
  await ledger.flush()
  assert.deepEqual(seen.asked.slice(3), ['soon', 'settle'])
  await ledger.commit(soon, null)
  await ledger.commit(soon, null)
  assert.deepEqual(seen.asked.slice(5), ['now', 'soon'])
  await ledger.flush()
})

async function lastRecord(): Promise<Buffer> {
  const sql = 'select body from audit_records order by seq desc limit 1'
  const row = await stack.db.read((reader) => reader.get<{ body: Uint8Array }>(sql))
  return Buffer.from(row?.body ?? [])
}
