import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { type Clock, epochMs } from '../../src/core/time.ts'
import { ORIGIN, standingOf } from '../support/identity.ts'
import { BROWSER, browserAt, callerOf, firstOwner, invited, PASSWORD } from '../support/people.ts'
import { AGENT, PERSON } from '../support/vault.ts'
import {
  fault,
  OpenVaults,
  POSTGRES,
  race,
  SQLITE,
  secret,
  textOf,
} from '../support/vault-stores.ts'

const T0 = 1_800_000_000_000
const MINUTE = 60_000
const HOUR = 3_600_000
const open = new OpenVaults()
afterEach(() => open.close(true))

function steppedClock(): { clock: Clock; step: (ms: number) => void } {
  let now = T0
  return { clock: () => epochMs(now), step: (ms) => (now += ms) }
}

const WRONG = fault('UNAUTHENTICATED', /^The e-mail or the password is wrong\.$/)
const NO_LINK = fault('NOT_FOUND', /^This link was used already, has ended, or never was\./)

for (const store of [SQLITE, POSTGRES]) {
  const on = { skip: store.skip }

  test(
    `people on ${store.name}: a set-up link makes the first owner once, and invitations the others`,
    on,
    async () => {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      const { people, signIn } = await vault.identity.people()
      assert.equal(await signIn.hasPeople(), false)
      await assert.rejects(people.setupLink(AGENT), fault('ACCESS_DENIED'))
      const old = await people.setupLink(PERSON)
      const link = await people.setupLink(PERSON)
      assert.match(link.token, /^[A-Za-z0-9_-]{43}$/)
      assert.deepEqual(await signIn.link(link.token), {
        kind: 'setup',
        email: null,
        role: 'owner',
        expiresAt: T0 + 30 * MINUTE,
      })
      const choice = { email: ' Ada@Example.org ', name: 'Ada', password: PASSWORD }
      await assert.rejects(signIn.acceptLink(old.token, choice, BROWSER), NO_LINK)
      await assert.rejects(signIn.link('x'.repeat(43)), NO_LINK)
      await assert.rejects(
        signIn.acceptLink(link.token, { ...choice, password: 'short' }, BROWSER),
        fault('BAD_INPUT', /^The password must have at least 12 characters\.$/),
      )
      await assert.rejects(
        signIn.acceptLink(link.token, { ...choice, email: 'ada' }, BROWSER),
        fault('BAD_INPUT', /^email must be an address/),
      )
      const elsewhere = await open.twin(vault, clock)
      const other = await elsewhere.identity.people()
      const both = await race([
        signIn.acceptLink(link.token, choice, BROWSER),
        other.signIn.acceptLink(link.token, choice, BROWSER),
      ])
      assert.deepEqual([both.values.length, both.faults], [1, ['NOT_FOUND']])
      const [owner] = both.values
      assert.ok(owner)
      assert.deepEqual(
        { ...owner.person, id: '' },
        {
          id: '',
          email: 'ada@example.org',
          name: 'Ada',
          role: 'owner',
          isActive: true,
          hasPassword: true,
          createdAt: T0,
          createdBy: 'person:local',
        },
      )
      await assert.rejects(signIn.acceptLink(link.token, choice, BROWSER), NO_LINK)
      await assert.rejects(people.setupLink(PERSON), fault('CONFLICT'))

      const caller = await callerOf(vault, owner)
      assert.equal((await standingOf(elsewhere, caller, clock())).role, 'owner')
      const invitation = await people.invite(caller, { email: 'Bo@example.org', role: 'member' })
      step(73 * HOUR)
      await assert.rejects(
        signIn.acceptLink(invitation.token, { password: PASSWORD }, BROWSER),
        NO_LINK,
      )
      await assert.rejects(
        people.invite(caller, { email: 'bo@example.org', role: 'member' }),
        fault('UNAUTHENTICATED'),
      )
    },
  )

  test(
    `people on ${store.name}: who may make and change accounts, and only in person`,
    on,
    async () => {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      const { people, signIn } = await vault.identity.people()
      const owner = await callerOf(vault, await firstOwner(vault))
      const adminSession = await invited(vault, 'admin', undefined, owner)
      const admin = await callerOf(vault, adminSession)
      const member = await invited(vault, 'member', undefined, admin)
      const auditor = await invited(vault, 'auditor', undefined, admin)
      const asMember = await callerOf(vault, member)
      const denied = fault('ACCESS_DENIED')
      const bo = { email: 'bo@example.org', role: 'member' } as const
      await assert.rejects(people.invite(asMember, bo), denied)
      await assert.rejects(people.invite(AGENT, bo), denied)
      await assert.rejects(people.invite(admin, { ...bo, role: 'owner' }), denied)
      await assert.rejects(people.update(admin, owner.principal.id, { role: 'member' }), denied)
      await assert.rejects(people.update(admin, admin.principal.id, { role: 'owner' }), denied)
      await assert.rejects(people.resetLink(admin, owner.principal.id), denied)
      await assert.rejects(people.list(asMember), denied)
      assert.equal((await people.list(await callerOf(vault, auditor))).length, 4)
      assert.equal((await people.me(asMember)).email, 'member@example.org')
      await assert.rejects(
        people.update(owner, owner.principal.id, { role: 'admin' }),
        fault('CONFLICT', /last active owner/),
      )
      await assert.rejects(people.remove(owner, owner.principal.id), fault('CONFLICT'))

      // An owner's key is no owner in person, and neither is a session from which he went away.
      const { key } = await people.createKey(owner, { name: 'laptop' })
      const byKey = await vault.identity.authentication.authenticate(key.reveal(), ORIGIN)
      await assert.rejects(people.invite(byKey, bo), denied)
      await assert.rejects(people.createKey(byKey, { name: 'another' }), denied)
      await assert.rejects(people.changePassword(byKey, PASSWORD, 'another harbour'), denied)
      step(5 * MINUTE + 1)
      const late = fault('STEP_UP_REQUIRED')
      await assert.rejects(people.invite(owner, bo), late)
      await assert.rejects(people.createKey(owner, { name: 'another' }), late)
      await assert.rejects(people.changePassword(owner, PASSWORD, 'another harbour'), late)
      const { agents, freezes } = vault.identity
      await assert.rejects(agents.create(owner, { name: 'ci' }), late)
      assert.deepEqual(await agents.list(owner), [], 'looking is not changing')
      await freezes.freeze(
        owner,
        { kind: 'user', id: auditor.person.id },
        'stopping needs no proof',
      )
      await assert.rejects(freezes.lift(owner, { kind: 'user', id: auditor.person.id }), late)
      const again = await signIn.stepUp(adminSession.cookie, PASSWORD, BROWSER)
      const adminAgain = await callerOf(vault, again)
      await freezes.lift(adminAgain, { kind: 'user', id: auditor.person.id })
      await agents.create(adminAgain, { name: 'ci' })

      // A disabled account is dead in the next transaction of every process.
      const elsewhere = await open.twin(vault, clock)
      await standingOf(elsewhere, asMember, clock())
      await people.update(adminAgain, member.person.id, { isActive: false })
      await assert.rejects(standingOf(elsewhere, asMember, clock()), fault('UNAUTHENTICATED'))
      const other = (await elsewhere.identity.people()).signIn
      assert.equal(await other.signedIn(member.cookie, BROWSER), null)
      await assert.rejects(other.withPassword('member@example.org', PASSWORD, BROWSER), WRONG)
      await people.update(adminAgain, member.person.id, { isActive: true })
      assert.equal(await other.signedIn(member.cookie, BROWSER), null, 'its sessions stay ended')
      const back = await other.withPassword('member@example.org', PASSWORD, BROWSER)
      assert.notEqual(back.cookie, member.cookie)
      await people.remove(adminAgain, member.person.id)
      await assert.rejects(other.withPassword('member@example.org', PASSWORD, BROWSER), WRONG)
    },
  )

  test(
    `people on ${store.name}: a session lives 8 hours unused and 7 days at most, and ends when it is told to`,
    on,
    async () => {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      const { people, signIn } = await vault.identity.people()
      const first = await firstOwner(vault)
      const caller = await callerOf(vault, first)
      step(8 * HOUR - 1)
      assert.ok(await signIn.signedIn(first.cookie, BROWSER), 'used just in time')
      for (let hours = 8; hours < 7 * 24 - 8; hours += 7) {
        step(7 * HOUR)
        assert.ok(await signIn.signedIn(first.cookie, BROWSER), `after ${hours} h`)
        await standingOf(vault, caller, clock())
      }
      step(7 * HOUR)
      assert.equal(await signIn.signedIn(first.cookie, BROWSER), null, 'after 7 days')
      await assert.rejects(standingOf(vault, caller, clock()), fault('UNAUTHENTICATED'))

      const idle = await signIn.withPassword('ADA@example.org', PASSWORD, BROWSER)
      const idleCaller = await callerOf(vault, idle)
      step(8 * HOUR)
      assert.equal(await signIn.signedIn(idle.cookie, BROWSER), null, 'after 8 hours unused')
      await assert.rejects(standingOf(vault, idleCaller, clock()), fault('UNAUTHENTICATED'))

      const [one, two, three] = [
        await signIn.withPassword('ada@example.org', PASSWORD, browserAt('192.0.2.1')),
        await signIn.withPassword('ada@example.org', PASSWORD, browserAt('192.0.2.2')),
        await signIn.withPassword('ada@example.org', PASSWORD, browserAt('192.0.2.3')),
      ]
      const asOne = await callerOf(vault, one)
      assert.deepEqual(
        new Set((await people.sessions(asOne)).map(({ address }) => address)),
        new Set(['192.0.2.1', '192.0.2.2', '192.0.2.3']),
      )
      await people.endSession(asOne, two.session.id)
      assert.equal(await signIn.signedIn(two.cookie, BROWSER), null)
      await signIn.signOut(three.cookie)
      assert.equal(await signIn.signedIn(three.cookie, BROWSER), null)

      const renewed = await signIn.stepUp(one.cookie, PASSWORD, BROWSER)
      assert.equal(renewed.session.id, one.session.id)
      assert.equal(await signIn.signedIn(one.cookie, BROWSER), null, 'the old cookie is dead')
      const other = await signIn.withPassword('ada@example.org', PASSWORD, BROWSER)
      const asRenewed = await callerOf(vault, renewed)
      await assert.rejects(people.changePassword(asRenewed, 'wrong', 'another harbour'), WRONG)
      await people.changePassword(asRenewed, PASSWORD, 'another harbour')
      assert.ok(await signIn.signedIn(renewed.cookie, BROWSER))
      assert.equal(await signIn.signedIn(other.cookie, BROWSER), null, 'all others end')
      await assert.rejects(signIn.withPassword('ada@example.org', PASSWORD, BROWSER), WRONG)
      const reset = await people.resetLink(PERSON, first.person.id)
      const anew = await signIn.acceptLink(reset.token, { password: PASSWORD }, BROWSER)
      assert.equal(anew.person.id, first.person.id)
      await assert.rejects(
        signIn.acceptLink(reset.token, { password: 'a thief of links' }, BROWSER),
        NO_LINK,
      )
      await assert.rejects(signIn.link(reset.token), NO_LINK)
      assert.equal(await signIn.signedIn(renewed.cookie, BROWSER), null)
      for (const cookie of ['', 'x', `${anew.cookie}x`, anew.cookie.slice(1)])
        assert.equal(await signIn.signedIn(cookie, BROWSER), null)
    },
  )

  test(`people on ${store.name}: keys are shown once, narrowed, and revoked`, on, async () => {
    const { clock, step } = steppedClock()
    const vault = await open.fresh(store, clock)
    const { people } = await vault.identity.people()
    const { authentication } = vault.identity
    const owner = await callerOf(vault, await firstOwner(vault))
    const { info, key } = await people.createKey(owner, {
      name: 'laptop',
      scopes: ['ci/**'],
      expiresAt: epochMs(T0 + HOUR),
    })
    assert.match(key.reveal(), /^1ck_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/)
    assert.deepEqual(await people.keys(owner), [
      {
        id: info.id,
        name: 'laptop',
        prefix: key.reveal().slice(0, 12),
        scopes: ['ci/**'],
        createdAt: T0,
        expiresAt: T0 + HOUR,
      },
    ])
    const byKey = await authentication.authenticate(key.reveal(), ORIGIN)
    assert.deepEqual((await standingOf(vault, byKey, clock())).scopes, [['ci/**']])
    const second = await people.createKey(owner, { name: 'second' })
    const stranger = await callerOf(vault, await invited(vault, 'member'))
    await assert.rejects(people.revokeKey(stranger, info.id), fault('NOT_FOUND'))
    await assert.rejects(people.keys(AGENT), fault('ACCESS_DENIED'))
    await people.revokeKey(byKey, second.info.id)
    await assert.rejects(
      authentication.authenticate(second.key.reveal(), ORIGIN),
      fault('UNAUTHENTICATED'),
    )
    step(HOUR)
    await assert.rejects(standingOf(vault, byKey, clock()), fault('UNAUTHENTICATED'))
  })
}

