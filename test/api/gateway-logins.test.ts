// Owners log this server in at servers behind it, in the browser in which they are signed in.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { serveTestApi } from '../support/api.ts'
import { ApiBrowser } from '../support/api-browser.ts'
import { browse, guardedServer } from '../support/authorization-server.ts'
import { json } from '../support/http-upstream.ts'
import { userWithKey } from '../support/identity.ts'
import { FormBrowser, servePages } from '../support/pages.ts'
import { firstOwner, invited } from '../support/people.ts'
import { PERSON } from '../support/vault.ts'
import { OpenVaults, SQLITE } from '../support/vault-stores.ts'

const open = new OpenVaults()
const vault = await open.fresh(SQLITE)
const ada = await firstOwner(vault)
const bo = await invited(vault, 'admin')
const api = await serveTestApi(vault)
const served = await servePages(vault)
after(async () => {
  await served.stop()
  await api.stop()
  await open.close(true)
})
const guard = await guardedServer({
  answer: (_body, _request, response) => json(response, { id: 1, result: {} }),
})
const { servers } = await vault.registry()
await servers.add(PERSON, 'hub', { kind: 'http', url: guard.url, headers: [] })

const LOGIN = '/v1/gateway/servers/hub/login'
const browser = new ApiBrowser(api, ada)
type Body = Readonly<Record<string, unknown>>

async function begun(): Promise<string> {
  const { status, body } = await browser.call('POST', LOGIN, {})
  assert.equal(status, 200)
  const { authorization_url: url, issuer, client, scopes } = body as Body
  assert.deepEqual([issuer, client, scopes], [guard.authorization.issuer, 'registered', ['echo']])
  return String(url)
}

/** The browser after the person said yes: where it comes back to, on the pages. */
async function back(url: string, cookie: string | null): Promise<Response> {
  const redirect = new URL(url).searchParams.get('redirect_uri') ?? ''
  assert.equal(redirect, `${api.baseUrl}/servers/back`)
  const { search } = new URL(await browse(url, redirect))
  const form = new FormBrowser(served.pages, served.site)
  if (cookie !== null) form.cookies.set('sallyport-session', cookie)
  // Browsers come from the site of the authorization server.
  return form.get(`/servers/back${search}`, { 'sec-fetch-site': 'cross-site' })
}

test('API: an owner logs in at a server in the browser of the session, looks, and logs out', async () => {
  assert.equal((await browser.call('GET', LOGIN)).status, 404)
  const page = await back(await begun(), ada.cookie)
  assert.equal(page.status, 200)
  assert.match(await page.text(), /Logged in/)
  const { status, body } = await browser.call('GET', LOGIN)
  assert.equal(status, 200)
  const { state, issuer, scopes, created_by_type: by } = body as Body
  assert.deepEqual(
    [state, issuer, scopes, by],
    ['active', guard.authorization.issuer, ['echo'], 'user'],
  )
  for (const token of [...guard.authorization.given, ...guard.authorization.refreshes])
    assert.ok(!JSON.stringify(body).includes(token))
  const ended = await browser.call('DELETE', LOGIN)
  assert.deepEqual(
    [ended.status, ended.body],
    [200, { issuer: guard.authorization.issuer, revoked: true }],
  )
  assert.equal((await browser.call('DELETE', LOGIN)).status, 404)
})

test('API: a login counts for the session that began it, and for no other browser', async () => {
  for (const cookie of [null, bo.cookie]) {
    const given = guard.authorization.given.length
    const page = await back(await begun(), cookie)
    assert.ok([401, 403].includes(page.status))
    assert.match(await page.text(), /Not logged in/)
    assert.equal(guard.authorization.given.length, given)
  }
  assert.equal((await browser.call('GET', LOGIN)).status, 404)
})

test('API: no key logs in or out, and what is wrong with the server is named', async () => {
  const { key } = await userWithKey(vault, 'admin')
  for (const method of ['POST', 'DELETE'])
    assert.equal(
      (await api.ask(LOGIN, { method, bearer: key, ...(method === 'POST' && { body: {} }) }))
        .status,
      403,
    )
  await servers.add(PERSON, 'program', { kind: 'stdio', command: ['x'], variables: [] })
  const { status, body } = await browser.call('POST', LOGIN.replace('hub', 'program'), {})
  assert.equal(status, 501)
  assert.match(String((body as Body)['detail']), /is a program/)
  const odd = await browser.call('POST', LOGIN, { client_id: 'a', client_secret: 'b' })
  assert.deepEqual([odd.status, (odd.body as Body)['field']], [400, 'client_secret'])
})
