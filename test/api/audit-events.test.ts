import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventId } from '../../src/api/event-id.ts'
import { epochMs, parseInstant } from '../../src/core/time.ts'
import { serveTestApi, type TestApi } from '../support/api.ts'
import { userWith } from '../support/registered.ts'
import { run } from '../support/tampering.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

test('the id of an event is a UUID of its own: version 8, by organisation and place', () => {
  const org = '2f1c0f6e-8f0a-4d5e-9a51-0d8a2d3d0c11'
  assert.match(
    eventId(org, 1),
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  assert.equal(eventId(org, 1), eventId(org, 1))
  assert.notEqual(eventId(org, 1), eventId(org, 2))
  assert.notEqual(eventId(org, 1), eventId('2f1c0f6e-8f0a-4d5e-9a51-0d8a2d3d0c12', 1))
})

describe('API: audit events in a span of time', () => {
  const day = (n: number) => `2026-03-0${n}T12:00:00.000Z`
  let now = day(1)
  let vault: TestVault & { dispose(): Promise<void> }
  let api: TestApi
  let auditor: string
  before(async () => {
    vault = await openTestVault({ clock: () => epochMs(parseInstant(now) ?? 0) })
    api = await serveTestApi(vault)
    auditor = (await userWith(vault, 'auditor')).key
    // Four events on each of three days: the first write of a day begins an epoch of keys as well.
    for (const n of [2, 3, 4]) {
      now = day(n)
      for (const path of ['a', 'b', 'c'])
        await vault.vault.put(PERSON, 'default', { path: `${path}${n}`, value: secret('v') })
    }
    now = day(5)
  })
  after(async () => {
    await api.stop()
    await vault.dispose()
  })

  async function asked(target: string): Promise<Body> {
    const { status, body } = await api.ask(target, { bearer: auditor })
    assert.equal(status, 200, JSON.stringify(body))
    return body as Body
  }
  const verify = (query: string): Promise<Body> => asked(`/v1/audit/verify?${query}`)
  const ofDay = (n: number): string => `from=2026-03-0${n}T00:00:00Z&to=2026-03-0${n}T23:59:59Z`

  test('events have a UUID and their place; the same ones in every listing', async () => {
    const first = (await asked('/v1/audit/events?action=secret.put&limit=9')) as {
      events: Body[]
    }
    const { id: org } = await vault.identity.authentication.org()
    assert.equal(first.events.length, 9)
    for (const { id, seq } of first.events) assert.equal(id, eventId(org, Number(seq)))
  })

  test('verify reports on the span that is asked for', async () => {
    const spans: readonly [query: string, checked: number][] = [
      [ofDay(3), 4],
      [`${ofDay(3)}&limit=2`, 2],
      ['from=2026-03-02T00:00:00Z&to=2026-03-04T23:59:59Z', 12],
      ['to=2026-03-04T23:59:59Z&from=2026-03-04T00:00:00Z&limit=10000', 4],
      ['from=2026-03-06T00:00:00Z', 0],
    ]
    for (const [query, checked] of spans) {
      const { events_checked, events_verified, chain_valid } = await verify(query)
      assert.deepEqual([events_checked, events_verified, chain_valid], [checked, checked, true])
    }
    const whole = await verify('')
    assert.ok(Number(whole['events_checked']) > 12)
    assert.equal((await api.ask('/v1/audit/verify?limit=10001', { bearer: auditor })).status, 400)
    assert.equal((await api.ask('/v1/audit/verify?from=monday', { bearer: auditor })).status, 400)
  })

  test('a record that was changed is named, in its own span; the tree is broken for all', async () => {
    const listed = (await asked(`/v1/audit/events?action=secret.put&${ofDay(3)}`)) as {
      events: Body[]
    }
    const victim = listed.events[1]
    const seq = Number(victim?.['seq'])
    run(vault, 'update audit_records set body = ? where seq = ?', Buffer.from('{}'), seq)
    const third = await verify(ofDay(3))
    assert.equal(third['chain_valid'], false)
    assert.equal(third['broken_at_event_id'], victim?.['id'])
    const kinds = (body: Body) => (body['findings'] as Body[]).map((one) => one['kind'])
    const fourth = await verify(ofDay(4))
    assert.equal(kinds(third).includes('record-changed'), true)
    assert.equal(kinds(fourth).includes('record-changed'), false)
    assert.equal(kinds(fourth).includes('tree-changed'), true)
    assert.equal(fourth['chain_valid'], false)
    assert.equal(fourth['events_verified'], 0)
    const whole = await verify('')
    assert.equal(whole['broken_at_event_id'], victim?.['id'])
    assert.equal(whole['events_verified'], seq - 1)
  })
})
