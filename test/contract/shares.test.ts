import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { Caller } from '../../src/core/principals.ts'
import type { ShareRequest } from '../../src/core/share-port.ts'
import { type EpochMs, epochMs } from '../../src/core/time.ts'
import { agentWith, callerBy, userWith } from '../support/registered.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import {
  fault,
  OpenVaults,
  POSTGRES,
  race,
  SQLITE,
  secret,
  textOf,
} from '../support/vault-stores.ts'

const V = 'default'
const HOUR = 3_600_000
const AT = { vault: V, path: 'config/db' }
const OPENER = { address: '203.0.113.9', channel: 'http' } as const
/** The middle of a month, so that no quota ends meanwhile. */
const NOON = Date.parse('2026-11-15T12:00:00Z')

for (const store of [SQLITE, POSTGRES])
  describe(`shares on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    let now = NOON
    afterEach(() => open.close(true))

    async function fresh(): Promise<TestVault> {
      now = NOON
      const vault = await open.fresh(store, () => epochMs(now))
      await vault.vault.put(PERSON, V, { path: 'config/db', value: secret('the value') })
      return vault
    }

    const inAnHour = (): EpochMs => epochMs(now + HOUR)
    const byLink = (rest: Partial<ShareRequest> = {}): ShareRequest => ({
      recipientType: 'anyone_with_link',
      expiresAt: inAnHour(),
      ...rest,
    })

    async function linked(vault: TestVault, rest: Partial<ShareRequest> = {}) {
      const { share, link } = await vault.sharing.shares.create(PERSON, AT, byLink(rest))
      assert.ok(link !== null)
      return { id: share.id, link }
    }

    const reads = async (vault: TestVault): Promise<number> =>
      (await vault.vault.describe(PERSON, V, 'config/db')).accessCount

    test('a link opens the current version, is counted, and stands in no record', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const { id, link } = await linked(vault)
      assert.equal(textOf(await shares.open(id, link, OPENER)), 'the value')
      await vault.vault.rotateAndStore(PERSON, V, { path: 'config/db', value: secret('newer') })
      const read = await shares.open(id, link, OPENER)
      assert.equal(textOf(read), 'newer')
      assert.equal(read.share.accessCount, 2)
      assert.equal(await reads(vault), 1)
      const [record] = await vault.audit.query({ action: 'share.read' })
      assert.equal(record?.actor, `guest:${id}`)
      assert.equal(record?.path, 'config/db')
      assert.match(record?.body ?? '', new RegExp(`"share":"${id}","address":"203.0.113.9"`))
      const secretPart = link.reveal()
      for (const { body } of await vault.audit.query({ limit: 1000 }))
        assert.ok(!body.includes(secretPart))
      const rows = await vault.db.read((reader) => vault.tables.shares.select(reader, '1 = 1', []))
      assert.ok(!JSON.stringify(rows).includes(secretPart))
    })

    test('everything about a link that is not right is one answer', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const { id, link } = await linked(vault)
      const other = await linked(vault)
      const missing = fault('NOT_FOUND', /^There is no such share\.$/)
      await assert.rejects(shares.open(id, other.link, OPENER), missing)
      await assert.rejects(shares.open(id, secret('x'), OPENER), missing)
      await assert.rejects(shares.open(id, secret(''), OPENER), missing)
      await assert.rejects(shares.open('nothing', link, OPENER), missing)
      await assert.rejects(shares.open(other.id, link, OPENER), missing)
      // A link is for whoever has it; an account is not it.
      await assert.rejects(shares.read(PERSON, id), missing)
      await shares.revoke(PERSON, id)
      await assert.rejects(shares.open(id, link, OPENER), missing)
      assert.equal(await reads(vault), 0)
    })

    test('it ends: by time, by count, and with the secret', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const counted = await linked(vault, { maxAccessCount: 3 })
      const { values, faults } = await race(
        Array.from({ length: 8 }, () => shares.open(counted.id, counted.link, OPENER)),
      )
      assert.equal(values.length, 3)
      assert.deepEqual(faults, Array(5).fill('SECRET_SPENT'))
      assert.equal(await reads(vault), 3)

      const timed = await linked(vault)
      now += HOUR
      await assert.rejects(shares.open(timed.id, timed.link, OPENER), fault('SECRET_SPENT'))

      await vault.vault.put(PERSON, V, { path: 'config/db', value: secret('v'), maxAccessCount: 1 })
      const spending = await linked(vault)
      await shares.open(spending.id, spending.link, OPENER)
      await assert.rejects(shares.open(spending.id, spending.link, OPENER), fault('SECRET_SPENT'))
      await assert.rejects(shares.create(PERSON, AT, byLink()), fault('SECRET_SPENT'))
      await vault.vault.delete(PERSON, V, 'config/db')
      await assert.rejects(shares.create(PERSON, AT, byLink()), fault('SECRET_NOT_FOUND'))
    })

    test('ten wrong passphrases lock it, however many are tried at once', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const { id, link } = await linked(vault, { passphrase: secret('correct horse battery') })
      await assert.rejects(
        shares.open(id, link, OPENER),
        fault('ACCESS_DENIED', /asks for a passphrase/),
      )
      const right = () => shares.open(id, link, OPENER, secret('correct horse battery'))
      const wrong = () => shares.open(id, link, OPENER, secret('incorrect horse'))
      for (let i = 0; i < 3; i += 1)
        await assert.rejects(wrong(), fault('ACCESS_DENIED', /passphrase is wrong/))
      assert.equal(textOf(await right()), 'the value')
      now += 60_000
      // The right one began the count anew; of fourteen at once ten are looked at.
      const tried = await Promise.allSettled(Array.from({ length: 14 }, wrong))
      const texts = tried.map((one) => (one.status === 'rejected' ? String(one.reason) : 'open'))
      assert.equal(texts.filter((text) => /passphrase is wrong/.test(text)).length, 10)
      assert.equal(texts.filter((text) => /is locked/.test(text)).length, 4)
      await assert.rejects(right(), fault('ACCESS_DENIED', /locked/))
      assert.equal(await reads(vault), 1)
      const [lock] = await vault.audit.query({ action: 'share.lock' })
      assert.match(lock?.body ?? '', /"severity":"high"/)
    })

    test('attempts are throttled by share and by address', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const { id } = await linked(vault)
      const codes = (
        await race(Array.from({ length: 31 }, () => shares.open(id, secret('x'), OPENER)))
      ).faults
      assert.equal(codes.filter((code) => code === 'NOT_FOUND').length, 30)
      assert.equal(codes.filter((code) => code === 'THROTTLED').length, 1)
      const elsewhere = { ...OPENER, address: '203.0.113.10' }
      await assert.rejects(shares.open(id, secret('x'), elsewhere), fault('THROTTLED'))
      const other = await linked(vault)
      await assert.rejects(shares.open(other.id, other.link, OPENER), fault('THROTTLED'))
      await shares.open(other.id, other.link, { ...OPENER, address: '203.0.113.11' })
      now += 60_000
      await assert.rejects(shares.open(id, secret('x'), OPENER), fault('NOT_FOUND'))
    })

    test('a list of addresses is kept', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const { id, link } = await linked(vault, { ipAllowlist: ['203.0.113.0/28', '2001:db8::/32'] })
      const from = (address: string | null) => shares.open(id, link, { address, channel: 'http' })
      await from('203.0.113.9')
      await from('2001:db8::1')
      await assert.rejects(from('203.0.113.16'), fault('ACCESS_DENIED', /address/))
      await assert.rejects(from(null), fault('ACCESS_DENIED', /address/))
    })

    test('an agent shares what it may read and share, to accounts alone, and for itself alone', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const sharer = await agentWith(vault, [['config/**', ['list', 'read', 'share']]])
      const reader = await agentWith(vault, [])
      const third = await userWith(vault, 'member')
      const wanted: ShareRequest = {
        recipientType: 'agent',
        recipientId: reader.id,
        expiresAt: inAnHour(),
      }
      const { share, link } = await shares.create(sharer.caller, AT, wanted)
      assert.equal(link, null)
      const missing = fault('NOT_FOUND', /no such share/)
      await assert.rejects(shares.read(third.caller, share.id), missing)
      await assert.rejects(shares.read(sharer.caller, share.id), missing)
      assert.deepEqual(
        (await shares.inbound(reader.caller)).map(({ id }) => id),
        [share.id],
      )
      assert.deepEqual(
        (await shares.outbound(sharer.caller)).map(({ id }) => id),
        [share.id],
      )
      assert.equal((await shares.accept(reader.caller, share.id)).acceptedAt, now)
      assert.equal(textOf(await shares.read(reader.caller, share.id)), 'the value')
      // The share is for one path by one way; his own rights did not grow.
      await assert.rejects(vault.vault.get(reader.caller, V, 'config/db'), fault('ACCESS_DENIED'))
      await assert.rejects(shares.revoke(reader.caller, share.id), missing)
      await shares.revoke(sharer.caller, share.id)
      await assert.rejects(shares.read(reader.caller, share.id), missing)
      assert.deepEqual(await shares.inbound(reader.caller), [])

      const second = await shares.create(sharer.caller, AT, wanted)
      await shares.decline(reader.caller, second.share.id)
      await assert.rejects(shares.read(reader.caller, second.share.id), missing)
    })

    test('nobody shares what he may not read or may not share', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const mayRead = await agentWith(vault, [['config/**', ['list', 'read']]])
      const mayShare = await agentWith(vault, [['config/**', ['list', 'share']]])
      const wanted: ShareRequest = {
        recipientType: 'agent',
        recipientId: mayRead.id,
        expiresAt: inAnHour(),
      }
      for (const caller of [mayRead.caller, mayShare.caller, AGENT])
        for (const request of [wanted, byLink()])
          await assert.rejects(shares.create(caller, AT, request), fault('ACCESS_DENIED'))
      // By id it is no other.
      const { id: secretId } = await vault.vault.describe(PERSON, V, 'config/db')
      await assert.rejects(
        shares.create(mayRead.caller, { secretId }, wanted),
        fault('ACCESS_DENIED'),
      )
      await assert.rejects(
        shares.create(mayRead.caller, { vault: V, path: 'no/such' }, wanted),
        fault('ACCESS_DENIED'),
      )
      assert.equal((await shares.create(PERSON, { secretId }, wanted)).share.path, 'config/db')
    })

    test('a share dies with what its sharer held: policy, account, freeze', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const reader = await agentWith(vault, [])
      const missing = fault('NOT_FOUND', /no such share/)
      const shared = async (caller: Caller) =>
        (
          await shares.create(caller, AT, {
            recipientType: 'agent',
            recipientId: reader.id,
            expiresAt: inAnHour(),
          })
        ).share.id
      const one = await agentWith(vault, [
        ['config/**', ['read', 'share'], { expiresAt: epochMs(now + 1000) }],
      ])
      const first = await shared(one.caller)
      await shares.read(reader.caller, first)
      now += 1000
      await assert.rejects(shares.read(reader.caller, first), missing)

      const two = await agentWith(vault, [['config/**', ['read', 'share']]])
      const second = await shared(two.caller)
      await vault.identity.freezes.freeze(PERSON, { kind: 'agent', id: two.id as never }, null)
      await assert.rejects(shares.read(reader.caller, second), missing)
      await vault.identity.freezes.lift(PERSON, { kind: 'agent', id: two.id as never })
      await shares.read(reader.caller, second)
      await vault.identity.agents.remove(PERSON, two.id)
      await assert.rejects(shares.read(reader.caller, second), missing)
      assert.equal(await reads(vault), 2)
    })

    test('a freeze of everything stops links, whoever made them', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const { id, link } = await linked(vault)
      await vault.identity.freezes.freeze(PERSON, { kind: 'all' }, null)
      await assert.rejects(shares.open(id, link, OPENER), fault('NOT_FOUND', /no such share/))
      await vault.identity.freezes.lift(PERSON, { kind: 'all' })
      assert.equal(textOf(await shares.open(id, link, OPENER)), 'the value')
      assert.equal(await reads(vault), 1)
    })

    test('from an agent a link needs an approval, and one approval makes one link', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const sharer = await agentWith(vault, [['config/**', ['read', 'share']]])
      const wanted = byLink({ maxAccessCount: 1 })
      const mail = byLink({ recipientType: 'external_email', email: 'ops@example.org' })
      for (const request of [wanted, mail])
        await assert.rejects(shares.create(sharer.caller, AT, request), fault('APPROVAL_REQUIRED'))
      const { approvals } = vault.approvals
      const pending = await approvals.list(PERSON, { status: 'pending' })
      assert.equal(pending.length, 2)
      for (const one of pending) assert.ok(!JSON.stringify(one).includes('the value'))
      const [asked] = pending.filter(({ preview }) => !JSON.stringify(preview).includes('ops@'))
      await approvals.decide(PERSON, asked?.id ?? '', 'approve')
      // Approved was a link that is opened once, no other.
      await assert.rejects(
        shares.create(sharer.caller, AT, { ...wanted, maxAccessCount: 2 }),
        fault('APPROVAL_REQUIRED'),
      )
      const { share, link } = await shares.create(sharer.caller, AT, wanted)
      assert.ok(link !== null)
      assert.equal(textOf(await shares.open(share.id, link, OPENER)), 'the value')
      await assert.rejects(shares.create(sharer.caller, AT, wanted), fault('APPROVAL_REQUIRED'))
    })

    test('what strangers read by a link is spent from the quota of its sharer', async () => {
      const vault = await fresh()
      const { shares, quotas } = vault.sharing
      const sharer = await userWith(vault, 'member', [['config/**', ['read', 'share']]])
      const { share, link } = await shares.create(sharer.caller, AT, byLink())
      assert.ok(link !== null)
      await quotas.set(PERSON, `user:${sharer.id}`, { reads: 1, writes: null })
      await shares.open(share.id, link, OPENER)
      await assert.rejects(shares.open(share.id, link, OPENER), fault('QUOTA_EXHAUSTED'))
      assert.equal((await shares.outbound(sharer.caller))[0]?.accessCount, 1)
    })

    test('the creator of an agent is a recipient; a caller that ended reads nothing', async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const admin = await userWith(vault, 'owner')
      const { agent, key } = await vault.identity.agents.create(admin.caller, { name: 'made' })
      await vault.policies.create(PERSON, V, {
        pattern: 'config/**',
        permissions: ['read', 'share'],
        principalType: 'agent',
        principalId: agent.id,
      })
      const made = await callerBy(vault, key.reveal())
      const { share } = await shares.create(made, AT, {
        recipientType: 'creator',
        expiresAt: inAnHour(),
      })
      assert.equal(share.recipient, `user:${admin.id}`)
      assert.equal(textOf(await shares.read(admin.caller, share.id)), 'the value')
      await vault.identity.freezes.freeze(PERSON, { kind: 'user', id: admin.id as never }, null)
      await assert.rejects(shares.read(admin.caller, share.id), fault('UNAUTHENTICATED'))
      await assert.rejects(shares.inbound(admin.caller), fault('UNAUTHENTICATED'))
      await assert.rejects(shares.accept(admin.caller, share.id), fault('UNAUTHENTICATED'))
    })

    test('what is asked for must make sense', async () => {
      const vault = await fresh()
      const agent = await agentWith(vault, [])
      const refused: readonly [Partial<ShareRequest>, string][] = [
        [{ recipientType: 'agent' }, 'recipient_id'],
        [{ recipientType: 'agent', recipientId: 'x' }, 'recipient_id'],
        [{ recipientId: agent.id }, 'recipient_id'],
        [{ recipientType: 'external_email' }, 'email'],
        [{ recipientType: 'external_email', email: 'nobody' }, 'email'],
        [{ email: 'a@example.org' }, 'email'],
        [{ expiresAt: epochMs(now) }, 'expires_at'],
        [{ expiresAt: epochMs(now + 400 * 24 * HOUR) }, 'expires_at'],
        [{ maxAccessCount: 0 }, 'max_access_count'],
        [{ ipAllowlist: [] }, 'ip_allowlist'],
        [{ ipAllowlist: ['10.0.0.1/8'] }, 'ip_allowlist'],
        [{ passphrase: secret('short') }, 'passphrase'],
        [{ recipientType: 'creator' }, 'recipient_type'],
      ]
      for (const [rest, field] of refused)
        await assert.rejects(
          vault.sharing.shares.create(PERSON, AT, byLink(rest)),
          (error: unknown) => {
            assert.equal((error as { details: { field?: string } }).details.field, field)
            return fault('BAD_INPUT')(error)
          },
        )
      await assert.rejects(
        vault.sharing.shares.create(PERSON, AT, {
          recipientType: 'user',
          recipientId: agent.id,
          expiresAt: inAnHour(),
        }),
        fault('NOT_FOUND', /nobody/),
      )
    })

    test('a share whose row was changed from outside opens nothing', async () => {
      const vault = await fresh()
      const { id, link } = await linked(vault, { maxAccessCount: 1 })
      await vault.db.write((tx) => tx.run('update shares set max_reads = 9 where id = ?', [id]))
      await assert.rejects(vault.sharing.shares.open(id, link, OPENER), fault('STORE_TAMPERED'))
      await vault.db.write((tx) => tx.run('update shares set max_reads = 1 where id = ?', [id]))
      assert.equal(textOf(await vault.sharing.shares.open(id, link, OPENER)), 'the value')
    })
  })
