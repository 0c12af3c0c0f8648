import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Fault } from '../../src/core/faults.ts'
import { type Clock, epochMs } from '../../src/core/time.ts'
import { newToken } from '../../src/crypto/index.ts'
import { createTokens, LocalPresence, type SystemPresence } from '../../src/vault/index.ts'
import type { TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, race, SQLITE, secret } from '../support/vault-stores.ts'

const PHRASE = 'quiet marble orchard'
const OTHER = 'second violet harbour'
const ACT = { action: 'read secrets', detail: 'api/key' }
const T0 = 1_800_000_000_000

/** Answers one question after another; asked once more than that, nobody is there. */
function answering(...answers: readonly string[]) {
  const left = [...answers]
  const asked: string[] = []
  return {
    asked,
    ask: (request: { readonly purpose: string }) => {
      asked.push(request.purpose)
      const answer = left.shift()
      if (answer === undefined) throw new Fault('INPUT_CANCELLED', 'Nobody answered.')
      return Promise.resolve(secret(answer))
    },
  }
}

function gate(
  vault: TestVault,
  ask: LocalPresenceAsk,
  clock: Clock,
  system: SystemPresence | null = null,
): LocalPresence {
  const { db, ledger, tables } = vault
  return new LocalPresence({ db, ledger, tables, clock, ask, system })
}

type LocalPresenceAsk = ConstructorParameters<typeof LocalPresence>[0]['ask']

