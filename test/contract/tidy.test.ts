import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { keepHouse } from '../../src/app/housekeeping.ts'
import { tidy } from '../../src/app/tidy.ts'
import { silentLog } from '../../src/core/log.ts'
import { epochMs } from '../../src/core/time.ts'
import { request, steppedClock } from '../support/approvals.ts'
import { firstOwner } from '../support/people.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

for (const store of [SQLITE, POSTGRES])
  describe(`what is over, on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))

    const count = async (vault: TestVault, table: string): Promise<number> =>
      (await vault.db.read((reader) =>
        reader.get<{ n: number }>(`select count(*) as n from ${table}`),
      ))!.n

    async function lived() {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      await vault.vault.put(PERSON, 'default', { path: 'a', value: secret('value') })
      return { vault, clock, step, tidied: async () => Object.fromEntries(await tidy(vault)) }
    }

    test('goes after its time and not before; a record names it, and the audit keeps what was', async () => {
      const { vault, clock, step, tidied } = await lived()
      const owner = await firstOwner(vault)
      const { people } = await vault.identity.people()
      await people.invite(PERSON, { email: 'bo@example.org', role: 'member' })
      const approval = await vault.approvals.approvals.ask(AGENT, request())
      const { share } = await vault.sharing.shares.create(
        PERSON,
        { vault: 'default', path: 'a' },
        { recipientType: 'anyone_with_link', expiresAt: epochMs(clock() + HOUR) },
      )
      assert.ok(owner.cookie.length > 0)
      assert.deepEqual(await tidied(), {})
      step(8 * DAY)
      // A session lasts a week, the set-up link an hour, the invitation a week.
      assert.deepEqual(await tidied(), { links: 1 })
      step(1)
      assert.deepEqual(await tidied(), { sessions: 1 })
      step(7 * DAY)
      assert.deepEqual(await tidied(), { links: 1 })
      assert.equal(await count(vault, 'user_links'), 0)
      step(74 * DAY)
      assert.deepEqual(await tidied(), {})
      assert.deepEqual([await count(vault, 'approvals'), await count(vault, 'shares')], [1, 1])
      step(3 * DAY)
      assert.deepEqual(await tidied(), { approvals: 1, shares: 1 })
      assert.deepEqual([await count(vault, 'approvals'), await count(vault, 'shares')], [0, 0])
      const [entry] = await vault.audit.query({ action: 'store.tidy' })
      const { rows } = JSON.parse(entry?.body ?? '{}') as { rows: [string, string, null][] }
      // In the order of the rules.
      assert.deepEqual(rows, [
        ['shares', share.id, null],
        ['approvals', approval.id, null],
      ])
      assert.equal((await vault.audit.query({ action: 'share.create' })).length, 1)
      assert.deepEqual((await vault.audit.verify()).findings, [])
    })

    test('what still counts stays: a grant that runs, a share that runs, a token that was ended', async () => {
      const { vault, clock, step, tidied } = await lived()
      await vault.sharing.shares.create(
        PERSON,
        { vault: 'default', path: 'a' },
        { recipientType: 'anyone_with_link', expiresAt: epochMs(clock() + 30 * DAY) },
      )
      await vault.ledger.commit(
        {
          name: 'test.rows',
          work: async (tx) => {
            const { endedTokens } = vault.identity.tables
            const ends_at = epochMs(clock() + HOUR)
            await endedTokens.save(tx, [{ id: 'one', ends_at, revision: 1 }])
            const rows = [['ended_tokens', 'one', 1] as const]
            return [{ value: null, record: { kind: 'change', action: 'test', caller: null, rows } }]
          },
        },
        null,
      )
      step(2 * HOUR)
      assert.deepEqual(await tidied(), {})
      step(1)
      assert.deepEqual(await tidied(), { ended_tokens: 1 })
      step(100 * DAY)
      assert.deepEqual(await tidied(), {})
      step(20 * DAY)
      assert.deepEqual(await tidied(), { shares: 1 })
    })

    test('of many, all go, a hundred with each record', async () => {
      const { vault, step, tidied } = await lived()
      const ask = (i: number) => {
        const target = { type: 'tool', id: `files/${i}` }
        return vault.approvals.approvals.ask(AGENT, request('one', { target }))
      }
      // Only so many of one caller may wait at a time.
      for (let from = 0; from < 230; from += 46) {
        await Promise.all(Array.from({ length: 46 }, (_, i) => ask(from + i)))
        step(DAY)
      }
      step(100 * DAY)
      assert.deepEqual(await tidied(), { approvals: 230 })
      const records = await vault.audit.query({ action: 'store.tidy' })
      assert.deepEqual(
        records.map(({ body }) => (JSON.parse(body) as { rows: unknown[] }).rows.length),
        [30, 100, 100],
      )
    })

    test('rows that say themselves when they end go without a record', async () => {
      const { vault, clock, step, tidied } = await lived()
      const fill = (sql: string, ...params: (string | number | Uint8Array)[]) =>
        vault.db.write((tx) => tx.run(sql, params))
      const soon = clock() + HOUR
      await fill(`insert into sign_in_challenges values ('c', 'passkey', '{}', ?)`, soon)
      await fill(`insert into shown_proofs values ('p', ?)`, soon)
      await fill(
        `insert into idempotent_requests (id, request, ends_at) values ('i', ?, ?)`,
        Buffer.of(1),
        soon,
      )
      await fill(`insert into gateway_counters values ('g', 1, 5, ?)`, soon)
      await fill(`insert into gateway_counters values ('g', 2, 5, ?)`, soon + HOUR)
      await tidied()
      const tables = ['sign_in_challenges', 'shown_proofs', 'idempotent_requests']
      for (const table of tables) assert.equal(await count(vault, table), 1, table)
      step(HOUR)
      await tidied()
      for (const table of tables) assert.equal(await count(vault, table), 0, table)
      assert.equal(await count(vault, 'gateway_counters'), 1)
      assert.deepEqual(await vault.audit.query({ action: 'store.tidy' }), [])
    })

    test('a server does it by itself, prunes as was set, and ends in order', async () => {
      const { vault, step } = await lived()
      await vault.approvals.approvals.ask(AGENT, request())
      await vault.audit.setRetention(PERSON, 60 * DAY)
      step(100 * DAY)
      const house = keepHouse(vault, silentLog, 0)
      for (let i = 0; i < 500 && (await vault.audit.retention()).pruned === 0; i += 1)
        await new Promise((resolve) => setTimeout(resolve, 10))
      await house.stop()
      assert.ok((await vault.audit.retention()).pruned > 3)
      assert.equal(await count(vault, 'approvals'), 0)
    })
  })
