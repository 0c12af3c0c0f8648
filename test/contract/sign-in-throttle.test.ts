import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { isFault } from '../../src/core/faults.ts'
import { type Clock, epochMs, monotonicMs } from '../../src/core/time.ts'
import { hashAtCost } from '../../src/crypto/index.ts'
import { browserAt, firstOwner, invited, PASSWORD } from '../support/people.ts'
import { PERSON } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, race, SQLITE } from '../support/vault-stores.ts'

const T0 = 1_800_000_000_000
const HOUR = 3_600_000
const open = new OpenVaults()
afterEach(() => open.close(true))

function steppedClock(): { clock: Clock; step: (ms: number) => void } {
  let now = T0
  return { clock: () => epochMs(now), step: (ms) => (now += ms) }
}

const WRONG = fault('UNAUTHENTICATED', /^The e-mail or the password is wrong\.$/)
const BLOCKED = fault('THROTTLED', /^Too many failed attempts; try again in \d+ s\.$/)

for (const store of [SQLITE, POSTGRES]) {
  const on = { skip: store.skip }

  test(
    `sign-in on ${store.name}: guesses are counted before they are checked, alike for accounts there are and there are not`,
    on,
    async () => {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      const elsewhere = await open.twin(vault, clock)
      const { signIn } = await vault.identity.people()
      const other = (await elsewhere.identity.people()).signIn
      await firstOwner(vault)
      let address = 0
      for (const email of ['ada@example.org', 'nobody@example.org']) {
        // Each from an address of its own, so that only the account can block.
        const guesses = Array.from({ length: 12 }, (_, n) =>
          (n % 2 === 0 ? signIn : other).withPassword(
            email,
            `guess number ${n}`,
            browserAt(`198.51.100.${(address += 1)}`),
          ),
        )
        const { values, faults } = await race(guesses)
        assert.equal(values.length, 0)
        assert.deepEqual(
          ['UNAUTHENTICATED', 'THROTTLED'].map(
            (code) => faults.filter((one) => one === code).length,
          ),
          [5, 7],
          email,
        )
        await assert.rejects(
          signIn.withPassword(email, PASSWORD, browserAt('203.0.113.1')),
          BLOCKED,
        )
      }
      step(30_000)
      await signIn.withPassword('ada@example.org', PASSWORD, browserAt('203.0.113.1'))
      await assert.rejects(
        signIn.withPassword('nobody@example.org', PASSWORD, browserAt('203.0.113.1')),
        WRONG,
      )
      // One address that tries many accounts: IPv6 networks count as one.
      const many = await race(
        Array.from({ length: 24 }, (_, n) =>
          signIn.withPassword(`n${n}@example.org`, PASSWORD, browserAt(`2001:db8:1:2::${n}`)),
        ),
      )
      assert.deepEqual(
        ['UNAUTHENTICATED', 'THROTTLED'].map(
          (code) => many.faults.filter((one) => one === code).length,
        ),
        [20, 4],
      )
      await assert.rejects(
        signIn.withPassword('ada@example.org', PASSWORD, browserAt('2001:db8:1:2:3::9')),
        BLOCKED,
      )
      await signIn.withPassword('ada@example.org', PASSWORD, browserAt('2001:db8:1:3::9'))
    },
  )
}

test('people: how long a refusal takes says nothing about the account', async (t) => {
  // At what it takes everybody.
  hashAtCost('recommended')
  t.after(() => hashAtCost('least'))
  const { clock, step } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { people, signIn } = await vault.identity.people()
  await firstOwner(vault)
  const disabled = await invited(vault, 'member')
  await people.update(PERSON, disabled.person.id, { isActive: false })
  const kinds = ['ada@example.org', 'nobody@example.org', 'member@example.org']
  const took = new Map(kinds.map((kind) => [kind, [] as number[]]))
  for (let round = 0; round < 5; round += 1)
    for (const email of kinds) {
      step(HOUR)
      const from = monotonicMs()
      const error = await signIn
        .withPassword(email, 'not the password', browserAt(`192.0.2.${round}`))
        .catch((thrown: unknown) => thrown)
      took.get(email)?.push(monotonicMs() - from)
      assert.ok(isFault(error, 'UNAUTHENTICATED'))
      assert.equal(error.message, 'The e-mail or the password is wrong.')
    }
  // The fastest of each: noise only ever adds.
  const fastest = kinds.map((kind) => Math.min(...(took.get(kind) ?? [])))
  const [known = 0, unknown = 0, shut = 0] = fastest
  assert.ok(known > 20, `${known} ms is too fast for 64 MiB of Argon2id`)
  for (const other of [unknown, shut])
    assert.ok(other / known > 0.5 && other / known < 2, fastest.map(Math.round).join(' '))
})