for (const store of [SQLITE, POSTGRES])
  describe(`presence and tokens on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))
    let now = T0
    // Every answer costs its hashing: what does not depend on the database is tried on one.
    const rule = (name: string, work: () => Promise<void>): void => {
      if (store === SQLITE) void test(name, work)
    }
    const clock: Clock = () => epochMs(now)

    async function guarded(): Promise<TestVault> {
      now = T0
      const vault = await open.fresh(store, clock)
      await gate(vault, answering(PHRASE).ask, clock).set()
      return vault
    }

    const prove = (vault: TestVault, answer: string) =>
      gate(vault, answering(answer).ask, clock).prove(ACT)

    async function actions(vault: TestVault): Promise<string[]> {
      const entries = await vault.audit.query({})
      const own = entries.filter((one) => one.action.startsWith('presence.'))
      return own.map((one) => `${one.action} by ${one.actor}`).toReversed()
    }

    test('nothing is set: unavailable, and nobody is asked', async () => {
      now = T0
      const vault = await open.fresh(store, clock)
      const person = answering(PHRASE)
      const closed = gate(vault, person.ask, clock)
      await assert.rejects(closed.prove(ACT), fault('PRESENCE_UNAVAILABLE', /presence set/))
      assert.deepEqual(person.asked, [])
      assert.deepEqual((await closed.status()).isSet, false)
    })

    test('set, prove, refuse, change: each recorded, and the date of the first one kept', async () => {
      const vault = await guarded()
      assert.equal(await prove(vault, PHRASE), 'passphrase')
      await assert.rejects(prove(vault, `${PHRASE}!`), fault('PRESENCE_REFUSED'))
      assert.equal((await gate(vault, answering().ask, clock).status()).failures, 1)
      assert.equal(await prove(vault, PHRASE), 'passphrase')
      now += 5_000
      // A change takes the old one, and a wrong old one changes nothing.
      const wrong = answering('not the old one', OTHER)
      await assert.rejects(gate(vault, wrong.ask, clock).set(), fault('PRESENCE_REFUSED'))
      assert.deepEqual(wrong.asked, ['presence'])
      const right = answering(PHRASE, OTHER)
      assert.deepEqual(await gate(vault, right.ask, clock).set(), { changed: true })
      assert.deepEqual(right.asked, ['presence', 'new-presence'])
      await assert.rejects(prove(vault, PHRASE), fault('PRESENCE_REFUSED'))
      assert.equal(await prove(vault, OTHER), 'passphrase')
      const status = await gate(vault, answering().ask, clock).status()
      assert.deepEqual(
        [status.setAt, status.changedAt, status.failures, status.blockedUntil],
        [T0, T0 + 5_000, 0, null],
      )
      assert.deepEqual(
        (await actions(vault)).filter((one) => !one.startsWith('presence.attempt')),
        [
          'presence.set by agent:local',
          'presence.proved by person:local',
          'presence.refused by agent:local',
          'presence.proved by person:local',
          'presence.refused by agent:local',
          'presence.proved by person:local',
          'presence.change by person:local',
          'presence.refused by agent:local',
          'presence.proved by person:local',
        ],
      )
      const [event] = await vault.audit.query({ action: 'presence.proved', limit: 1 })
      assert.deepEqual(JSON.parse(event?.body ?? '{}').detail, {
        for: 'read secrets',
        what: 'api/key',
      })
      const cancelled = gate(vault, answering().ask, clock).prove(ACT)
      await assert.rejects(cancelled, fault('INPUT_CANCELLED'))
      const short = gate(vault, answering(OTHER, 'x').ask, clock).set()
      await assert.rejects(short, fault('BAD_INPUT'))
    })

    rule(
      'wrong answers: three are free, then 30 s, doubled each time, at most an hour',
      async () => {
        const vault = await guarded()
        const pauses = [0, 0, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]
        for (const [index, pause] of pauses.entries()) {
          await assert.rejects(prove(vault, 'wrong guess'), fault('PRESENCE_REFUSED'), `${index}`)
          if (pause === 0) continue
          const throttled = fault('PRESENCE_THROTTLED', new RegExp(`try again in ${pause} s`))
          const person = answering(PHRASE)
          await assert.rejects(gate(vault, person.ask, clock).prove(ACT), throttled)
          assert.deepEqual(person.asked, [], 'nobody is asked during the pause')
          now += pause * 1_000 - 1
          await assert.rejects(prove(vault, PHRASE), fault('PRESENCE_THROTTLED', /in 1 s/))
          now += 1
        }
        assert.equal(await prove(vault, PHRASE), 'passphrase')
        for (let i = 0; i < 2; i += 1)
          await assert.rejects(prove(vault, 'wrong guess'), fault('PRESENCE_REFUSED'))
        assert.equal(await prove(vault, PHRASE), 'passphrase')
      },
    )

    test('guesses made at the same time all count, in every handle', async () => {
      const one = await guarded()
      const two = await open.twin(one, clock)
      // Asked while no answer was wrong yet, the person answers once three were.
      const asked = Promise.withResolvers<void>()
      const answered = Promise.withResolvers<void>()
      const person = async () => {
        asked.resolve()
        await answered.promise
        return secret(PHRASE)
      }
      const right = gate(two, person, clock).prove(ACT)
      await asked.promise
      const guesses = Array.from({ length: 12 }, (_, i) =>
        prove(i % 2 === 0 ? one : two, `guess number ${i}`),
      )
      const { values, faults } = await race(guesses)
      assert.deepEqual(values, [])
      assert.deepEqual(faults.toSorted(), [
        ...Array<string>(3).fill('PRESENCE_REFUSED'),
        ...Array<string>(9).fill('PRESENCE_THROTTLED'),
      ])
      answered.resolve()
      await assert.rejects(right, fault('PRESENCE_THROTTLED'))
    })

    rule('a clock that is stepped back locks nobody out for more than an hour', async () => {
      const vault = await guarded()
      for (let i = 0; i < 3; i += 1)
        await assert.rejects(prove(vault, 'wrong guess'), fault('PRESENCE_REFUSED'))
      await assert.rejects(prove(vault, PHRASE), fault('PRESENCE_THROTTLED'))
      now = T0 - 365 * 86_400_000
      let waited = 0
      for (; waited <= 3_600; waited += 60) {
        const proved = await prove(vault, PHRASE).catch((error: unknown) => {
          assert.ok(fault('PRESENCE_THROTTLED')(error))
          return null
        })
        if (proved !== null) break
        now += 60_000
      }
      assert.ok(waited <= 3_600, 'an hour later the right passphrase is still not taken')
    })

    test('of two who set the first passphrase at once, one does', async () => {
      now = T0
      const one = await open.fresh(store, clock)
      const two = await open.twin(one, clock)
      const { values, faults } = await race([
        gate(one, answering(PHRASE).ask, clock).set(),
        gate(two, answering(OTHER).ask, clock).set(),
      ])
      assert.deepEqual(values, [{ changed: false }])
      // The other one began before it, or has to prove what it does not know.
      assert.match(faults.join(), /^(?:CONFLICT|PRESENCE_REFUSED)$/)
      const proofs = await race([prove(one, PHRASE), prove(two, OTHER)])
      assert.deepEqual([proofs.values, proofs.faults], [['passphrase'], ['PRESENCE_REFUSED']])
    })

    rule('exemptions are kept, and survive a change of the passphrase', async () => {
      const vault = await guarded()
      const own = gate(vault, answering(PHRASE, OTHER).ask, clock)
      await own.exempt('secret get', true)
      await own.exempt('env export', true)
      await own.exempt('secret get', true)
      assert.deepEqual((await own.status()).exempt, ['env export', 'secret get'])
      await own.set()
      assert.deepEqual((await own.status()).exempt, ['env export', 'secret get'])
      await own.exempt('env export', false)
      const twin = gate(await open.twin(vault, clock), answering().ask, clock)
      assert.deepEqual((await twin.status()).exempt, ['secret get'])
    })

    rule("the system's own authentication stands in, but not for a change", async () => {
      const vault = await guarded()
      const system = (isRight: boolean): SystemPresence => ({
        kind: 'polkit',
        prove: () => Promise.resolve(isRight),
      })
      const silent = answering()
      assert.equal(await gate(vault, silent.ask, clock, system(true)).prove(ACT), 'system')
      assert.deepEqual(silent.asked, [])
      const declined = gate(vault, answering(PHRASE).ask, clock, system(false)).prove(ACT)
      await assert.rejects(declined, fault('PRESENCE_REFUSED', /polkit/))
      const changing = answering('not the old one', OTHER)
      const change = gate(vault, changing.ask, clock, system(true)).set()
      await assert.rejects(change, fault('PRESENCE_REFUSED'))
    })

    test('tokens: made, verified, rotated, revoked; dead at once in every handle', async () => {
      const one = await guarded()
      const two = await open.twin(one, clock)
      const [mine, theirs] = [await createTokens(one), await createTokens(two)]
      const made = await mine.create('laptop', '/project')
      const text = made.token.reveal()
      assert.match(text, /^spt_local_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/)
      const info = { id: made.info.id, label: 'laptop', project: '/project', createdAt: T0 }
      assert.deepEqual(await theirs.verify(text), info)
      assert.deepEqual(await theirs.list(), [info])
      const rotated = await theirs.rotate(made.info.id)
      assert.equal(await mine.verify(text), null)
      assert.deepEqual([rotated.info.label, rotated.info.project], ['laptop', '/project'])
      const next = rotated.token.reveal()
      assert.equal((await mine.verify(next))?.id, rotated.info.id)
      await mine.revoke(rotated.info.id)
      assert.equal(await theirs.verify(next), null)
      assert.deepEqual(await mine.list(), [])
      for (const id of [made.info.id, rotated.info.id, 'absent', 'constructor']) {
        await assert.rejects(mine.rotate(id), fault('NOT_FOUND', /token ls/))
        await assert.rejects(mine.revoke(id), fault('NOT_FOUND', /token ls/))
      }
      for (const label of ['', 'x'.repeat(101), 'a\nb'])
        await assert.rejects(mine.create(label, null), fault('BAD_INPUT', /^label/))
      // Two who rotate one token at once: one new token comes of it.
      const again = await mine.create('desk', null)
      const both = await race([mine.rotate(again.info.id), theirs.rotate(again.info.id)])
      assert.deepEqual([both.values.length, both.faults], [1, ['NOT_FOUND']])
      assert.equal((await mine.list()).length, 1)
    })

    test('tokens that are made up, mistyped or cut are nobody, and none is stored', async () => {
      const vault = await guarded()
      const tokens = await createTokens(vault)
      const { token } = await tokens.create('laptop', null)
      const text = token.reveal()
      const other = (at: number): string =>
        text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
      for (const bad of [
        '',
        text.slice(0, -1),
        `${text}x`,
        ` ${text}`,
        text.toUpperCase(),
        other(12),
        other(text.length - 1),
        newToken('spt_local_').reveal(),
        newToken('spt_other_').reveal(),
        'x'.repeat(100_000),
      ])
        assert.equal(await tokens.verify(bad), null, bad.slice(0, 80))
      const rows = await vault.db.read((reader) => reader.all('select * from tokens'))
      assert.equal(rows.length, 1)
      for (const value of Object.values(rows[0] ?? {}))
        assert.equal(Buffer.from(String(value)).includes(text.slice(10, 40)), false)
    })
  })
