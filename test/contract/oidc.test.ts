import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { OidcSettings } from '../../src/core/config.ts'
import { type OidcProvider, type ProviderClaims, startProvider } from '../support/oidc-provider.ts'
import { FormBrowser, servePages, titleOf } from '../support/pages.ts'
import { BROWSER, callerOf, firstOwner, invited } from '../support/people.ts'
import { PERSON } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const open = new OpenVaults()
let provider: OidcProvider
before(async () => {
  provider = await startProvider()
})
after(() => provider?.stop())
afterEach(() => open.close(true))

function settings(): OidcSettings {
  const { issuer, clientId, clientSecret } = provider
  const domains = new Map([['corp.example', 'auditor'] as const])
  return { issuer, clientId, clientSecret, label: 'the provider', domains }
}

/** Goes to the provider and comes back as a browser does. @returns what the last page answered */
async function through(
  browser: FormBrowser,
  site: string,
  change: (back: URL) => void = () => {},
): Promise<Response> {
  const away = await browser.get('/sign-in/elsewhere?to=/approvals/7')
  assert.equal(away.status, 303)
  const answered = await fetch(away.headers.get('location') ?? '', { redirect: 'manual' })
  const back = new URL(answered.headers.get('location') ?? '')
  assert.equal(back.origin, site)
  change(back)
  return browser.get(`${back.pathname}${back.search}`, { 'sec-fetch-site': 'cross-site' })
}

const now = () => Math.floor(Date.now() / 1000)
const verified = (sub: string, email: string): ProviderClaims => ({
  sub,
  email,
  email_verified: true,
  name: 'Some One',
  auth_time: now(),
})

for (const store of [SQLITE, POSTGRES]) {
  test(`oidc on ${store.name}: whom a verified address, an invitation or a rule lets in`, {
    skip: store.skip,
  }, async () => {
    const vault = await open.fresh(store)
    await firstOwner(vault)
    await invited(vault, 'member')
    const { people, signIn } = await vault.identity.people()
    await people.invite(PERSON, { email: 'bo@example.org', role: 'admin' })
    const served = await servePages(vault, settings())
    try {
      const come = async (person: ProviderClaims) => {
        provider.person = person
        const browser = new FormBrowser(served.pages, served.site)
        const response = await through(browser, served.site)
        const cookie = browser.cookies.get('sallyport-session') ?? ''
        return { response, cookie, signedIn: await signIn.signedIn(cookie, BROWSER) }
      }
      const invitedNow = await come(verified('1', 'Bo@Example.org'))
      assert.equal(invitedNow.response.status, 303)
      assert.equal(invitedNow.response.headers.get('location'), '/approvals/7')
      assert.equal(invitedNow.signedIn?.person.role, 'admin')
      assert.equal(invitedNow.signedIn?.isSteppedUp, true)
      assert.equal(invitedNow.signedIn?.session.via, 'oidc')
      const again = await come({ sub: '1', auth_time: now() - 301 })
      assert.equal(again.signedIn?.person.email, 'bo@example.org', 'found by issuer and subject')
      assert.equal(again.signedIn?.isSteppedUp, false, 'he was there too long ago')
      assert.equal((await come({ sub: '1' })).signedIn?.isSteppedUp, false, 'nobody says when')
      assert.equal((await come(verified('2', 'cy@corp.example'))).signedIn?.person.role, 'auditor')
      const owner = await come(verified('3', 'ada@example.org'))
      assert.equal(owner.signedIn?.person.role, 'owner')
      assert.equal((await people.list(PERSON)).length, 4)

      const refused: readonly [what: string, person: ProviderClaims][] = [
        ['nobody was invited', verified('4', 'eve@example.org')],
        ['a domain that only ends alike', verified('4', 'eve@evilcorp.example')],
        ['not verified', { ...verified('4', 'ada@example.org'), email_verified: false }],
        ['nothing said of verified', { sub: '4', email: 'ada@example.org', auth_time: now() }],
        ['another nonce', { ...verified('1', 'bo@example.org'), nonce: 'x' }],
        ['another audience', { ...verified('1', 'bo@example.org'), aud: 'other' }],
        ['another issuer', { ...verified('1', 'bo@example.org'), iss: 'https://evil.example' }],
      ]
      for (const [what, person] of refused) {
        const { response, cookie } = await come(person)
        assert.equal(response.status, 401, what)
        assert.match(await response.text(), /This sign-in is for nobody here\./, what)
        assert.equal(cookie, '', what)
      }
      const bo = await callerOf(vault, invitedNow)
      await people.update(PERSON, bo.principal.id, { isActive: false })
      assert.equal((await come(verified('1', 'bo@example.org'))).response.status, 401)
      assert.equal((await people.list(PERSON)).length, 4)
    } finally {
      await served.stop()
    }
  })
}

test('oidc: state, code and cookie count once, in the browser that began, and for what it began', async () => {
  const vault = await open.fresh(SQLITE)
  await firstOwner(vault)
  const served = await servePages(vault, settings())
  try {
    provider.person = verified('1', 'ada@example.org')
    const page = await new FormBrowser(served.pages, served.site).get('/sign-in')
    assert.match(await page.text(), /Sign in with the provider/)
    const changes: readonly [what: string, change: (back: URL) => void][] = [
      ['another state', (back) => back.searchParams.set('state', 'x')],
      ['no state', (back) => back.searchParams.delete('state')],
      ['another code', (back) => back.searchParams.set('code', 'x')],
      ['no code', (back) => back.searchParams.delete('code')],
    ]
    for (const [what, change] of changes) {
      const response = await through(
        new FormBrowser(served.pages, served.site),
        served.site,
        change,
      )
      assert.equal(response.status, 401, what)
    }
    let taken = ''
    const victim = new FormBrowser(served.pages, served.site)
    const attacker = new FormBrowser(served.pages, served.site)
    const response = await through(victim, served.site, (back) => {
      taken = `${back.pathname}${back.search}`
    })
    assert.equal(response.status, 303)
    const replayed = await victim.get(taken)
    assert.equal(await titleOf(replayed), 'Not signed in')
    // An attacker's way back, opened in somebody else's browser, signs nobody in.
    assert.equal((await attacker.get(taken)).status, 401)
  } finally {
    await served.stop()
  }
})
