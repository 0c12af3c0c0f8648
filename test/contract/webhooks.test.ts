import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { afterEach, describe, test } from 'node:test'
import { epochMs } from '../../src/core/time.ts'
import { isSignedWebhook, type SignatureHeaders } from '../../src/net/index.ts'
import { registerAgent } from '../support/api.ts'
import { request, signedIn, steppedClock } from '../support/approvals.ts'
import { ORIGIN, userWithKey } from '../support/identity.ts'
import { serve } from '../support/outgoing.ts'
import { kinds, run } from '../support/tampering.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

interface Received {
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** A server that keeps what it was sent and answers with what is next. */
async function receiver(...statuses: readonly number[]) {
  const received: Received[] = []
  const answers = [...statuses]
  const port = await serve(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
    received.push({ headers: incoming.headers, body: Buffer.concat(chunks) })
    outgoing.writeHead(answers.shift() ?? 204).end()
  })
  return { url: `http://127.0.0.1:${port}/hook?x=1`, received }
}

const signature = ({ headers }: Received): Partial<SignatureHeaders> => ({
  'x-sallyport-timestamp': String(headers['x-sallyport-timestamp']),
  'x-sallyport-signature': String(headers['x-sallyport-signature']),
})

const told = ({ body }: Received) =>
  JSON.parse(body.toString('utf8')) as {
    id: string
    event: string
    data: Record<string, unknown>
  }

