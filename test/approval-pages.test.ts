// Where a server has no public address, who asks it on its own machine is told of the page all the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namePages } from '../src/app/page-site.ts'
import { monotonicMs, sleep } from '../src/core/time.ts'
import { userWithKey } from './support/identity.ts'
import { AGENT, openTestVault, PERSON } from './support/vault.ts'

const SITE = 'http://localhost:4747'
const ASKED = { action: 'a.b', target: { type: 't', id: 'i' }, preview: { title: 'Something' } }

/** The address once it is named, or null when it is not within `ms`. */
async function urlWithin(urlOf: (id: string) => string | null, ms: number): Promise<string | null> {
  const from = monotonicMs()
  while (urlOf('1') === null && monotonicMs() - from < ms) await sleep(20)
  return urlOf('1')
}

const cases: readonly [host: string, behindProxy: readonly string[], url: string | null][] = [
  ['127.0.0.1', [], `${SITE}/approvals/1`],
  ['localhost', [], `${SITE}/approvals/1`],
  ['::1', [], `${SITE}/approvals/1`],
  ['127.0.0.1', ['127.0.0.1'], null],
  ['0.0.0.0', [], null],
  ['192.0.2.1', [], null],
]
for (const [host, behindProxy, url] of cases)
  test(`${host}${behindProxy.length > 0 ? ' behind a proxy' : ''}: ${url === null ? 'no page is named' : 'the page on localhost is named'}`, async () => {
    const vault = await openTestVault()
    await userWithKey(vault, 'owner')
    const end = namePages(vault, { host, behindProxy }, SITE)
    assert.equal(await urlWithin(vault.approvals.urlOf, url === null ? 100 : 5_000), url)
    end()
    await vault.dispose()
  })

test('while nobody has an account there is no page; with the first one it is named, to webhooks never', async () => {
  const vault = await openTestVault()
  const end = namePages(vault, { host: '127.0.0.1', behindProxy: [] }, SITE)
  const before = await vault.approvals.people.ask(AGENT, ASKED)
  assert.equal(before.url, null)
  await userWithKey(vault, 'owner')
  assert.equal(await urlWithin(vault.approvals.urlOf, 5_000), `${SITE}/approvals/1`)
  const asked = await vault.approvals.people.state(AGENT, before.id)
  assert.equal(asked.url, `${SITE}/approvals/${before.id}`)
  // Whoever hears of it by a webhook is elsewhere.
  await vault.approvals.webhooks.create(PERSON, {
    url: 'http://127.0.0.1:9/hook',
    events: ['approval.*'],
    description: null,
  })
  await vault.approvals.people.ask(AGENT, { ...ASKED, action: 'a.c' })
  const deliveries = await vault.db.read((reader) =>
    vault.approvals.tables.deliveries.select(reader, '1 = 1', []),
  )
  assert.deepEqual(
    deliveries.map(({ body }) => (JSON.parse(body) as { data: { url: unknown } }).data.url),
    [null],
  )
  end()
  await vault.dispose()
})

test('a public address is named as it is, whatever serves', async () => {
  const env = { SALLYPORT_PUBLIC_URL: 'https://vault.example.org' }
  const vault = await openTestVault({ env })
  await userWithKey(vault, 'owner')
  vault.approvals.pagesAt(SITE)
  assert.equal(vault.approvals.urlOf('1'), 'https://vault.example.org/approvals/1')
  await vault.dispose()
})