test('people: a session sees, destroys and hands on what is its own only while its person is there', async () => {
  const { clock, step } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { signIn } = await vault.identity.people()
  const session = await firstOwner(vault)
  const owner = await callerOf(vault, session)
  const { vault: door, policies } = vault
  await door.put(PERSON, 'default', { path: 'api/key', value: secret('shown in person') })
  const { agent } = await vault.identity.agents.create(owner, { name: 'ci' })
  const policy = {
    pattern: 'api/**',
    permissions: ['list'],
    principalType: 'agent',
    principalId: agent.id,
  } as const
  const made = await policies.create(owner, 'default', policy)
  assert.equal(textOf(await door.get(owner, 'default', 'api/key')), 'shown in person')
  step(5 * MINUTE + 1)
  const late = fault('STEP_UP_REQUIRED')
  await assert.rejects(door.get(owner, 'default', 'api/key'), late)
  await assert.rejects(door.delete(owner, 'default', 'api/key'), late)
  await assert.rejects(policies.create(owner, 'default', policy), late)
  await assert.rejects(policies.update(owner, 'default', made.id, { permissions: ['read'] }), late)
  assert.equal((await door.list(owner, 'default')).secrets.length, 1, 'looking needs no proof')
  await policies.remove(owner, 'default', made.id)
  const again = await callerOf(vault, await signIn.stepUp(session.cookie, PASSWORD, BROWSER))
  assert.equal(textOf(await door.get(again, 'default', 'api/key')), 'shown in person')
})
