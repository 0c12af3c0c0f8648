import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { OpenedSession } from '../../src/core/people-port.ts'
import { type Clock, epochMs, systemClock } from '../../src/core/time.ts'
import { registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { ApiBrowser } from '../support/api-browser.ts'
import { firstOwner } from '../support/people.ts'
import type { TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, type VaultStore } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

const open = new OpenVaults()
const serving: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(serving.splice(0).map((one) => one.stop()))
  await open.close(true)
})

interface Opened {
  readonly vault: TestVault
  readonly api: TestApi
  readonly owner: OpenedSession
  /** Lets time pass. */
  readonly later: (ms: number) => void
}

async function opened(store: VaultStore = SQLITE): Promise<Opened> {
  let ahead = 0
  const clock: Clock = () => epochMs(systemClock() + ahead)
  const vault = await open.fresh(store, clock)
  const owner = await firstOwner(vault)
  const api = await serveTestApi(vault, { clock })
  serving.push(api)
  const later = (ms: number): void => {
    ahead += ms
  }
  return { vault, api, owner, later }
}

const MINUTE_MS = 60_000
const FILES = { name: 'files', kind: 'stdio', command: ['server', '.'] }
const SERVERS = '/v1/gateway/servers'

/** A server, a policy on it, a grant for an agent, and an approval that the agent asks for. */
async function administered({ vault, api }: Opened, browser: ApiBrowser): Promise<string> {
  const agent = await registerAgent(vault, [])
  const rows: readonly [status: number, method: string, target: string, body?: unknown][] = [
    [201, 'POST', SERVERS, FILES],
    [200, 'PUT', '/v1/gateway/policies/strict', { text: '{"version":"1","default":"deny"}' }],
    [200, 'PUT', `${SERVERS}/files/policies/strict`],
    [201, 'POST', `/v1/agents/${agent.id}/grants`, { label: 'a', server: 'files', policies: [] }],
  ]
  for (const [status, method, target, body] of rows) {
    const reply = await browser.call(method, target, body)
    assert.equal(reply.status, status, `${method} ${target} ${JSON.stringify(reply.body)}`)
  }
  const asked = await api.ask('/v1/approvals/request', {
    method: 'POST',
    bearer: agent.key,
    body: {
      action: 'service.deploy',
      target_type: 'service',
      target_id: 'web',
      summary: { title: 'Deploy' },
    },
  })
  assert.equal(asked.status, 202, JSON.stringify(asked.body))
  return (asked.body as { id: string }).id
}

for (const store of [SQLITE, POSTGRES])
  test(`API sessions on ${store.name}: a person who is there changes the gateway and decides approvals`, {
    skip: store.skip,
  }, async () => {
    const all = await opened(store)
    const browser = new ApiBrowser(all.api, all.owner)
    const who = (await browser.send('GET', '/v1/auth/session')).body as {
      user: Body
      session: Body
      stepped_up_until: string
    }
    assert.equal(who.user['email'], 'ada@example.org')
    assert.equal(who.user['role'], 'owner')
    assert.equal(who.session['signed_in_with'], 'link')
    const left = Date.parse(who.stepped_up_until) - systemClock()
    assert.ok(left > 4 * MINUTE_MS && left <= 5 * MINUTE_MS, String(left))

    const approval = await administered(all, browser)
    const decide = `/v1/approvals/${approval}/decide`
    const decided = await browser.call('POST', decide, { decision: 'approve' })
    assert.equal(decided.status, 200, JSON.stringify(decided.body))
    const entries = await all.vault.audit.query({ action: 'server.add' })
    const { id } = all.owner.person
    assert.deepEqual(
      entries.map(({ actor, channel }) => [actor, channel]),
      [[`user:${id}`, 'http']],
    )
  })
