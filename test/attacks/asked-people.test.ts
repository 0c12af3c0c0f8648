import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { serverDoors } from '../../src/app/server-doors.ts'
import { createPageDesk, type PageDesk } from '../../src/ask/index.ts'
import type { SecretQuestion } from '../../src/core/ask-port.ts'
import type { Pages } from '../../src/pages/index.ts'
import type { AskDoors } from '../../src/secret-tools/index.ts'
import { FormBrowser, LOCAL, type ServedPages, servePages, titleOf } from '../support/pages.ts'
import { callerOf, firstOwner, invited, PASSWORD } from '../support/people.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { fault } from '../support/vault-stores.ts'

let vault: Awaited<ReturnType<typeof openTestVault>>
let served: ServedPages
let desk: PageDesk
let doors: AskDoors
/** The pages and the desk behind one address, as the server has them. */
let together: Pages

const QUESTION: SecretQuestion = {
  client: 'claude-code',
  project: null,
  vault: 'default',
  path: 'api-keys/stripe',
  replacesVersion: null,
  agentText: null,
}

before(async () => {
  vault = await openTestVault()
  served = await servePages(vault)
  desk = createPageDesk({ mountedAt: 'http://127.0.0.1:4747' })
  const local: AskDoors = {
    pages: desk,
    askSecret: async () => assert.fail('a dialog opened on the server'),
    pass: (_principal, work) => work(),
  }
  doors = serverDoors(vault, local, desk, served.site)
  together = {
    ...served.pages,
    fetch: async (request, from) =>
      new URL(request.url).pathname.startsWith('/ask/')
        ? desk.fetch(request, {
            remoteAddress: from.address,
            visitor: await served.pages.visitor(request, from),
          })
        : served.pages.fetch(request, from),
  }
})
after(async () => {
  await desk?.close()
  await served?.stop()
  await vault?.dispose()
})

async function signedIn(email: string): Promise<FormBrowser> {
  const browser = new FormBrowser(together, served.site)
  const response = await browser.post('/sign-in', { email, password: PASSWORD, to: '' })
  assert.equal(response.status, 303)
  return browser
}

test('asked people: only the maker of the agent opens its page, signed in, and nobody by being there', async () => {
  const { agent: orphan } = await vault.identity.agents.create(PERSON, { name: 'machine' })
  const askedBy = (id: string): SecretQuestion => ({ ...QUESTION, asker: `agent:${id}` })
  await assert.rejects(doors.pages.open(askedBy(orphan.id)), fault('INPUT_UNAVAILABLE', /account/))
  const owner = await callerOf(vault, await firstOwner(vault))
  const admin = await callerOf(vault, await invited(vault, 'admin'))
  await invited(vault, 'member')
  const { agent } = await vault.identity.agents.create(owner, { name: 'ci' })

  const opened = await doors.pages.open(askedBy(agent.id))
  assert.ok(opened.url.startsWith(`${served.site}/ask/`))
  const path = new URL(opened.url).pathname
  // No session: to the sign-in page and back, not to the question, wherever the browser is.
  for (const from of [LOCAL, { ...LOCAL, peer: '192.0.2.1', address: '192.0.2.1' }]) {
    const response = await new FormBrowser(together, served.site, from).get(path)
    const body = await response.text()
    assert.ok(!body.includes('api-keys/stripe'))
    if (from === LOCAL) assert.equal(response.headers.get('location'), `/sign-in?to=${path}`)
    else assert.match(body, /Not from here/)
  }
  for (const email of ['member@example.org', 'admin@example.org']) {
    const other = await signedIn(email)
    const page = await other.get(path)
    assert.equal(page.status, 403, email)
    assert.equal(await titleOf(page), 'Not for you')
    const sent = await other.post(path, { value: 'x', do: 'store', csrf: 'x' })
    assert.equal(sent.status, 403)
  }
  const ada = await signedIn('ada@example.org')
  const page = await ada.get(path)
  assert.equal(page.status, 200)
  assert.match(await page.text(), /api-keys\/stripe/)
  // Another browser of hers, and hers without the session.
  assert.equal(await titleOf(await (await signedIn('ada@example.org')).get(path)), 'Open elsewhere')
  const csrf = await ada.formToken(path)
  const session = ada.cookies.get('sallyport-session') ?? ''
  ada.cookies.delete('sallyport-session')
  const without = await ada.post(path, { value: 'typed', lines: '', do: 'store', csrf })
  assert.equal(without.status, 303)
  ada.cookies.set('sallyport-session', session)
  const storing = ada.post(path, { value: 'typed', lines: '', do: 'store', csrf })
  const { value } = await opened.answer
  assert.equal(value.reveal(), 'typed')
  opened.conclude({ storedVersion: 1 })
  assert.equal(await titleOf(await storing), 'Stored')

  // What was made at the machine belongs to those who administer.
  const shared = await doors.pages.open(askedBy(orphan.id))
  const sharedPath = new URL(shared.url).pathname
  assert.equal((await (await signedIn('member@example.org')).get(sharedPath)).status, 403)
  assert.equal((await (await signedIn('admin@example.org')).get(sharedPath)).status, 200)
  shared.cancel()
  assert.equal(admin.principal.kind, 'user')
  await assert.rejects(
    doors.askSecret(askedBy(agent.id), new AbortController().signal),
    fault('INPUT_UNAVAILABLE'),
  )
})