for (const store of [SQLITE, POSTGRES])
  describe(`webhooks on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))

    async function fresh() {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      return { vault, clock, step, ...vault.approvals }
    }

    const waiting = (vault: TestVault) =>
      vault.db.read((reader) => vault.approvals.tables.deliveries.select(reader, '1 = 1', []))

    test('what happens to an approval is told, signed, by name alone', async () => {
      const { vault, clock, approvals, webhooks, deliveries } = await fresh()
      const hook = await receiver()
      const { secret, webhook } = await webhooks.create(PERSON, {
        url: hook.url,
        events: ['approval.*'],
        description: 'chat',
      })
      assert.match(secret.reveal(), /^whsec_[A-Za-z0-9_-]{43}$/)
      const asked = await approvals.request(AGENT, request('one', { reason: 'because' }))
      await approvals.decide(PERSON, asked.id, 'approve', { reason: 'why not' })
      await approvals.pass(AGENT, request())
      await deliveries.deliver()
      const events = hook.received.map(told)
      assert.deepEqual(events.map(({ event }) => event).toSorted(), [
        'approval.approved',
        'approval.consumed',
        'approval.requested',
      ])
      const first = hook.received.find((one) => told(one).event === 'approval.requested')!
      assert.deepEqual(told(first).data, {
        id: asked.id,
        kind: 'act',
        status: 'pending',
        requester: 'agent:local',
        action: 'gateway.call',
        target: { type: 'tool', id: 'files/write_file' },
        title: 'Write a file',
        url: null,
        needed: 1,
        decided_by: [],
        created_at: '2027-01-15T08:00:00.000Z',
        expires_at: '2027-01-15T08:15:00.000Z',
      })
      assert.equal(first.headers['x-sallyport-delivery'], told(first).id)
      assert.equal(first.headers['x-sallyport-event'], 'approval.requested')
      const { body } = first
      assert.ok(isSignedWebhook(secret.reveal(), signature(first), body, clock()))
      assert.ok(!isSignedWebhook('whsec_x', signature(first), body, clock()))
      const later = epochMs(clock() + 600_000)
      assert.ok(!isSignedWebhook(secret.reveal(), signature(first), body, later))
      assert.deepEqual(await waiting(vault), [])
      assert.deepEqual(await webhooks.list(PERSON), [webhook])
    })

    test('who does not answer well is tried again, later and later, and nothing is lost on restart', async () => {
      const { vault, clock, step, approvals, webhooks } = await fresh()
      const hook = await receiver(500, 503)
      const { secret } = await webhooks.create(PERSON, {
        url: hook.url,
        events: ['approval.requested'],
      })
      await approvals.request(AGENT, request())
      await vault.approvals.deliveries.deliver()
      assert.equal(hook.received.length, 1)
      const twin = await open.twin(vault, clock)
      await open.shut(vault)
      const { deliveries } = twin.approvals
      await deliveries.deliver()
      assert.equal(hook.received.length, 1)
      step(30_000)
      await deliveries.deliver()
      assert.equal(hook.received.length, 2)
      step(59_999)
      await deliveries.deliver()
      assert.equal(hook.received.length, 2)
      step(1)
      await deliveries.deliver()
      assert.equal(hook.received.length, 3)
      assert.equal(new Set(hook.received.map((one) => told(one).id)).size, 1)
      // Signed anew each time, so that the receiver can tell a late one from one that is played again.
      for (const one of hook.received.slice(2))
        assert.ok(isSignedWebhook(secret.reveal(), signature(one), one.body, clock(), 1_000))
      assert.deepEqual(await waiting(twin), [])
    })

    test('after a day nobody tries any more', async () => {
      const { vault, step, approvals, webhooks, deliveries } = await fresh()
      const hook = await receiver(...Array.from({ length: 20 }, () => 500))
      await webhooks.create(PERSON, { url: hook.url, events: ['*'] })
      await approvals.request(AGENT, request())
      for (let i = 0; i < 12; i += 1) {
        await deliveries.deliver()
        step(43_200_000)
      }
      assert.equal(hook.received.length, 9)
      const [row] = await waiting(vault)
      assert.deepEqual([row?.state, row?.last_problem], ['given-up', 'It answered with 500.'])
      step(8 * 86_400_000)
      await approvals.request(AGENT, request('two'))
      await deliveries.deliver()
      assert.deepEqual(
        (await waiting(vault)).map(({ state }) => state),
        ['waiting'],
      )
    })

    test('two processes send each notice once', async () => {
      const { vault, clock, approvals, webhooks, deliveries } = await fresh()
      const twin = await open.twin(vault, clock)
      const hook = await receiver()
      await webhooks.create(PERSON, { url: hook.url, events: ['approval.requested'] })
      for (let i = 0; i < 30; i += 1) await approvals.request(AGENT, request(`${i}`))
      await Promise.all([deliveries.deliver(), twin.approvals.deliveries.deliver()])
      await Promise.all([deliveries.deliver(), twin.approvals.deliveries.deliver()])
      assert.equal(hook.received.length, 30)
      assert.equal(new Set(hook.received.map((one) => told(one).id)).size, 30)
    })

    test('paused, changed and removed', async () => {
      const { vault, step, approvals, webhooks, deliveries } = await fresh()
      const [first, second] = [await receiver(), await receiver()]
      const { webhook } = await webhooks.create(PERSON, {
        url: first.url,
        events: ['approval.requested', 'approval.requested'],
      })
      assert.deepEqual(webhook.events, ['approval.requested'])
      await webhooks.update(PERSON, webhook.id, { isActive: false })
      await approvals.request(AGENT, request('one'))
      assert.deepEqual(await waiting(vault), [])
      const changed = await webhooks.update(PERSON, webhook.id, {
        isActive: true,
        url: second.url,
        description: 'new',
      })
      assert.deepEqual([changed.url, changed.description], [second.url, 'new'])
      await approvals.request(AGENT, request('two'))
      await deliveries.deliver()
      assert.deepEqual([first.received.length, second.received.length], [0, 1])
      await approvals.request(AGENT, request('three'))
      await webhooks.remove(PERSON, webhook.id)
      step(60_000)
      await deliveries.deliver()
      assert.deepEqual(await webhooks.list(PERSON), [])
      await assert.rejects(webhooks.remove(PERSON, webhook.id), fault('NOT_FOUND'))
    })

    test('keys change no webhook, and those of people reach nothing inside', async () => {
      const { vault, clock, approvals, webhooks, deliveries } = await fresh()
      const { key } = await registerAgent(vault, [])
      const { authentication } = vault.identity
      const agent = await authentication.authenticate(key, ORIGIN)
      const owner = await userWithKey(vault, 'owner')
      const byKey = await authentication.authenticate(owner.key, ORIGIN)
      const hook = await receiver()
      const wanted = { url: hook.url, events: ['*'] }
      const admin = await signedIn(vault, 'admin', clock())
      const member = await signedIn(vault, 'member', clock())
      for (const caller of [agent, byKey, AGENT, member.caller])
        await assert.rejects(webhooks.create(caller, wanted), fault('ACCESS_DENIED'))
      await assert.rejects(
        webhooks.create(admin.as({ steppedUpAt: null }), wanted),
        fault('STEP_UP_REQUIRED'),
      )
      for (const caller of [agent, AGENT, member.caller])
        await assert.rejects(webhooks.list(caller), fault('ACCESS_DENIED'))
      const { webhook } = await webhooks.create(admin.caller, wanted)
      assert.equal((await webhooks.list(byKey)).length, 1)
      await assert.rejects(webhooks.remove(byKey, webhook.id), fault('ACCESS_DENIED'))
      await approvals.request(AGENT, request())
      await deliveries.deliver()
      assert.equal(hook.received.length, 0)
      const [row] = await waiting(vault)
      assert.match(row?.last_problem ?? '', /without TLS|this machine/)
    })

    const bad: readonly [field: string, change: object][] = [
      ['url', { url: 'ftp://example.org' }],
      ['url', { url: 'nonsense' }],
      ['url', { url: 'https://a:b@example.org' }],
      ['url', { url: `https://example.org/${'x'.repeat(2048)}` }],
      ['events', { events: [] }],
      ['events', { events: ['secret.read'] }],
      ['description', { description: 'a\u202eb' }],
    ]
    test('what cannot be a webhook is refused by name', async () => {
      const { webhooks } = await fresh()
      for (const [field, change] of bad)
        await assert.rejects(
          webhooks.create(PERSON, { url: 'https://example.org', events: ['*'], ...change }),
          fault('BAD_INPUT', new RegExp(`^${field} `)),
        )
    })
  })

describe('rows of webhooks', () => {
  const open = new OpenVaults()
  afterEach(() => open.close(false))

  test('nobody has us sign or send what he wrote into the store', async () => {
    const { clock, step } = steppedClock()
    const vault = await open.fresh(SQLITE, clock)
    const { approvals, webhooks, deliveries } = vault.approvals
    const hook = await receiver(500)
    await webhooks.create(PERSON, { url: hook.url, events: ['*'] })
    await approvals.request(AGENT, request())
    await deliveries.deliver()
    step(60_000)
    run(vault, "update webhook_deliveries set body = '{}'")
    await deliveries.deliver()
    assert.equal(hook.received.length, 1)
    run(vault, "update webhooks set url = 'https://elsewhere.example'")
    await assert.rejects(webhooks.list(PERSON), fault('STORE_TAMPERED'))
    assert.deepEqual(await kinds(vault), ['row-changed'])
  })
})
